//! Model checking: every order of events, every crash and every late message, over the table, the fold and the barrier
//! that the product runs. `docs/model.md` says what is explored, `docs/mutants.md` what would be noticed.
//!
//! `cargo test --release -p backstitch-chaos --test model -- --ignored --nocapture` explores the large set.

#![allow(clippy::unwrap_used)]

mod checkout;
mod configs;
mod explore;
mod large;
mod laws;
mod model;
mod mutants;
mod report;
mod setup;
mod sights;
mod stage;
mod state;
mod story;
mod table;
mod trials;
mod world;

use std::collections::BTreeMap;
use std::time::Instant;

use laws::Law;
use mutants::Mutant;
use setup::Setup;

/// Explores each to the end, and says how much that was.
#[allow(clippy::print_stdout)]
fn hold(setups: Vec<Setup>) {
    for setup in setups {
        let begun = Instant::now();
        let explore::Explored { states, actions, depth } = explore::to_the_end(&setup);
        let took = begun.elapsed();
        println!("{}: {states} states, {actions} actions, depth {depth}, {took:.1?}", setup.name);
    }
}

#[test]
fn one_saga_ends_well_whatever_its_calls_come_to_and_whenever_its_owner_dies() {
    hold(configs::outcomes());
}

#[test]
fn two_sagas_never_share_one_unit_of_stock() {
    hold(configs::stock());
}

#[test]
fn a_former_owner_does_no_harm_and_neither_do_its_messages() {
    hold(configs::owners());
}

#[test]
fn one_key_submitted_twice_at_once_is_one_saga() {
    hold(configs::keys());
}

#[test]
fn a_participant_may_die_between_its_effect_and_its_answer() {
    hold(configs::participants());
}

#[test]
fn what_rides_may_be_lost_and_what_must_not_is_waited_for() {
    hold(configs::write_behind());
}

#[test]
fn the_relay_may_die_between_publish_and_mark() {
    hold(configs::relay());
}

#[test]
fn what_cannot_be_done_is_made_good_once_or_is_its_persons_again() {
    hold(configs::goods());
}

/// So that what holds wherever nothing goes on by itself holds at the end of every path (I5).
#[test]
fn every_path_ends() {
    for setup in configs::all() {
        assert!(!explore::goes_in_circles(&setup), "`{}` goes in circles", setup.name);
    }
}

fn caught() -> Vec<(Mutant, Setup, explore::Caught)> {
    let found = Mutant::ALL.iter().map(|mutant| {
        let setup = trials::of(*mutant);
        let caught = explore::until_broken(&setup, *mutant);
        let caught = caught.unwrap_or_else(|| panic!("nobody minds that {} ({})", mutant.says(), setup.name));
        (*mutant, setup, caught)
    });
    found.collect()
}

#[test]
fn every_mutant_is_caught_as_the_documents_say() {
    let found = caught();
    assert!(found.len() >= 25, "{} mutants", found.len());
    let (page, path) = (report::page(&found), report::path());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{} is not what was found; BLESS=1 writes it anew\n{page}", path.display());
}

/// What is caught is the mutant, and not the configuration.
#[test]
fn without_its_mutant_every_configuration_holds() {
    let setups: BTreeMap<&str, Setup> =
        Mutant::ALL.iter().map(|mutant| trials::of(*mutant)).map(|setup| (setup.name, setup)).collect();
    for setup in setups.into_values() {
        explore::to_the_end(&setup);
    }
}

/// A law that nothing breaks would be none.
#[test]
fn every_law_is_broken_by_some_mutant() {
    let found = caught();
    for law in Law::ALL {
        assert!(found.iter().any(|(_, _, caught)| caught.law == law), "nothing breaks: {}", law.sentence());
    }
}

#[test]
fn a_counterexample_is_told_as_what_happened() {
    let caught =
        explore::until_broken(&trials::of(Mutant::UnknownIsNotNow), Mutant::UnknownIsNotNow).unwrap();
    assert_eq!(caught.story, include_str!("story.txt"), "\n{}", caught.story);
}

#[test]
#[ignore = "takes many minutes; see the command above"]
fn the_large_set_holds() {
    hold(large::all());
}
