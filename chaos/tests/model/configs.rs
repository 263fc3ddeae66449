//! The configurations. Each is explored to the end: there is no cut-off, only a count of what may go wrong.

use crate::setup::Kind::{self, *};
use crate::setup::Setup;
use crate::sights::*;
use crate::stage;

/// What a call may come to besides done: refused, timed out (executed or not), late.
const OUTCOMES: &[Kind] = &[Refuse, Timeout];
/// All that may go wrong with a call or a saga.
const ANY: &[Kind] = &[Refuse, Timeout, NotNow, Duplicate, Garble, Misbehave, Cancel, Deadline, Poison];

/// (a) One saga, all steps, every outcome, two crashes.
pub(crate) fn outcomes() -> Vec<Setup> {
    vec![
        Setup::new("five steps, two outcomes, two crashes", stage::five())
            .crashes(2)
            .trouble(2, OUTCOMES)
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, PARKED, RIDES, UNDO_BEFORE_DO, DO_AFTER_UNDO, GUARDED]),
        Setup::new("five steps, anything once, a crash", stage::five())
            .crashes(1)
            .trouble(1, ANY)
            .resumes(1)
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, PARKED, ENDED_AFTER_PARKED]),
        Setup::new("three steps, anything twice, a crash", stage::three())
            .crashes(1)
            .trouble(2, ANY)
            .resumes(1)
            .hasty()
            .seeing(&[
                COMPLETED,
                PARKED,
                UNDO_PARKED,
                ENDED_AFTER_PARKED,
                PIVOT_CLOSED,
                PIVOT_SETTLED_DONE,
                POISONED,
            ]),
        Setup::new("two outside steps, the customer, a crash", stage::two().outside(&["hold", "take"]))
            .crashes(1)
            .trouble(2, &[Wait, Timeout, Cancel])
            .patience(3)
            .hasty()
            .seeing(&[WAITING, FINISHED, WAITED_FOR_NOTHING, COMPLETED]),
    ]
}

/// (b) Two sagas and one unit of stock.
pub(crate) fn stock() -> Vec<Setup> {
    let setup = |name| Setup::new(name, stage::two().taking_stock("hold")).sagas(2, 1);
    vec![
        setup("two sagas and one unit, an outcome, a crash")
            .crashes(1)
            .trouble(1, OUTCOMES)
            .seeing(&[ONE_SOLD_ONE_NOT, UNIT_CAME_BACK]),
        Setup::new("two sagas of five steps and one unit, an outcome", stage::five().taking_stock("hold"))
            .sagas(2, 1)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(&[ONE_SOLD_ONE_NOT, UNIT_CAME_BACK]),
    ]
}

/// (c) Two orchestrators, and what a former owner sent.
pub(crate) fn owners() -> Vec<Setup> {
    const SEEN: &[&Sight] = &[COMPLETED, COMPENSATED, SUPERSEDED, ZOMBIE_AFTER_COMPENSATION, ZOMBIE_DECIDES];
    vec![
        Setup::new("five steps, the lease is stolen, an outcome", stage::five())
            .thefts(1)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(SEEN),
        Setup::new("three steps, the lease is stolen twice, anything once", stage::three())
            .thefts(2)
            .trouble(1, ANY)
            .hasty()
            .seeing(SEEN),
    ]
}

/// (d) One idempotency key, submitted twice at once.
pub(crate) fn keys() -> Vec<Setup> {
    let same = |name| Setup::new(name, stage::two()).clients(&[1, 1]).relay(0);
    let other = |name| Setup::new(name, stage::two()).clients(&[1, 2]).relay(0);
    const RACED: &[&Sight] = &[KEY_SHARED, KEY_RACED, COMPLETED];
    vec![
        same("one key twice, a crash, an outcome").crashes(1).trouble(1, OUTCOMES).seeing(RACED),
        same("one key twice, at two owners").thefts(1).seeing(RACED),
        other("one key with two bodies, a crash").crashes(1).seeing(&[KEY_CONFLICT, KEY_RACED, COMPLETED]),
        Setup::new("one key twice, five steps, a crash, an outcome", stage::five())
            .clients(&[1, 1])
            .relay(0)
            .crashes(1)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(RACED),
    ]
}

