//! Interesting states: a configuration says which of them it reaches, and is held to it.

use backstitch_core::{Class, End, Op, Saga, Settled, Status};
use participant_kit::barrier::table::{Aim, RowState};

use crate::state::{Place, Progress, State, Told};
use crate::table::Answer;
use crate::world::World;

/// Something to be seen in some state.
pub(crate) struct Sight {
    pub(crate) name: &'static str,
    pub(crate) seen: fn(&World, &State) -> bool,
}

/// What is durable of the sagas.
fn facts(state: &State) -> impl Iterator<Item = &Saga> {
    state.store.journals.iter().flatten().map(|journal| &*journal.facts)
}

fn ended(state: &State, end: End) -> bool {
    facts(state).any(|saga| saga.end == Some(end))
}

fn pivots<'s>(world: &World, state: &'s State) -> impl Iterator<Item = &'s Place> {
    let of = |at: usize| world.class(at % world.setup.stage.len()) == Class::Pivot;
    let places = state.places.iter().enumerate();
    places.filter(move |(at, _)| of(*at)).map(|(_, place)| place).collect::<Vec<_>>().into_iter()
}

macro_rules! sights {
    ($($name:ident = $says:literal: $seen:expr;)*) => {
        $(pub(crate) const $name: &Sight = &Sight { name: $says, seen: $seen };)*
    };
}

