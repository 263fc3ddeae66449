//! The rows of each database, one writer per thing that a service does.

use std::path::Path;

use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::journal::{Record, Started, record::Kind};
use prost::Message;
use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use super::{NOON, hex, migrations, open, run, thing};

/// Every database, and whose migrations are in it.
pub(super) const BOOKS: [(&str, &[(&str, &str)]); 7] = [
    ("orchestrator", &[("orchestrator", "sqlite")]),
    ("inventory", &[("contract", "any"), ("outbox", "any"), ("inventory", "any")]),
    ("payment", &[("contract", "any"), ("outbox", "any"), ("payment", "any")]),
    ("order", &[("contract", "any"), ("outbox", "any"), ("order", "any")]),
    ("cart", &[("contract", "any"), ("outbox", "any"), ("cart", "any")]),
    ("shipping", &[("contract", "any"), ("outbox", "any"), ("shipping", "any")]),
    ("sandbox", &[("sandbox", "any")]),
];

/// Every database with its schema.
pub(super) async fn create(dir: &Path) {
    for (book, owners) in BOOKS {
        let mut conn = open(&dir.join(format!("{book}.db"))).await;
        run(&mut conn, "PRAGMA journal_mode = WAL").await;
        for (owner, dialect) in owners {
            for file in migrations(owner, dialect) {
                run(&mut conn, &std::fs::read_to_string(file).unwrap()).await;
            }
        }
        conn.close().await.unwrap();
    }
}

/// Open connections to every database, and the counters that the services keep.
pub(super) struct Pen {
    pub(super) orchestrator: SqliteConnection,
    pub(super) inventory: SqliteConnection,
    pub(super) payment: SqliteConnection,
    pub(super) order: SqliteConnection,
    pub(super) cart: SqliteConnection,
    pub(super) shipping: SqliteConnection,
    pub(super) sandbox: SqliteConnection,
    pub(super) lane: i64,
    orders: i64,
    pub(super) outbox: i64,
}

/// What is bought in every story: 3 of A at 2.50, sent for 4.00.
pub(super) const SKU: &str = "A";
pub(super) const QUANTITY: i64 = 3;
pub(super) const PRICE: i64 = 250;
pub(super) const SHIPPING: i64 = 400;
pub(super) const TOTAL: i64 = QUANTITY * PRICE + SHIPPING;

impl Pen {
    pub(super) async fn new(dir: &Path) -> Self {
        let book = |name: &str| dir.join(format!("{name}.db"));
        let mut pen = Self {
            orchestrator: open(&book("orchestrator")).await,
            inventory: open(&book("inventory")).await,
            payment: open(&book("payment")).await,
            order: open(&book("order")).await,
            cart: open(&book("cart")).await,
            shipping: open(&book("shipping")).await,
            sandbox: open(&book("sandbox")).await,
            lane: 0,
            orders: 0,
            outbox: 0,
        };
        run(
            &mut pen.orchestrator,
            "INSERT INTO shards (id, owner, epoch) VALUES (0, 'node', 1); INSERT INTO lanes VALUES (0, 0)",
        )
        .await;
        pen
    }

    pub(super) async fn put_product(&mut self, stock: i64) {
        let sql = format!(
            "INSERT INTO products VALUES ('{SKU}', 'a thing', {PRICE}, 'GBP', 100, {stock});
             INSERT INTO stock VALUES ('{SKU}', {stock}, 0, 0, 1);
             INSERT INTO stock_corrections VALUES ('{SKU}', 1, {stock}, {stock}, {NOON})"
        );
        run(&mut self.inventory, &sql).await;
        emit(&mut self.inventory, &mut self.outbox, "inventory", SKU, "inventory.corrected", SKU).await;
    }

