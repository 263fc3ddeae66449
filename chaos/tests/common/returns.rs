//! What came back to the shop, written row by row as the services write it.

use backstitch_chaos::Invariant;
use backstitch_proto::journal::{
    Compensated, Completed, MadeGood, PivotIntent, Started, StepParked, TurnedBack, UndoDone, record::Kind,
};
use uuid::Uuid;

use super::rows::{self, Pen, QUANTITY, SKU, TOTAL, emit};
use super::stories::{COMPENSATED, COMPLETED, PARKED, captured, complete, done, saga};
use super::{NOON, Shop, assert_found, hex, run, stories::tell, thing};

/// The returns of a shop, each of an order of 3 x 2.50 and 4.00 for sending, by what became of them.
pub(crate) struct Returns {
    pub(crate) shop: Shop,
    /// Its order came back by two returns.
    pub(crate) returned: Uuid,
    /// One unit of it.
    pub(crate) first: Uuid,
    /// The rest of it, and the price of sending.
    pub(crate) rest: Uuid,
    /// Its order is about to come back.
    pub(crate) returning: Uuid,
    /// One unit of it is claimed.
    pub(crate) live: Uuid,
    /// Another was, until the refund was refused.
    pub(crate) cancelled: Uuid,
    /// A third is refunded, and then nothing goes on.
    pub(crate) parked: Uuid,
    /// It was parked after its capture, and is made good.
    pub(crate) good: Uuid,
    /// The return that did it.
    pub(crate) made_good: Uuid,
}

/// One return as rows.
struct Back {
    saga: Uuid,
    root: Uuid,
    quantity: i64,
    refund: i64,
    makes_good: bool,
}

impl Back {
    fn definition(&self) -> &'static str {
        if self.makes_good { "make_good" } else { "return" }
    }
}

impl Returns {
    pub(crate) async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        rows::create(dir.path()).await;
        let (shop, mut pen) = tell(dir).await;

        let returned = complete(&mut pen, "cart-returned").await;
        let first = pen.claim(returned, 1, 250, false).await;
        pen.give_back(&first).await;
        pen.finish(&first, "received", 1).await;
        let rest = pen.claim(returned, 2, TOTAL - 250, false).await;
        pen.give_back(&rest).await;
        pen.finish(&rest, "cancelled", 2).await;

        let returning = complete(&mut pen, "cart-returning").await;
        let live = pen.claim(returning, 1, 250, false).await;
        let cancelled = pen.claim(returning, 1, 250, false).await;
        pen.let_go(&cancelled).await;
        let parked = pen.claim(returning, 1, 250, false).await;
        pen.give_back(&parked).await;
        pen.park(&parked).await;

        let good = captured(&mut pen, "cart-good").await;
        let made_good = pen.make_good(good).await;
        pen.close().await;
        Self {
            shop,
            returned,
            first: first.saga,
            rest: rest.saga,
            returning,
            live: live.saga,
            cancelled: cancelled.saga,
            parked: parked.saga,
            good,
            made_good,
        }
    }
}

impl Pen {
    /// A return is accepted and has claimed what comes back.
    async fn claim(&mut self, root: Uuid, quantity: i64, refund: i64, make_good: bool) -> Back {
        let back = Back { saga: saga(), root, quantity, refund, makes_good: make_good };
        self.begin(&back).await;
        let (id, order) = (back.saga, thing(root, "order"));
        let sql = format!(
            "INSERT INTO order_returns SELECT '{id}', '{order}', COUNT(*) + 1, '{id}', 'claimed', {make_good}, '',
                 {refund}, NULL, {NOON}, NULL FROM order_returns WHERE order_id = '{order}';
             INSERT INTO order_return_lines VALUES ('{id}', 0, {quantity});
             UPDATE order_items SET returned = returned + {quantity} WHERE order_id = '{order}';
             UPDATE orders SET returned_minor = returned_minor + {refund} WHERE order_id = '{order}'"
        );
        run(&mut self.order, &sql).await;
        self.record(id, done(0)).await;
        back
    }

