//! The barrier and the stock behind it, in memory; what is here survives a restart of the host.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use backstitch_proto::contract::{CallMeta, Op, Refusal, Verdict};
use backstitch_proto::inventory::{Product, ReserveRequest, ReserveResponse};
use tonic::Status;

use super::Fault;

/// What a call comes to beside an answer.
pub(crate) enum No {
    Verdict(Verdict),
    Plain(Status),
}

impl From<Verdict> for No {
    fn from(verdict: Verdict) -> Self {
        No::Verdict(verdict)
    }
}

type Answered = Result<ReserveResponse, No>;

#[derive(Clone, PartialEq)]
enum Row {
    /// Under way in this life of the host.
    Doing(ReserveRequest, u64),
    Done(ReserveRequest, ReserveResponse),
    Refused(ReserveRequest, Refusal),
    /// Under way in this life, but not to happen any more.
    Closing(u64),
    /// By a close or an undo, before or after it happened.
    Over,
}

/// What is to be done after the row was looked at.
pub(crate) enum Next {
    Answer(Answered),
    /// Wait if it is slow, then finish.
    Go,
}

#[derive(Default)]
pub(crate) struct Rows {
    rows: HashMap<String, Row>,
    /// On hand and reserved, by SKU.
    stock: HashMap<String, (i64, i64)>,
    /// Which life of the host this is; what was under way in an earlier one is over.
    pub(crate) life: u64,
    answers: u64,
}

impl Rows {
    pub(crate) fn put(&mut self, sku: &str, stock: i64) -> Product {
        self.stock.entry(sku.to_owned()).or_default().0 = stock;
        self.product(sku)
    }

    pub(crate) fn product(&self, sku: &str) -> Product {
        let (on_hand, reserved) = self.stock.get(sku).copied().unwrap_or_default();
        Product { sku: sku.to_owned(), on_hand, reserved, ..Product::default() }
    }

    pub(crate) fn restart(&mut self, fault: Fault) {
        self.life += 1;
        if fault == Fault::ForgetsOnRestart {
            self.rows.clear();
        }
    }

    /// A do or a close meets its row.
    pub(crate) fn begin(&mut self, call: &CallMeta, request: &ReserveRequest, fault: Fault) -> Next {
        let key = row_of(call, fault);
        let (op, row) = (call.op, self.rows.get(&key).cloned());
        if let Some(Row::Doing(first, _) | Row::Done(first, _) | Row::Refused(first, _)) = &row
            && first != request
            && fault != Fault::IgnoresBody
        {
            return Next::Answer(Err(Verdict::Broken("another request under this key".into()).into()));
        }
        let over = || Verdict::Refused(Refusal::new("CLOSED", "it never happens"));
        let late = || Verdict::Superseded("it is over".into());
        Next::Answer(match (op, row) {
            (Op::Do, None) => {
                if !matches!(fault, Fault::ChecksThenActs | Fault::RunsEveryTime) {
                    self.rows.insert(key, Row::Doing(request.clone(), self.life));
                }
                return Next::Go;
            }
            (Op::Close, None | Some(Row::Over)) if fault == Fault::PretendsAtClose => {
                Ok(ReserveResponse::default())
            }
            (_, None) => {
                if fault != Fault::NoTombstoneOfClose {
                    self.rows.insert(key, Row::Over);
                }
                Err(over().into())
            }
            // Its task died with an earlier life, and nothing had happened: what is done is done with its row.
            (Op::Do, Some(Row::Doing(request, life))) if life < self.life => {
                self.rows.insert(key, Row::Doing(request, self.life));
                return Next::Go;
            }
            (_, Some(Row::Doing(_, life) | Row::Closing(life))) if op != Op::Do && life < self.life => {
                self.rows.insert(key, Row::Over);
                Err(over().into())
            }
            (Op::Do, Some(Row::Doing(..))) if fault == Fault::PromisesDuringDo => Err(not_now()),
            (Op::Do, Some(Row::Closing(_))) if fault == Fault::VagueAtClosing => {
                Err(No::Plain(Status::unknown("being closed")))
            }
            (Op::Close, Some(Row::Doing(..))) if fault == Fault::ClosesTooEarly => Err(over().into()),
            (Op::Do, Some(Row::Doing(..))) => Err(No::Plain(Status::unknown("under way"))),
            (Op::Do, Some(Row::Closing(_))) => Err(late().into()),
            (_, Some(Row::Doing(..) | Row::Closing(_))) => {
                self.rows.insert(key, Row::Closing(self.life));
                Err(not_now())
            }
            (Op::Close, Some(Row::Done(..))) if fault == Fault::DeniesAtClose => Err(over().into()),
            (Op::Close, Some(Row::Done(_, answer))) if fault == Fault::SealsAtClose => {
                self.rows.insert(key, Row::Over);
                Ok(answer)
            }
            (_, Some(Row::Done(_, answer))) => Ok(self.answer(answer, fault)),
            (_, Some(Row::Refused(_, refusal))) => Err(self.refusal(refusal, fault)),
            (Op::Do, Some(Row::Over)) if fault == Fault::ReplaysAfterUndo => {
                Ok(ReserveResponse { reservation_id: request.reservation_id.clone() })
            }
            (Op::Do, Some(Row::Over)) => Err(late().into()),
            (_, Some(Row::Over)) => Err(over().into()),
        })
    }

    /// The effect without its row, where that is the fault.
    pub(crate) fn act_early(&mut self, request: &ReserveRequest) {
        let (sku, quantity) = wanted(request);
        let (on_hand, reserved) = self.stock.entry(sku).or_default();
        *on_hand -= quantity;
        *reserved += quantity;
    }