    /// The saga is accepted, with its key and its first event.
    pub(super) async fn start(&mut self, saga: Uuid, cart: &str, cart_version: i64) {
        let (id, zeroes) = (hex(saga.as_bytes()), hex(&[0; 32]));
        let sql = format!(
            "INSERT INTO sagas VALUES ({id}, {id}, 0, 'checkout', 1, 0, {NOON}, {NOON}, 0);
             INSERT INTO keys VALUES ('', 'key-{saga}', {id}, {zeroes}, {NOON})"
        );
        run(&mut self.orchestrator, &sql).await;
        let input = CheckoutInput { cart_id: cart.into(), cart_version, ..CheckoutInput::default() };
        let started = Started {
            definition: "checkout".into(),
            version: 1,
            input: input.encode_to_vec().into(),
            root: saga.as_bytes().to_vec().into(),
            ..Started::default()
        };
        self.record(saga, Kind::Started(started)).await;
        self.checkout_event(saga, "started").await;
    }

    /// The next record of a saga.
    pub(super) async fn record(&mut self, saga: Uuid, kind: Kind) {
        let record = Record { at_unix_ms: NOON, kind: Some(kind) }.encode_to_vec();
        let (id, record) = (hex(saga.as_bytes()), hex(&record));
        let sql = format!(
            "INSERT INTO journal SELECT {id}, coalesce(max(seq), 0) + 1, {record} FROM journal WHERE saga_id = {id}"
        );
        run(&mut self.orchestrator, &sql).await;
    }

    pub(super) async fn status(&mut self, saga: Uuid, status: i64) {
        let sql = format!("UPDATE sagas SET status = {status} WHERE id = {}", hex(saga.as_bytes()));
        run(&mut self.orchestrator, &sql).await;
    }

    pub(super) async fn checkout_event(&mut self, saga: Uuid, kind: &str) {
        self.lane += 1;
        let (id, number) = (hex(saga.as_bytes()), self.lane);
        let sql = format!(
            "UPDATE sagas SET events = events + 1 WHERE id = {id};
             INSERT INTO outbox SELECT 0, {number}, {id}, {id}, events, 'checkout.events',
                 'com.backstitch.checkout.{kind}.v1', X'7b7d', '', {NOON} FROM sagas WHERE id = {id};
             UPDATE lanes SET watermark = {number}"
        );
        run(&mut self.orchestrator, &sql).await;
    }

    pub(super) async fn hold_cart(&mut self, saga: Uuid, cart: &str) {
        let sql = format!(
            "INSERT INTO carts VALUES ('{cart}', '', '[]', 1, '{saga}', {NOON})
                 ON CONFLICT (cart_id) DO UPDATE SET held_by = excluded.held_by;
             {}",
            barrier(saga, "hold_cart", "done")
        );
        run(&mut self.cart, &sql).await;
    }

    pub(super) async fn free_cart(&mut self, saga: Uuid) {
        let sql = format!(
            "UPDATE carts SET held_by = NULL WHERE held_by = '{saga}'; {}",
            barrier(saga, "hold_cart", "undone")
        );
        run(&mut self.cart, &sql).await;
    }

    pub(super) async fn clear_cart(&mut self, saga: Uuid) {
        let sql = format!(
            "UPDATE carts SET held_by = NULL, version = version + 1 WHERE held_by = '{saga}'; {}",
            barrier(saga, "clear_cart", "done")
        );
        run(&mut self.cart, &sql).await;
        emit(&mut self.cart, &mut self.outbox, "cart", &saga.to_string(), "cart.cleared", "cart").await;
    }

    /// A checkout that was made good holds it no more.
    pub(super) async fn let_cart_go(&mut self, checkout: Uuid) {
        let sql = format!(
            "INSERT INTO carts_let_go SELECT '{checkout}', cart_id, {NOON} FROM carts WHERE held_by = '{checkout}';
             UPDATE carts SET held_by = NULL, version = version + 1 WHERE held_by = '{checkout}'"
        );
        run(&mut self.cart, &sql).await;
    }

    pub(super) async fn reserve(&mut self, saga: Uuid) {
        let id = thing(saga, "reservation");
        let sql = format!(
            "INSERT INTO reservations VALUES ('{id}', '{saga}', 'reserved', {NOON}, NULL);
             INSERT INTO reservation_lines VALUES ('{id}', '{SKU}', {QUANTITY}, 0);
             UPDATE stock SET on_hand = on_hand - {QUANTITY}, reserved = reserved + {QUANTITY} WHERE sku = '{SKU}'"
        );
        run(&mut self.inventory, &sql).await;
        self.stock_event(saga, "reserved").await;
    }

