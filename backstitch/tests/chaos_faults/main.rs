//! Faults between real processes and under them: lost, repeated and late calls, bad weather on connections, full disks.
//! Whatever happens, the driver's own ledger, the reconciler and the auditor agree in the end that every checkout happened
//! wholly or not at all.
//!
//! Each test prints its seed and what it injected. `BACKSTITCH_SEED` plays one again (the seed fixes what is done, the
//! machine's timing who meets it); `BACKSTITCH_CHECKOUTS` makes runs longer. `BLESS=1` writes the counts into
//! `docs/chaos.md`.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod books;
mod calls;
mod connections;
mod customers;
mod disk;
mod double;
mod kafka;
mod outage;
mod postgres;
mod ready;
mod redis;
mod stage;
mod table;

/// A number from the environment.
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// The seed of this run, printed with `what` is run under it.
fn seed(what: &str) -> u64 {
    let clock = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let seed = from_environment("BACKSTITCH_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    eprintln!("{what}: BACKSTITCH_SEED={seed}");
    seed
}

/// How many checkouts a run has.
fn checkouts(usual: usize) -> usize {
    from_environment("BACKSTITCH_CHECKOUTS").map_or(usual, |n| usize::try_from(n).unwrap())
}
