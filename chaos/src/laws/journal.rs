//! I7, the first half: every journal is whole. It begins with its start, has no holes, ends at most once, and nothing
//! follows its end; the saga's row says what its journal adds up to.

use uuid::Uuid;

use super::Findings;
use crate::Invariant::Events;
use crate::books::{Books, End, Journal, Participants, Saga, Standing, born_at_ms};

pub(super) fn check(books: &Books, found: &mut Findings) {
    for saga in &books.rowless {
        found.add(
            Events,
            "A journal belongs to no saga.",
            [("saga", saga)],
            "orchestrator: journal and sagas of this id",
        );
    }
    for (id, saga) in &books.sagas {
        for broken in faults(&saga.journal) {
            found.add(Events, broken, [("saga", id)], "orchestrator: journal of this saga");
        }
        row_fits_journal(*id, saga, found);
    }
    if let Some(participants) = &books.participants {
        effects_have_journals(books, participants, found);
    }
}

fn faults(journal: &Journal) -> Vec<String> {
    let mut broken = Vec::new();
    if journal.last == 0 {
        return vec!["A saga has no journal.".to_owned()];
    }
    for (expected, found) in &journal.holes {
        broken.push(format!("Its journal has a hole: record {expected} is missing before record {found}."));
    }
    for (seq, why) in &journal.unreadable {
        broken.push(format!("Record {seq} cannot be read: {why}."));
    }
    if journal.starts != [1] && !journal.unreadable.iter().any(|(seq, _)| *seq == 1) {
        broken
            .push(format!("Its journal says that it started in {}, not in record 1.", list(&journal.starts)));
    }
    if journal.turned_back.len() > 1 {
        broken.push(format!("It turned back more than once: in {}.", list(&journal.turned_back)));
    }
    let ends: Vec<i64> = journal.ends.iter().map(|(seq, _)| *seq).collect();
    if let [first, others @ ..] = ends.as_slice() {
        if !others.is_empty() {
            broken.push(format!("It ended more than once: in {}.", list(&ends)));
        } else if *first != journal.last {
            broken.push(format!("It ended in record {first}, but records follow up to {}.", journal.last));
        }
    }
    for (seq, end) in &journal.ends {
        let turned = journal.turned_back.first().is_some_and(|back| back < seq);
        match end {
            End::Completed if turned => broken.push("It turned back and yet completed.".to_owned()),
            End::Compensated if !turned => {
                broken.push("It was compensated without ever turning back.".to_owned());
            }
            End::Completed | End::Compensated => {}
        }
    }
    broken
}

fn list(seqs: &[i64]) -> String {
    match seqs {
        [] => "no record".to_owned(),
        [one] => format!("record {one}"),
        many => format!("records {}", many.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn row_fits_journal(id: Uuid, saga: &Saga, found: &mut Findings) {
    let folded = saga.folded_status();
    if saga.journal.last > 0 && saga.status != folded {
        found.add(
            Events,
            format!(
                "The saga's row says {}, but its journal adds up to {}.",
                Saga::status_word(saga.status),
                Saga::status_word(folded)
            ),
            [("saga", &id)],
            "orchestrator: sagas and journal of this saga",
        );
    }
}

/// Nothing is called before the start is durable, so whatever a saga left at a participant, the store knows it, until
/// its retention has passed.
fn effects_have_journals(books: &Books, participants: &Participants, found: &mut Findings) {
    let orders = participants.orders.all.iter().map(|order| ("order", order.id, order.saga));
    let payments = participants.payments.all.values().map(|payment| ("payment", payment.id, payment.saga));
    let reservations = participants.stock.reservations.values().map(|r| ("reservation", r.id, r.saga));
    let shipments = participants.shipments.all.iter().map(|s| ("shipment", s.id, s.saga));
    let returns = participants.orders.all.iter().flat_map(|order| &order.returns);
    let returns = returns.map(|one| ("return", one.id, one.saga));
    let restocks = participants.stock.restocks.iter().map(|restock| ("restock", restock.id, restock.saga));
    let receipts = participants.shipments.receipts.iter().map(|r| ("receipt", r.id, r.saga));
    let bought = orders.chain(payments).chain(reservations).chain(shipments);
    for (what, thing, saga) in bought.chain(returns).chain(restocks).chain(receipts) {
        let forgotten = born_at_ms(saga).is_some_and(|at_ms| books.may_be_forgotten(at_ms));
        if !forgotten && books.standing(saga) == Standing::Unknown {
            found.add(
                Events,
                format!("A saga made a {what}, but the orchestrator has no journal of it."),
                [(what, &thing), ("saga", &saga)],
                "orchestrator: sagas, journal and keys of this saga",
            );
        }
    }
}
