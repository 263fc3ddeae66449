//! I2: goods neither appear nor vanish.
//!
//! At every commit: on hand + reserved + sold is the sum of what people counted, none of them negative; reserved and
//! sold are what the reservations say; a reservation belongs to a saga that is in flight or parked; goods are sold,
//! and parcels sent, only for an order that stands. At rest: what was sold and sent is what was ordered, less what came
//! back. Returns one by one: `returns`.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Findings;
use crate::Invariant::Stock;
use crate::books::{Books, Order, Participants, Return, ReturnStatus};

pub(super) fn check(books: &Books, participants: &Participants, found: &mut Findings) {
    every_unit_is_somewhere(participants, found);
    reservations(books, participants, found);
    parcels(participants, found);
    for order in participants.orders.all.iter().filter(|order| order.stands()) {
        if books.standing(order.saga).is_at_rest() {
            sold_and_sent_as_ordered(books, order, participants, found);
        }
    }
}

fn every_unit_is_somewhere(participants: &Participants, found: &mut Findings) {
    let stock = &participants.stock;
    let mut open: BTreeMap<&str, i64> = BTreeMap::new();
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for reservation in stock.reservations.values() {
        let sums = if reservation.sold { &mut sold } else { &mut open };
        for (sku, line) in &reservation.lines {
            let sum = sums.entry(sku).or_default();
            *sum = sum.saturating_add(line.held());
        }
    }
    for (sku, of) in &stock.skus {
        let ids: [(&'static str, &dyn ToString); 1] = [("sku", sku)];
        for (word, quantity) in [("on hand", of.on_hand), ("reserved", of.reserved), ("sold", of.sold)] {
            if quantity < 0 {
                found.add(Stock, format!("{quantity} units of {sku} are {word}."), ids, "inventory: stock");
            }
        }
        let there = of.on_hand.saturating_add(of.reserved).saturating_add(of.sold);
        if there != of.corrected {
            let what = format!(
                "{sku}: {} on hand + {} reserved + {} sold is {there}, but people counted {}.",
                of.on_hand, of.reserved, of.sold, of.corrected
            );
            found.add(Stock, what, ids, "inventory: stock and stock_corrections of this SKU");
        }
        for (word, row, sums) in [("reserved", of.reserved, &open), ("sold", of.sold, &sold)] {
            let lines = sums.get(sku.as_str()).copied().unwrap_or(0);
            if row != lines {
                let what = format!("{sku}: {row} units are {word}, but its reservations say {lines}.");
                found.add(
                    Stock,
                    what,
                    ids,
                    "inventory: stock, reservations and reservation_lines of this SKU",
                );
            }
        }
    }
    for (sku, quantity) in open.into_iter().chain(sold) {
        if !stock.skus.contains_key(sku) {
            let what = format!("{quantity} units of {sku} are promised, but it has no stock.");
            found.add(Stock, what, [("sku", &sku)], "inventory: stock and reservation_lines of this SKU");
        }
    }
}

fn reservations(books: &Books, participants: &Participants, found: &mut Findings) {
    let standing_sagas: BTreeSet<Uuid> =
        participants.orders.all.iter().filter(|order| order.stands()).map(|order| order.saga).collect();
    for reservation in participants.stock.reservations.values() {
        let standing = books.standing(reservation.saga);
        let ids: [(&'static str, &dyn ToString); 2] =
            [("reservation", &reservation.id), ("saga", &reservation.saga)];
        if reservation.is_open() && standing.is_at_rest() {
            found.add(
                Stock,
                format!("The saga {standing}, but its reservation is still open."),
                ids,
                "inventory: reservations, reservation_lines, barrier; orchestrator: journal of this saga",
            );
        }
        if reservation.sold && !standing_sagas.contains(&reservation.saga) {
            found.add(
                Stock,
                "Goods are sold, but there is no order that stands for them.",
                ids,
                "inventory: reservations; order: orders of this saga",
            );
        }
    }
}

fn parcels(participants: &Participants, found: &mut Findings) {
    for shipment in participants.shipments.all.iter().filter(|shipment| !shipment.cancelled) {
        let order = participants.orders.of_saga(shipment.saga).filter(|order| order.id == shipment.order);
        if !order.is_some_and(Order::stands) {
            found.add(
                Stock,
                "A parcel is with the carrier, but there is no order that stands for it.",
                [("shipment", &shipment.id), ("order", &shipment.order), ("saga", &shipment.saga)],
                "shipping: shipments; order: orders",
            );
        }
    }
}

/// The saga of a standing order has ended: the goods left the stock as ordered, in one parcel, but for what its returns
/// have taken. While one of them is not through, what it claims may be on hand again already or not yet.
fn sold_and_sent_as_ordered(books: &Books, order: &Order, participants: &Participants, found: &mut Findings) {
    let ids: [(&'static str, &dyn ToString); 2] = [("order", &order.id), ("saga", &order.saga)];
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for reservation in participants.stock.of_saga(order.saga).filter(|reservation| reservation.sold) {
        for (sku, line) in &reservation.lines {
            let sum = sold.entry(sku).or_default();
            *sum = sum.saturating_add(line.held());
        }
    }
    let credited = order.back(order.completed());
    let going = |one: &&Return| one.status == ReturnStatus::Claimed && !books.standing(one.saga).is_at_rest();
    let open = order.back(order.returns.iter().filter(going));
    for sku in order.items.keys().map(String::as_str).chain(sold.keys().copied()).collect::<BTreeSet<_>>() {
        let of = |sums: &BTreeMap<&str, i64>| sums.get(sku).copied().unwrap_or(0);
        let (ordered, gone) = (order.items.get(sku).copied().unwrap_or(0), of(&sold));
        let wanted = ordered.saturating_sub(of(&credited));
        if !(wanted.saturating_sub(of(&open))..=wanted).contains(&gone) {
            let back = match of(&credited) {
                0 => String::new(),
                back => format!(", of which {back} came back"),
            };
            let what =
                format!("Order {} has {ordered} of {sku}{back}, but {gone} were sold for it.", order.name());
            found.add(
                Stock,
                what,
                ids,
                "order: order_items, order_returns; inventory: reservation_lines of this saga",
            );
        }
    }
    let parcels = participants.shipments.of_order(order.id);
    let wanted = usize::from(!participants.shipments.is_called_back(order.id));
    if parcels != wanted {
        let what = format!("Order {} stands and its saga ended, but it has {parcels} parcels.", order.name());
        found.add(
            Stock,
            what,
            ids,
            "shipping: shipments and receipts of this order_id, barrier of this saga",
        );
    }
}
