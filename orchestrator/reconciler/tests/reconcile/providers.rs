//! A shop that has changed its provider, over one ledger.

use super::*;
use crate::double::Facts;

/// Two checkouts: the first was paid at the provider before, and only the second is on the list of the one now.
fn facts() -> Facts {
    let mut facts = Facts { provider: "stripe".into(), ..Facts::default() };
    facts.sold(1).sold(2);
    facts.payment(1).provider = "sandbox".into();
    facts.payment(2).provider = "stripe".into();
    facts.objects.remove(0);
    facts
}

#[tokio::test]
async fn what_was_paid_at_the_provider_before_is_compared_with_its_order_alone_and_told() {
    let double = Double::of(facts()).await;
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.elsewhere, report.counts.payments), (vec![], 1, 2));
    let said = "1 payments are at another provider than the one that was asked, and were compared with their orders alone.";
    assert!(report.to_string().contains(&format!("{said}\ncompared 2 payments, ")), "{report}");

    double.change(|facts| facts.order(1).total = double::gbp(1_001));
    assert_eq!(told(&run(&double).await), [("kept_differs", 1)]);
    // The same provider's is missed, as ever.
    double.change(|facts| facts.payment(1).provider = "stripe".into());
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.elsewhere), (vec![("object_unknown", 1_000)], 0));
    // One that does not say whose list it gives is taken for the only one.
    double.change(|facts| (facts.provider, facts.payment(1).provider) = (String::new(), "sandbox".into()));
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.elsewhere), (vec![("object_unknown", 1_000)], 0));
}

/// Nor by its id, which means nothing to another provider.
#[tokio::test]
async fn the_provider_is_not_asked_for_another_one_s_object_however_old_and_open() {
    let mut facts = facts();
    let old = facts.payment(1);
    (old.status, old.captured_minor) = ("authorized".into(), 0);
    (old.created_at_unix_ms, old.updated_at_unix_ms) = (NOW - 40 * double::DAY, NOW - 40 * double::DAY);
    facts.orders.remove(0);
    let double = Double::of(facts).await;
    let report = run(&double).await;
    assert_eq!((told(&report), report.counts.elsewhere), (vec![], 1));
    assert_eq!(double.calls("GetProviderObject"), 0);
    double.change(|facts| facts.payment(1).provider = "stripe".into());
    assert_eq!(told(&run(&double).await), [("object_unknown", 1_000)]);
}
