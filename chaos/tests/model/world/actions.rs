//! What can happen in a state.

use std::sync::atomic::Ordering;

use backstitch_core::{Activity, Class, Direction, Op, StepId, StepState};
use participant_kit::barrier::table::{Manner, RowState};

use super::World;
use crate::setup::Kind;
use crate::state::{Own, Packet, Reply, State, Told, Work};
use crate::table::{Answer, small};

/// How a participant takes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Will {
    Willing,
    Refuses,
    IsBusy,
    /// Dies between its commit and its answer.
    Dies,
}

/// What a provider says to a do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Says {
    Yes,
    No,
    /// The customer has to act first.
    Wait,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Submit { client: u8, node: u8 },
    Commit { node: u8, saga: u8 },
    Deliver { packet: Packet, will: Will },
    Duplicate { packet: Packet },
    Forge { place: u8 },
    Reach { place: u8, says: Says },
    Finish { place: u8 },
    Record { place: u8 },
    Tick { place: u8 },
    Die { place: u8 },
    Arrive { place: u8 },
    Hear { reply: Reply, spent: bool },
    Garble { reply: Reply },
    Timeout { node: u8, saga: u8, step: u8, spent: bool },
    Retry { node: u8, saga: u8, step: u8 },
    Cancel { node: u8, saga: u8 },
    Deadline { node: u8, saga: u8 },
    Resume { node: u8, saga: u8 },
    Available { node: u8, saga: u8, step: u8 },
    Poison { node: u8, saga: u8 },
    Wake { node: u8, saga: u8 },
    Crash { node: u8 },
    Steal { node: u8 },
    Read { node: u8 },
    Publish,
    Mark,
    RelayCrash,
    WriteEvents { node: u8 },
    MakeGood { node: u8, saga: u8 },
    StartReturn { node: u8, saga: u8 },
    GiveBack { place: u8 },
    TakeReturnBack { saga: u8 },
    TellReturned { node: u8, saga: u8 },
}

impl World {
    pub(crate) fn possible(&self, state: &State, out: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        self.of_clients(state, out);
        self.of_nodes(state, out);
        self.of_network(state, out);
        self.of_participants(state, out);
        self.of_returns(state, out);
        self.of_relay(state, out);
        if out.is_empty() && !state.rests() {
            self.stuck.store(true, Ordering::Relaxed);
        }
    }

    fn of_clients(&self, state: &State, out: &mut Vec<Action>) {
        for (client, asks) in state.clients.iter().enumerate() {
            if asks.told == Told::Nothing {
                let owners =
                    state.nodes.iter().enumerate().filter(|(_, node)| node.epoch > 0 && !node.reading);
                let submit = |node| Action::Submit { client: small(client), node: small(node) };
                out.extend(owners.map(|(node, _)| submit(node)));
            }
        }
    }

    fn of_nodes(&self, state: &State, out: &mut Vec<Action>) {
        let faults = &state.faults;
        for (at, holder) in state.nodes.iter().enumerate() {
            let node = small(at);
            if !holder.unwritten.is_empty() {
                out.push(Action::WriteEvents { node });
            }
            if holder.reading {
                out.push(Action::Read { node });
            } else if faults.crashes > 0 && holder.epoch > 0 {
                out.push(Action::Crash { node });
            }
            if faults.thefts > 0 && holder.epoch == 0 {
                out.push(Action::Steal { node });
            }
            for (saga, own) in holder.sagas.iter().enumerate() {
                if let Some(own) = own {
                    self.of_saga(state, node, small(saga), own, out);
                }
            }
        }
    }

    fn of_saga(&self, state: &State, node: u8, saga: u8, own: &Own, out: &mut Vec<Action>) {
        if own.durable < own.journal.len {
            out.push(Action::Commit { node, saga });
        }
        let known = &own.known;
        for (at, doing) in known.steps.iter().enumerate() {
            let step = small(at);
            match &doing.activity {
                Activity::Idle => {}
                Activity::Calling { op, attempt } => {
                    let waits = own.queue.iter().any(|asked| asked.step == step);
                    let free = self.is_lost(state, node, saga, step, *op, *attempt);
                    if !waits && (free || self.may(state, Kind::Timeout)) {
                        let timeout = |spent| Action::Timeout { node, saga, step, spent };
                        out.extend(self.budgets(*attempt).map(timeout));
                    }
                }
                Activity::BackingOff { attempt, .. } => {
                    // The last attempt finds the participant at rest: waiting grows longer, its troubles do not.
                    let place = &state.places[self.place(usize::from(saga), at)];
                    if *attempt < u32::from(self.setup.patience) || !place.is_open() {
                        out.push(Action::Retry { node, saga, step });
                    }
                }
            }
        }
        let undecided =
            known.end.is_none() && known.direction == Direction::Forward && known.pivot_intent.is_none();
        if self.may(state, Kind::Cancel) && known.end.is_none() && known.direction == Direction::Forward {
            out.push(Action::Cancel { node, saga });
        }
        if self.may(state, Kind::Deadline) && (undecided || known.direction == Direction::Forward) {
            out.push(Action::Deadline { node, saga });
        }
        if self.may(state, Kind::Poison) && known.end.is_none() {
            out.push(Action::Poison { node, saga });
        }
        let waits = |step: &StepState| {
            step.waiting.is_some() && matches!(step.activity, Activity::BackingOff { op: Op::Do, .. })
        };
        if known.steps.iter().any(waits) {
            out.push(Action::Wake { node, saga });
        }
        self.of_making_good(state, node, saga, own, out);
        if state.faults.resumes > 0 && known.is_parked() {
            if known.made_good.is_none() {
                out.push(Action::Resume { node, saga });
            }
            let definition = &self.setup.stage.definition;
            let silent = |step: &StepId| {
                known.silenced_by(definition, definition.step(*step).participant).contains(*step)
            };
            if let Some(step) = definition.step_ids().find(silent) {
                out.push(Action::Available { node, saga, step: small(step.index()) });
            }
        }
    }

