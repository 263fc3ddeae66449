//! Calls between the orchestrator and every participant that are lost, repeated, held back and answered by proxies.

use backstitch_faults::{Dice, Fate, Mischief, Tally, Which};

use crate::books::{self, Books};
use crate::customers::{Customer, KINDS, all_are_answered, all_have_ended};
use crate::table::{self, Row};
use crate::{checkouts, double, seed, stage};

/// In a hundred calls.
const MISCHIEF: u64 = 30;
/// Customers at a time.
const AT_A_TIME: usize = 24;

#[tokio::test]
async fn lost_repeated_late_and_disowned_calls_change_nothing_that_a_checkout_comes_to() {
    let seed = seed("calls");
    let script = |name: &str| {
        let mischief = Mischief::new(Dice::named(seed, name), MISCHIEF);
        move |call: &_| mischief.fate(call)
    };
    let (shop, between) = stage::intercepted(script).await;
    let mut customers: Vec<_> = (0..checkouts(150)).map(Customer::new).collect();
    all_are_answered(&shop, &mut customers, AT_A_TIME).await;
    // Whatever goes on by itself does so under fire; then it stops, and what parked is resumed.
    for customer in &customers {
        let id = customer.checkout.as_deref().unwrap();
        shop.rested_within(id, stage::PATIENCE).await;
    }
    between.values().for_each(backstitch_faults::Interceptor::calm);
    let resumed = all_have_ended(&shop, &customers).await;
    let before = Books::of(&shop, &customers).await;
    // What is still on the way arrives long after everything has ended, and changes nothing.
    let mut owed = 0;
    for interceptor in between.values() {
        owed += interceptor.owed();
        interceptor.deliver_all().await;
    }
    let after = Books::of(&shop, &customers).await;
    let tally = total(between.values().map(backstitch_faults::Interceptor::tally));
    let (ends, mut found) = books::close(shop, &customers, after).await;
    if before.stock != ends.stock {
        found.push(format!("late calls changed the stock from {:?} to {:?}", before.stock, ends.stock));
    }
    eprintln!("{tally}");
    let tally = tally.folded();
    table::row(&Row {
        what: "calls between the orchestrator and every participant",
        work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
        injected: format!("{tally}; {owed} at the very end"),
        violations: &found,
    });
    // Enough of everything was done, and enough came through it.
    for fate in ["delivered after its undo", "delivered after the next attempt", "delivered many calls later"]
    {
        assert!(tally.of(fate) > 0, "no call was {fate}: {tally}");
    }
    let sold = ends.ends.values().filter(|end| end.status == "completed").count();
    assert!(sold > customers.len() / 4, "only {sold} completed: {ends}");
}

/// The driver's ledger sees what a participant without a barrier does to a repeated call; without repetition there is
/// nothing to see.
#[tokio::test]
async fn planted_a_participant_without_a_barrier_is_found_by_the_driver_s_ledger() {
    for (fate, found) in [(Fate::Pass, false), (Fate::Twice(Which::First), true)] {
        let (mut shop, at) = stage::participants().await;
        let inventory = double::inventory_without_a_barrier().await;
        let script = move |call: &backstitch_faults::Call| match call.method.as_str() {
            "Reserve" => fate,
            _ => Fate::Pass,
        };
        let interceptor = backstitch_faults::Interceptor::before(&inventory, script).await.unwrap();
        let mut uris: std::collections::BTreeMap<_, _> =
            at.into_iter().map(|(name, at)| (name, format!("http://{at}"))).collect();
        uris.insert("inventory".into(), interceptor.uri());
        shop.start_orchestrator_with(&uris, &stage::QUICK).await;
        stage::stock(&shop).await;
        let mut customers: Vec<_> =
            KINDS[..3].iter().enumerate().map(|(n, kind)| Customer::of(n, *kind)).collect();
        all_are_answered(&shop, &mut customers, 3).await;
        all_have_ended(&shop, &customers).await;
        let mut books = Books::of(&shop, &customers).await;
        books.read_mails(&shop).await;
        // The auditor, who would tell of the money, does not know this inventory.
        books.money.0 = customers.iter().map(|customer| books.paid_by(customer)).sum();
        let violations = books.violations(&customers);
        assert_eq!(violations.iter().any(|v| v.contains("stock of")), found, "{fate}: {violations:#?}");
        assert!(violations.iter().all(|v| v.contains("stock of")), "{fate}: {violations:#?}");
    }
}

/// What happened at all interceptors.
fn total<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Tally {
    let sum = Tally::default();
    tallies.for_each(|tally| sum.add(tally));
    sum
}
