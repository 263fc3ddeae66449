//! I7, the participants' events: along a source and key the numbers have no hole, nothing is published past a row
//! that waits, and what happened has its event, and the other way round.

use std::collections::BTreeMap;

use super::Findings;
use crate::Invariant::Events;
use crate::books::{Outbox, OutboxRow, Participants};

pub(super) fn check(participants: &Participants, found: &mut Findings) {
    for outbox in participants.outboxes() {
        in_sequence(outbox, found);
    }
    facts_are_told(participants, found);
}

/// What is kept along a key is the tail of 1, 2, 3 … up to its counter; only a purge takes the beginning.
fn in_sequence(outbox: &Outbox, found: &mut Findings) {
    let mut along: BTreeMap<(String, String), Vec<&OutboxRow>> = BTreeMap::new();
    for row in &outbox.rows {
        along.entry((row.source.clone(), row.key.clone())).or_default().push(row);
    }
    for (key, counter) in &outbox.keys {
        let rows = along.remove(key).unwrap_or_default();
        let first = rows.first().map_or(counter.saturating_add(1), |row| row.sequence);
        let mut wrong = Vec::new();
        if first > 1 && outbox.purged_before_ms.is_none() {
            wrong.push(format!("the first {} of {counter} events are missing", first - 1));
        }
        for pair in rows.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            if after.sequence != before.sequence + 1 {
                wrong.push(format!("event {} is followed by {}", before.sequence, after.sequence));
            }
            if after.number <= before.number {
                wrong.push(format!("event {} is read after its successor", before.sequence));
            }
            if before.state == "waiting" && after.state == "published" {
                wrong.push(format!("event {} was published past {}", after.sequence, before.sequence));
            }
        }
        let last = rows.last().map_or(*counter, |row| row.sequence);
        if last != *counter {
            wrong.push(format!("its counter stands at {counter}, but its last event is {last}"));
        }
        for wrong in wrong {
            tell(outbox, key, &wrong, found);
        }
    }
    for key in along.keys() {
        tell(outbox, key, "it has events and no counter", found);
    }
}

fn tell(outbox: &Outbox, (source, key): &(String, String), wrong: &str, found: &mut Findings) {
    found.add(
        Events,
        format!("In the events of the {} participant along one key, {wrong}.", outbox.book),
        [("source", source), ("key", key)],
        format!("{}: outbox and outbox_keys of this source and key", outbox.book),
    );
}

/// A kind of event, and what must have happened for each subject of it: how often, and when it first did.
struct Telling<'a> {
    outbox: &'a Outbox,
    kind: &'static str,
    what: &'static str,
    facts: BTreeMap<String, (usize, i64)>,
}