/// (e) A participant dies between its effect and its answer: local and outside, with close and undo.
pub(crate) fn participants() -> Vec<Setup> {
    const LATE: &[&Sight] = &[EFFECT_WITHOUT_RECORD, CLOSING_UNATTENDED, UNDOING_UNATTENDED, PROVIDER_LATE];
    vec![
        Setup::new("five local steps, two deaths, an outcome", stage::five())
            .deaths(2)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, PIVOT_CLOSED]),
        Setup::new("two outside steps, two deaths, two outcomes", stage::two().outside(&["hold", "take"]))
            .deaths(2)
            .trouble(2, OUTCOMES)
            .patience(3)
            .seeing(LATE),
        Setup::new("an outside pivot, a death, a crash, an outcome", stage::three().outside(&["take"]))
            .deaths(1)
            .crashes(1)
            .trouble(1, OUTCOMES)
            .hasty()
            .forgery()
            .seeing(&[PIVOT_CLOSED, PIVOT_SETTLED_DONE, EFFECT_WITHOUT_RECORD, PROVIDER_LATE]),
    ]
}

/// (f) What must be durable before what: what rides, what waits, what a crash loses.
pub(crate) fn write_behind() -> Vec<Setup> {
    vec![
        Setup::new("an output that may differ, an outcome, two crashes", stage::quoted())
            .crashes(2)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, UNDO_BEFORE_DO]),
        Setup::new("five steps, an outcome, two crashes, no haste", stage::five())
            .crashes(2)
            .trouble(1, OUTCOMES)
            .seeing(&[COMPLETED, COMPENSATED, RIDES]),
        Setup::new("steps in a row, three outcomes, a crash", stage::chain())
            .crashes(1)
            .trouble(3, OUTCOMES)
            .patience(1)
            .resumes(1)
            .seeing(&[RIDES, UNDO_PARKED, ENDED_AFTER_PARKED, COMPENSATED]),
    ]
}

/// (h) What is parked after its pivot is made good by a return.
pub(crate) fn goods() -> Vec<Setup> {
    const STUCK: &[Kind] = &[Timeout, Garble, Unreturned];
    vec![
        Setup::new("three steps, made good, two troubles, a crash, a person", stage::three())
            .goods(2)
            .crashes(1)
            .trouble(2, STUCK)
            .resumes(1)
            .patience(1)
            .seeing(&[
                MADE_GOOD,
                UNRETURNED,
                DELIVERED_AFTER_ALL,
                GOOD_AT_SECOND,
                RETURNED_BEFORE_DONE,
                RETURN_UNATTENDED,
                COMPLETED,
            ]),
        Setup::new("three steps, made good, the lease is stolen", stage::three())
            .goods(1)
            .thefts(1)
            .trouble(1, STUCK)
            .resumes(1)
            .patience(1)
            .seeing(&[MADE_GOOD, RETURNED_BEFORE_DONE, ZOMBIE_DECIDES]),
        Setup::new("five steps, made good, a trouble, a crash", stage::five())
            .goods(1)
            .crashes(1)
            .trouble(1, STUCK)
            .patience(1)
            .seeing(&[MADE_GOOD, RETURNED_BEFORE_DONE, RETURN_UNATTENDED]),
    ]
}

/// (g) The relay dies between publish and mark.
pub(crate) fn relay() -> Vec<Setup> {
    vec![
        Setup::new("events, two crashes of the relay, one of the orchestrator, an outcome", stage::two())
            .relay(2)
            .crashes(1)
            .trouble(1, OUTCOMES)
            .seeing(&[PUBLISHED_NOT_MARKED, COMPLETED, COMPENSATED]),
        Setup::new("events of two sagas, a crash of each", stage::two()).sagas(2, 0).relay(1).crashes(1),
        Setup::new("events of five steps, a crash of each, an outcome", stage::five())
            .relay(1)
            .crashes(1)
            .trouble(1, OUTCOMES)
            .hasty()
            .seeing(&[PUBLISHED_NOT_MARKED, COMPLETED, COMPENSATED]),
    ]
}

/// The whole quick set, to be walked in other ways too.
pub(crate) fn all() -> Vec<Setup> {
    [outcomes(), stock(), owners(), keys(), participants(), write_behind(), relay(), goods()].concat()
}
