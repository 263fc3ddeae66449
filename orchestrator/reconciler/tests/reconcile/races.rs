//! A shop that is open moves money between two reads. Whatever moves at whichever call: nothing is found that is not so,
//! and what is so is found.

use super::*;
use crate::double::{DAY, Facts, saga};

/// A move that the shop makes at once.
type Step = fn(&mut Facts);

/// Stories of one checkout, in the order in which things become so: saga, ledger, provider, ledger, order, saga.
fn stories() -> Vec<(&'static str, Facts, Vec<Step>)> {
    let mut held = Facts::default();
    held.checkout(1, "running", "authorized", "pending");
    let mut sold = Facts::default();
    sold.sold(1);
    vec![
        (
            "a hold is let go and its checkout ends",
            held.clone(),
            vec![
                |f| f.moves(1, "compensating", NOW),
                |f| f.payment(1).status = "voiding".into(),
                |f| f.object(1).state = "cancelled".into(),
                |f| f.payment(1).status = "voided".into(),
                |f| f.order(1).status = "cancelled".into(),
                |f| f.moves(1, "compensated", NOW),
            ],
        ),
        (
            "money is taken and its checkout ends",
            held,
            vec![
                |f| f.payment(1).status = "capturing".into(),
                |f| {
                    f.object(1).state = "captured".into();
                    f.object(1).captured_minor = 1_000;
                },
                |f| {
                    f.payment(1).status = "captured".into();
                    f.payment(1).captured_minor = 1_000;
                },
                |f| f.order(1).status = "confirmed".into(),
                |f| f.moves(1, "completed", NOW),
            ],
        ),
        (
            "a checkout begins",
            Facts::default(),
            vec![
                |f| f.moves(1, "running", NOW),
                |f| {
                    let mut new = Facts::default();
                    new.checkout(1, "running", "authorized", "pending");
                    let payment = new.payment(1);
                    (payment.status, payment.provider_id) = ("authorizing".into(), String::new());
                    payment.authorized_minor = 0;
                    payment.created_at_unix_ms = NOW;
                    f.payments.push(payment.clone());
                },
                |f| {
                    let mut new = Facts::default();
                    new.checkout(1, "running", "created", "pending");
                    new.object(1).authorized_minor = 0;
                    new.object(1).created_at_unix_ms = NOW;
                    f.objects.insert(0, new.object(1).clone());
                },
                |f| f.payment(1).provider_id = "pi_1".into(),
                |f| {
                    f.object(1).state = "authorized".into();
                    f.object(1).authorized_minor = 1_000;
                },
                |f| {
                    f.payment(1).status = "authorized".into();
                    f.payment(1).authorized_minor = 1_000;
                },
            ],
        ),
        (
            "goods come back",
            sold,
            vec![
                |f| f.moves(9, "running", NOW),
                |f| {
                    f.order(1).returns.push(backstitch_proto::order::OrderReturn {
                        status: "claimed".into(),
                        refund: double::gbp(400),
                        saga_id: saga(9),
                        ..Default::default()
                    });
                },
                |f| {
                    let refund = refund("pending");
                    f.payment(1).refunds.push(refund);
                },
                |f| {
                    f.object(1).refunds.push(refund("done"));
                    f.object(1).refunded_minor = 400;
                },
                |f| {
                    f.payment(1).refunds[0].status = "done".into();
                    f.payment(1).refunded_minor = 400;
                },
                |f| f.order(1).returns[0].status = "completed".into(),
                |f| f.moves(9, "completed", NOW),
            ],
        ),
    ]
}

fn refund(status: &str) -> backstitch_proto::payment::RefundDocument {
    backstitch_proto::payment::RefundDocument {
        refund_id: "refund".into(),
        status: status.into(),
        amount_minor: 400,
        provider_id: "re_1".into(),
        saga_id: saga(9),
    }
}

/// Without any grace: only the looks tell a race from a finding.
fn strict() -> Options {
    Options { grace: std::time::Duration::ZERO, repair: true, ..Options::default() }
}

/// Every step of every story at every pair of calls: one burst of steps before one call, the rest before a later one.
#[tokio::test]
async fn nothing_is_found_whenever_a_shop_moves() {
    let mut runs = 0;
    for (story, facts, steps) in stories() {
        for first in 0..=steps.len() {
            for (at, gap) in (1..=16).flat_map(|at| [1, 2, 3, 5, 8].map(move |gap| (at, gap))) {
                let (mut call, steps) = (0, steps.clone());
                let double = Double::moving(facts.clone(), move |_, _, facts| {
                    call += 1;
                    let due = if call == at {
                        0..first
                    } else if call == at + gap {
                        first..steps.len()
                    } else {
                        0..0
                    };
                    steps[due].iter().for_each(|step| step(facts));
                })
                .await;
                let report = run_with(&double, strict()).await;
                let wrong: Vec<_> = report.findings.iter().filter(|t| t.finding.is_at_risk()).collect();
                // A note to a saga that is under way, about what it is just doing, is no alarm; a repair or a person is.
                let alarms = wrong
                    .iter()
                    .filter(|told| !matches!(told.finding.step, backstitch_reconciler::Move::Note { .. }));
                let case = format!("{story}: {first} steps before call {at}, the rest {gap} later");
                assert_eq!(alarms.count(), 0, "{case}: {wrong:#?}");
                assert_eq!(double.repairs(), [], "{case}");
                runs += 1;
            }
        }
    }
    assert!(runs > 1_000, "{runs}");
}

/// The usual grace covers what is under way too.
#[tokio::test]
async fn what_a_saga_is_doing_right_now_is_young() {
    let mut facts = Facts::default();
    facts.checkout(1, "running", "captured", "pending");
    facts.moves(1, "running", NOW - 59_999);
    let double = Double::of(facts).await;
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.young), (vec![("money_without_order", 1_000)], 1));
    assert_eq!(report.last_line(), "money at risk: none");
    double.change(|facts| facts.moves(1, "running", NOW - 60_000));
    assert_eq!(run(&double).await.last_line(), "money at risk: 10.00 GBP");
}

#[tokio::test]
async fn what_never_stands_still_is_counted_and_no_finding() {
    let mut facts = Facts::default();
    facts.checkout(1, "running", "captured", "pending");
    let double = Double::moving(facts, |method, nth, facts| {
        if method == "GetSaga" {
            facts.moves(1, "running", NOW - DAY + i64::try_from(nth).unwrap());
        }
    })
    .await;
    let report = run_with(&double, strict()).await;
    assert_eq!((told(&report), report.counts.moving), (vec![], 1));
    assert_eq!(double.calls("GetSaga"), 6, "it is given up");
}

#[tokio::test]
async fn what_is_wrong_is_found_among_what_moves() {
    let mut facts = Facts::default();
    facts.checkout(1, "running", "captured", "pending").sold(2).orphan(1, 2, "authorized");
    let double = Double::moving(facts, |method, nth, facts| {
        if method == "GetSaga" {
            facts.moves(1, "running", NOW - DAY + i64::try_from(nth).unwrap());
        }
    })
    .await;
    let report = run_with(&double, strict()).await;
    assert_eq!((told(&report), report.counts.moving), (vec![("orphan_hold", 1_000)], 1));
    assert_eq!(double.repairs().len(), 1, "once, however often the rest is looked at");
}
