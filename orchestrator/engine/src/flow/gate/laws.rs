//! What the gate keeps to, whatever comes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;

use super::*;

const ACTIONS: [&str; 2] = ["Reserve", "Release"];
const LIMIT: usize = 3;

fn options() -> FlowOptions {
    let mut options = FlowOptions { max_calls: LIMIT, ..FlowOptions::default() };
    (options.breaker.minimum, options.breaker.window) = (4, 8);
    (options.retry.burst, options.retry.floor_per_second) = (4, 2);
    options
}

struct Caller {
    number: usize,
    gone: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Settled,
    NotSettled,
    Fault(Fault),
    Lost,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Enter {
        urgent: bool,
        kind: Kind,
        action: usize,
    },
    /// Of the calls in flight, the one at this place modulo their number.
    End {
        which: usize,
        end: End,
        saga: u128,
    },
    GoAway {
        which: usize,
    },
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let kind = prop_oneof![Just(Kind::First), Just(Kind::Retry), Just(Kind::Poll)];
    let fault = prop_oneof![Just(Fault::Unreachable), Just(Fault::Silent), Just(Fault::Unserved)];
    let end = prop_oneof![
        4 => Just(End::Settled),
        1 => Just(End::NotSettled),
        4 => fault.prop_map(End::Fault),
        1 => Just(End::Lost),
    ];
    prop_oneof![
        5 => (any::<bool>(), kind, 0..2_usize)
            .prop_map(|(urgent, kind, action)| Act::Enter { urgent, kind, action }),
        5 => (any::<usize>(), end, 0..6_u128).prop_map(|(which, end, saga)| Act::End { which, end, saga }),
        1 => any::<usize>().prop_map(|which| Act::GoAway { which }),
        2 => (0..3_000_u64).prop_map(Act::Pass),
    ]
}

/// A gate, and what its callers know.
struct World {
    gate: Gate<Rc<Caller>>,
    now: Duration,
    in_flight: Vec<Ticket>,
    waiting: BTreeMap<usize, (Ask, Rc<Caller>)>,
    entered: usize,
}

impl World {
    fn new() -> Self {
        Self {
            gate: Gate::new(options(), Duration::ZERO),
            now: Duration::ZERO,
            in_flight: Vec::new(),
            waiting: BTreeMap::new(),
            entered: 0,
        }
    }

    /// A call goes.
    fn goes(&mut self, ask: Ask, ticket: Ticket, was: (bool, bool)) {
        let (outage, unserved) = was;
        assert_eq!(ticket.probes_outage, outage, "through an open breaker goes the probe and nothing else");
        assert_eq!(ticket.probes_action, unserved);
        self.in_flight.push(ticket);
        assert!(self.in_flight.len() <= LIMIT);
        let probes = |of: fn(&Ticket) -> bool| self.in_flight.iter().filter(|ticket| of(ticket)).count();
        assert!(probes(|ticket| ticket.probes_outage) <= 1);
        for action in ACTIONS {
            let of_it = self.in_flight.iter().filter(|t| t.probes_action && t.action == action);
            assert!(of_it.count() <= 1);
        }
        if !ask.urgent {
            let overtaken = self.waiting.values().find(|(waits, caller)| {
                let held = self.gate.unserved.contains_key(waits.action);
                waits.urgent && waits.kind != Kind::Retry && !held && !caller.gone.get()
            });
            assert!(overtaken.is_none(), "an urgent call waits behind {ask:?}");
        }
    }

    fn open(&self, action: &str) -> (bool, bool) {
        (self.gate.outage.standing() != Standing::Closed, self.gate.unserved.contains_key(action))
    }

    fn enter(&mut self, ask: Ask) {
        let number = self.entered;
        self.entered += 1;
        let caller = Rc::new(Caller { number, gone: Cell::new(false) });
        let was = self.open(ask.action);
        match self.gate.enter(self.now, ask, || (caller.clone(), ())) {
            Entered::Go(ticket) => self.goes(ask, ticket, was),
            Entered::Waits(()) => drop(self.waiting.insert(number, (ask, caller))),
            Entered::NotNow(_) => assert!(!ask.urgent && (was.0 || was.1), "turned away from an open gate"),
        }
    }

    fn end(&mut self, which: usize, end: End, saga: u128) {
        if self.in_flight.is_empty() {
            return;
        }
        let ticket = self.in_flight.swap_remove(which % self.in_flight.len());
        let (settled, fault) = match end {
            End::Lost => return self.gate.lost(self.now, &ticket),
            End::Settled => (true, None),
            End::NotSettled => (false, None),
            End::Fault(fault) => (false, Some((fault, "a fault"))),
        };
        let before = self.gate.standing();
        let report = Report { settled, fault };
        let back = self.gate.heard(self.now, &ticket, Uuid::from_u128(saga), report, 0);
        assert!(!back || before != Standing::Closed, "nobody comes back who was not away");
    }

