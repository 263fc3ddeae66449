//! I1: money is where the orders say.
//!
//! At every moment: our ledger claims nothing that the bank's statement does not show (we write down only what the
//! provider told us), and an order stands only on money that was taken. At rest, when nobody will do anything any
//! more: both ledgers agree, captured - refunded is the order's total less what completed returns credited if the order
//! stands and else nothing, and nothing is held. Parked sagas are excused from the second half and listed; while a return
//! is live or parked, what it claims may be given back already or not yet. Returns one by one: `returns`.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Findings;
use crate::Invariant::Money;
use crate::books::{
    Account, Books, End, Order, OrderStatus, Participants, Payment, ReturnStatus, Standing, total,
};
use crate::report::money;

/// What the bank says of one payment, over all accounts that bear its id. Without the bank's books, what we say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Position {
    pub(super) authorized: i64,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) held: i64,
    pub(super) refunds_pending: usize,
}

/// The bank's positions by payment.
pub(super) fn positions(participants: &Participants) -> BTreeMap<Uuid, Position> {
    let mut positions: BTreeMap<Uuid, Position> = BTreeMap::new();
    let Some(bank) = &participants.bank else {
        return participants.payments.all.values().map(|p| (p.id, Position::of_ledger(p))).collect();
    };
    for account in &bank.accounts {
        if let Ok(payment) = account.reference.parse() {
            positions.entry(payment).or_default().add(account);
        }
    }
    // A payment at a provider whose books are not these speaks for itself.
    for payment in participants.payments.all.values().filter(|payment| payment.provider != "sandbox") {
        positions.insert(payment.id, Position::of_ledger(payment));
    }
    positions
}

impl Position {
    fn add(&mut self, account: &Account) {
        self.authorized = self.authorized.saturating_add(account.sum("authorized"));
        self.captured = self.captured.saturating_add(account.sum("captured"));
        self.refunded = self.refunded.saturating_add(account.sum("refunded"));
        self.held = self.held.saturating_add(account.held_minor());
        self.refunds_pending += account.refunds_pending;
    }

    fn of_ledger(payment: &Payment) -> Self {
        Self {
            authorized: payment.authorized_minor,
            captured: payment.captured_minor,
            refunded: payment.refunded_minor,
            held: payment.held_minor(),
            refunds_pending: 0,
        }
    }

    fn kept(&self) -> i64 {
        self.captured.saturating_sub(self.refunded)
    }
}

/// What ends nothing: a payment in such a status still waits for somebody.
const OPEN: [&str; 5] = ["authorizing", "waiting", "authorized", "capturing", "voiding"];

pub(super) fn check(books: &Books, participants: &Participants, found: &mut Findings) {
    let positions = positions(participants);
    for payment in participants.payments.all.values() {
        let at = positions.get(&payment.id).copied().unwrap_or_default();
        nothing_claimed(payment, &at, found);
        if books.standing(payment.saga).is_at_rest() {
            at_rest(books, payment, &at, participants, found);
        }
    }
    for order in &participants.orders.all {
        order_adds_up(order, found);
        order_stands_on_money(order, participants, &positions, found);
        order_fits_its_saga(books.standing(order.saga), order, found);
    }
    completed_checkouts_have_orders(books, participants, found);
    accounts(participants, found);
}

/// At every moment: what we wrote down, the provider told us.
fn nothing_claimed(payment: &Payment, at: &Position, found: &mut Findings) {
    let claims = [
        ("authorized", payment.authorized_minor, at.authorized),
        ("captured", payment.captured_minor, at.captured),
        ("refunded", payment.refunded_minor, at.refunded),
    ];
    for (word, ours, bank) in claims {
        if ours > bank {
            found.add(
                Money,
                format!(
                    "Our ledger says {} {word}, but the bank's statement shows {}.",
                    money(ours, &payment.currency),
                    money(bank, &payment.currency)
                ),
                [("payment", &payment.id), ("saga", &payment.saga), ("order", &payment.order)],
                "payment: entries; sandbox: accounts with this reference and their entries",
            );
        }
    }
    if payment.status == "voided" && (at.held > 0 || at.captured > 0) {
        found.add(
            Money,
            format!(
                "Our ledger says that the payment was voided, but the bank holds {} of it and took {}.",
                money(at.held, &payment.currency),
                money(at.captured, &payment.currency)
            ),
            [("payment", &payment.id), ("saga", &payment.saga), ("order", &payment.order)],
            "payment: entries; sandbox: accounts with this reference and their entries",
        );
    }
}

