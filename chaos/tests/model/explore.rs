//! Exploring a configuration: to the end, or until a law is broken.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::Ordering;

use stateright::{Checker as _, Expectation, HasDiscoveries, Model as _, Path, Property};

use crate::laws::Law;
use crate::mutants::Mutant;
use crate::setup::Setup;
use crate::state::State;
use crate::story;
use crate::world::{Action, World};

/// What an exploration to the end came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explored {
    /// Unique states.
    pub(crate) states: usize,
    /// Actions that led to them.
    pub(crate) actions: usize,
    pub(crate) depth: usize,
}

/// How a mutant was caught.
pub(crate) struct Caught {
    pub(crate) law: Law,
    /// The length of the shortest way to it.
    pub(crate) actions: usize,
    /// Unique states until then.
    pub(crate) states: usize,
    pub(crate) story: String,
}

/// Visits every state of the configuration. Panics, with the story, if a law does not hold in one of them; or if a
/// sight that the configuration promises is in none of them.
pub(crate) fn to_the_end(setup: &Setup) -> Explored {
    let checker = World::new(setup, None).checker().threads(2).spawn_bfs().join();
    let discoveries = checker.discoveries();
    for property in checker.model().properties() {
        let discovery = discoveries.get(property.name);
        match property.expectation {
            Expectation::Sometimes => {
                assert!(discovery.is_some(), "`{}` is never so that {}", setup.name, property.name);
            }
            _ => {
                let broken = discovery.map(|path| caught(checker.model(), path.clone(), 0).story);
                assert!(broken.is_none(), "`{}` breaks a law\n{}", setup.name, broken.unwrap_or_default());
            }
        }
    }
    assert!(!checker.model().stuck.load(Ordering::Relaxed), "`{}` has a state that is stuck", setup.name);
    assert!(checker.is_done(), "`{}` was not explored to the end", setup.name);
    Explored {
        states: checker.unique_state_count(),
        actions: checker.state_count(),
        depth: checker.max_depth(),
    }
}

/// The shortest way to a broken law, if there is one. One thread, so that it is the same one every time.
pub(crate) fn until_broken(setup: &Setup, mutant: Mutant) -> Option<Caught> {
    let world = World::new(setup, Some(mutant));
    let checker = world.checker().threads(1).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count();
    let always = checker.model().properties().into_iter().filter(|p| p.expectation == Expectation::Always);
    let found = always.filter_map(|property: Property<World>| checker.discovery(property.name));
    let shortest = found.map(Path::into_vec).min_by_key(Vec::len)?;
    Some(tell(checker.model(), shortest, states))
}

fn caught(world: &World, path: Path<State, Action>, states: usize) -> Caught {
    tell(world, path.into_vec(), states)
}

fn tell(world: &World, path: Vec<(State, Option<Action>)>, states: usize) -> Caught {
    let law = path.last().and_then(|(state, _)| state.broken).expect("a discovery ends where a law breaks");
    Caught { law, actions: path.len() - 1, states, story: story::tell(world, &path) }
}

/// Whether some path comes back to where it was. Where none does, every path ends, and what holds wherever nothing
/// goes on by itself holds in the end of every path. (`stateright`'s own `eventually` may miss a path that joins
/// another one or goes in circles.)
pub(crate) fn goes_in_circles(setup: &Setup) -> bool {
    let world = World::new(setup, None);
    // Kept by fingerprint, as the checker keeps them.
    let (mut done, mut open) = (HashSet::new(), HashSet::new());
    let first = world.first();
    let mut stack = vec![(fingerprint(&first), successors(&world, &first))];
    open.insert(fingerprint(&first));
    while let Some((print, left)) = stack.last_mut() {
        let Some(next) = left.pop() else {
            open.remove(print);
            done.insert(*print);
            stack.pop();
            continue;
        };
        let print = fingerprint(&next);
        if open.contains(&print) {
            return true;
        }
        if !done.contains(&print) {
            open.insert(print);
            stack.push((print, successors(&world, &next)));
        }
    }
    false
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

fn successors(world: &World, state: &State) -> Vec<State> {
    let mut actions = Vec::new();
    world.possible(state, &mut actions);
    // A forged request changes nothing: it is judged at once.
    let moves = actions.into_iter().filter(|action| !matches!(action, Action::Forge { .. }));
    moves.map(|action| world.after(state, action)).collect()
}
