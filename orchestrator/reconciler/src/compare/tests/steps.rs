//! What may be done about a finding: by its age, by its saga, and by who may still need the money.

use super::*;
use crate::finding::Because;
use crate::kind::Kind;

fn step_of(world: &World, standing: Standing) -> Move {
    let found = world.under(standing);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].step.clone()
}

fn orphan(captured: i64) -> Object {
    let state = if captured > 0 { ObjectState::Captured } else { ObjectState::Authorized };
    Object { id: "pi_9".into(), payment: "payment-9".into(), ..object(state, captured) }
}

const CANCEL: Move = Move::Repair { state: "authorized" };
const REFUND: Move = Move::Repair { state: "captured" };
const PERSON: Move = Move::Person(Because::Judgement);

#[test]
fn a_hold_of_nobody_is_cancelled_once_its_saga_has_ended() {
    let world = World { provider: vec![orphan(0)], ..World::default() };
    for ended in [Standing::Completed, Standing::Compensated] {
        assert_eq!(step_of(&world, ended), CANCEL, "{ended:?}");
    }
    // One whose saga is forgotten is ours by what our ledger has of that checkout.
    let ours = taken_back().with(|w| w.provider.push(orphan(0)));
    assert_eq!(step_of(&ours, Standing::Forgotten), CANCEL);
    assert_eq!(step_of(&ours, Standing::Unknown), Move::Person(Because::UnknownSaga));
    let note = |is_parked| Move::Note { saga: "saga".into(), is_parked };
    assert_eq!(step_of(&world, Standing::Live), note(false));
    assert_eq!(step_of(&world, Standing::Parked), note(true));
}

/// Two shops on one account: each sees what the other holds and has taken, and its sagas are unknown to it, whether they
/// are young or old. A repair would take from the other one's customers.
#[test]
fn what_nobody_here_knows_is_left_to_a_person_however_old_it_is() {
    for captured in [0, 1_000] {
        let world = World { provider: vec![orphan(captured)], ..World::default() };
        for unknown in [Standing::Forgotten, Standing::Unknown] {
            assert_eq!(step_of(&world, unknown), Move::Person(Because::Stranger), "{unknown:?}");
        }
    }
}

#[test]
fn what_names_no_saga_of_ours_is_left_to_a_person() {
    let foreign = Object { payment: String::new(), saga: String::new(), ..orphan(0) };
    let world = World { provider: vec![foreign], ..World::default() };
    assert_eq!(step_of(&world, Standing::Compensated), Move::Person(Because::Foreign));
}

#[test]
fn money_is_refunded_where_the_checkout_s_end_says_that_it_is_not_ours() {
    let twice = sold().with(|w| w.provider.push(orphan(1_000)));
    assert_eq!(step_of(&twice, Standing::Completed), REFUND, "the order stands on the other object");
    let alone = World { provider: vec![orphan(1_000)], ..World::default() };
    assert_eq!(step_of(&alone, Standing::Compensated), REFUND);
    let ours = taken_back().with(|w| w.provider.push(orphan(1_000)));
    assert_eq!(step_of(&ours, Standing::Compensated), REFUND);
    assert_eq!(step_of(&ours, Standing::Forgotten), PERSON, "nobody knows any more how it ended");
    assert_eq!(
        step_of(&alone, Standing::Completed),
        PERSON,
        "it completed: its order may be lost, and not its right"
    );
    let no_order = sold().with(|w| w.orders[0].status = "cancelled".into());
    assert_eq!(step_of(&no_order, Standing::Compensated), REFUND);
    assert_eq!(step_of(&no_order, Standing::Completed), PERSON);
    assert_eq!(step_of(&no_order, Standing::Forgotten), PERSON);
}

#[test]
fn nothing_is_taken_from_an_order_that_lacks_money() {
    // Its payment's row is lost, and the object is what paid it.
    let lost = sold().with(|w| w.ledger.clear());
    for ended in [Standing::Completed, Standing::Compensated, Standing::Forgotten] {
        assert_eq!(step_of(&lost, ended), PERSON, "{ended:?}");
    }
    // It stands on a hold that nobody captured: cancelled, it would stand on nothing.
    let uncaptured = held().with(|w| w.orders[0].status = "confirmed".into());
    assert_eq!(uncaptured.under(Standing::Completed)[0].kind, Kind::OrderWithoutMoney);
    assert_eq!(step_of(&uncaptured, Standing::Completed), PERSON);
    // Another hold beside it may be meant for it.
    let beside = uncaptured.with(|w| w.provider.push(orphan(0)));
    assert!(beside.under(Standing::Completed).iter().all(|finding| finding.step == PERSON));
}