/// At rest: the books agree, the money is where the order says, nothing is left held or under way.
fn at_rest(
    books: &Books,
    payment: &Payment,
    at: &Position,
    participants: &Participants,
    found: &mut Findings,
) {
    let show = |minor| money(minor, &payment.currency);
    let ids: [(&'static str, &dyn ToString); 3] =
        [("payment", &payment.id), ("saga", &payment.saga), ("order", &payment.order)];
    let standing = books.standing(payment.saga);
    // The refunds of a return are written down at the bank first, and then by us.
    let going = |saga: Uuid| !books.standing(saga).is_at_rest();
    let returns_rest = !payment.refunds.iter().any(|refund| going(refund.saga));
    const BOTH: &str = "payment: payments, entries; sandbox: accounts with this reference and their entries";
    if at.captured > payment.captured_minor || (returns_rest && at.refunded > payment.refunded_minor) {
        let what = format!(
            "The saga {standing}, and the bank took {} and gave back {}, but our ledger knows only of {} and {}.",
            show(at.captured),
            show(at.refunded),
            show(payment.captured_minor),
            show(payment.refunded_minor)
        );
        found.add(Money, what, ids, BOTH);
    }
    if at.held > 0 {
        let what = format!("The saga {standing}, but the bank still holds {}.", show(at.held));
        found.add(Money, what, ids, BOTH);
    }
    if OPEN.contains(&payment.status.as_str()) {
        let what = format!("The saga {standing}, but its payment is still {}.", payment.status);
        found.add(Money, what, ids, "payment: payments and barrier_open of this saga");
    }
    let pending = payment.refunds.iter().filter(|refund| refund.status == "pending" && !going(refund.saga));
    let refunds = pending.count().max(if returns_rest { at.refunds_pending } else { 0 });
    if refunds > 0 {
        let what = format!("The saga {standing}, but {refunds} of its refunds are still pending.");
        found.add(Money, what, ids, "payment: refunds; sandbox: refunds");
    }
    let order = participants.orders.of_payment(payment.id);
    let standing_order = order.filter(|order| order.stands());
    // Money that we have because a refund failed for good is a person's to give back in another way: there is a case.
    let cases = participants.payments.cases.iter().filter(|case| case.payment == payment.id);
    let failed = total(cases.map(|case| case.amount_minor));
    let owed = standing_order.map_or(0, |order| order.total_minor.saturating_sub(order.credited_minor()));
    let owed = owed.saturating_add(failed);
    // What returns claim that are not through: given back already, or not yet.
    let claims = standing_order.into_iter().flat_map(|order| &order.returns);
    let claims = claims.filter(|one| one.status == ReturnStatus::Claimed && going(one.saga));
    let open = total(claims.map(|one| one.refund_minor));
    if !(owed.saturating_sub(open)..=owed).contains(&at.kept()) {
        let order = order.map_or_else(
            || "there is no order".to_owned(),
            |order| {
                let credited = match order.credited_minor() {
                    0 => String::new(),
                    credited => format!(", less {} that came back,", show(credited)),
                };
                let (name, total) = (order.name(), show(order.total_minor));
                format!("order {name} of {total}{credited} is {}", order.status)
            },
        );
        let what = format!("The bank keeps {} of the customer's money, but {order}.", show(at.kept()));
        found.add(Money, what, ids, "order: orders of this payment_id; sandbox: entries; payment: entries");
    }
}

fn order_adds_up(order: &Order, found: &mut Findings) {
    let sum = order.lines_minor.saturating_add(order.shipping_minor);
    if sum != order.total_minor {
        found.add(
            Money,
            format!(
                "Order {} has a total of {}, but its lines and shipping add up to {}.",
                order.name(),
                money(order.total_minor, &order.currency),
                money(sum, &order.currency)
            ),
            [("order", &order.id), ("saga", &order.saga)],
            "order: orders and order_items of this order_id",
        );
    }
}

/// At every moment: the order is confirmed only after the capture was.
fn order_stands_on_money(
    order: &Order,
    participants: &Participants,
    positions: &BTreeMap<Uuid, Position>,
    found: &mut Findings,
) {
    if !order.stands() {
        return;
    }
    let ids: [(&'static str, &dyn ToString); 3] =
        [("order", &order.id), ("saga", &order.saga), ("payment", &order.payment)];
    let Some(payment) = participants.payments.all.get(&order.payment) else {
        let what = format!("Order {} stands, but its payment does not exist.", order.name());
        return found.add(Money, what, ids, "order: orders; payment: payments");
    };
    if payment.currency != order.currency || payment.order != order.id || payment.saga != order.saga {
        let what = format!(
            "Order {} stands on a payment in {} that was made for order {} by saga {}.",
            order.name(),
            payment.currency,
            payment.order,
            payment.saga
        );
        found.add(Money, what, ids, "order: orders; payment: payments");
    }
    let captured = positions.get(&order.payment).map_or(0, |at| at.captured);
    if captured != order.total_minor {
        let what = format!(
            "Order {} of {} stands, but the bank took {}.",
            order.name(),
            money(order.total_minor, &order.currency),
            money(captured, &payment.currency)
        );
        found.add(Money, what, ids, "order: orders; sandbox: entries of the account with this reference");
    }
}

/// At rest: no order is left half made, and the order says what its saga says.
fn order_fits_its_saga(standing: Standing, order: &Order, found: &mut Findings) {
    let wrong = match standing {
        Standing::Ended(End::Completed) => !order.stands() && !order.was_made_good(),
        Standing::Ended(End::Compensated) => order.status != OrderStatus::Cancelled,
        Standing::Unknown => order.status == OrderStatus::Pending,
        Standing::InFlight | Standing::Parked => false,
    };
    if wrong {
        found.add(
            Money,
            format!("The saga {standing}, but its order {} is {}.", order.name(), order.status),
            [("order", &order.id), ("saga", &order.saga)],
            "order: orders, order_status_changes, barrier; orchestrator: journal of this saga",
        );
    }
}

fn completed_checkouts_have_orders(books: &Books, participants: &Participants, found: &mut Findings) {
    for (id, saga) in books.sagas.iter().filter(|(_, saga)| saga.is_checkout()) {
        if saga.standing() == Standing::Ended(End::Completed) && participants.orders.of_saga(*id).is_none() {
            found.add(
                Money,
                "The checkout completed, but there is no order of it.",
                [("saga", id)],
                "order: orders and barrier of this saga; orchestrator: journal",
            );
        }
    }
}

/// The bank's rows are the sums of its entries, it was asked for what we think, and it has no money that we do not
/// know of: a payment's row is committed before its account can exist.
fn accounts(participants: &Participants, found: &mut Findings) {
    for account in participants.bank.iter().flat_map(|bank| &bank.accounts) {
        let show = |minor| money(minor, &account.currency);
        let ids: [(&'static str, &dyn ToString); 3] =
            [("account", &account.id), ("payment", &account.reference), ("saga", &account.saga)];
        for (kind, row) in ["authorized", "captured", "refunded"].into_iter().zip(account.row_sums) {
            let entries = account.sum(kind);
            if entries != row {
                let what =
                    format!("The bank's account says {} {kind}, its entries {}.", show(row), show(entries));
                found.add(Money, what, ids, "sandbox: accounts and entries of this account");
            }
        }
        let payment = account.reference.parse().ok().and_then(|id: Uuid| participants.payments.all.get(&id));
        match payment {
            None if account.sum("authorized") > 0 || account.sum("captured") > 0 => {
                let what = format!(
                    "The bank held {} and took {} for a payment that our ledger does not know.",
                    show(account.sum("authorized")),
                    show(account.sum("captured"))
                );
                found.add(Money, what, ids, "sandbox: accounts and entries; payment: payments");
            }
            Some(ours) if ours.amount_minor != account.amount_minor || ours.currency != account.currency => {
                let what = format!(
                    "The bank was asked for {}, but our payment is of {}.",
                    show(account.amount_minor),
                    money(ours.amount_minor, &ours.currency)
                );
                found.add(Money, what, ids, "sandbox: accounts; payment: payments");
            }
            _ => {}
        }
    }
}
