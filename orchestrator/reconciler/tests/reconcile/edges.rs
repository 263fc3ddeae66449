//! Lists have a bound in time. At its edge nothing is found that is not so; what is open is looked at however old it is; and
//! nothing else that is older is read.

use backstitch_proto::payment::{Case, RefundDocument};
use backstitch_reconciler::{Because, Move};

use super::*;
use crate::double::{DAY, Facts, gbp, saga};

const HOUR: i64 = 3_600_000;
/// What is judged, what the provider is asked for, and what our own books are.
const SINCE: i64 = NOW - 30 * DAY;
const LISTED: i64 = SINCE - HOUR;
const OURS: i64 = LISTED - HOUR;
const LONG_AGO: i64 = NOW - 40 * DAY;

/// When payment, object and order of a checkout were made.
fn made(facts: &mut Facts, n: u128, [payment, object, order]: [i64; 3]) {
    facts.payment(n).created_at_unix_ms = payment;
    facts.payment(n).updated_at_unix_ms = payment;
    facts.object(n).created_at_unix_ms = object;
    facts.object(n).order_id = format!("order-{n}");
    facts.order(n).history[0].at_unix_ms = order;
}

fn sold(times: [i64; 3]) -> Facts {
    let mut facts = Facts::default();
    facts.sold(1);
    made(&mut facts, 1, times);
    facts
}

/// A checkout from before everything that is listed.
fn long_ago(saga_status: &str, object: &str, order: &str) -> Facts {
    let mut facts = Facts::default();
    facts.checkout(1, saga_status, object, order);
    made(&mut facts, 1, [LONG_AGO; 3]);
    facts.moves(1, saga_status, LONG_AGO);
    facts
}

async fn found(facts: Facts) -> Vec<(&'static str, i64)> {
    told(&run(&Double::of(facts).await).await)
}

#[tokio::test]
async fn a_checkout_on_both_sides_of_the_bound_is_compared_whole() {
    for payment in [LISTED, OURS, OURS - 1, LONG_AGO] {
        for order in [SINCE, OURS, OURS - 1, LONG_AGO] {
            let whole = sold([payment, LISTED, order]);
            let case = format!("payment at {}, order at {}", payment - SINCE, order - SINCE);
            assert_eq!(found(whole.clone()).await, [], "{case}");
            let mut differs = whole.clone();
            differs.object(1).captured_minor = 999;
            assert_eq!(found(differs).await, [("captured_amount_differs", 1)], "{case}");
            let mut cancelled = whole.clone();
            cancelled.order(1).status = "cancelled".into();
            assert_eq!(found(cancelled).await, [("money_without_order", 1_000)], "{case}");
            // By the id that the payment stored, whatever the object bears.
            let mut wiped = whole;
            let object = wiped.object(1);
            (object.payment_id, object.saga_id) = (String::new(), String::new());
            assert_eq!(found(wiped).await, [], "{case}");
        }
    }
}

#[tokio::test]
async fn one_past_the_bound_nothing_is_judged_and_nothing_found() {
    for payment in [LISTED - 1, OURS, OURS - 1] {
        for order in [SINCE, SINCE - 1, OURS, OURS - 1] {
            let mut facts = sold([payment, LISTED - 1, order]);
            facts.object(1).captured_minor = 999;
            let case = format!("payment at {}, order at {}", payment - SINCE, order - SINCE);
            assert_eq!(found(facts).await, [], "{case}");
        }
    }
}

#[tokio::test]
async fn an_order_outside_whose_payment_is_inside_is_found_by_its_id() {
    let mut facts = sold([NOW - DAY, NOW - DAY, LONG_AGO]);
    assert_eq!(found(facts.clone()).await, []);
    facts.order(1).total = gbp(1_001);
    assert_eq!(found(facts.clone()).await, [("kept_differs", 1)]);
    facts.orders.clear();
    assert_eq!(found(facts).await, [("money_without_order", 1_000)]);
}

fn refund(status: &str) -> RefundDocument {
    RefundDocument {
        refund_id: "refund".into(),
        status: status.into(),
        amount_minor: 400,
        provider_id: "re_1".into(),
        saga_id: saga(9),
    }
}

#[tokio::test]
async fn a_refund_of_a_payment_long_before_is_looked_at_while_it_is_pending() {
    let refunded = |ours: &str, theirs: &str, return_status: &str| {
        let mut facts = long_ago("completed", "captured", "confirmed");
        facts.moves(9, return_status, NOW - DAY);
        facts.payment(1).refunds.push(refund(ours));
        facts.object(1).refunds.push(refund(theirs));
        facts.object(1).refunded_minor = 400;
        facts
    };
    let report = run(&Double::of(refunded("pending", "pending", "running")).await).await;
    assert_eq!(told(&report), [("kept_differs", 400)]);
    assert_eq!(report.findings[0].finding.step, Move::Note { saga: saga(9), is_parked: false });
    assert_eq!(found(refunded("pending", "done", "completed")).await, [("refund_unknown_here", 400)]);
    // One that is done is at rest, and is not read.
    let double = Double::of(refunded("done", "done", "completed")).await;
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.payments), (vec![], 0));
}

