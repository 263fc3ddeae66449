//! A checkout as its customer sees it: a reading of the saga's durable facts.
//!
//! Nothing that is told here un-happens later: an order is told of only once it stands.

use std::fmt;

use backstitch_core::{Cause, Definition, Direction, Entry, Saga, Status, StepId};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common;
use backstitch_proto::ids::derived;
use backstitch_proto::money::Money;
use backstitch_proto::order::CreateOrderResponse;
use backstitch_proto::payment::CustomerAction;
use backstitch_proto::shipping::QuoteResponse;
use backstitch_sagas::{step, thing};
use prost::Message;
use serde::Serialize;
use uuid::Uuid;

use crate::parked;
use crate::salvage::Salvage;

/// Where a checkout is on the HTTP face.
pub(crate) fn path(id: Uuid) -> String {
    format!("/api/v1/checkouts/{id}")
}

/// The document. Members that do not apply yet, or ever, are absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CheckoutDocument {
    pub(crate) checkout_id: Uuid,
    /// `running | waiting | completed | compensating | compensated | parked`
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) order_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total: Option<common::Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_action: Option<NextAction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) parked: Vec<ParkedStep>,
    /// The return that makes it good: what could not be delivered is not, and is paid back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) made_good: Option<Uuid>,
    /// What it waits for, where no node here can run it: it goes on by itself when one can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) waits_for: Option<String>,
}

/// What a person is looking at.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ParkedStep {
    /// None if it is about the checkout as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<&'static str>,
    /// For the customer.
    pub(crate) why: String,
    pub(crate) since_unix_ms: i64,
}

/// Why it is taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<&'static str>,
    pub(crate) reason: String,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub(crate) metadata: std::collections::BTreeMap<String, String>,
}

/// What the customer has to do. Does not print: who has it can act as the customer.
#[derive(Clone, PartialEq, Serialize)]
pub(crate) struct NextAction {
    /// `redirect`: they go to `url`; `client_secret`: the shop's page hands it to the provider's own script.
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) url: String,
    /// For the customer's own browser.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) client_secret: String,
    /// Until when they are waited for; then the payment is ended at the provider.
    pub(crate) until_unix_ms: i64,
}

impl fmt::Debug for NextAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NextAction({}, redacted)", self.kind)
    }
}

/// Reads the document off a saga's facts. `journal` is only looked into for what is parked.
pub(crate) fn of(definition: &Definition, saga: &Saga, journal: &[Entry]) -> CheckoutDocument {
    let number = order_number(definition, saga);
    CheckoutDocument {
        checkout_id: saga.id,
        status: saga.status().as_str(),
        order_id: number.as_ref().map(|_| derived(saga.id, thing::ORDER)),
        order_number: number,
        total: total(definition, saga).map(Money::to_proto),
        refusal: refusal(definition, saga),
        next_action: next_action(saga),
        parked: parked(definition, saga, journal),
        made_good: saga.made_good.as_ref().map(|good| good.return_saga),
        waits_for: None,
    }
}

/// Tells what there is of a checkout that this node cannot read whole.
pub(crate) fn salvaged(salvage: &Salvage) -> CheckoutDocument {
    let status = salvage.status();
    let parked = ParkedStep {
        step: None,
        why: "This checkout cannot go on without a person, who is looking at it. Nothing of it is lost."
            .to_owned(),
        since_unix_ms: salvage.row.updated_at_ms,
    };
    let known = salvage.start.as_ref().map(|start| of(&start.definition, &start.state, &start.journal));
    CheckoutDocument {
        checkout_id: salvage.row.id,
        status: status.as_str(),
        order_id: known.as_ref().and_then(|known| known.order_id),
        next_action: None,
        parked: if status == Status::Parked { vec![parked] } else { Vec::new() },
        order_number: known.as_ref().and_then(|known| known.order_number.clone()),
        total: known.as_ref().and_then(|known| known.total.clone()),
        made_good: known.as_ref().and_then(|known| known.made_good),
        refusal: known.and_then(|known| known.refusal),
        waits_for: salvage.waits_for(),
    }
}