    async fn begin(&mut self, back: &Back) {
        let (id, root) = (hex(back.saga.as_bytes()), hex(back.root.as_bytes()));
        let definition = back.definition();
        let sql =
            format!("INSERT INTO sagas VALUES ({id}, {root}, 0, '{definition}', 1, 0, {NOON}, {NOON}, 0)");
        run(&mut self.orchestrator, &sql).await;
        let started = Started {
            definition: definition.into(),
            version: 1,
            root: back.root.as_bytes().to_vec().into(),
            ..Started::default()
        };
        self.record(back.saga, Kind::Started(started)).await;
        self.return_event(back, "started").await;
    }

    async fn return_event(&mut self, back: &Back, kind: &str) {
        self.lane += 1;
        let (id, root, number) = (hex(back.saga.as_bytes()), hex(back.root.as_bytes()), self.lane);
        let sql = format!(
            "UPDATE sagas SET events = events + 1 WHERE id = {id};
             INSERT INTO outbox SELECT 0, {number}, {root}, {id}, events, 'checkout.events',
                 'com.backstitch.return.{kind}.v1', X'7b7d', '', {NOON} FROM sagas WHERE id = {id};
             UPDATE lanes SET watermark = {number}"
        );
        run(&mut self.orchestrator, &sql).await;
    }

