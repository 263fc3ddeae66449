//! I3: at most one order and one capture per saga, hence per idempotency key; one live checkout per cart.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Findings;
use crate::Invariant::Once;
use crate::books::{Books, End, Participants, Standing};

pub(super) fn check(books: &Books, participants: &Participants, found: &mut Findings) {
    keys(books, found);
    orders(participants, found);
    captures(participants, found);
    carts(books, participants, found);
    made_good(books, participants, found);
    purchases(books, found);
}

/// A key starts one saga (its primary key says so), and a saga is started with one key.
fn keys(books: &Books, found: &mut Findings) {
    for (saga, keys) in books.keys.iter().filter(|(_, keys)| keys.len() > 1) {
        found.add(
            Once,
            format!("One saga answers to {} idempotency keys.", keys.len()),
            [("saga", saga)],
            "orchestrator: keys of this saga",
        );
    }
}

fn orders(participants: &Participants, found: &mut Findings) {
    let mut by_checkout: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    let mut by_saga: BTreeMap<Uuid, Vec<String>> = BTreeMap::new();
    for order in &participants.orders.all {
        by_checkout.entry(order.checkout).or_default().push(order.name());
        by_saga.entry(order.saga).or_default().push(order.name());
    }
    for (what, orders) in [("checkout", by_checkout), ("saga", by_saga)] {
        for (id, orders) in orders.iter().filter(|(_, orders)| orders.len() > 1) {
            found.add(
                Once,
                format!("One {what} has {} orders: {}.", orders.len(), orders.join(", ")),
                [(what, id)],
                "order: orders and barrier of this saga",
            );
        }
    }
}

/// Counted at the bank over all its accounts, and in our ledger over all its payments.
fn captures(participants: &Participants, found: &mut Findings) {
    let mut bank: BTreeMap<&str, usize> = BTreeMap::new();
    for account in participants.bank.iter().flat_map(|bank| &bank.accounts) {
        let captures = account.entries.iter().filter(|entry| entry.kind == "captured").count();
        *bank.entry(&account.saga).or_default() += captures;
    }
    for (saga, captures) in bank.into_iter().filter(|(_, captures)| *captures > 1) {
        found.add(
            Once,
            format!("The bank took money {captures} times for one saga."),
            [("saga", &saga)],
            "sandbox: accounts and entries of this saga_id",
        );
    }
    let mut ledger: BTreeMap<Uuid, usize> = BTreeMap::new();
    for payment in participants.payments.all.values() {
        let captures = payment.entries.iter().filter(|(kind, ..)| kind == "captured").count();
        *ledger.entry(payment.saga).or_default() += captures;
    }
    for (saga, captures) in ledger.into_iter().filter(|(_, captures)| *captures > 1) {
        found.add(
            Once,
            format!("Our ledger has {captures} captures for one saga."),
            [("saga", &saga)],
            "payment: payments and entries of this saga_id",
        );
    }
}

/// A hold and its barrier row are one commit, so they agree at every moment, and nobody holds who cannot let go.
fn carts(books: &Books, participants: &Participants, found: &mut Findings) {
    let carts = &participants.carts;
    for (cart, holder) in &carts.held_by {
        let standing = books.standing(*holder);
        if standing.is_at_rest() {
            found.add(
                Once,
                format!("The saga {standing}, but it still holds its cart."),
                [("cart", cart), ("saga", holder)],
                "cart: carts and barrier of this saga",
            );
        }
    }
    let mut live: BTreeMap<&str, Vec<Uuid>> = BTreeMap::new();
    for (id, saga) in &books.sagas {
        let holds = carts.holds.get(id).is_some_and(|hold| hold.taken && !hold.cleared);
        let holds = holds && !carts.let_go.contains(id);
        if let (Standing::InFlight | Standing::Parked, true, Some((cart, _))) =
            (saga.standing(), holds, &saga.journal.cart)
        {
            live.entry(cart).or_default().push(*id);
        }
    }
    for (cart, sagas) in live {
        if let [one, others @ ..] = sagas.as_slice()
            && !others.is_empty()
        {
            found.add(
                Once,
                format!("{} live checkouts hold one cart.", sagas.len()),
                [("cart", &cart), ("saga", one), ("other saga", &others[0])],
                "cart: carts and barrier rows of hold_cart",
            );
        }
        for saga in sagas.iter().filter(|saga| carts.held_by.get(cart) != Some(saga)) {
            found.add(
                Once,
                "A live checkout took the hold of its cart, but the cart does not know.",
                [("cart", &cart), ("saga", saga)],
                "cart: carts and barrier of this saga",
            );
        }
    }
}

/// Whoever was made good has let its cart go, and nobody else has.
fn made_good(books: &Books, participants: &Participants, found: &mut Findings) {
    let carts = &participants.carts;
    let let_go = &carts.let_go;
    // Also by a return that lets no cart go, which was started before there was another: a person may have, by hand.
    let decided = books.sagas.iter().filter(|(_, saga)| saga.journal.is_made_good());
    let mut may_have: BTreeSet<Uuid> = decided.map(|(checkout, _)| *checkout).collect();
    for (id, saga) in books.sagas.iter().filter(|(_, saga)| saga.makes_good()) {
        let standing = saga.standing();
        if standing != Standing::Ended(End::Compensated) {
            may_have.insert(saga.root);
        }
        let known = let_go.contains(&saga.root) || carts.may_have_forgotten(saga.root);
        if standing == Standing::Ended(End::Completed) && !known {
            found.add(
                Once,
                "A checkout was made good, but its cart was not let go of.",
                [("saga", &saga.root), ("return", id)],
                "cart: carts_let_go and barrier of this return",
            );
        }
    }
    // One that is forgotten tells nothing.
    let known = let_go.iter().filter(|checkout| books.sagas.contains_key(checkout));
    for checkout in known.filter(|checkout| !may_have.contains(checkout)) {
        found.add(
            Once,
            "A checkout let its cart go, but nothing makes it good.",
            [("saga", checkout)],
            "cart: carts_let_go; orchestrator: sagas of this root",
        );
    }
}

/// A cart's version is bought at most once: clearing it or letting it go makes a new version, and versions are never used
/// again.
fn purchases(books: &Books, found: &mut Findings) {
    let mut bought: BTreeMap<(&str, i64), Uuid> = BTreeMap::new();
    for (id, saga) in &books.sagas {
        let (Standing::Ended(End::Completed), Some((cart, version))) = (saga.standing(), &saga.journal.cart)
        else {
            continue;
        };
        if let Some(first) = bought.insert((cart, *version), *id) {
            found.add(
                Once,
                format!("Version {version} of one cart was bought twice."),
                [("cart", cart), ("saga", &first), ("other saga", id)],
                "orchestrator: journals of both sagas; cart: carts",
            );
        }
    }
}
