//! All places, so many times, a few at once; and what was counted.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Semaphore;

use crate::dice::{number, seed};
use crate::engines::Engines;
use crate::points::Point;
use crate::run::Outcome;
use crate::table::{self, Row};

/// Runs that go on at once, of all tests together: they wait more than they work.
const AT_ONCE: usize = 3;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Runs every place and insists that nothing is wrong. `who` is what the table calls it.
pub(crate) async fn matrix<R: Future<Output = Outcome>>(
    who: &str,
    points: &[Point],
    engines: &Engines,
    run: impl Fn(Point, Engines, u64) -> R,
) {
    let (seed, rounds) = (seed(), number("CHAOS_ROUNDS").unwrap_or(1));
    let only = std::env::var("CHAOS_ONLY").unwrap_or_default();
    let chosen: Vec<_> = points.iter().filter(|point| point.name.contains(&only)).collect();
    eprintln!(
        "BACKSTITCH_SEED={seed} CHAOS_ROUNDS={rounds}: {who} on {}, {} places",
        engines.name(),
        chosen.len()
    );
    let begun = Instant::now();
    let runs = (0..rounds).flat_map(|round| chosen.iter().map(move |point| (round, (*point).clone())));
    let runs = runs.map(|(round, point)| {
        let (engines, run) = (engines.clone(), &run);
        async move {
            let _place = PLACES.acquire().await.unwrap();
            let name = point.name.clone();
            // What panics is counted and stops no other run.
            let run = AssertUnwindSafe(run(point, engines, seed.wrapping_add(round)));
            run.catch_unwind().await.unwrap_or_else(|_| Outcome {
                violations: vec![format!("{name}: it panicked, see above")],
                ..Outcome::default()
            })
        }
    });
    let outcomes: Vec<Outcome> = futures::stream::iter(runs).buffer_unordered(AT_ONCE).collect().await;
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>();
    let row = Row {
        who: who.to_owned(),
        engines: engines.name(),
        places: points.len(),
        rounds,
        kills: sum(|o| o.kills),
        sagas: sum(|o| o.sagas),
        asked_again: sum(|o| o.asked_again),
        violations: sum(|o| o.violations.len()),
    };
    eprintln!("{row} in {:.0?}", begun.elapsed());
    let violations: Vec<_> = outcomes.into_iter().flat_map(|outcome| outcome.violations).collect();
    assert!(violations.is_empty(), "{violations:#?}");
    assert!(row.kills >= chosen.len(), "a place without a death");
    if only.is_empty() {
        table::keep(&row);
    }
}
