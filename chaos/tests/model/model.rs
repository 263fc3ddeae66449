//! The world as `stateright` explores it.

use std::sync::atomic::Ordering;

use stateright::{Model, Property};

use crate::laws::Law;
use crate::state::State;
use crate::world::{Action, World};

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.first()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.possible(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.after(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let always = (0..Law::ALL.len()).map(|place| Property {
            expectation: stateright::Expectation::Always,
            name: Law::ALL[place].sentence(),
            condition: HOLDS[place],
        });
        let sometimes = self.setup.sights.iter().zip(SEES).map(|(sight, condition)| Property {
            expectation: stateright::Expectation::Sometimes,
            name: sight.name,
            condition,
        });
        always.chain(sometimes).collect()
    }
}

type Condition = fn(&World, &State) -> bool;

/// One plain function per law, since a property captures nothing.
const HOLDS: [Condition; 36] = [
    holds::<0>,
    holds::<1>,
    holds::<2>,
    holds::<3>,
    holds::<4>,
    holds::<5>,
    holds::<6>,
    holds::<7>,
    holds::<8>,
    holds::<9>,
    holds::<10>,
    holds::<11>,
    holds::<12>,
    holds::<13>,
    holds::<14>,
    holds::<15>,
    holds::<16>,
    holds::<17>,
    holds::<18>,
    holds::<19>,
    holds::<20>,
    holds::<21>,
    holds::<22>,
    holds::<23>,
    holds::<24>,
    holds::<25>,
    holds::<26>,
    holds::<27>,
    holds::<28>,
    holds::<29>,
    holds::<30>,
    holds::<31>,
    holds::<32>,
    holds::<33>,
    holds::<34>,
    holds::<35>,
];

/// As many as a configuration names at most.
pub(crate) const MOST_SIGHTS: usize = 8;
const SEES: [Condition; MOST_SIGHTS] =
    [sees::<0>, sees::<1>, sees::<2>, sees::<3>, sees::<4>, sees::<5>, sees::<6>, sees::<7>];

/// Once is enough: the checker would note every later path too.
fn sees<const PLACE: usize>(world: &World, state: &State) -> bool {
    let seen = &world.seen[PLACE];
    let now = !seen.load(Ordering::Relaxed) && (world.setup.sights[PLACE].seen)(world, state);
    seen.fetch_or(now, Ordering::Relaxed);
    now
}

fn holds<const PLACE: usize>(_: &World, state: &State) -> bool {
    state.broken != Some(Law::ALL[PLACE])
}