sights! {
    COMPLETED = "a saga completed": |_, s| ended(s, End::Completed);
    COMPENSATED = "a saga was compensated": |_, s| ended(s, End::Compensated);
    PARKED = "a step is parked": |_, s| facts(s).any(|saga| saga.steps.iter().any(|step| step.parked.is_some()));
    UNDO_PARKED = "an undo is parked":
        |_, s| facts(s).any(|saga| saga.steps.iter().any(|step| step.undo_parked.is_some()));
    ENDED_AFTER_PARKED = "a saga that was parked and resumed has ended": |w, s| {
        s.faults.resumes < w.setup.faults.resumes && facts(s).any(|saga| saga.end.is_some())
    };
    RIDES = "a step is called before the result of the one before it is durable": |w, s| {
        s.packets.iter().any(|packet| {
            let step = &w.setup.stage.definition.steps[w.step_of(packet.place)];
            let durable = &s.store.journals[w.saga_of(packet.place)];
            let open = |facts: &Saga| {
                step.after.iter().any(|earlier| facts.step(earlier).settled == Settled::Open)
            };
            packet.op == Op::Do && durable.as_ref().is_some_and(|journal| open(&journal.facts))
        })
    };
    UNDO_BEFORE_DO = "an undo has come before its do, which is still on its way": |_, s| {
        s.packets.iter().any(|p| p.op == Op::Do && s.places[usize::from(p.place)].row == RowState::Closed)
    };
    DO_AFTER_UNDO = "a do comes after its effect was undone": |_, s| {
        s.packets.iter().any(|p| p.op == Op::Do && s.places[usize::from(p.place)].row == RowState::Undone)
    };
    SUPERSEDED = "a do is superseded": |_, s| s.replies.iter().any(|reply| reply.answer == Answer::Superseded);
    PIVOT_CLOSED = "a pivot was closed before it happened": |w, s| {
        pivots(w, s).any(|place| place.row == RowState::Closed) && facts(s).any(|saga| saga.pivot_intent.is_some())
    };
    PIVOT_SETTLED_DONE = "a close found the pivot done": |w, s| {
        facts(s).any(|saga| w.setup.stage.definition.pivot.is_some_and(|pivot| {
            let step = saga.step(pivot);
            step.closing.is_some() && matches!(step.settled, Settled::Done { .. })
        }))
    };
    GUARDED = "a guard refused": |_, s| {
        facts(s).any(|saga| saga.steps.iter().any(|s| matches!(s.settled, Settled::Refused { called: false, .. })))
    };
    ZOMBIE_AFTER_COMPENSATION = "a message of a former owner that lives on is under way after the compensation": |_, s| {
        ended(s, End::Compensated) && s.packets.iter().any(|p| p.op == Op::Do && p.epoch > 0 && p.epoch < s.store.epoch)
    };
    ZOMBIE_DECIDES = "a former owner decides what it cannot commit": |_, s| {
        s.nodes.iter().any(|node| {
            let ahead = node.sagas.iter().flatten().any(|own| own.journal.len > own.durable);
            node.epoch > 0 && node.epoch < s.store.epoch && ahead
        })
    };
    MADE_GOOD = "a saga completed because a return made it good": |_, s| {
        facts(s).any(|saga| saga.end == Some(End::Completed) && saga.made_good.is_some())
    };
    UNRETURNED = "a saga is its person's again because its return was taken back": |_, s| {
        s.returns.iter().any(|back| back.progress == Progress::TakenBack)
            && facts(s).any(|saga| saga.poisoned.is_some() && saga.made_good.is_none())
    };
    DELIVERED_AFTER_ALL = "a saga was delivered although a return had begun": |_, s| {
        s.returns.iter().any(|back| back.progress == Progress::TakenBack)
            && facts(s).any(|saga| saga.end == Some(End::Completed) && saga.made_good.is_none())
    };
    GOOD_AT_SECOND = "a saga was made good by its second return": |_, s| {
        s.returns.iter().any(|back| back.nth > 1)
            && facts(s).any(|saga| saga.end == Some(End::Completed) && saga.made_good.is_some())
    };
    RETURNED_BEFORE_DONE = "a call comes after what it does was given back": |_, s| {
        s.packets.iter().any(|p| {
            let place = &s.places[usize::from(p.place)];
            p.op == Op::Do && place.returned && place.row == RowState::Absent
        })
    };
    RETURN_UNATTENDED = "an owner died while a return was under way": |w, s| {
        s.faults.crashes < w.setup.faults.crashes && s.returns.iter().any(|back| back.is_open())
    };
    WAITING = "a saga waits for the customer": |_, s| facts(s).any(|saga| saga.status() == Status::Waiting);
    WAITED_FOR_NOTHING = "a saga was compensated because the customer did not come back": |_, s| {
        facts(s).any(|saga| saga.end == Some(End::Compensated)) && s.places.iter().any(|place| place.waits || place.cancelled)
    };
    FINISHED = "the customer came back": |_, s| {
        facts(s).any(|saga| saga.status() == Status::Waiting) && s.places.iter().any(|place| place.stands() && place.row == RowState::Doing)
    };
    POISONED = "a saga is parked as a whole": |_, s| facts(s).any(|saga| saga.poisoned.is_some());
    EFFECT_WITHOUT_RECORD = "a participant died after its effect and before the record of it": |_, s| {
        s.places.iter().any(|place| place.row == RowState::Doing && place.stands() && place.task.is_none())
    };
    CLOSING_UNATTENDED = "a participant died while it settled a close": |_, s| {
        s.places.iter().any(|place| place.row == RowState::Closing(Aim::Close) && place.task.is_none())
    };
    UNDOING_UNATTENDED = "a participant died while it took back": |_, s| {
        s.places.iter().any(|place| place.row == RowState::Closing(Aim::Undo) && place.task.is_none())
    };
    PROVIDER_LATE = "a dead process's request is under way to a cancelled object": |_, s| {
        s.places.iter().any(|place| place.under_way && place.cancelled)
    };
    PUBLISHED_NOT_MARKED = "the relay died between publish and mark": |w, s| {
        s.faults.relay_crashes < w.setup.faults.relay_crashes
            && s.relay.to_mark == 0
            && s.relay.appeared.count_ones() > u32::from(s.store.marked)
    };
    ONE_SOLD_ONE_NOT = "one saga got the unit and the other did not": |_, s| {
        ended(s, End::Completed) && ended(s, End::Compensated)
    };
    UNIT_CAME_BACK = "a unit came back and was sold": |_, s| {
        ended(s, End::Completed) && s.places.iter().any(|place| place.row == RowState::Undone)
    };
    KEY_SHARED = "two submissions of a key are told the same saga": |_, s| {
        matches!(s.clients[..], [a, b] if matches!(a.told, Told::Accepted(_)) && a.told == b.told)
    };
    KEY_RACED = "two sagas of one key are under way, neither durable": |_, s| {
        s.nodes.iter().flat_map(|node| &node.sagas).flatten().filter(|own| own.durable == 0).count() > 1
    };
    KEY_CONFLICT = "the same key with another body is refused": |_, s| {
        s.clients.iter().any(|client| client.told == Told::OtherBody)
    };
}
