//! A finding that only a person can judge, and what they say of it.

use std::time::Duration;

use backstitch_proto::order::OrderReturn;
use backstitch_proto::payment::Case;
use backstitch_reconciler::{NotJudged, Progress, Reconciler, Word, acknowledge, take_back};
use metrics_exporter_prometheus::PrometheusBuilder;
use tonic::Code;
use uuid::Uuid;

use super::*;
use crate::double::{DAY, Facts, gbp, saga};

/// Somebody refunded 4.00 GBP in the provider's dashboard.
fn refunded_by_hand() -> Facts {
    let mut facts = Facts::default();
    facts.sold(1);
    facts.object(1).refunded_minor = 400;
    facts
}

fn word(reason: &str) -> Word {
    Word { by: "ada".into(), reason: reason.into() }
}

async fn say(double: &Double, finding: Uuid) -> Result<String, NotJudged> {
    let judged =
        acknowledge(&double.shop, &Options::default(), NOW, finding, word("a goodwill refund")).await;
    judged.map(|(found, taken)| format!("{} {}: {}", found.kind.as_str(), taken.by, taken.reason))
}

/// The ids of a report's findings, those that count and those that are acknowledged.
fn ids(report: &Report) -> (Vec<Uuid>, Vec<Uuid>) {
    let counts = report.findings.iter().map(|told| told.finding.id()).collect();
    (counts, report.acknowledged.iter().map(|(finding, _)| finding.id()).collect())
}