fn parked(definition: &Definition, saga: &Saga, journal: &[Entry]) -> Vec<ParkedStep> {
    if let Some(good) = saga.made_good.as_ref().filter(|_| saga.end.is_none()) {
        let why = "This cannot be delivered, and your money is being given back.".to_owned();
        return vec![ParkedStep { step: None, why, since_unix_ms: good.at.0 }];
    }
    let told = |parked: parked::Parked<'_>| ParkedStep {
        step: parked.step.map(|id| definition.step(id).name),
        why: parked::told_to_customers(definition, saga, parked.by),
        since_unix_ms: parked.since.0,
    };
    parked::of(definition, saga, journal).into_iter().map(told).collect()
}

fn output<T: Message + Default>(saga: &Saga, step: StepId) -> Option<T> {
    T::decode(saga.output(step)?.clone()).ok()
}

/// The number of the order, once the order stands.
fn order_number(definition: &Definition, saga: &Saga) -> Option<String> {
    saga.output(definition.find(step::CONFIRM_ORDER)?)?;
    let created: CreateOrderResponse = output(saga, definition.find(step::CREATE_ORDER)?)?;
    Some(created.order_number)
}

/// Items and shipping, once shipping is quoted.
fn total(definition: &Definition, saga: &Saga) -> Option<Money> {
    let quote: QuoteResponse = output(saga, definition.find(step::QUOTE_SHIPPING)?)?;
    let input = CheckoutInput::decode(saga.start.input.clone()).ok()?;
    let subtotal = Money::parse(input.subtotal.as_ref()).ok()?;
    subtotal.plus(Money::parse(quote.price.as_ref()).ok()?).ok()
}

fn refusal(definition: &Definition, saga: &Saga) -> Option<Refusal> {
    let told = |step: Option<StepId>, reason: &str, detail: String| Refusal {
        step: step.map(|id| definition.step(id).name),
        reason: reason.to_owned(),
        detail,
        metadata: Default::default(),
    };
    match &saga.direction {
        Direction::Forward => None,
        Direction::Back(Cause::Refused(_)) => saga.refusal().map(|(id, refusal)| Refusal {
            metadata: refusal.metadata.clone(),
            ..told(Some(id), &refusal.reason, refusal.detail.clone())
        }),
        Direction::Back(Cause::GaveUp { step, last }) => {
            Some(told(Some(*step), "NO_ANSWER", format!("No answer in time; last heard: {last}")))
        }
        Direction::Back(Cause::Deadline) => Some(told(
            None,
            "DEADLINE",
            "The checkout was not ready to be paid before its deadline.".to_owned(),
        )),
        Direction::Back(Cause::Expired(step)) => Some(told(
            Some(*step),
            "EXPIRED",
            "An offer or a hold would have ended before the payment was taken; nothing was charged."
                .to_owned(),
        )),
        Direction::Back(Cause::Unfinished(step)) => Some(told(
            Some(*step),
            "CUSTOMER_DID_NOT_FINISH",
            "What the customer was asked to do was not finished in time; nothing was charged.".to_owned(),
        )),
        Direction::Back(Cause::Cancelled(why)) => Some(told(None, "CANCELLED", why.clone())),
    }
}

fn next_action(saga: &Saga) -> Option<NextAction> {
    if saga.status() != Status::Waiting {
        return None;
    }
    let waiting = saga.steps.iter().find_map(|step| step.waiting.as_ref())?;
    let action = CustomerAction::decode(waiting.next_action.0.clone()).ok()?;
    Some(NextAction {
        kind: action.kind,
        url: action.url,
        client_secret: action.client_secret,
        until_unix_ms: waiting.until.0,
    })
}

#[cfg(test)]
mod tests {
    use backstitch_core::{Instructions, ParkedBy, Record, Start, Timestamp};
    use bytes::Bytes;

