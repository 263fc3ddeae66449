//! What the auditor must not complain about, and what it says when there is nothing to complain about.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use backstitch_chaos::{AuditError, AuditPaths, Invariant, Place, audit};
use backstitch_services::fresh_database;
use common::{NOON, Shop, hex, newest, open, run, server, thing};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

#[tokio::test]
async fn a_clean_shop_is_clean_whatever_is_in_flight_or_parked() {
    let shop = Shop::open().await;
    let report = shop.audit().await;
    assert!(report.is_clean(), "{report}");
    let counts = &report.counts;
    assert_eq!((counts.sagas, counts.completed, counts.compensated, counts.in_flight), (9, 3, 2, 3));
    assert_eq!((counts.orders, counts.orders_standing, counts.payments, counts.accounts), (6, 3, 7, 7));
    let gbp = report.money["GBP"];
    assert_eq!((gbp.captured_minor, gbp.refunded_minor, gbp.held_minor), (5 * 1150, 0, 1150));
    assert!(report.not_audited.is_empty());
}

#[tokio::test]
async fn the_report_tells_what_is_in_flight_and_who_waits_for_a_person() {
    let shop = Shop::open().await;
    let told = shop.audit().await.to_string();
    for line in [
        "9 sagas with ",
        "in flight: 3;",
        "6 orders, of which 3 stand",
        "the bank took 57.50 GBP, gave back 0.00 GBP, holds 11.50 GBP",
        "I1  money is where the orders say                   holds",
        "1 parked saga waits for a person:",
        "step 6: the order service answers nonsense",
        "11.50 GBP captured, 0.00 GBP refunded, 0.00 GBP held",
        "is pending",
        "Every invariant holds.",
    ] {
        assert!(told.contains(line), "no “{line}” in:\n{told}");
    }
    assert!(told.contains(&shop.parked.to_string()));
}

#[tokio::test]
async fn a_report_serializes_with_the_codes_of_the_invariants() {
    let shop = Shop::open().await;
    shop.plant("inventory", "UPDATE stock SET on_hand = on_hand + 1").await;
    let json = serde_json::to_value(shop.audit().await).unwrap();
    assert_eq!(json["violations"][0]["invariant"], "I2");
    assert_eq!(json["violations"][0]["ids"]["sku"], "A");
    assert_eq!(json["counts"]["in_flight"], 3);
}

#[tokio::test]
async fn auditing_changes_no_file() {
    let shop = Shop::open().await;
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(shop.dir())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "db"))
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    shop.audit().await;
    assert!(before == files());
}

/// A killed process leaves its last commits in the write-ahead log only.
#[tokio::test]
async fn commits_that_only_the_log_has_are_read() {
    let shop = Shop::open().await;
    let path = shop.dir().join("inventory.db");
    let mut writer = open(&path).await;
    run(&mut writer, "PRAGMA wal_autocheckpoint = 0; UPDATE stock SET on_hand = on_hand + 7").await;
    let killed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(shop.dir()).unwrap() {
        let file = file.unwrap();
        // The shared-memory index is no part of what a crash leaves that can be trusted.
        if file.path().extension().is_none_or(|ext| ext != "db-shm") {
            std::fs::copy(file.path(), killed.path().join(file.file_name())).unwrap();
        }
    }
    let report = audit(&AuditPaths::in_dir(killed.path())).await.unwrap();
    common::assert_found(&report, Invariant::Stock, "people counted", "A");
}

#[tokio::test]
async fn a_missing_database_is_an_error_that_names_it() {
    let shop = Shop::open().await;
    std::fs::remove_file(shop.dir().join("payment.db")).unwrap();
    let error = audit(&shop.paths()).await.unwrap_err();
    assert!(matches!(error, AuditError::Missing { book: "payment", .. }), "{error}");
}

#[tokio::test]
async fn the_books_of_the_sandbox_are_missed_where_it_was_asked_and_only_there() {
    let shop = Shop::open().await;
    std::fs::remove_file(shop.dir().join("sandbox.db")).unwrap();
    let error = audit(&shop.paths()).await.unwrap_err();
    assert!(matches!(error, AuditError::Missing { book: "sandbox", .. }), "{error}");
    shop.plant("payment", "UPDATE payments SET provider = 'stripe'").await;
    let report = audit(&shop.paths()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.to_string().contains("the bank's statement"), "{report}");
}

