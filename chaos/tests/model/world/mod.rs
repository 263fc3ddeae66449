//! The world as a state machine: what can happen next, and what comes of it.
//!
//! The decisions are the product's: [`crate::table`] asks the core's table, `participant` asks the kit's. What is
//! between them is told here: writers, leases, a network, processes that die.

mod actions;
mod good;
mod judge;
mod node;
mod participant;
mod sent;
mod shell;

use std::sync::atomic::AtomicBool;

use backstitch_core::{Class, Op};

pub(crate) use actions::{Action, Says, Will};

use crate::laws::Law;
use crate::model::MOST_SIGHTS;
use crate::mutants::Mutant;
use crate::setup::{Kind, Setup};
use crate::state::{Client, Node, Own, Packet, Place, Relay, Return, State, Store, Told};
use crate::table::{Heard, Table};

/// A configuration, and perhaps what is broken in it.
pub(crate) struct World {
    pub(crate) setup: Setup,
    pub(crate) table: Table,
    pub(crate) mutant: Option<Mutant>,
    /// A state was met in which something is under way and nothing can happen.
    pub(crate) stuck: AtomicBool,
    /// Which sights were seen.
    pub(crate) seen: [AtomicBool; MOST_SIGHTS],
}

impl World {
    pub(crate) fn new(setup: &Setup, mutant: Option<Mutant>) -> Self {
        let table = Table::new(setup.stage.clone(), mutant);
        Self { setup: setup.clone(), table, mutant, stuck: AtomicBool::new(false), seen: Default::default() }
    }

    /// The first node owns the shard; the sagas have begun, and nothing of them is durable.
    pub(crate) fn first(&self) -> State {
        let setup = &self.setup;
        let node = Node { sagas: vec![None; setup.sagas], ..Node::default() };
        let state = State {
            nodes: vec![node; setup.nodes],
            store: Store { epoch: 1, journals: vec![None; setup.sagas], ..Store::default() },
            places: vec![Place::NEW; setup.sagas * setup.stage.len()],
            packets: Vec::new(),
            replies: Vec::new(),
            clients: setup.bodies.iter().map(|body| Client { body: *body, told: Told::Nothing }).collect(),
            relay: Relay::default(),
            returns: vec![Return::default(); setup.sagas],
            stock: setup.stock,
            faults: setup.faults,
            broken: None,
        };
        let mut scene = Scene { world: self, state };
        scene.state.nodes[0].epoch = 1;
        if setup.bodies.is_empty() {
            for saga in 0..setup.sagas {
                scene.begin(0, saga);
            }
        }
        scene.state
    }

    /// The state after an action, which is one that can happen.
    pub(crate) fn after(&self, state: &State, action: Action) -> State {
        let mut scene = Scene { world: self, state: state.clone() };
        scene.happen(action);
        scene.judge();
        scene.state
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    pub(crate) fn may(&self, state: &State, kind: Kind) -> bool {
        state.faults.trouble > 0 && self.setup.kinds.contains(&kind)
    }

    pub(crate) fn place(&self, saga: usize, step: usize) -> usize {
        saga * self.setup.stage.len() + step
    }

    pub(crate) fn saga_of(&self, place: u8) -> usize {
        usize::from(place) / self.setup.stage.len()
    }

    pub(crate) fn step_of(&self, place: u8) -> usize {
        usize::from(place) % self.setup.stage.len()
    }

    pub(crate) fn class(&self, step: usize) -> Class {
        self.setup.stage.definition.steps[step].class
    }
}

/// A state that something happens to.
struct Scene<'w> {
    world: &'w World,
    state: State,
}

impl Scene<'_> {
    /// The first broken law is what counts.
    fn hold(&mut self, law: Law, holds: bool) {
        if !holds && self.state.broken.is_none() {
            self.state.broken = Some(law);
        }
    }

    fn own(&self, node: usize, saga: usize) -> Option<&Own> {
        self.state.nodes[node].sagas[saga].as_ref()
    }

    fn happen(&mut self, action: Action) {
        match action {
            Action::Submit { client, node } => self.submit(client, node),
            Action::Commit { node, saga } => self.commit(node, saga),
            Action::Deliver { packet, will } => self.deliver(packet, will),
            Action::Duplicate { packet } => self.duplicate(packet),
            Action::Forge { place } => self.forge(place),
            Action::Reach { place, says } => self.reach(place, says),
            Action::Finish { place } => self.finish(place),
            Action::Available { node, saga, step } => self.available(node, saga, step),
            Action::Poison { node, saga } => self.poison(node, saga),
            Action::Wake { node, saga } => self.hear(usize::from(node), usize::from(saga), Heard::Wake),
            Action::Record { place } => self.record(place),
            Action::Tick { place } => self.tick(place),
            Action::Die { place } => self.die(place),
            Action::Arrive { place } => self.arrive(place),
            Action::Hear { reply, spent } => self.answered(reply, spent),
            Action::Garble { reply } => self.garbled(reply),
            Action::Timeout { node, saga, step, spent } => self.timeout(node, saga, step, spent),
            Action::Retry { node, saga, step } => self.retry(node, saga, step),
            Action::Cancel { node, saga } => self.cancel(node, saga),
            Action::Deadline { node, saga } => self.deadline(node, saga),
            Action::Resume { node, saga } => self.resume(node, saga),
            Action::Crash { node } => self.crash(node),
            Action::Steal { node } => self.steal(node),
            Action::Read { node } => self.read(node),
            Action::Publish => self.publish(),
            Action::Mark => self.mark(),
            Action::RelayCrash => self.relay_crash(),
            Action::WriteEvents { node } => self.write_events(node),
            Action::MakeGood { node, saga } => self.make_good(node, saga),
            Action::StartReturn { node, saga } => self.start_return(node, saga),
            Action::GiveBack { place } => self.give_back(place),
            Action::TakeReturnBack { saga } => self.take_return_back(saga),
            Action::TellReturned { node, saga } => self.tell_returned(node, saga),
        }
    }
}

/// A call that nobody waits for.
fn orphan(packet: Packet) -> Packet {
    Packet { epoch: 0, attempt: 0, ..packet }
}

/// The kit's word for an op.
fn wire(op: Op) -> backstitch_proto::contract::Op {
    match op {
        Op::Do => backstitch_proto::contract::Op::Do,
        Op::Undo => backstitch_proto::contract::Op::Undo,
        Op::Close => backstitch_proto::contract::Op::Close,
    }
}
