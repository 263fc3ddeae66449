//! The table of the mutants, as the documents show it.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::explore::Caught;
use crate::mutants::Mutant;
use crate::setup::Setup;

const HEAD: &str = "\
# Mutants of the guards

Every guard of the engine, the barrier, the store and the relay is broken once, and the model checker has to find a
schedule in which that does harm. Each mutant is looked for in the smallest configuration that can show it; the search
ends at the first counterexample. Without the mutant the same configurations are explored to the end and keep every law,
so what is caught is the mutant.

Nothing of this is in the product: a mutant rewrites an event before `backstitch_core::next` or a transition after it, a
cell of `participant_kit::barrier::table::decide`, or it is a switch in the model's own shell, writer, store or relay.
[model.md](model.md) says what the model is.

This page is written by `cargo test -p backstitch-chaos --test model mutant`, which fails if a mutant survives or if
the page is not what it found; `BLESS=1` writes it anew. *Steps* is the length of the shortest counterexample, *states*
how many states were visited until it was found.

| what is wrong | caught in | by the law | steps | states |
|---|---|---|---:|---:|
";

/// The page.
pub(crate) fn page(found: &[(Mutant, Setup, Caught)]) -> String {
    let mut page = HEAD.to_owned();
    for (mutant, setup, caught) in found {
        // A power of ten: a page that changed with every state more would say no more.
        let states = caught.states.max(1).ilog10() + 1;
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | < {} |",
            mutant.says(),
            setup.name,
            caught.law.sentence(),
            caught.actions,
            10u32.pow(states)
        );
    }
    page
}

pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/mutants.md")
}