    use super::*;

    struct Story {
        definition: Definition,
        saga: Saga,
        journal: Vec<Entry>,
    }

    impl Story {
        fn new() -> Self {
            let definition = backstitch_sagas::checkout().unwrap();
            let subtotal = Some(common::Money { amount_minor: 1000, currency: "GBP".into() });
            let input = CheckoutInput { subtotal, ..Default::default() };
            let start = Start {
                definition: "checkout".into(),
                version: 1,
                fingerprint: Bytes::new(),
                input: input.encode_to_vec().into(),
                deadline: Timestamp(900_000),
                traceparent: String::new(),
                root: Uuid::from_u128(7),
            };
            let first = Entry { at: Timestamp(1), record: Record::Started(Box::new(start)) };
            let saga = Saga::started(&definition, Uuid::from_u128(7), &first).unwrap();
            Self { definition, saga, journal: vec![first] }
        }

        fn id(&self, name: &str) -> StepId {
            self.definition.find(name).unwrap()
        }

        fn then(mut self, record: Record) -> Self {
            let entry = Entry { at: Timestamp(2), record };
            self.saga.fold(&entry).unwrap();
            self.journal.push(entry);
            self
        }

        fn done(self, name: &str, output: impl Message) -> Self {
            let step = self.id(name);
            self.then(Record::StepDone {
                step,
                output: output.encode_to_vec().into(),
                attempts: 1,
                valid_until: None,
            })
        }

        fn quoted(self) -> Self {
            let price = Some(common::Money { amount_minor: 295, currency: "GBP".into() });
            self.done(step::QUOTE_SHIPPING, QuoteResponse { price, ..Default::default() })
        }

        fn json(&self) -> serde_json::Value {
            serde_json::to_value(of(&self.definition, &self.saga, &self.journal)).unwrap()
        }
    }

    const ID: &str = "00000000-0000-0000-0000-000000000007";

    #[test]
    fn an_order_is_told_of_only_once_it_stands() {
        let created = CreateOrderResponse { order_number: "BS-000001".into(), ..Default::default() };
        let story = Story::new();
        assert_eq!(story.json(), serde_json::json!({"checkout_id": ID, "status": "running"}));
        let story = story.quoted().done(step::CREATE_ORDER, created);
        let total = serde_json::json!({"amount_minor": 1295, "currency": "GBP"});
        assert_eq!(story.json(), serde_json::json!({"checkout_id": ID, "status": "running", "total": total}));
        let story = story.then(Record::PivotIntent).done(step::CONFIRM_ORDER, ());
        let order = derived(Uuid::from_u128(7), "order");
        let expected = serde_json::json!({
            "checkout_id": ID, "status": "running", "total": total, "order_id": order, "order_number": "BS-000001",
        });
        assert_eq!(story.json(), expected);
        assert_eq!(story.then(Record::Completed).json()["status"], "completed");
    }

    #[test]
    fn a_refusal_says_which_step_why_and_its_facts() {
        let story = Story::new().quoted();
        let step = story.id(step::AUTHORIZE_PAYMENT);
        let refusal =
            backstitch_core::Refusal::new("TOTAL_CHANGED", "it did").with("total_amount_minor", 1295);
        let story = story
            .then(Record::StepRefused { step, refusal, attempts: 0, called: false })
            .then(Record::TurnedBack { cause: Cause::Refused(step) });
        let json = story.json();
        assert_eq!(json["status"], "compensating");
        assert_eq!(json["total"]["amount_minor"], 1295);
        let expected = serde_json::json!({
            "step": "authorize_payment", "reason": "TOTAL_CHANGED", "detail": "it did",
            "metadata": {"total_amount_minor": "1295"},
        });
        assert_eq!(json["refusal"], expected);
        assert_eq!(story.then(Record::Compensated).json()["status"], "compensated");
    }

