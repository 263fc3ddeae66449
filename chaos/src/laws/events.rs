//! I7, the orchestrator's events: a lane has no gap, a saga's events are numbered without a hole, and a checkout or a
//! return that ended has said so in its last one.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Findings;
use crate::Invariant::Events;
use crate::books::{Books, End, Lane, LaneRow, Saga, Standing};

pub(super) fn check(books: &Books, found: &mut Findings) {
    let mut of_saga: BTreeMap<Uuid, Vec<&LaneRow>> = BTreeMap::new();
    for lane in &books.lanes {
        no_gap(lane, found);
        for row in &lane.rows {
            of_saga.entry(row.saga).or_default().push(row);
        }
    }
    for (id, saga) in &books.sagas {
        let rows = of_saga.remove(id).unwrap_or_default();
        in_sequence(books, *id, saga, &rows, found);
        if saga.is_checkout() || saga.is_return() {
            said_its_end(*id, saga, rows.last().copied(), found);
        }
    }
}

/// From the purge on, every number is there.
fn no_gap(lane: &Lane, found: &mut Findings) {
    let look_at = "orchestrator: outbox of this shard, lanes, lane_marks, parked_roots";
    let mut expected = lane.intact_from();
    for row in lane.rows.iter().filter(|row| row.number >= lane.intact_from()) {
        if row.number != expected {
            found.add(
                Events,
                format!("The lane has a gap: event {expected} is missing before event {}.", row.number),
                [("shard", &lane.shard), ("saga", &row.saga)],
                look_at,
            );
        }
        expected = row.number.saturating_add(1);
    }
    if lane.intact_from() > lane.watermark.saturating_add(1) {
        found.add(
            Events,
            format!(
                "The lane begins with event {}, but is published only up to event {}.",
                lane.intact_from(),
                lane.watermark
            ),
            [("shard", &lane.shard)],
            look_at,
        );
    }
    if lane.watermark >= expected {
        found.add(
            Events,
            format!("The lane is published up to event {}, but it ends before {expected}.", lane.watermark),
            [("shard", &lane.shard)],
            look_at,
        );
    }
}

/// What is kept of a saga's events is the tail of 1, 2, 3 … up to what its row counts; what is not kept was purged.
fn in_sequence(books: &Books, id: Uuid, saga: &Saga, rows: &[&LaneRow], found: &mut Findings) {
    let lane = books.lanes.iter().find(|lane| lane.shard == saga.shard);
    let look_at = "orchestrator: outbox and sagas.events of this saga";
    let first = rows.first().map_or(saga.events.saturating_add(1), |row| row.sequence);
    for (expected, row) in (first..).zip(rows) {
        if row.sequence != expected {
            found.add(
                Events,
                format!("Event {expected} of the saga should follow, but {} does.", row.sequence),
                [("saga", &id), ("event", &row.number)],
                look_at,
            );
            return;
        }
        if row.root != saga.root {
            found.add(
                Events,
                format!("Event {expected} of the saga is keyed by another root."),
                [("saga", &id), ("root", &saga.root), ("key", &row.root)],
                look_at,
            );
        }
    }
    let last = rows.last().map_or(saga.events, |row| row.sequence);
    if last != saga.events {
        found.add(
            Events,
            format!("The saga counts {} events, but its last one is number {last}.", saga.events),
            [("saga", &id)],
            look_at,
        );
    }
    // The events before `first` are gone. A purge begins at the lane's beginning and takes nothing young.
    let purged =
        lane.is_some_and(|lane| lane.intact_from() > 1) && books.may_be_forgotten(saga.journal.first_at_ms);
    if first > 1 && !purged {
        found.add(
            Events,
            format!("The first {} of the saga's {} events are missing.", first - 1, saga.events),
            [("saga", &id)],
            look_at,
        );
    }
}

fn said_its_end(id: Uuid, saga: &Saga, last: Option<&LaneRow>, found: &mut Findings) {
    let word = match saga.standing() {
        Standing::Ended(End::Completed) => Some("completed"),
        Standing::Ended(End::Compensated) => Some("compensated"),
        _ => None,
    };
    let what = &saga.definition;
    let said = last.and_then(|row| row.kind.strip_prefix("com.backstitch.")?.strip_prefix(what.as_str()));
    let said = said.and_then(|kind| kind.strip_prefix('.')?.strip_suffix(".v1"));
    let wrong = match (word, said) {
        // Purged with all its events, or never written: then its count says so.
        (Some(word), None) if saga.events == 0 => {
            Some(format!("The {what} {word}, but it never published an event."))
        }
        (Some(word), Some(said)) if said != word => {
            Some(format!("The {what} {word}, but the last thing it published is that it {said}."))
        }
        (None, Some(said @ ("completed" | "compensated"))) => {
            Some(format!("It was published that the {what} {said}, but it has not ended."))
        }
        _ => None,
    };
    if let Some(what) = wrong {
        found.add(Events, what, [("saga", &id)], "orchestrator: outbox and journal of this saga");
    }
}