    /// The refund: at the bank, and in our ledger.
    async fn give_back(&mut self, back: &Back) {
        let (id, root, refund) = (thing(back.saga, "refund"), back.root, back.refund);
        let payment = thing(root, "payment");
        let sql = format!(
            "INSERT INTO entries SELECT 'sbx_{root}', max(number) + 1, 'refunded', {refund}, {NOON} FROM entries
                 WHERE account_id = 'sbx_{root}';
             UPDATE accounts SET refunded_minor = refunded_minor + {refund} WHERE id = 'sbx_{root}'"
        );
        run(&mut self.sandbox, &sql).await;
        let sql = format!(
            "INSERT INTO refunds (refund_id, payment_id, saga_id, step, root_id, amount_minor, status, created_at_ms,
                 updated_at_ms)
             VALUES ('{id}', '{payment}', '{}', 'refund_payment', '{root}', {refund}, 'done', {NOON}, {NOON});
             INSERT INTO entries SELECT '{payment}', max(number) + 1, 'refunded', {refund}, '{id}', {NOON}
                 FROM entries WHERE payment_id = '{payment}';
             UPDATE payments SET refunded_minor = refunded_minor + {refund} WHERE payment_id = '{payment}'",
            back.saga
        );
        run(&mut self.payment, &sql).await;
        let (key, subject) = (root.to_string(), payment.to_string());
        emit(&mut self.payment, &mut self.outbox, "payment", &key, "payment.refunded", &subject).await;
        self.record(back.saga, Kind::PivotIntent(PivotIntent {})).await;
        self.record(back.saga, done(1)).await;
    }

    /// The goods are back, the credit note is written, the return is over.
    async fn finish(&mut self, back: &Back, outcome: &str, number: i64) {
        let (root, quantity, key) = (back.root, back.quantity, back.root.to_string());
        let (restock, receipt) = (thing(back.saga, "restock"), thing(back.saga, "receipt"));
        let (reservation, shipment) = (thing(root, "reservation"), thing(root, "shipment"));
        let (saga, order) = (back.saga, thing(root, "order"));
        let sql = format!(
            "INSERT INTO restocks VALUES ('{restock}', '{reservation}', '{saga}', {NOON});
             INSERT INTO restock_lines VALUES ('{restock}', '{SKU}', {quantity});
             UPDATE reservation_lines SET restocked = restocked + {quantity} WHERE reservation_id = '{reservation}';
             UPDATE stock SET on_hand = on_hand + {quantity},
                 sold = sold - (SELECT CASE status WHEN 'sold' THEN {quantity} ELSE 0 END FROM reservations
                     WHERE reservation_id = '{reservation}'),
                 reserved = reserved - (SELECT CASE status WHEN 'sold' THEN 0 ELSE {quantity} END FROM reservations
                     WHERE reservation_id = '{reservation}')"
        );
        run(&mut self.inventory, &sql).await;
        let subject = restock.to_string();
        emit(&mut self.inventory, &mut self.outbox, "inventory", &key, "inventory.restocked", &subject).await;
        let sql = format!(
            "INSERT INTO receipts VALUES ('{receipt}', '{shipment}', '{order}', '{saga}', '{outcome}', {NOON});
             INSERT INTO receipt_lines VALUES ('{receipt}', '{SKU}', {quantity});
             UPDATE shipments SET status = 'cancelled' WHERE shipment_id = '{shipment}' AND '{outcome}' = 'cancelled'"
        );
        run(&mut self.shipping, &sql).await;
        if outcome != "none" {
            let (kind, subject) = (format!("shipping.{outcome}"), shipment.to_string());
            emit(&mut self.shipping, &mut self.outbox, "shipping", &key, &kind, &subject).await;
        }
        let sql = format!(
            "UPDATE order_returns SET status = 'completed', credit_note_number = {number}, settled_at_ms = {NOON}
                 WHERE return_id = '{saga}'"
        );
        run(&mut self.order, &sql).await;
        let subject = order.to_string();
        emit(&mut self.order, &mut self.outbox, "order", &key, "order.returned", &subject).await;
        for step in 2..6 {
            self.record(saga, done(step)).await;
        }
        if back.makes_good {
            self.let_cart_go(root).await;
            self.record(saga, done(6)).await;
        }
        self.record(saga, Kind::Completed(Completed {})).await;
        self.return_event(back, "completed").await;
        self.status(saga, COMPLETED).await;
    }

    /// The refund was refused; what was claimed is free.
    async fn let_go(&mut self, back: &Back) {
        let (id, order, quantity, refund) =
            (back.saga, thing(back.root, "order"), back.quantity, back.refund);
        self.record(id, Kind::TurnedBack(TurnedBack::default())).await;
        let sql = format!(
            "UPDATE order_returns SET status = 'cancelled', settled_at_ms = {NOON} WHERE return_id = '{id}';
             UPDATE order_items SET returned = returned - {quantity} WHERE order_id = '{order}';
             UPDATE orders SET returned_minor = returned_minor - {refund} WHERE order_id = '{order}'"
        );
        run(&mut self.order, &sql).await;
        self.record(id, Kind::UndoDone(UndoDone { step: 0, attempts: 1 })).await;
        self.record(id, Kind::Compensated(Compensated {})).await;
        self.return_event(back, "compensated").await;
        self.status(id, COMPENSATED).await;
    }

    async fn park(&mut self, back: &Back) {
        let why = "the inventory answers nonsense".to_owned();
        let parked = StepParked { step: 2, why, attempts: 1, ..StepParked::default() };
        self.record(back.saga, Kind::StepParked(parked)).await;
        self.return_event(back, "parked").await;
        self.status(back.saga, PARKED).await;
    }

    /// A checkout that parked before its order stood is returned as a whole.
    async fn make_good(&mut self, root: Uuid) -> Uuid {
        let why = "the order service answers nonsense".to_owned();
        let parked = StepParked { step: 6, why, attempts: 1, ..StepParked::default() };
        self.record(root, Kind::StepParked(parked)).await;
        self.checkout_event(root, "parked").await;
        let back = self.claim(root, QUANTITY, TOTAL, true).await;
        let why = "it will never be delivered".to_owned();
        let made = MadeGood { why, return_saga: back.saga.as_bytes().to_vec().into() };
        self.record(root, Kind::MadeGood(made)).await;
        self.give_back(&back).await;
        self.cancel_order(root).await;
        self.finish(&back, "none", 3).await;
        self.record(root, Kind::Completed(Completed {})).await;
        self.checkout_event(root, "completed").await;
        self.status(root, COMPLETED).await;
        back.saga
    }
}

/// Plants one fault in a fresh shop with returns and asserts that it is found.
pub(crate) async fn planted(
    invariant: Invariant,
    book: &str,
    sql: impl Fn(&Returns) -> String,
    words: &str,
    id: impl Fn(&Returns) -> Uuid,
) {
    let returns = Returns::open().await;
    returns.shop.plant(book, &sql(&returns)).await;
    assert_found(&returns.shop.audit().await, invariant, words, id(&returns));
}
