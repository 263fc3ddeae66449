//! The invariants, one module each. They judge what the books say and read nothing themselves.

mod capture_or_void;
mod events;
mod journal;
mod ledger;
mod money;
mod once;
mod overview;
mod participant_events;
mod returns;
mod stock;

use crate::books::Books;
use crate::{Invariant, Report, Violation};

/// Asks every law.
pub(crate) fn judge(books: &Books) -> Report {
    let mut report = overview::report(books);
    let mut found = Findings::default();
    if let Some(participants) = &books.participants {
        money::check(books, participants, &mut found);
        ledger::check(participants, &mut found);
        stock::check(books, participants, &mut found);
        returns::check(books, participants, &mut found);
        once::check(books, participants, &mut found);
        capture_or_void::check(participants, &mut found);
        participant_events::check(participants, &mut found);
    }
    journal::check(books, &mut found);
    events::check(books, &mut found);
    found.0.sort_by_key(|violation| violation.invariant);
    report.violations = found.0;
    report
}

/// What the laws found so far.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add<const N: usize>(
        &mut self,
        invariant: Invariant,
        what: impl Into<String>,
        ids: [(&'static str, &dyn ToString); N],
        look_at: impl Into<String>,
    ) {
        let ids = ids.into_iter().map(|(what, id)| (what, id.to_string())).collect();
        self.0.push(Violation { invariant, what: what.into(), ids, look_at: look_at.into() });
    }
}
