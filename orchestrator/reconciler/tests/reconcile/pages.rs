//! Any number of lines, in pages of any size, in little memory; and those who do not answer.

use backstitch_proto::payment::Case;
use backstitch_reconciler::Failed;
use tonic::Code;

use super::*;
use crate::double::{DAY, Facts, gbp, saga};

/// So many that agree, and one planted at the first, the middle and the last place.
fn facts(many: u128) -> Facts {
    let mut facts = Facts::default();
    for n in 0..many {
        facts.sold(n);
    }
    for n in [0, many / 2, many.saturating_sub(1)].into_iter().filter(|n| *n < many) {
        *facts.order(n) =
            backstitch_proto::order::Order { status: "cancelled".into(), ..facts.order(n).clone() };
    }
    facts
}

#[tokio::test]
async fn every_page_size_and_memory_tells_the_same() {
    for many in [0, 1, 9, 10, 11, 20, 21] {
        let whole = Double::of(facts(many)).await;
        let wanted = run(&whole).await;
        let planted = many.min(3) as usize;
        assert_eq!(told(&wanted), vec![("money_without_order", 1_000); planted], "{many}");
        for page in [1, 10, 20, 21] {
            for memory in [1, 1_000_000] {
                let double = Double::of(Facts { page, ..facts(many) }).await;
                let report = run_with(&double, Options { memory, batch: 2, ..Options::default() }).await;
                let case = format!("{many} lines, pages of {page}, {memory} bytes");
                assert_eq!(report.findings, wanted.findings, "{case}");
                let counts = report.counts;
                let read = [counts.objects, counts.payments, counts.orders];
                assert_eq!(read, [usize::try_from(many).unwrap(); 3], "{case}");
            }
        }
    }
}

#[tokio::test]
async fn open_cases_on_every_page_are_told() {
    let mut facts = facts(0);
    for n in 0..7 {
        facts.sold(n);
        facts.cases.push(Case {
            case_id: format!("refund-{n}"),
            payment_id: format!("payment-{n}"),
            root_id: saga(n),
            amount: gbp(100),
            why: "account closed".into(),
            opened_at_unix_ms: NOW - DAY,
            ..Default::default()
        });
    }
    for page in [1, 6, 7, 8] {
        let double = Double::of(Facts { page, ..facts.clone() }).await;
        let told = told(&run(&double).await);
        assert_eq!(told.iter().filter(|told| **told == ("open_case", 100)).count(), 7, "{page}: {told:?}");
    }
}

#[tokio::test]
async fn a_list_that_leads_in_a_ring_ends_the_run() {
    let double = Double::of(Facts { page: 3, is_ring: true, ..facts(7) }).await;
    let failed = reconcile(&double.shop, &Options::default(), NOW).await.unwrap_err();
    let said = failed.to_string();
    assert!(matches!(failed, Failed::Unreadable { .. }), "{said}");
    assert!(
        said.starts_with("payment at http://p ") && said.contains("leads from a page to itself"),
        "{said}"
    );
}

#[tokio::test]
async fn who_does_not_answer_is_named_with_the_call() {
    let mut facts = facts(3);
    facts.orphan(1, 1, "authorized");
    let double = Double::of(facts).await;
    for (method, who) in [
        ("ListProviderObjects", "payment at http://p"),
        ("GetProviderObject", "payment at http://p"),
        ("ListPayments", "payment at http://p"),
        ("GetPayment", "payment at http://p"),
        ("ListCases", "payment at http://p"),
        ("List", "order at http://o"),
        ("Get", "order at http://o"),
        ("GetSaga", "orchestrator at http://s"),
    ] {
        double.breaks(method, Code::Unavailable);
        let failed = reconcile(&double.shop, &Options::default(), NOW).await.unwrap_err().to_string();
        let wanted = format!("{who} did not answer {method}: Unavailable, broken on purpose");
        assert_eq!(failed, wanted);
        double.mend();
    }
    assert_eq!(run(&double).await.findings.len(), 4, "nothing stays broken");
}

#[tokio::test]
async fn what_cannot_be_read_is_named() {
    let double = Double::of(facts(2)).await;
    let failed = |double: Double| async move {
        reconcile(&double.shop, &Options::default(), NOW).await.unwrap_err().to_string()
    };
    double.change(|facts| facts.object(1).state = "melted".into());
    assert_eq!(
        failed(double.clone()).await,
        "payment at http://p answered what cannot be read: object `pi_1`: it is `melted`"
    );
    double.change(|facts| facts.object(1).state = "captured".into());
    double.change(|facts| facts.order(0).total = None);
    assert_eq!(
        failed(double.clone()).await,
        "order at http://o answered what cannot be read: order `order-0`: the amount is missing"
    );
}

#[tokio::test]
async fn the_orchestrator_is_asked_only_about_what_could_be_wrong() {
    let double = Double::of(facts(100)).await;
    run(&double).await;
    assert_eq!(double.calls("GetSaga"), 2 * 3, "three planted, two looks");
    assert_eq!(double.calls("GetPayment"), 3);
}

#[tokio::test]
async fn only_what_was_asked_for_is_judged() {
    let mut facts = facts(0);
    for (n, age) in [(1, 9 * DAY), (2, 11 * DAY)] {
        facts.sold(n);
        let made = NOW - age;
        facts.object(n).created_at_unix_ms = made;
        facts.payment(n).created_at_unix_ms = made;
        facts.order(n).status = "cancelled".into();
    }
    let double = Double::of(facts).await;
    let since = std::time::Duration::from_secs(10 * 24 * 3600);
    let report = run_with(&double, Options { since, ..Options::default() }).await;
    let sagas: Vec<_> = report.findings.iter().map(|told| told.finding.about.saga.clone()).collect();
    assert_eq!(sagas, [saga(1)]);
    assert_eq!(report.counts.objects, 1, "the provider is not asked for more");
}