#[tokio::test]
async fn what_is_acknowledged_is_told_apart_and_no_money_at_risk() {
    let double = Double::of(refunded_by_hand()).await;
    let report = run(&double).await;
    assert_eq!(
        (told(&report), report.last_line().as_str()),
        (vec![("refund_unknown_here", 400)], "money at risk: 4.00 GBP")
    );
    let finding = report.findings[0].finding.id();
    assert!(report.to_string().contains(&format!("\n  finding  {finding}\n")), "{report}");

    for _ in 0..2 {
        assert_eq!(say(&double, finding).await.unwrap(), "refund_unknown_here ada: a goodwill refund");
    }
    let report = run(&double).await;
    assert_eq!(ids(&report), (vec![], vec![finding]));
    assert!(!report.is_anything_at_risk());
    let text = report.to_string();
    for line in [
        "Acknowledged, and not in the sum:\n",
        "  by       ada, 2024-10-04T00:00:00Z\n",
        "  reason   a goodwill refund\n",
        &format!("  finding  {finding}\n"),
        "money at risk: none",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    let one = &json["acknowledged"][0];
    assert_eq!((&json["findings"], &json["counts"]["acknowledged"]), (&serde_json::json!([]), &1.into()));
    assert_eq!((&one["kind"], &one["by"]), (&"refund_unknown_here".into(), &"ada".into()));
    assert_eq!(one["finding_id"], finding.to_string());

    take_back(&double.shop, finding, word("it was not")).await.unwrap();
    assert_eq!(ids(&run(&double).await), (vec![finding], vec![]));
    let again = take_back(&double.shop, finding, word("it was not")).await.unwrap_err();
    assert!(matches!(again, NotJudged::Refused(_)), "{again}");
}

#[tokio::test]
async fn money_that_moves_again_is_at_risk_again() {
    let double = Double::of(refunded_by_hand()).await;
    let finding = run(&double).await.findings[0].finding.id();
    say(&double, finding).await.unwrap();
    for (minor, wanted) in [(401, "4.01 GBP"), (399, "3.99 GBP")] {
        double.change(|facts| facts.object(1).refunded_minor = minor);
        let report = run(&double).await;
        assert_eq!((report.last_line(), report.acknowledged.len()), (format!("money at risk: {wanted}"), 0));
        assert_ne!(report.findings[0].finding.id(), finding);
        assert!(matches!(say(&double, finding).await, Err(NotJudged::Unknown(id)) if id == finding));
    }
    double.change(|facts| facts.object(1).refunded_minor = 400);
    assert!(!run(&double).await.is_anything_at_risk(), "as it was when it was judged");
}

#[tokio::test]
async fn nothing_hides_behind_a_difference_that_is_acknowledged() {
    // Captured in the dashboard: the first difference tells, and says nothing of a refund.
    let mut facts = Facts::default();
    facts.sold(1);
    (facts.payment(1).captured_minor, facts.payment(1).status) = (0, "voided".into());
    let double = Double::of(facts).await;
    let before = run(&double).await.findings.remove(0).finding;
    say(&double, before.id()).await.unwrap();
    assert!(!run(&double).await.is_anything_at_risk());
    double.change(|facts| facts.object(1).refunded_minor = 1);
    let after = run(&double).await.findings.remove(0).finding;
    assert_eq!((after.kind, after.amount, &after.what), (before.kind, before.amount, &before.what));
    assert_ne!(after.id(), before.id());
}

#[tokio::test]
async fn what_a_person_leaves_as_it_is_is_not_repaired() {
    let mut facts = Facts::default();
    facts.sold(1).orphan(1, 1, "authorized");
    let (double, repair) = (Double::of(facts).await, Options { repair: true, ..Options::default() });
    let finding = run(&double).await.findings[0].finding.id();
    assert_eq!(say(&double, finding).await.unwrap(), "orphan_hold ada: a goodwill refund");
    let report = run_with(&double, repair).await;
    assert_eq!((ids(&report), double.repairs()), ((vec![], vec![finding]), vec![]));
    // Nor noted, while another saga of the checkout is under way.
    double.change(|facts| facts.moves(1, "running", NOW - DAY));
    let report = run_with(&double, repair).await;
    assert_eq!((ids(&report), double.notes()), ((vec![], vec![finding]), vec![]));

    double.change(|facts| facts.moves(1, "completed", NOW - DAY));
    take_back(&double.shop, finding, word("nobody needs it")).await.unwrap();
    assert_eq!(ids(&run_with(&double, repair).await), (vec![finding], vec![]));
    assert_eq!(double.repairs().len(), 1);
}

#[tokio::test]
async fn what_is_settled_otherwise_is_not_acknowledged() {
    let mut facts = Facts::default();
    facts.checkout(3, "parked", "captured", "pending");
    facts.sold(4).order(4).total = gbp(1_001);
    facts.moves(4, "completed", NOW);
    facts.sold(5).cases.push(Case {
        case_id: "r5".into(),
        payment_id: "payment-5".into(),
        root_id: saga(5),
        amount: gbp(100),
        ..Case::default()
    });
    facts.order(5).returns.push(OrderReturn {
        status: "completed".into(),
        refund: gbp(100),
        ..OrderReturn::default()
    });
    let double = Double::of(facts).await;
    let report = run(&double).await;
    let ways =
        ["its saga 00000000-0000-0000-0000-000000000003 has not ended", "run this again", "ResolveCase"];
    assert_eq!(report.findings.len(), ways.len());
    for (told, instead) in report.findings.iter().zip(ways) {
        let finding = told.finding.id();
        let refused = say(&double, finding).await.unwrap_err();
        let said = refused.to_string();
        assert!(matches!(refused, NotJudged::SettledOtherwise { .. }), "{said}");
        assert!(said.contains(instead) && said.contains(&finding.to_string()), "{said}");
    }
    assert_eq!(run(&double).await.findings, report.findings);
}

#[tokio::test]
async fn an_unknown_finding_is_named_and_asking_takes_nothing_back() {
    let mut facts = Facts::default();
    facts.sold(1).orphan(1, 1, "authorized");
    let double = Double::of(facts).await;
    let options = Options { repair: true, ..Options::default() };
    let unknown = Uuid::from_u128(7);
    let refused = acknowledge(&double.shop, &options, NOW, unknown, word("x")).await.unwrap_err();
    assert!(refused.to_string().starts_with(&format!("there is no finding {unknown} now")), "{refused}");
    assert_eq!(double.repairs(), []);
}

#[tokio::test]
async fn nothing_is_concluded_where_the_orchestrator_does_not_tell_and_an_older_one_has_none() {
    let double = Double::of(refunded_by_hand()).await;
    say(&double, run(&double).await.findings[0].finding.id()).await.unwrap();
    double.breaks("FindAcknowledgements", Code::Unavailable);
    let failed = reconcile(&double.shop, &Options::default(), NOW).await.unwrap_err().to_string();
    assert!(failed.starts_with("orchestrator at http://s did not answer FindAcknowledgements"), "{failed}");
    double.mend();
    double.breaks("FindAcknowledgements", Code::Unimplemented);
    assert!(run(&double).await.is_anything_at_risk());
    // Who finds nothing asks for nothing.
    let double = Double::of(Facts::default()).await;
    run(&double).await;
    assert_eq!(double.calls("FindAcknowledgements"), 0);
}

#[tokio::test]
async fn the_background_s_gauge_follows() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (shown, _here) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let double = Double::of(refunded_by_hand()).await;
    let finding = run(&double).await.findings[0].finding.id();
    let mut reconciler = Reconciler::new(double.shop.clone(), Options::default(), Duration::from_secs(60));
    reconciler.tick(NOW, true).await;
    let mut gauge = async |minute: i64| {
        let ran = reconciler.tick(NOW + minute * 60_000, true).await;
        assert!(matches!(ran, Progress::Ran(_)), "{ran:?}");
        let shown = shown.render();
        let line = shown.lines().find(|line| line.starts_with("backstitch_money_at_risk_minor{")).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(gauge(1).await, "400");
    say(&double, finding).await.unwrap();
    assert_eq!(gauge(2).await, "0");
    take_back(&double.shop, finding, word("it was not")).await.unwrap();
    assert_eq!(gauge(3).await, "400");
}