    /// The effect taken back without its row, where that is the fault.
    pub(crate) fn undo_early(&mut self, call: &CallMeta, fault: Fault) {
        if let Some(Row::Done(request, _)) = self.rows.get(&row_of(call, fault)).cloned() {
            let (sku, quantity) = wanted(&request);
            let (on_hand, reserved) = self.stock.entry(sku).or_default();
            *on_hand += quantity;
            *reserved -= quantity;
        }
    }

    /// The effect, if it may still happen.
    pub(crate) fn finish(&mut self, call: &CallMeta, request: &ReserveRequest, fault: Fault) -> Answered {
        let key = row_of(call, fault);
        let mine = matches!(self.rows.get(&key), Some(Row::Doing(..)));
        let careless = matches!(
            fault,
            Fault::ChecksThenActs | Fault::RunsEveryTime | Fault::UndoesTooEarly | Fault::ClosesTooEarly
        );
        if !mine && !careless {
            self.rows.insert(key, Row::Over);
            return Err(No::Plain(Status::unknown("closed meanwhile")));
        }
        let (sku, quantity) = wanted(request);
        let (on_hand, reserved) = self.stock.entry(sku).or_default();
        if quantity > *on_hand {
            if fault == Fault::KeepsHalfOfRefused {
                *reserved += 1;
            }
            let reason = if fault == Fault::MumblesReasons { "rather not" } else { "OUT_OF_STOCK" };
            let refusal = Refusal::new(reason, "there is not as much");
            match fault {
                Fault::ForgetsRefusals => self.rows.remove(&key),
                _ => self.rows.insert(key, Row::Refused(request.clone(), refusal.clone())),
            };
            return Err(self.refusal(refusal, fault));
        }
        if !matches!(fault, Fault::DoesNothing | Fault::ActsBeforeItWrites) {
            *on_hand -= quantity;
            *reserved += quantity;
        }
        let answer = ReserveResponse { reservation_id: request.reservation_id.clone() };
        if fault != Fault::RunsEveryTime {
            self.rows.insert(key, Row::Done(request.clone(), answer.clone()));
        }
        Ok(self.answer(answer, fault))
    }

    /// An undo, which is over at once unless the do is under way.
    pub(crate) fn undo(&mut self, call: &CallMeta, fault: Fault) -> Result<(), No> {
        let key = row_of(call, fault);
        match self.rows.get(&key).cloned() {
            None if fault == Fault::NoTombstoneOfUndo => {}
            None | Some(Row::Over) if fault == Fault::BreaksAtEarlyUndo => {
                return Err(Verdict::Broken("there is nothing to undo".into()).into());
            }
            Some(Row::Doing(_, life)) if life == self.life && fault != Fault::UndoesTooEarly => {
                self.rows.insert(key, Row::Closing(life));
                return Err(not_now());
            }
            Some(Row::Closing(life)) if life == self.life => return Err(not_now()),
            None | Some(Row::Doing(..) | Row::Closing(_) | Row::Over) => {
                self.rows.insert(key, Row::Over);
            }
            Some(Row::Refused(..)) if fault == Fault::RefusesUndo => {
                return Err(Verdict::Refused(Refusal::new("NOTHING_TO_UNDO", "it was refused")).into());
            }
            Some(Row::Refused(..)) => {}
            Some(Row::Done(request, _)) => {
                let (sku, quantity) = wanted(&request);
                let (on_hand, reserved) = self.stock.entry(sku).or_default();
                if !matches!(fault, Fault::UndoesNothing | Fault::UndoesBeforeItWrites) {
                    *on_hand += quantity;
                    *reserved -= quantity;
                }
                if fault != Fault::UndoesTwice {
                    self.rows.insert(key, Row::Over);
                }
            }
        }
        Ok(())
    }

    fn refusal(&mut self, refusal: Refusal, fault: Fault) -> No {
        self.answers += 1;
        match fault {
            Fault::FreshRefusals => Verdict::Refused(refusal.with("count", self.answers)).into(),
            _ => Verdict::Refused(refusal).into(),
        }
    }

    fn answer(&mut self, answer: ReserveResponse, fault: Fault) -> ReserveResponse {
        self.answers += 1;
        match fault {
            Fault::FreshAnswers => {
                ReserveResponse { reservation_id: format!("{} {}", answer.reservation_id, self.answers) }
            }
            _ => answer,
        }
    }
}

fn not_now() -> No {
    Verdict::NotNow { after: Duration::from_millis(50), why: "the do is under way".into() }.into()
}

/// The row of a call.
fn row_of(call: &CallMeta, fault: Fault) -> String {
    match fault {
        Fault::OneRowPerSaga => call.saga.to_string(),
        Fault::OneRowPerStep => call.step.clone(),
        Fault::OneRowPerTrace | Fault::OneRowPerRequestId => {
            format!("{}/{}/{}", call.saga, call.step, call.traceparent)
        }
        Fault::OneRowPerAttempt => format!("{}/{}/{}", call.saga, call.step, call.attempt),
        _ => format!("{}/{}", call.saga, call.step),
    }
}

/// What of: the first item; others are for show.
fn wanted(request: &ReserveRequest) -> (String, i64) {
    request.items.first().map(|item| (item.sku.clone(), item.quantity)).unwrap_or_default()
}

/// Whether a request asks to be slow.
pub(crate) fn is_slow(request: &ReserveRequest) -> bool {
    request.items.iter().any(|item| item.sku == "slow")
}

/// Whether the saga began more than 45 days ago.
pub(crate) fn is_old(call: &CallMeta) -> bool {
    let born = call.saga.get_timestamp().map_or(u64::MAX, |at| at.to_unix().0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    born < now - 45 * 24 * 3600
}