#[tokio::test]
async fn a_hold_does_not_age_out_of_sight() {
    let report = run(&Double::of(long_ago("completed", "authorized", "cancelled")).await).await;
    assert_eq!(told(&report), [("hold_left_over", 1_000)]);
    assert_eq!(report.findings[0].finding.step, Move::Repair { state: "authorized" });

    // What an order stands on is not taken from it, although the order is as old.
    let report = run(&Double::of(long_ago("completed", "authorized", "confirmed")).await).await;
    assert_eq!(told(&report), [("order_without_money", 1_000)]);
    assert_eq!(report.findings[0].finding.step, Move::Person(Because::Judgement));

    let mut parked = long_ago("parked", "authorized", "pending");
    assert_eq!(found(parked.clone()).await, [], "it may wait for a person as long as it holds");
    parked.object(1).capture_before_unix_ms = NOW + DAY;
    assert_eq!(found(parked.clone()).await, [("hold_ends_soon", 1_000)]);
    parked.objects.clear();
    assert_eq!(found(parked.clone()).await, [("object_unknown", 1_000)], "asked for by its id");
    parked.payment(1).status = "voided".into();
    assert_eq!(found(parked).await, [], "one at rest is not asked for");

    let mut taken = long_ago("parked", "captured", "pending");
    (taken.payment(1).status, taken.payment(1).captured_minor) = ("capturing".into(), 0);
    assert_eq!(found(taken).await, [("missed_capture", 1_000)]);
}

#[tokio::test]
async fn an_open_case_is_told_however_old_and_its_payment_with_it() {
    let mut facts = long_ago("parked", "captured", "confirmed");
    facts.payment(1).refunds.push(refund("failed"));
    facts.object(1).refunds.push(refund("failed"));
    facts.cases.push(Case {
        case_id: "refund".into(),
        payment_id: "payment-1".into(),
        root_id: saga(1),
        amount: gbp(400),
        opened_at_unix_ms: LONG_AGO,
        ..Default::default()
    });
    facts.order(1).returns.push(backstitch_proto::order::OrderReturn {
        status: "completed".into(),
        refund: gbp(400),
        ..Default::default()
    });
    let report = run(&Double::of(facts.clone()).await).await;
    assert_eq!(told(&report), [("open_case", 400)]);
    assert!(matches!(report.findings[0].finding.step, Move::Note { is_parked: true, .. }));
    facts.cases[0].resolution = "bank transfer 4711".into();
    assert_eq!(found(facts.clone()).await, []);
    // Inside the bound a resolved one explains what is kept.
    made(&mut facts, 1, [NOW - DAY; 3]);
    assert_eq!(found(facts.clone()).await, []);
    facts.cases.clear();
    assert_eq!(found(facts).await, [("kept_differs", 400)]);
}

#[tokio::test]
async fn a_second_object_of_a_checkout_long_ago_is_judged_with_its_order() {
    let mut facts = long_ago("completed", "captured", "confirmed");
    facts.orphan(1, 1, "captured");
    facts.objects[1].order_id = "order-1".into();
    assert_eq!(found(facts.clone()).await, [("captured_twice", 1_000)]);
    // Not from an order that lacks its money.
    facts.payments.clear();
    let report = run(&Double::of(facts).await).await;
    assert_eq!(told(&report), [("orphan_capture", 1_000)]);
    assert_eq!(report.findings[0].finding.step, Move::Person(Because::Judgement));
}

#[tokio::test]
async fn a_run_reads_what_is_judged_and_no_more() {
    let mut facts = Facts { page: 10, ..Facts::default() };
    for n in 0..500 {
        facts.sold(n);
        if n >= 25 {
            made(&mut facts, n, [LONG_AGO; 3]);
        }
    }
    let double = Double::of(facts).await;
    let report = run(&double).await;
    let counts = report.counts;
    assert_eq!([counts.objects, counts.payments, counts.orders], [25; 3]);
    assert_eq!((double.calls("ListProviderObjects"), double.calls("List")), (3, 3));
    // One more, for what is open.
    assert_eq!((double.calls("ListPayments"), double.calls("ListCases")), (4, 1));
    for by_id in ["GetProviderObject", "GetPayment", "Get", "GetSaga"] {
        assert_eq!(double.calls(by_id), 0, "{by_id}");
    }
}