#[tokio::test]
async fn a_file_that_is_no_such_database_is_an_error_that_names_it() {
    let shop = Shop::open().await;
    std::fs::copy(shop.dir().join("cart.db"), shop.dir().join("order.db")).unwrap();
    let error = audit(&shop.paths()).await.unwrap_err();
    assert!(matches!(error, AuditError::Unreadable { book: "order", .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_an_error_that_names_both_versions() {
    for (book, dialect) in [("orchestrator", "sqlite"), ("cart", "any"), ("sandbox", "any")] {
        let shop = Shop::open().await;
        let newest = newest(book, dialect);
        let migrated = |version: i64| format!("INSERT INTO _sqlx_migrations VALUES ({version}, TRUE)");
        let table = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, success BOOLEAN NOT NULL)";
        shop.plant(book, &format!("{table}; {}", migrated(newest))).await;
        audit(&shop.paths()).await.expect("it is of this version");
        shop.plant(book, &migrated(9999)).await;
        match audit(&shop.paths()).await.unwrap_err() {
            AuditError::Newer { book: named, found, known, .. } => {
                assert_eq!((named, found, known), (book, 9999, newest));
            }
            other => panic!("{other}"),
        }
    }
}

/// The places of the shop's copy on a server, where those of `book` are elsewhere.
async fn but(shop: &Shop, book: &str, elsewhere: &str) -> AuditPaths {
    let mut paths = server::copy(shop.dir()).await;
    let other = Place::Server(elsewhere.to_owned());
    match book {
        "orchestrator" => paths.orchestrator = other,
        "payment" => paths.participants.as_mut().unwrap().payment = other,
        _ => panic!("{book}"),
    }
    paths
}

#[tokio::test]
async fn a_database_that_a_server_does_not_have_or_not_so_is_an_error_that_names_it_and_no_password() {
    let shop = Shop::open().await;
    let url = fresh_database("audit");
    for book in ["orchestrator", "payment"] {
        let missing = audit(&but(&shop, book, &format!("{url}_nowhere")).await).await.unwrap_err();
        assert!(matches!(missing, AuditError::Missing { book: of, .. } if of == book), "{missing}");
        assert!(missing.to_string().contains("_nowhere"), "{missing}");
        let empty = audit(&but(&shop, book, &url).await).await.unwrap_err();
        assert!(matches!(empty, AuditError::Unreadable { book: of, .. } if of == book), "{empty}");
        let wrong = "postgres://shop:hunter2@127.0.0.1:9/shop";
        let away = audit(&but(&shop, book, wrong).await).await.unwrap_err();
        assert!(matches!(away, AuditError::Unreadable { book: of, .. } if of == book), "{away}");
        assert!(
            away.to_string().contains("127.0.0.1:9/shop") && !away.to_string().contains("hunter2"),
            "{away}"
        );
    }
    for (book, owner, dialect) in
        [("orchestrator", "orchestrator", "postgres"), ("payment", "payment", "any")]
    {
        let url = fresh_database("audit");
        let mut conn = PgConnection::connect(&url).await.unwrap();
        let table = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, success boolean NOT NULL)";
        server::sql(&mut conn, &format!("{table}; INSERT INTO _sqlx_migrations VALUES (9999, true)")).await;
        match audit(&but(&shop, book, &url).await).await.unwrap_err() {
            AuditError::Newer { book: named, found, known, .. } => {
                assert_eq!((named, found, known), (book, 9999, newest(owner, dialect)));
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_server_s_database_is_read_in_one_snapshot_and_cannot_be_changed_by_it() {
    let shop = Shop::open().await;
    let paths = server::copy(shop.dir()).await;
    let Place::Server(url) = &paths.participants.as_ref().unwrap().inventory else { panic!() };
    // Whoever reads under another isolation, or read-write, is refused by this view in place of a table.
    let mut conn = PgConnection::connect(url).await.unwrap();
    let watched = "ALTER TABLE stock RENAME TO counted; \
        CREATE FUNCTION watched() RETURNS SETOF counted LANGUAGE plpgsql AS $$ BEGIN \
            IF current_setting('transaction_isolation') <> 'repeatable read' \
                OR current_setting('transaction_read_only') <> 'on' THEN \
                RAISE EXCEPTION 'not a snapshot'; \
            END IF; \
            RETURN QUERY SELECT * FROM counted; END $$; \
        CREATE VIEW stock AS SELECT * FROM watched()";
    server::sql(&mut conn, watched).await;
    assert!(audit(&paths).await.unwrap().is_clean());
    let refused = sqlx::raw_sql("SELECT * FROM stock").execute(&mut conn).await.unwrap_err();
    assert!(refused.to_string().contains("not a snapshot"), "{refused}");
}

#[tokio::test]
async fn what_is_not_audited_is_said() {
    let shop = Shop::open().await;
    let mut paths = shop.paths();
    paths.participants.as_mut().unwrap().sandbox = None;
    let report = audit(&paths).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.to_string().contains("the bank's statement"), "{report}");
    paths.participants = None;
    let report = audit(&paths).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.to_string().contains("only the orchestrator's store"), "{report}");
}

/// A long retention later: finished sagas, published events and old carts are gone, money and orders stay.
#[tokio::test]
async fn what_retention_forgot_is_not_missed() {
    let shop = Shop::open().await;
    let (old, parked) = (hex(shop.completed[0].as_bytes()), hex(shop.parked.as_bytes()));
    // The world went on: a record of today.
    let record = hex(&{
        use backstitch_proto::journal::{CloseIntent, Record, record::Kind};
        use prost::Message;
        let kind = Some(Kind::CloseIntent(CloseIntent { step: 1 }));
        Record { at_unix_ms: NOON + 8 * 24 * 3_600_000, kind }.encode_to_vec()
    });
    let sql = format!(
        "INSERT INTO journal SELECT {parked}, max(seq) + 1, {record} FROM journal WHERE saga_id = {parked};
         DELETE FROM journal WHERE saga_id = {old};
         DELETE FROM sagas WHERE id = {old};
         DELETE FROM outbox WHERE number <= 7"
    );
    shop.plant("orchestrator", &sql).await;
    for book in ["inventory", "payment", "order", "cart", "shipping"] {
        let sql = format!(
            "INSERT INTO outbox_purge VALUES (1, {});
             DELETE FROM outbox WHERE number IN (SELECT number FROM outbox ORDER BY number LIMIT 3)",
            NOON + 1
        );
        shop.plant(book, &sql).await;
    }
    let report = shop.audit().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_lane_with_a_parked_root_keeps_its_held_events_through_a_purge() {
    let shop = Shop::open().await;
    let root = hex(shop.completed[0].as_bytes());
    let record = hex(&{
        use backstitch_proto::journal::{CloseIntent, Record, record::Kind};
        use prost::Message;
        let kind = Some(Kind::CloseIntent(CloseIntent { step: 1 }));
        Record { at_unix_ms: NOON + 8 * 24 * 3_600_000, kind }.encode_to_vec()
    });
    let parked = hex(shop.parked.as_bytes());
    let sql = format!(
        "INSERT INTO parked_roots VALUES (0, {root}, 2, 'too large', {NOON});
         INSERT INTO journal SELECT {parked}, max(seq) + 1, {record} FROM journal WHERE saga_id = {parked};
         DELETE FROM outbox WHERE number <= 7 AND NOT (root = {root} AND number >= 2)"
    );
    shop.plant("orchestrator", &sql).await;
    let report = shop.audit().await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_refund_that_undoes_a_capture_is_money_back_not_money_lost() {
    let shop = Shop::open().await;
    // A checkout whose capture was taken back by a refund: our ledger, the bank and the cancelled order agree.
    let saga = shop.cancelled;
    let (payment, account) = (thing(saga, "payment"), format!("sbx_{saga}"));
    let ours = format!(
        "UPDATE payments SET status = 'captured', captured_minor = 1150, refunded_minor = 1150, voided_minor = 0
             WHERE payment_id = '{payment}';
         UPDATE entries SET kind = 'captured' WHERE payment_id = '{payment}' AND kind = 'voided';
         INSERT INTO entries VALUES ('{payment}', 3, 'refunded', 1150, 'r', {NOON});
         UPDATE outbox SET kind = 'com.backstitch.payment.captured.v1'
             WHERE kind = 'com.backstitch.payment.voided.v1';
         UPDATE outbox_keys SET last_sequence = 3 WHERE key = '{saga}';
         INSERT INTO outbox SELECT 999, 'e', source, key, 3, topic, 'com.backstitch.payment.refunded.v1', subject,
             payload, '', at_ms, state, published_at_ms, NULL, NULL FROM outbox WHERE key = '{saga}' AND sequence = 2"
    );
    shop.plant("payment", &ours).await;
    let bank = format!(
        "UPDATE accounts SET state = 'captured', captured_minor = 1150, refunded_minor = 1150 WHERE id = '{account}';
         UPDATE entries SET kind = 'captured' WHERE account_id = '{account}' AND kind = 'voided';
         INSERT INTO entries VALUES ('{account}', 4, 'refunded', 1150, {NOON})"
    );
    shop.plant("sandbox", &bank).await;
    let report = shop.audit().await;
    assert!(report.is_clean(), "{report}");
}