    pub(super) async fn release(&mut self, saga: Uuid) {
        let id = thing(saga, "reservation");
        let sql = format!(
            "DELETE FROM reservation_lines WHERE reservation_id = '{id}';
             DELETE FROM reservations WHERE reservation_id = '{id}';
             UPDATE stock SET on_hand = on_hand + {QUANTITY}, reserved = reserved - {QUANTITY} WHERE sku = '{SKU}'"
        );
        run(&mut self.inventory, &sql).await;
        self.stock_event(saga, "released").await;
    }

    pub(super) async fn sell(&mut self, saga: Uuid) {
        let id = thing(saga, "reservation");
        let sql = format!(
            "UPDATE reservations SET status = 'sold', sold_at_ms = {NOON} WHERE reservation_id = '{id}';
             UPDATE stock SET sold = sold + {QUANTITY}, reserved = reserved - {QUANTITY} WHERE sku = '{SKU}'"
        );
        run(&mut self.inventory, &sql).await;
        self.stock_event(saga, "sold").await;
    }

    async fn stock_event(&mut self, saga: Uuid, what: &str) {
        let (id, kind) = (thing(saga, "reservation").to_string(), format!("inventory.{what}"));
        emit(&mut self.inventory, &mut self.outbox, "inventory", &saga.to_string(), &kind, &id).await;
    }