    #[test]
    fn every_cause_of_turning_back_is_told() {
        let step = Story::new().id(step::RESERVE_STOCK);
        let cases = [
            (Cause::GaveUp { step, last: "silence".into() }, "NO_ANSWER", Some("reserve_stock")),
            (Cause::Deadline, "DEADLINE", None),
            (Cause::Expired(step), "EXPIRED", Some("reserve_stock")),
            (Cause::Unfinished(step), "CUSTOMER_DID_NOT_FINISH", Some("reserve_stock")),
            (Cause::Cancelled("by the customer".into()), "CANCELLED", None),
        ];
        for (cause, reason, step) in cases {
            let json = Story::new().then(Record::TurnedBack { cause }).json();
            assert_eq!(json["refusal"]["reason"], reason);
            assert_eq!(json["refusal"].get("step").and_then(|s| s.as_str()), step);
        }
    }

    #[test]
    fn what_is_parked_says_how_the_money_stands_and_who_has_to_come() {
        let parked = |story: Story, step: &str, by| {
            let (step, why) = (story.id(step), "the ledger does not open".to_owned());
            let json = story.then(Record::StepParked { step, why, attempts: 3, by }).json();
            assert_eq!((&json["status"], &json["parked"][0]["since_unix_ms"]), (&"parked".into(), &2.into()));
            json["parked"][0]["why"].as_str().unwrap().to_owned()
        };
        let begun = || Story::new().then(Record::PivotIntent);
        let captured = || begun().done(step::CAPTURE_PAYMENT, ());
        for (why, money, next) in [
            (parked(Story::new(), step::RESERVE_STOCK, ParkedBy::Silence), "not been charged", "service"),
            (parked(begun(), step::CAPTURE_PAYMENT, ParkedBy::Silence), "do not pay again", "service"),
            (parked(captured(), step::COMMIT_STOCK, ParkedBy::Fault), "has gone through", "A person"),
        ] {
            assert!(why.contains(money) && why.contains(next) && !why.contains("ledger"), "{why}");
        }
        let whole = Story::new().then(Record::Poisoned { why: "its task panicked".into() }).json();
        assert_eq!(whole["parked"][0].get("step"), None);
        assert!(whole["parked"][0]["why"].as_str().unwrap().contains("A person"));
    }

    #[test]
    fn a_waiting_checkout_says_what_the_customer_has_to_do_and_a_turned_back_one_does_not() {
        let asked = |action: CustomerAction| {
            let story = Story::new();
            let step = story.id(step::AUTHORIZE_PAYMENT);
            let next_action = Instructions(action.encode_to_vec().into());
            story.then(Record::StepWaiting { step, next_action, until: Timestamp(9) })
        };
        let redirect = CustomerAction {
            kind: "redirect".into(),
            url: "https://psp.example/3ds".into(),
            ..Default::default()
        };
        let story = asked(redirect);
        assert_eq!(story.json()["status"], "waiting");
        let expected =
            serde_json::json!({"kind": "redirect", "url": "https://psp.example/3ds", "until_unix_ms": 9});
        assert_eq!(story.json()["next_action"], expected);
        let secret = CustomerAction {
            kind: "client_secret".into(),
            client_secret: "pi_1_secret_2".into(),
            ..Default::default()
        };
        let expected = serde_json::json!({
            "kind": "client_secret", "client_secret": "pi_1_secret_2", "until_unix_ms": 9,
        });
        assert_eq!(asked(secret).json()["next_action"], expected);
        // Who comes back too late sees that it is over, and nothing that could still be done.
        let step = story.id(step::AUTHORIZE_PAYMENT);
        let story = story.then(Record::TurnedBack { cause: Cause::Unfinished(step) });
        assert_eq!(story.json().get("next_action"), None);
        assert_eq!(story.json()["refusal"]["reason"], "CUSTOMER_DID_NOT_FINISH");
        let detail = story.json()["refusal"]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("in time") && detail.contains("nothing was charged"), "{detail}");
    }
}
