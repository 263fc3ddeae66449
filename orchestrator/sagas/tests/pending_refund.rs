//! Money on its way back: a return keeps what it claimed until the provider's word, whatever its silence.

#![allow(clippy::unwrap_used)]

use backstitch_core::{
    Activity, Definition, Event, Op, Outcome, Parked, ParkedBy, Refusal, Saga, Status, Timestamp, begin, next,
};
use backstitch_proto::common::{Item, Money, PricedItem};
use backstitch_proto::ids::derived;
use backstitch_proto::order::CreateReturnResponse;
use backstitch_proto::payment::RefundResponse;
use backstitch_proto::returns::ReturnInput;
use backstitch_sagas::{return_step, return_thing, returns, thing};
use prost::Message;
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_5a6a_0001);
const CREATE: &str = return_step::CREATE_RETURN;
const REFUND: &str = return_step::REFUND_PAYMENT;

/// A return by the table alone, time and answers given.
struct Return {
    definition: Definition,
    saga: Saga,
    now: Timestamp,
    calls: Vec<(&'static str, Op)>,
}

impl Return {
    /// What it claims is claimed, and its refund is being asked for.
    fn claimed() -> Self {
        let id = ID.to_string();
        let input = ReturnInput {
            checkout_id: id.clone(),
            order_id: id.clone(),
            items: vec![Item { sku: "MUG".into(), quantity: 1 }],
            ..Default::default()
        };
        let (definition, now) = (returns().unwrap(), Timestamp(1_700_000_000_000));
        let (saga, _) = begin(&definition, ID, ID, input.encode_to_vec().into(), String::new(), now);
        let mut story = Self { definition, saga, now, calls: Vec::new() };
        story.happens(Event::Own { recovered: false });
        let mug = PricedItem { sku: "MUG".into(), quantity: 1, unit_price: money(), ..Default::default() };
        let created = CreateReturnResponse {
            return_id: id,
            order_number: "1001".into(),
            payment_id: derived(ID, thing::PAYMENT).to_string(),
            items: vec![mug],
            refund: money(),
            ..Default::default()
        };
        story.answer(CREATE, Outcome::Done(created.encode_to_vec().into()));
        story
    }

    /// The same, and the provider shows nothing until it parks. Answers after how long.
    fn parked() -> (Self, i64) {
        let mut story = Self::claimed();
        let begun = story.now.0;
        loop {
            match story.activity(REFUND) {
                Activity::Calling { op: Op::Do, .. } => story.answer(REFUND, Outcome::unknown("pending")),
                Activity::Calling { .. } => {
                    let after = std::time::Duration::from_secs(1);
                    story.answer(REFUND, Outcome::NotNow { after, why: "it may yet be done".into() });
                }
                Activity::BackingOff { op, attempt, until, .. } => {
                    story.now = until;
                    let step = story.definition.find(REFUND).unwrap();
                    story.happens(Event::RetryDue { step, op, attempt });
                }
                Activity::Idle => return (Self { calls: Vec::new(), ..story }, story.now.0 - begun),
            }
        }
    }

    fn activity(&self, name: &str) -> Activity {
        self.saga.step(self.definition.find(name).unwrap()).activity.clone()
    }

    fn happens(&mut self, event: Event) {
        let transition = next(&self.definition, &mut self.saga, event, self.now, 0).unwrap();
        for effect in transition.effects {
            if let backstitch_core::Effect::Call(call) = effect {
                self.calls.push((self.definition.step(call.step).name, call.op));
            }
        }
    }

    fn answer(&mut self, name: &str, outcome: Outcome) {
        let step = self.definition.find(name).unwrap();
        let Activity::Calling { op, attempt } = self.activity(name) else { panic!("{name} is not called") };
        self.happens(Event::Replied { step, op, attempt, outcome });
    }

    fn available(&mut self) {
        self.happens(Event::Available { participant: "payment".into() });
        assert_eq!(std::mem::take(&mut self.calls), [(REFUND, Op::Close)]);
    }
}

fn money() -> Option<Money> {
    Some(Money { amount_minor: 999, currency: "EUR".into() })
}

#[test]
fn a_return_whose_refund_is_pending_parks_with_what_it_claimed() {
    let (story, after_ms) = Return::parked();
    assert_eq!(story.saga.status(), Status::Parked);
    let refund = story.saga.step(story.definition.find(REFUND).unwrap());
    assert!(matches!(refund.parked, Some(Parked { by: ParkedBy::Silence, .. })), "{refund:?}");
    // Nothing was taken back: the quantities are its own.
    let create = story.definition.find(CREATE).unwrap();
    assert!(story.saga.output(create).is_some() && story.saga.turned_back.is_none());
    // Asked for a minute and a half, and closed for as long.
    assert!((120_000..=180_000).contains(&after_ms), "{after_ms} ms");
}

#[test]
fn it_is_asked_again_when_there_is_news_and_goes_on_when_the_money_is_back() {
    let (mut story, _) = Return::parked();
    story.available();
    let refund_id = derived(ID, return_thing::REFUND).to_string();
    let refunded = RefundResponse { refund_id, refunded: money() };
    story.answer(REFUND, Outcome::Done(refunded.encode_to_vec().into()));
    assert_eq!(story.saga.status(), Status::Running);
    assert!(story.calls.contains(&(return_step::RESTOCK, Op::Do)), "{:?}", story.calls);
}

#[test]
fn only_the_provider_s_no_frees_what_it_claimed() {
    let (mut story, _) = Return::parked();
    story.available();
    story.answer(REFUND, Outcome::Refused(Refusal::new("REFUND_FAILED", "the bank has refused it")));
    assert_eq!(story.calls, [(CREATE, Op::Undo)]);
    story.answer(CREATE, Outcome::Done(Default::default()));
    assert_eq!(story.saga.status(), Status::Compensated);
}
