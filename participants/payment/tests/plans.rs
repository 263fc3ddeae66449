//! That what is asked for again and again is asked of an index.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_services::{On, each_database};
use common::Shop;

each_database!(blocking: what_is_due_of_many_webhooks_is_found_by_an_index_of_its_own);

const DUE: &str = include_str!("../src/sql/webhooks/due.sql");

fn what_is_due_of_many_webhooks_is_found_by_an_index_of_its_own(on: On) {
    let shop = Shop::open(on);
    // Somebody else's, of which most will not be tried any more.
    shop.rows(
        "payment",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
         INSERT INTO webhooks (provider, event_id, kind, object_id, body, status, tries, next_at_ms, received_at_ms)
         SELECT 'sandbox', 'evt_' || i, 'x', 'pi_' || i, CAST('' AS BYTEA), 'parked', 1,
                CASE WHEN i <= 100 THEN i ELSE 9223372036854775807 END, 0 FROM n",
    );
    shop.rows("payment", "ANALYZE webhooks");
    let explain = if on == On::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN (COSTS OFF)" };
    let query = DUE.replace("$1", "'sandbox'").replace("$2", "1700000000000").replace("$3", "32");
    let query: String = query.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    let plan = shop.rows("payment", Box::leak(format!("{explain} {query}").into_boxed_str())).join("\n");
    assert_eq!(plan.matches("webhooks_due").count(), 2, "{plan}");
    for whole in ["Seq Scan", "SCAN webhooks"] {
        assert!(!plan.contains(whole), "{plan}");
    }
}