    /// The hold on the card: intent, the bank's hold, our entry.
    pub(super) async fn authorize(&mut self, saga: Uuid) {
        let (id, order) = (thing(saga, "payment"), thing(saga, "order"));
        let sql = format!(
            "INSERT INTO payments (payment_id, saga_id, step, root_id, order_id, amount_minor, currency, status,
                 provider, provider_id, authorized_minor, created_at_ms, updated_at_ms)
             VALUES ('{id}', '{saga}', 'authorize_payment', '{saga}', '{order}', {TOTAL}, 'GBP', 'authorized',
                 'sandbox', 'sbx_{saga}', {TOTAL}, {NOON}, {NOON})"
        );
        run(&mut self.payment, &sql).await;
        let sql = format!(
            "INSERT INTO accounts (id, reference, saga_id, root_id, order_id, amount_minor, currency, card, state,
                 authorized_minor, created_at_ms)
             VALUES ('sbx_{saga}', '{id}', '{saga}', '{saga}', '{order}', {TOTAL}, 'GBP', 'tok_ok', 'authorized',
                 {TOTAL}, {NOON});
             INSERT INTO entries VALUES ('sbx_{saga}', 1, 'created', 0, {NOON})"
        );
        run(&mut self.sandbox, &sql).await;
        self.book(saga, "authorized").await;
    }

    pub(super) async fn capture(&mut self, saga: Uuid) {
        self.settle(saga, "captured").await;
    }

    pub(super) async fn void(&mut self, saga: Uuid) {
        self.settle(saga, "voided").await;
    }

    async fn settle(&mut self, saga: Uuid, how: &str) {
        let id = thing(saga, "payment");
        let sql =
            format!("UPDATE payments SET status = '{how}', {how}_minor = {TOTAL} WHERE payment_id = '{id}'");
        run(&mut self.payment, &sql).await;
        let captured = if how == "captured" { TOTAL } else { 0 };
        let sql = format!(
            "UPDATE accounts SET state = '{how}', captured_minor = {captured} WHERE id = 'sbx_{saga}'"
        );
        run(&mut self.sandbox, &sql).await;
        self.book(saga, how).await;
    }

    /// One entry at the bank and in our ledger, with our event.
    async fn book(&mut self, saga: Uuid, kind: &str) {
        let id = thing(saga, "payment").to_string();
        let sql = format!(
            "INSERT INTO entries SELECT 'sbx_{saga}', max(number) + 1, '{kind}', {TOTAL}, {NOON} FROM entries
             WHERE account_id = 'sbx_{saga}'"
        );
        run(&mut self.sandbox, &sql).await;
        let sql = format!(
            "INSERT INTO entries SELECT '{id}', coalesce(max(number), 0) + 1, '{kind}', {TOTAL}, '', {NOON}
             FROM entries WHERE payment_id = '{id}'"
        );
        run(&mut self.payment, &sql).await;
        let kind = format!("payment.{kind}");
        emit(&mut self.payment, &mut self.outbox, "payment", &saga.to_string(), &kind, &id).await;
    }

    pub(super) async fn create_order(&mut self, saga: Uuid) {
        self.orders += 1;
        let (id, payment, number) = (thing(saga, "order"), thing(saga, "payment"), self.orders);
        let sql = format!(
            "INSERT INTO orders VALUES ('{id}', {number}, '{saga}', '{saga}', 'pending', NULL, 'a@b.example', 'GBP',
                 'standard', {SHIPPING}, {TOTAL}, '{payment}', 'n', 'l', '', 'c', '', 'p', 'GB', {NOON}, 0);
             INSERT INTO order_items VALUES ('{id}', 0, '{SKU}', 'a thing', {QUANTITY}, {PRICE}, 100, 0)"
        );
        run(&mut self.order, &sql).await;
        self.order_status(saga, "pending").await;
    }

    pub(super) async fn cancel_order(&mut self, saga: Uuid) {
        self.order_status(saga, "cancelled").await;
    }

    pub(super) async fn confirm_order(&mut self, saga: Uuid) {
        self.order_status(saga, "confirmed").await;
        let id = thing(saga, "order").to_string();
        emit(&mut self.order, &mut self.outbox, "order", &saga.to_string(), "order.placed", &id).await;
    }

    async fn order_status(&mut self, saga: Uuid, status: &str) {
        let id = thing(saga, "order");
        let sql = format!(
            "UPDATE orders SET status = '{status}' WHERE order_id = '{id}';
             INSERT INTO order_status_changes SELECT '{id}', coalesce(max(seq), 0) + 1, '{status}', {NOON}
             FROM order_status_changes WHERE order_id = '{id}'"
        );
        run(&mut self.order, &sql).await;
    }

    pub(super) async fn ship(&mut self, saga: Uuid) {
        let (id, order) = (thing(saga, "shipment").to_string(), thing(saga, "order"));
        let sql = format!(
            "INSERT INTO shipments VALUES ('{id}', '{order}', '{saga}', 'T{saga}', 'standard', 300, 'created',
                 'n', 'l', '', 'c', '', 'p', 'GB', {NOON})"
        );
        run(&mut self.shipping, &sql).await;
        emit(&mut self.shipping, &mut self.outbox, "shipping", &saga.to_string(), "shipping.created", &id)
            .await;
    }

    /// Closes every connection, which empties the write-ahead logs.
    pub(super) async fn close(self) {
        for conn in [
            self.orchestrator,
            self.inventory,
            self.payment,
            self.order,
            self.cart,
            self.shipping,
            self.sandbox,
        ] {
            conn.close().await.unwrap();
        }
    }
}

fn barrier(saga: Uuid, step: &str, state: &str) -> String {
    format!(
        "INSERT INTO barrier VALUES ('{saga}', '{step}', '{state}', '', NULL, NULL, {NOON})
         ON CONFLICT (saga_id, step) DO UPDATE SET state = excluded.state"
    )
}

pub(super) async fn emit(
    conn: &mut SqliteConnection,
    number: &mut i64,
    source: &str,
    key: &str,
    kind: &str,
    subject: &str,
) {
    *number += 1;
    let sql = format!(
        "INSERT INTO outbox_keys VALUES ('/backstitch/{source}', '{key}', 1, {number}, 'open')
             ON CONFLICT (source, key) DO UPDATE SET last_sequence = last_sequence + 1, last_number = {number};
         INSERT INTO outbox SELECT {number}, '{}', source, key, last_sequence, '{source}.events',
             'com.backstitch.{kind}.v1', '{subject}', X'7b7d', '', {NOON}, 'published', {NOON}, NULL, NULL
         FROM outbox_keys WHERE source = '/backstitch/{source}' AND key = '{key}'",
        Uuid::from_u128(u128::from(number.unsigned_abs()))
    );
    run(conn, &sql).await;
}
