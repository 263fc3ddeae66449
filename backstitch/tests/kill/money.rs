//! Where a process is killed around what moves money: at Stripe, whose double outlives it, and in what somebody has to put
//! right.

use crate::points::{
    AFTER_RECORD, AROUND_CALL, BEFORE_RECORD, OF_A_TAKEOVER, Point, Who, around_effects, orchestrator, point,
};

/// What moves money in a checkout, at the bank.
pub(crate) const MONEY: [&str; 3] = ["authorize_payment/do", "authorize_payment/undo", "capture_payment/do"];
/// And in a return: the refund, and what is taken back where the bank refuses it.
const MONEY_BACK: [&str; 2] = ["refund_payment/do", "create_return/undo"];

/// Around everything that comes to Stripe's calls; where another orchestrator can take over, around what counts there.
pub(crate) fn of_orchestrator_at_stripe(nodes: usize) -> Vec<Point> {
    orchestrator(around_calls(nodes), &MONEY)
}

/// While returns are under way.
pub(crate) fn of_orchestrator_in_returns_at_stripe(nodes: usize) -> Vec<Point> {
    let mut points = orchestrator(around_calls(nodes), &MONEY_BACK);
    points.extend(orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &["pivot_intent"]));
    points
}

fn around_calls(nodes: usize) -> &'static [&'static str] {
    if nodes > 1 { &OF_A_TAKEOVER } else { &AROUND_CALL }
}

/// From the intent to refund to its answer to the orchestrator, and what Stripe tells by itself.
pub(crate) fn of_refunds_at_stripe() -> Vec<Point> {
    let mut points = around_refunds();
    let names = [
        "participant.before_commit:refund_payment/do",
        "participant.before_reply:refund_payment/do",
        "payment.webhook_stored",
        "payment.webhook_acted_on",
    ];
    points.extend(names.map(|name| point(Who::Participants, name)));
    points
}

/// While refunds fail that were done: what Stripe tells of it, the look at the refund and its record, the word that a person
/// has to come, and the saga that waits for that person.
pub(crate) fn of_reversals(nodes: usize) -> Vec<Point> {
    let names = [
        "payment.refund_looked_at",
        "payment.webhook_acted_on",
        "payment.before_notice",
        "payment.after_notice",
    ];
    let mut points: Vec<_> = names.map(|name| point(Who::Participants, name)).to_vec();
    points.extend(orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &["start"]));
    if nodes == 1 {
        points.extend(orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &["parked"]));
        points.push(point(Who::Participants, "payment.webhook_stored"));
    }
    points
}

/// Those places around Stripe after which a payment service that may not be alone on its database goes on in another way
/// than one that knows that it is.
const NOT_ALONE: [&str; 17] = [
    "participant.before_provider:authorize_payment/do",
    "participant.before_provider:capture_payment/do",
    "participant.after_provider:authorize_payment/undo",
    "participant.before_provider:refund_payment/do",
    "participant.before_commit:refund_payment/do",
    "payment.attached",
    "payment.confirmed",
    "payment.captured",
    "payment.on_record:cancel",
    "payment.answered:cancel",
    "payment.after_cancel",
    "payment.on_record:refund",
    "payment.answered:refund",
    "payment.after_refund",
    "participant.before_provider:take_back_object/do",
    "payment.webhook_acted_on",
    "payment.before_notice",
];

/// Those of them that count on Postgres.
pub(crate) fn not_alone(points: Vec<Point>) -> Vec<Point> {
    points.into_iter().filter(|point| NOT_ALONE.contains(&point.name.as_str())).collect()
}

/// From the intent to give money back, which is committed, to its end, which is not: both sides of the call to the bank,
/// and of the records that it is made and of what it came to.
pub(crate) fn around_refunds() -> Vec<Point> {
    let names = [
        "participant.before_provider:refund_payment/do",
        "payment.before_refund",
        "payment.on_record:refund",
        "payment.answered:refund",
        "payment.after_refund",
        "participant.after_provider:refund_payment/do",
    ];
    names.map(|name| point(Who::Participants, name)).to_vec()
}

/// Around every call to Stripe, every webhook, and every word to the orchestrator about one.
pub(crate) fn of_payments_at_stripe() -> Vec<Point> {
    let places = [
        "participant.before_commit",
        "participant.before_provider",
        "participant.after_provider",
        "participant.before_reply",
    ];
    let mut points = Vec::new();
    for outside in MONEY {
        points.extend(places.map(|place| point(Who::Participants, format!("{place}:{outside}"))));
    }
    let named = [
        "payment.answered:create",
        "payment.answered:confirm",
        "payment.answered:capture",
        "payment.created",
        "payment.attached",
        "payment.confirmed",
        "payment.captured",
        "payment.on_record:cancel",
        "payment.answered:cancel",
        "payment.after_cancel",
        "payment.webhook_stored",
        "payment.webhook_acted_on",
        "payment.before_notice",
        "payment.after_notice",
    ];
    points.extend(named.map(|name| point(Who::Participants, name)));
    points
}

/// From the cancel that finds the money taken to the end of the refund that gives it back.
pub(crate) fn of_what_was_overtaken(nodes: usize) -> Vec<Point> {
    let mut names = Vec::from([
        "payment.taken_behind",
        "payment.on_record:refund",
        "payment.answered:refund",
        "payment.after_refund",
    ]);
    if nodes == 1 {
        names.extend([
            "participant.before_provider:authorize_payment/undo",
            "payment.on_record:cancel",
            "payment.answered:cancel",
            "payment.after_cancel",
            "payment.before_refund",
            "participant.after_provider:authorize_payment/undo",
            "participant.before_reply:authorize_payment/undo",
            "payment.webhook_acted_on",
        ]);
    }
    let mut points: Vec<_> = names.into_iter().map(|name| point(Who::Participants, name)).collect();
    points.extend(orchestrator(around_calls(nodes), &["authorize_payment/undo"]));
    points
}

const TAKE_BACK: &str = "take_back_object/do";

/// Around what a repair does at the bank: an object of no payment is cancelled or given back.
pub(crate) fn of_taking_back() -> Vec<Point> {
    let mut points = around_effects(&[TAKE_BACK.to_owned()]);
    let names = [
        "participant.before_provider:take_back_object/do",
        "payment.on_record:cancel",
        "payment.answered:cancel",
        "payment.after_cancel",
        "payment.before_refund",
        "payment.on_record:refund",
        "payment.answered:refund",
        "payment.after_refund",
        "participant.after_provider:take_back_object/do",
    ];
    points.extend(names.map(|name| point(Who::Participants, name)));
    points
}

/// Around the repair itself: whoever starts it, whoever runs it, whoever acts on it.
pub(crate) fn of_repairs(nodes: usize) -> Vec<Point> {
    let mut points = of_taking_back();
    let mut records = Vec::from(["start", "end"]);
    if nodes == 1 {
        records.push("pivot_intent");
        points.extend(of_reconciler());
    } else {
        points = not_alone(points);
    }
    points.extend(orchestrator(around_calls(nodes), &[TAKE_BACK]));
    points.extend(orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &records));
    points
}

/// Both sides of its word that an object is to be taken back.
fn of_reconciler() -> Vec<Point> {
    ["reconcile.before_repair", "reconcile.after_repair"].map(|name| point(Who::Reconciler, name)).to_vec()
}
