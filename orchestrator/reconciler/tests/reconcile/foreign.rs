//! An account at the provider that others charge on too.

use backstitch_proto::payment::UnreadableObject;
use backstitch_reconciler::Failed;

use super::*;
use crate::double::{DAY, Facts};

/// What is on the account, a page of one object each.
fn facts() -> Facts {
    let mut facts = Facts { page: 1, ..Facts::default() };
    facts.sold(1).orphan(1, 1, "authorized").orphan(2, 1, "authorized").orphan(3, 1, "captured");
    for object in facts.objects.iter_mut().filter(|object| object.provider_id.ends_with(['2', '3'])) {
        (object.payment_id, object.saga_id) = (String::new(), String::new());
    }
    facts
}

#[tokio::test]
async fn what_bears_nothing_of_ours_is_a_person_s_to_judge_or_counted_where_the_account_is_shared() {
    let double = Double::of(facts()).await;
    let report = run_with(&double, Options { repair: true, ..Options::default() }).await;
    let orphans = [("orphan_hold", 1_000), ("orphan_hold", 1_000), ("orphan_capture", 1_000)];
    assert_eq!(told(&report), orphans);
    assert_eq!((report.counts.foreign, double.repairs().len()), (0, 1), "only what is ours is repaired");

    let shared = Options { is_account_shared: true, ..Options::default() };
    let report = run_with(&double, shared).await;
    assert_eq!(told(&report), orphans[..1], "what bears our ids is ours on any account");
    assert_eq!((report.counts.foreign, report.counts.objects), (2, 4));
    let said = report.to_string();
    assert!(
        said.contains("\n2 objects at the provider are somebody else's, and were not judged.\n"),
        "{said}"
    );
}

/// A payment has its object by the id that it stored: somebody who wipes its metadata makes nothing foreign of it.
#[tokio::test]
async fn an_object_that_a_payment_has_is_judged_whatever_it_bears() {
    let double = Double::of(facts()).await;
    double.change(|facts| {
        let object = facts.object(1);
        (object.payment_id, object.saga_id) = (String::new(), String::new());
        object.captured_minor = 999;
    });
    let shared = Options { is_account_shared: true, ..Options::default() };
    let report = run_with(&double, shared).await;
    assert_eq!(told(&report), [("orphan_hold", 1_000), ("captured_amount_differs", 1)]);
}

fn unreadable(id: impl Into<String>) -> UnreadableObject {
    UnreadableObject { provider_id: id.into(), why: "it is a cheque".into() }
}

#[tokio::test]
async fn what_somebody_else_made_and_nobody_can_read_is_told_and_stops_nothing() {
    let double = Double::of(facts()).await;
    for (many, more) in [(10, ""), (11, "... and 1 more that cannot be read.\n")] {
        double.change(|facts| {
            facts.unreadable = (10..10 + many).map(|n| unreadable(format!("pi_{n}"))).collect()
        });
        let report = run(&double).await;
        assert_eq!((told(&report).len(), report.counts.unreadable), (3, many));
        let said = report.to_string();
        let last = "pi_19 is somebody else's and cannot be read: it is a cheque\n";
        assert!(said.contains(&format!("{last}{more}compared 1 payments")), "{said}");
        assert_eq!(serde_json::to_value(&report).unwrap()["unreadable"].as_array().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn a_payment_whose_object_cannot_be_read_is_not_passed_over() {
    let double = Double::of(facts()).await;
    double.change(|facts| {
        facts.objects.retain(|object| object.provider_id != "pi_1");
        facts.unreadable.push(unreadable("pi_1"));
    });
    let failed = reconcile(&double.shop, &Options::default(), NOW).await.unwrap_err();
    let said = failed.to_string();
    assert!(matches!(failed, Failed::Unreadable { .. }), "{said}");
    assert_eq!(said, "payment at http://p answered what cannot be read: object `pi_1`: it is a cheque");
}

/// Another shop of this kind on the account, with holds and captures of any age.
#[tokio::test]
async fn what_another_shop_has_made_is_never_taken_back_and_counted_where_the_account_is_shared() {
    let mut facts = facts();
    facts.objects.retain(|object| !object.payment_id.is_empty());
    let theirs =
        [(1, "captured"), (1, "authorized"), (60, "captured"), (60, "authorized"), (60, "cancelled")];
    for (n, (days, state)) in (100..).zip(theirs) {
        let object = facts.orphan(n, 1, state).objects.last_mut().unwrap();
        object.saga_id = double::begun(NOW - days * DAY);
    }
    let double = Double::of(facts).await;
    let alone = Options { repair: true, ..Options::default() };
    let report = run_with(&double, alone).await;
    let [hold, capture] = [("orphan_hold", 1_000), ("orphan_capture", 1_000)];
    assert_eq!((told(&report), report.counts.foreign), (vec![hold, hold, hold, capture, capture], 0));
    let repaired: Vec<_> = double.repairs().into_iter().map(|repair| repair.provider_id).collect();
    assert_eq!(repaired, ["orphan_1"], "the only one whose checkout is known here");
    let said = report.to_string();
    assert!(said.contains("another shop's on this account (then say --shared-account)"), "{said}");

    let shared = Options { is_account_shared: true, ..alone };
    let report = run_with(&double, shared).await;
    assert_eq!((told(&report), report.counts.foreign), (vec![hold], 5));
    // What our ledger has is ours, also where its checkout is forgotten or bears another saga.
    double.change(|facts| facts.sagas.clear());
    let report = run_with(&double, shared).await;
    assert_eq!((told(&report), report.counts.foreign), (vec![hold], 5));
    double.change(|facts| facts.objects.last_mut().unwrap().payment_id = "payment-1".into());
    assert_eq!(run_with(&double, shared).await.counts.foreign, 4);
}
