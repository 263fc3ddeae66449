//! What the orchestrator is told: that a saga may ask again, that a case is to be opened.
//!
//! A notice is a row of the commit that gave the reason, and stays until the orchestrator has answered: a crash in
//! between repeats it, and it is harmless twice. It carries no content that anybody acts on. A wake-up only makes sooner
//! what the saga does by itself, so without an orchestrator's address none is kept; a case is kept until there is one.

use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::checkout::GetCheckoutRequest;
use backstitch_proto::checkout::checkouts_client::CheckoutsClient;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{OpenCaseRequest, WakeSagaRequest};
use metrics::counter;
use participant_kit::{Background, Kit, OpError, Progress, Tx};
use sqlx::Row as _;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::metrics::NOTICES;
use crate::{SERVICE, pauses};

const RAISE: &str = include_str!("sql/notices/raise.sql");
const DUE: &str = include_str!("sql/notices/due.sql");
const ANSWERED: &str = include_str!("sql/notices/answered.sql");
const LATER: &str = include_str!("sql/notices/later.sql");

const WAKE: &str = "wake";
const CASE: &str = "case";

/// How long the orchestrator has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most notices that one tick tells.
const MOST: i64 = 64;

/// A saga may go on.
pub(crate) async fn wake(tx: &mut Tx<'_>, saga: Uuid, root: Uuid) -> Result<(), OpError> {
    raise(tx, WAKE, saga, root).await
}

/// A case is to be opened.
pub(crate) async fn case(tx: &mut Tx<'_>, case: Uuid, root: Uuid) -> Result<(), OpError> {
    raise(tx, CASE, case, root).await
}

async fn raise(tx: &mut Tx<'_>, kind: &'static str, about: Uuid, root: Uuid) -> Result<(), OpError> {
    let now_ms = tx.now_ms();
    let query = sqlx::query(RAISE).bind(kind).bind(about.to_string()).bind(root.to_string()).bind(now_ms);
    query.execute(tx.conn()).await?;
    Ok(())
}

/// Whom notices are told.
#[async_trait]
pub trait Orchestrator: Send + Sync + 'static {
    /// Something that a saga waits for may have happened.
    async fn wake(&self, saga: Uuid) -> Result<(), Status>;
    /// A refund of the family of `root` has failed after it was done.
    async fn open_case(&self, case: Uuid, root: Uuid) -> Result<(), Status>;
}

/// The orchestrator at an address, over gRPC.
pub struct Remote(Channel);

impl Remote {
    /// Connects when there is something to tell.
    ///
    /// # Errors
    /// That `address` is none, such as `http://127.0.0.1:50050`.
    pub fn at(address: &str) -> Result<Self, String> {
        let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|error| error.to_string())?;
        Ok(Self(endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect_lazy()))
    }
}

#[async_trait]
impl Orchestrator for Remote {
    async fn wake(&self, saga: Uuid) -> Result<(), Status> {
        let request = WakeSagaRequest { saga_id: saga.to_string(), participant: SERVICE.to_owned() };
        match OperatorClient::new(self.0.clone()).wake_saga(request).await {
            // One of before there was this verb: checkouts wait for customers there too.
            Err(status) if status.code() == Code::Unimplemented => {
                let request = GetCheckoutRequest { checkout_id: saga.to_string() };
                CheckoutsClient::new(self.0.clone()).wake(request).await.map(drop)
            }
            told => told.map(drop),
        }
    }

    async fn open_case(&self, case: Uuid, root: Uuid) -> Result<(), Status> {
        let request = OpenCaseRequest { case_id: case.to_string(), root_id: root.to_string() };
        OperatorClient::new(self.0.clone()).open_case(request).await.map(drop)
    }
}