    /// No answer to this attempt will ever come.
    fn is_lost(&self, state: &State, node: u8, saga: u8, step: u8, op: Op, attempt: u32) -> bool {
        let place = small(self.place(usize::from(saga), usize::from(step)));
        let epoch = state.nodes[usize::from(node)].epoch;
        let is_it = |packet: &Packet| {
            (packet.place, packet.op, packet.epoch, u32::from(packet.attempt)) == (place, op, epoch, attempt)
        };
        let answered = |reply: &Reply| {
            (reply.place, reply.op, reply.epoch, u32::from(reply.attempt)) == (place, op, epoch, attempt)
        };
        let task = state.places[usize::from(place)].task;
        !state.packets.iter().any(is_it)
            && !task.is_some_and(|task| is_it(&task.packet))
            && !state.replies.iter().any(answered)
    }

    /// Whether the budget is over after this attempt: both, while it may be.
    fn budgets(&self, attempt: u32) -> impl Iterator<Item = bool> + use<> {
        let last = attempt >= u32::from(self.setup.patience);
        let (again, over) = (!last, last || self.setup.hasty);
        [false, true].into_iter().filter(move |spent| if *spent { over } else { again })
    }

    fn of_network(&self, state: &State, out: &mut Vec<Action>) {
        let mut former = None;
        for packet in &state.packets {
            if former.replace(packet) == Some(packet) {
                continue;
            }
            self.of_packet(state, *packet, out);
        }
        let mut former = None;
        for reply in &state.replies {
            if former.replace(reply) == Some(reply) {
                continue;
            }
            let reply = *reply;
            if matches!(reply.answer, Answer::NotNow | Answer::Unknown | Answer::Pending) {
                let hear = |spent| Action::Hear { reply, spent };
                out.extend(self.budgets(u32::from(reply.attempt)).map(hear));
            } else {
                out.push(Action::Hear { reply, spent: false });
            }
            if self.may(state, Kind::Garble) && reply.answer != Answer::Broken {
                out.push(Action::Garble { reply });
            }
        }
    }

    fn of_packet(&self, state: &State, packet: Packet, out: &mut Vec<Action>) {
        let step = self.step_of(packet.place);
        let profile = &self.setup.stage.profiles[step];
        out.push(Action::Deliver { packet, will: Will::Willing });
        let local = profile.barrier && profile.manner == Manner::Local;
        let absent = state.places[usize::from(packet.place)].row == RowState::Absent;
        if self.may_refuse(state, step) && local && absent && packet.op == Op::Do {
            out.push(Action::Deliver { packet, will: Will::Refuses });
        }
        if packet.epoch > 0 {
            if self.may(state, Kind::NotNow) {
                out.push(Action::Deliver { packet, will: Will::IsBusy });
            }
            if self.may(state, Kind::Duplicate) {
                out.push(Action::Duplicate { packet });
            }
        }
        if state.faults.deaths > 0 && local {
            out.push(Action::Deliver { packet, will: Will::Dies });
        }
    }

    /// After the pivot no participant may refuse, but one may misbehave.
    fn may_refuse(&self, state: &State, step: usize) -> bool {
        let kind = if self.class(step) == Class::Retriable { Kind::Misbehave } else { Kind::Refuse };
        self.may(state, kind)
    }

    fn of_participants(&self, state: &State, out: &mut Vec<Action>) {
        for (at, place) in state.places.iter().enumerate() {
            let step = self.step_of(small(at));
            let at = small(at);
            match place.task {
                Some(task) if task.found.is_some() => out.push(Action::Record { place: at }),
                Some(task) => {
                    out.push(Action::Reach { place: at, says: Says::Yes });
                    if task.work == Work::Begin && self.may_refuse(state, step) {
                        out.push(Action::Reach { place: at, says: Says::No });
                    }
                    if task.work == Work::Begin && self.may(state, Kind::Wait) {
                        out.push(Action::Reach { place: at, says: Says::Wait });
                    }
                }
                None if place.is_open() => out.push(Action::Tick { place: at }),
                None => {}
            }
            if place.task.is_some() && state.faults.deaths > 0 {
                out.push(Action::Die { place: at });
            }
            if place.waits {
                out.push(Action::Finish { place: at });
            }
            if place.under_way {
                out.push(Action::Arrive { place: at });
            }
            if self.setup.forgery && matches!(place.row, RowState::Done | RowState::Refused | RowState::Doing)
            {
                out.push(Action::Forge { place: at });
            }
        }
    }

    fn of_relay(&self, state: &State, out: &mut Vec<Action>) {
        if !self.setup.relay {
            return;
        }
        let relay = &state.relay;
        if relay.to_mark == 0 && usize::from(state.store.marked) < state.store.outbox.len() {
            out.push(Action::Publish);
        }
        if relay.to_mark > 0 {
            out.push(Action::Mark);
            if state.faults.relay_crashes > 0 {
                out.push(Action::RelayCrash);
            }
        }
    }
}