    fn pump(&mut self) -> Option<Duration> {
        let mut told = Vec::new();
        let was = ACTIONS.map(|action| self.open(action));
        let next = self.gate.pump(self.now, |caller| caller.gone.get(), &mut told);
        // Several may go at once, but only where nothing was open; then in their order.
        for (caller, granted) in told {
            let (ask, _) = self.waiting.remove(&caller.number).expect("told once");
            assert!(!caller.gone.get(), "told somebody who has gone");
            match granted {
                Granted::Go(ticket) => {
                    let at = usize::from(ask.action == ACTIONS[1]);
                    self.goes(ask, ticket, was[at]);
                }
                Granted::NotNow(_) => assert!(!ask.urgent, "urgent calls are never turned away"),
            }
        }
        if let Look::Wait(_) = self.gate.outage.look(self.now) {
            assert_eq!(self.gate.normal.len(), 0, "nobody who could turn back waits for an outage");
        }
        next
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Enter { urgent, kind, action } => {
                self.enter(Ask { urgent, kind, action: ACTIONS[action] });
            }
            Act::End { which, end, saga } => self.end(which, end, saga),
            Act::GoAway { which } => {
                let at = which % self.waiting.len().max(1);
                if let Some(number) = self.waiting.keys().nth(at).copied() {
                    let (_, caller) = self.waiting.remove(&number).expect("it waits");
                    caller.gone.set(true);
                }
            }
            Act::Pass(ms) => self.now += Duration::from_millis(ms),
        }
        self.pump();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn limits_priorities_and_breakers_hold_and_in_the_end_everybody_goes(
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
        }
        // The participant is well from now on: what waits needs nothing but answers and the time that it says.
        for _ in 0..2_000 {
            while !world.in_flight.is_empty() {
                world.end(0, End::Settled, 0);
                world.pump();
            }
            match world.pump() {
                Some(next) => world.now += next,
                None if world.in_flight.is_empty() => break,
                None => {}
            }
        }
        prop_assert_eq!(world.waiting.len(), 0, "somebody waits for ever");
        prop_assert_eq!(world.gate.in_flight, 0);
    }
}

fn ask(urgent: bool, kind: Kind) -> Ask {
    Ask { urgent, kind, action: ACTIONS[0] }
}

#[test]
fn a_retry_without_a_token_holds_nobody_up() {
    let mut world = World::new();
    for _ in 0..4 {
        world.enter(ask(true, Kind::Retry));
        world.end(0, End::NotSettled, 1);
    }
    world.act(Act::Enter { urgent: true, kind: Kind::Retry, action: 0 });
    assert_eq!((world.in_flight.len(), world.waiting.len()), (0, 1));
    world.act(Act::Enter { urgent: false, kind: Kind::First, action: 0 });
    assert_eq!((world.in_flight.len(), world.waiting.len()), (1, 1));
    world.act(Act::Pass(501));
    assert_eq!((world.in_flight.len(), world.waiting.len()), (2, 0));
}

#[test]
fn contract_verdicts_never_trip_it() {
    let mut world = World::new();
    for saga in 0..1_000 {
        world.enter(ask(false, Kind::First));
        world.end(0, End::NotSettled, saga);
        assert_eq!(world.gate.standing(), Standing::Closed);
    }
}

#[test]
fn an_action_that_is_not_served_stops_at_once_and_the_others_go_on() {
    let mut world = World::new();
    world.enter(ask(false, Kind::First));
    world.end(0, End::Fault(Fault::Unserved), 1);
    assert_eq!(world.gate.standing(), Standing::Open);
    world.enter(Ask { action: ACTIONS[1], ..ask(false, Kind::First) });
    world.end(0, End::Settled, 2);
    let refused = world.gate.enter(world.now, ask(false, Kind::First), || unreachable!());
    assert!(matches!(refused, Entered::<()>::NotNow(Closed { misconfigured: true, .. })));
    // Served again, as a call that may wait finds out.
    world.enter(ask(true, Kind::First));
    assert_eq!(world.waiting.len(), 1);
    world.act(Act::Pass(1_000));
    assert_eq!(world.in_flight.len(), 1);
    world.end(0, End::Settled, 3);
    assert_eq!(world.gate.standing(), Standing::Closed);
}

#[test]
fn an_outage_admits_one_saga_in_each_pause_to_find_out() {
    let mut world = World::new();
    for saga in 0..4 {
        world.enter(ask(false, Kind::First));
        world.end(0, End::Fault(Fault::Silent), saga);
    }
    assert!(world.gate.admit(world.now, |_| true).is_err());
    world.now += Duration::from_secs(1);
    assert!(world.gate.admit(world.now, |_| true).is_ok());
    let again = world.gate.admit(world.now, |_| true).unwrap_err();
    assert_eq!(again.after, Duration::from_secs(1));
    assert!(!again.misconfigured);
    world.now += Duration::from_secs(1);
    assert!(world.gate.admit(world.now, |_| true).is_ok());
}

#[test]
fn an_action_that_is_not_served_keeps_no_saga_away_that_does_not_need_it() {
    let mut world = World::new();
    world.enter(ask(false, Kind::First));
    world.end(0, End::Fault(Fault::Unserved), 0);
    let (unserved, other) = (ACTIONS[0], ACTIONS[1]);
    assert!(world.gate.admit(world.now, |action| action == unserved).is_err());
    // Nobody may ever ask for it again: it belongs to a version that was switched off.
    for _ in 0..10 {
        assert_eq!(world.gate.admit(world.now, |action| action == other), Ok(()));
        world.now += Duration::from_millis(1);
    }
}