/// Whether a notice has been answered for good. Who is not there, or has ended, will never wait again.
fn is_answer(kind: &str, told: &Result<(), Status>) -> bool {
    match told {
        Ok(()) => true,
        Err(status) if kind == WAKE => {
            matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument)
        }
        // A case that cannot be opened now has to be opened later, whatever the reason.
        Err(_) => false,
    }
}

/// The loop that tells.
pub(crate) struct Teller {
    pub(crate) kit: Kit,
    pub(crate) orchestrator: Option<std::sync::Arc<dyn Orchestrator>>,
}

impl Teller {
    async fn tick(&self, now_ms: i64) -> Result<Progress, OpError> {
        let rows = sqlx::query(DUE).bind(now_ms).bind(MOST).fetch_all(self.kit.reads()).await?;
        let (mut done, mut problem) = (0, None);
        for row in &rows {
            let (kind, about, root): (String, String, String) =
                (row.try_get("kind")?, row.try_get("about")?, row.try_get("root_id")?);
            let (raised, tries): (i64, i64) = (row.try_get("raised")?, row.try_get("tries")?);
            let told = match &self.orchestrator {
                None if kind == WAKE => Ok(()),
                None => Err(Status::unavailable("no orchestrator's address is set")),
                Some(orchestrator) => {
                    backstitch_failpoint::hit("payment.before_notice");
                    self.tell(orchestrator.as_ref(), &kind, &about, &root).await
                }
            };
            backstitch_failpoint::hit("payment.after_notice");
            let answered = is_answer(&kind, &told);
            if self.orchestrator.is_some() {
                let outcome = if answered { "answered" } else { "not answered" };
                counter!(NOTICES, "kind" => kind.clone(), "outcome" => outcome).increment(1);
                if let (Err(status), false) = (&told, answered) {
                    problem = Some(format!("the orchestrator was not told of {kind} {about}: {status}"));
                }
            }
            let next_at_ms = now_ms.saturating_add(pauses::after(tries));
            self.kit
                .run(Vec::new(), move |tx| {
                    let (kind, about) = (kind.clone(), about.clone());
                    Box::pin(async move {
                        let query = sqlx::query(if answered { ANSWERED } else { LATER });
                        let query = query.bind(kind).bind(about).bind(raised);
                        let query = if answered { query } else { query.bind(next_at_ms) };
                        query.execute(tx.conn()).await?;
                        Ok(())
                    })
                })
                .await?;
            done += usize::from(answered);
        }
        let more = i64::try_from(rows.len()).is_ok_and(|count| count == MOST);
        Ok(Progress { done, more, problem })
    }

    async fn tell(
        &self,
        orchestrator: &dyn Orchestrator,
        kind: &str,
        about: &str,
        root: &str,
    ) -> Result<(), Status> {
        let id = |text: &str| text.parse::<Uuid>().map_err(|_| Status::invalid_argument("no id"));
        let (about, root) = (id(about)?, id(root)?);
        match kind {
            WAKE => orchestrator.wake(about).await,
            _ => orchestrator.open_case(about, root).await,
        }
    }
}

#[async_trait]
impl Background for Teller {
    fn name(&self) -> &'static str {
        "notices"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        self.tick(now_ms).await.unwrap_or_else(Progress::failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_up_is_answered_by_who_is_gone_and_a_case_only_by_being_opened() {
        for (code, wakes) in [
            (Code::NotFound, true),
            (Code::FailedPrecondition, true),
            (Code::InvalidArgument, true),
            (Code::Unavailable, false),
            (Code::DeadlineExceeded, false),
            (Code::Unimplemented, false),
            (Code::Internal, false),
        ] {
            let told = Err(Status::new(code, ""));
            assert_eq!((is_answer(WAKE, &told), is_answer(CASE, &told)), (wakes, false), "{code:?}");
        }
        assert!(is_answer(WAKE, &Ok(())) && is_answer(CASE, &Ok(())));
    }

    #[test]
    fn an_address_that_is_none_is_told() {
        assert!(Remote::at("not an address").is_err());
    }
}
