//! What is done about findings, and what is not.

use backstitch_reconciler::{Done, Kind, Word, acknowledge};
use tonic::Code;

use super::*;
use crate::double::{DAY, Facts, saga};

/// One to repair of either kind, one to note, one for a person.
fn facts() -> Facts {
    let mut facts = Facts::default();
    facts.sold(1).orphan(1, 1, "authorized");
    facts.sold(2).orphan(2, 2, "captured");
    facts.checkout(3, "parked", "captured", "pending");
    facts.sold(4).order(4).total = double::gbp(1_001);
    facts
}

const FOUND: [(&str, i64); 4] =
    [("orphan_hold", 1_000), ("captured_twice", 1_000), ("money_without_order", 1_000), ("kept_differs", 1)];

fn repairing() -> Options {
    Options { repair: true, ..Options::default() }
}

#[tokio::test]
async fn without_being_told_to_it_only_reports_and_notes() {
    let double = Double::of(facts()).await;
    let report = run(&double).await;
    assert_eq!(told(&report), FOUND);
    assert_eq!(report.last_line(), "money at risk: 30.01 GBP");
    let note =
        "reconcile found money_without_order: 10.00 GBP are kept on pi_3, but order BS-000003 is pending.";
    assert_eq!(double.notes(), [(saga(3), note.to_owned())]);
    assert_eq!(double.repairs(), []);
}

#[tokio::test]
async fn a_repair_names_the_object_its_state_and_its_saga_and_is_the_same_again() {
    let double = Double::of(facts()).await;
    let report = run_with(&double, repairing()).await;
    assert_eq!(told(&report), FOUND);
    let asked = |double: &Double| {
        let all = double.repairs().into_iter().map(|r| (r.provider_id, r.state, r.saga_id, r.reason));
        all.collect::<Vec<_>>()
    };
    let first = asked(&double);
    let told: Vec<_> = first.iter().map(|(id, state, saga, _)| (id.as_str(), state.as_str(), saga)).collect();
    assert_eq!(told, [("orphan_1", "authorized", &saga(1)), ("orphan_2", "captured", &saga(2))]);
    assert!(matches!(&report.findings[0].done, Done::Repairing(saga) if saga == "repair"));
    run_with(&double, repairing()).await;
    assert_eq!(asked(&double)[2..], first, "word for word, so that it is one saga");
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_stays_a_finding() {
    let double = Double::of(facts()).await;
    double.breaks("NoteSaga", Code::FailedPrecondition);
    double.breaks("RepairObject", Code::Unavailable);
    let report = run_with(&double, repairing()).await;
    assert_eq!((told(&report), report.is_anything_at_risk()), (FOUND.to_vec(), true));
    let done: Vec<_> = report.findings.iter().map(|told| told.done.clone()).collect();
    let failed = |why: &str| Done::Failed(why.to_owned());
    let repair = "no repair could be started: Unavailable broken on purpose";
    let note = "its saga has ended meanwhile; run this again";
    assert_eq!(done, [failed(repair), failed(repair), failed(note), Done::Nothing]);
    assert!(report.to_string().contains(note), "{report}");
}

#[tokio::test]
async fn a_saga_that_takes_no_more_notes_keeps_its_finding_and_stops_nothing() {
    let double = Double::of(facts()).await;
    double.breaks("NoteSaga", Code::ResourceExhausted);
    let report = run_with(&double, repairing()).await;
    assert_eq!((told(&report), report.is_anything_at_risk()), (FOUND.to_vec(), true));
    let failed = Done::Failed("no note could be left: ResourceExhausted broken on purpose".to_owned());
    assert_eq!(report.findings[2].done, failed);
    assert!(matches!(&report.findings[1].done, Done::Repairing(_)), "{report}");
}

/// An unknown saga's hold is taken back only when its id is older than any deadline and retention, and our ledger has
/// something of that checkout.
#[tokio::test]
async fn a_saga_that_nobody_knows_has_to_be_old_enough_to_be_forgotten_and_ours() {
    for (age, is_ours, repaired) in [(37 * DAY, true, 0), (37 * DAY + 1, true, 1), (37 * DAY + 1, false, 0)] {
        let mut facts = Facts::default();
        facts.checkout(1, "compensated", "cancelled", "cancelled").orphan(1, 1, "authorized");
        let begun = double::begun(NOW - age);
        facts.objects.iter_mut().for_each(|object| object.saga_id = begun.clone());
        facts.payment(1).saga_id = begun.clone();
        facts.order(1).checkout_id = begun;
        if !is_ours {
            facts.objects.remove(0);
            facts.payments.clear();
            facts.orders.clear();
        }
        let double = Double::of(facts).await;
        let report = run_with(&double, repairing()).await;
        assert_eq!(told(&report), [("orphan_hold", 1_000)]);
        assert_eq!(double.repairs().len(), repaired, "{age} {is_ours}");
    }
}

#[tokio::test]
async fn a_person_reads_what_is_wrong_and_what_to_do() {
    let mut facts = facts();
    facts.sold(5).object(5).refunded_minor = 400;
    let double = Double::of(facts).await;
    let found = run(&double).await.findings.into_iter().map(|told| told.finding);
    let by_hand = found.filter(|finding| finding.kind == Kind::RefundUnknownHere).map(|finding| finding.id());
    let word = Word { by: "ada".into(), reason: "a goodwill refund".into() };
    for finding in by_hand {
        acknowledge(&double.shop, &Options::default(), NOW, finding, word.clone()).await.unwrap();
    }
    let report = run_with(&double, repairing()).await;
    golden("report.txt", &format!("{report}\n"));
    golden("report.json", &(serde_json::to_string_pretty(&report).unwrap() + "\n"));
}

/// `BLESS=1` writes it anew.
fn golden(name: &str, told: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reconcile").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, told).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(golden == told, "{name} is not what is printed; BLESS=1 writes it anew:\n{told}");
}