fn facts_are_told(participants: &Participants, found: &mut Findings) {
    let orders = &participants.orders;
    let confirmed = orders.all.iter().filter(|order| order.stands());
    let placed = confirmed.map(|order| (order.id.to_string(), (1, order.confirmed_at_ms.unwrap_or(0))));
    check_telling(
        &Telling {
            outbox: &orders.outbox,
            kind: "com.backstitch.order.placed.v1",
            what: "an order was confirmed",
            facts: placed.collect(),
        },
        found,
    );
    let returned = orders.all.iter().filter_map(|order| {
        let first_at_ms = order.completed().filter_map(|one| one.settled_at_ms).min()?;
        Some((order.id.to_string(), (order.completed().count(), first_at_ms)))
    });
    check_telling(
        &Telling {
            outbox: &orders.outbox,
            kind: "com.backstitch.order.returned.v1",
            what: "goods of an order came back",
            facts: returned.collect(),
        },
        found,
    );
    let payments = &participants.payments;
    for (entry, kind, what) in [
        ("authorized", "com.backstitch.payment.authorized.v1", "a payment was authorized"),
        ("captured", "com.backstitch.payment.captured.v1", "a payment was captured"),
        ("released", "com.backstitch.payment.released.v1", "a part of a hold was let go"),
        ("voided", "com.backstitch.payment.voided.v1", "a payment was voided"),
        ("refunded", "com.backstitch.payment.refunded.v1", "a payment was refunded"),
    ] {
        let mut facts = BTreeMap::new();
        for payment in payments.all.values() {
            let of_kind = || payment.entries.iter().filter(|(of, ..)| of == entry);
            if let Some((_, _, at_ms)) = of_kind().next() {
                facts.insert(payment.id.to_string(), (of_kind().count(), *at_ms));
            }
        }
        check_telling(&Telling { outbox: &payments.outbox, kind, what, facts }, found);
    }
    let stock = &participants.stock;
    let sold = stock.reservations.values().filter(|reservation| reservation.sold);
    check_telling(
        &Telling {
            outbox: &stock.outbox,
            kind: "com.backstitch.inventory.sold.v1",
            what: "a reservation was sold",
            facts: sold.map(|r| (r.id.to_string(), (1, r.sold_at_ms.unwrap_or(0)))).collect(),
        },
        found,
    );
    check_telling(
        &Telling {
            outbox: &stock.outbox,
            kind: "com.backstitch.inventory.restocked.v1",
            what: "goods came back into the stock",
            facts: stock.restocks.iter().map(|r| (r.id.to_string(), (1, r.at_ms))).collect(),
        },
        found,
    );
    let counted = stock.skus.iter().filter(|(_, of)| of.corrections > 0);
    check_telling(
        &Telling {
            outbox: &stock.outbox,
            kind: "com.backstitch.inventory.corrected.v1",
            what: "a SKU was counted",
            facts: counted
                .map(|(sku, of)| (sku.clone(), (of.corrections, of.first_corrected_at_ms)))
                .collect(),
        },
        found,
    );
    let shipments = &participants.shipments;
    let created = shipments.all.iter().filter(|s| !shipments.never_was(s.id));
    let created = created.map(|s| (s.id.to_string(), (1, s.created_at_ms)));
    check_telling(
        &Telling {
            outbox: &shipments.outbox,
            kind: "com.backstitch.shipping.created.v1",
            what: "a parcel was created",
            facts: created.collect(),
        },
        found,
    );
    let mut received: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for receipt in shipments.receipts.iter().filter(|receipt| receipt.outcome == "received") {
        let (times, first_at_ms) = received.entry(receipt.shipment.to_string()).or_insert((0, receipt.at_ms));
        *times += 1;
        *first_at_ms = receipt.at_ms.min(*first_at_ms);
    }
    check_telling(
        &Telling {
            outbox: &shipments.outbox,
            kind: "com.backstitch.shipping.received.v1",
            what: "goods of a parcel were received",
            facts: received,
        },
        found,
    );
}

fn check_telling(telling: &Telling<'_>, found: &mut Findings) {
    let Telling { outbox, kind, what, facts } = telling;
    let told = outbox.by_subject(kind);
    let mut tell = |subject: &str, events: usize, times: usize| {
        let say = match events {
            0 => "No event says".to_owned(),
            1 => "One event says".to_owned(),
            n => format!("{n} events say"),
        };
        found.add(
            Events,
            format!("{say} that {what} ({kind}), but it happened {}.", often(times)),
            [("subject", &subject)],
            format!("{}: outbox of this subject, and what it is about", outbox.book),
        );
    };
    for (subject, (times, first_at_ms)) in facts {
        let events = told.get(subject.as_str()).copied().unwrap_or(0);
        if events < *times && !outbox.may_have_purged(*first_at_ms) {
            tell(subject, events, *times);
        }
    }
    for (subject, events) in told {
        let times = facts.get(subject).map_or(0, |(times, _)| *times);
        if events > times {
            tell(subject, events, times);
        }
    }
}

fn often(times: usize) -> String {
    match times {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