#[test]
fn any_saga_that_may_still_act_has_the_first_word() {
    // The checkout has ended, and a return of it is under way.
    let world = returned().with(|w| w.orders[0].returned = 0);
    let saga = |standing| Saga { standing, moved_ms: NOW - DAY };
    let sagas = [("saga".to_owned(), saga(Standing::Completed)), ("return".to_owned(), saga(Standing::Live))];
    let found = world.compare(&Sagas::Told(sagas.into()), &TERMS);
    assert_eq!(found[0].step, Move::Note { saga: "return".into(), is_parked: false });
}

#[test]
fn what_moved_within_the_grace_time_may_settle_by_itself() {
    let orphan = || World { provider: vec![orphan(0)], ..World::default() };
    let moved = |ms: i64| {
        let saga = Saga { standing: Standing::Compensated, moved_ms: ms };
        orphan().compare(&Sagas::Told([("saga".to_owned(), saga)].into()), &TERMS)[0].step.clone()
    };
    assert_eq!(moved(NOW - TERMS.grace_ms), CANCEL, "at the limit");
    assert_eq!(moved(NOW - TERMS.grace_ms + 1), Move::Wait, "a moment younger");
    let late = orphan().with(|w| w.provider[0].created_ms = NOW);
    assert_eq!(step_of(&late, Standing::Compensated), Move::Wait);
    let twice = sold().with(|w| w.orders[0].returned = 1);
    for young in [
        twice.clone().with(|w| w.ledger[0].updated_ms = NOW),
        twice.clone().with(|w| w.orders[0].changed_ms = NOW),
    ] {
        assert_eq!(step_of(&young, Standing::Completed), Move::Wait);
    }
    assert!(!twice.with(|w| w.ledger[0].updated_ms = NOW).under(Standing::Completed)[0].is_at_risk());
}

#[test]
fn a_hold_that_ends_soon_is_told_while_its_saga_is_under_way() {
    let ends = |ms: i64| held().with(|w| w.provider[0].capture_before_ms = NOW + ms);
    assert_eq!(ends(TERMS.ends_within_ms + 1).under(Standing::Parked), [], "a moment later");
    for standing in [Standing::Live, Standing::Parked] {
        let found = ends(TERMS.ends_within_ms).under(standing);
        assert_eq!((found[0].kind, found[0].amount), (Kind::HoldEndsSoon, gbp(1_000)));
        assert!(matches!(found[0].step, Move::Note { .. }));
    }
    assert_eq!(ends(0).under(Standing::Completed)[0].kind, Kind::HoldLeftOver);
}

/// Else money at risk would be silent for as long as some clock was ahead once.
#[test]
fn what_moved_long_after_now_is_not_young() {
    const HOUR: i64 = 3_600_000;
    let plantings: [fn(&mut World, i64); 4] = [
        |w, at_ms| w.ledger[0].updated_ms = at_ms,
        |w, at_ms| w.provider[0].created_ms = at_ms,
        |w, at_ms| w.orders[0].changed_ms = at_ms,
        |w, at_ms| w.cases.push(Case { opened_ms: at_ms, ..case(true) }),
    ];
    let differs = || returned().with(|w| w.orders[0].total = gbp(1_001));
    for plant in plantings {
        let step =
            |at_ms: i64| differs().with(|w| plant(w, at_ms)).under(Standing::Completed)[0].step.clone();
        assert_eq!(step(NOW + HOUR), Move::Wait, "as far as clocks may differ");
        for wrong in [NOW + HOUR + 1, NOW + 1_000 * DAY, i64::MAX] {
            assert_eq!(step(wrong), PERSON, "{wrong}");
        }
        // Another line of it that is young says so still.
        let other = Order {
            id: "order-2".into(),
            payment: "payment-2".into(),
            changed_ms: NOW,
            ..order("cancelled")
        };
        let both = differs().with(|w| w.orders.push(other)).with(|w| plant(w, i64::MAX));
        assert_eq!(both.under(Standing::Completed)[0].step, Move::Wait);
    }
}
