//! The benchmark measures what it says, and leaves nothing on the server that it was given.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use backstitch_services::fresh_database;
use common::{program, run};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, Row as _};
use tempfile::TempDir;

/// Its report on this database.
fn measured(directory: &Path, url: &str, args: &[&str]) -> Value {
    let said = run(program(directory).args(["bench", "--json", "--database-url", url]).args(args));
    assert_eq!(said.code, Some(0), "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

/// Schemas that a benchmark has left.
async fn left(url: &str) -> i64 {
    let mut database = PgConnection::connect(url).await.unwrap();
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'backstitch_bench_%'";
    sqlx::query(left).fetch_one(&mut database).await.unwrap().get(0)
}

#[tokio::test]
async fn on_postgres_commits_are_shared_and_the_log_is_counted() {
    let (directory, url) = (TempDir::new().unwrap(), fresh_database("bench"));
    let args = ["--store", "postgres", "--seconds", "2", "--in-flight", "64"];
    let report = measured(directory.path(), &url, &args);
    let number = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("{name}: {report:#}"));
    assert!(number("sagas") >= 64.0, "{report:#}");
    let commits = number("commits_per_saga");
    assert!(commits > 0.0 && commits < 3.0, "{report:#}");
    // A record is in the log at least once.
    assert!(number("wal_bytes_per_saga") > number("journal_bytes_per_saga"), "{report:#}");
    assert_eq!(left(&url).await, 0);
}

#[tokio::test]
async fn sagas_of_a_killed_orchestrator_end_at_the_other_one() {
    let (directory, url) = (TempDir::new().unwrap(), fresh_database("bench"));
    let report = measured(directory.path(), &url, &["--takeover", "--sagas", "40", "--lease", "1s"]);
    assert_eq!(report["sagas"], 40, "{report:#}");
    assert!(report["orphaned"].as_i64().unwrap() > 0, "{report:#}");
    assert!(report["all_ended_after_s"].as_f64() >= report["shards_taken_after_s"].as_f64(), "{report:#}");
    assert_eq!(left(&url).await, 0);
}

#[test]
fn without_a_database_it_says_what_it_needs() {
    let directory = TempDir::new().unwrap();
    for args in [&["--store", "postgres"][..], &["--takeover"]] {
        let said = run(program(directory.path()).arg("bench").args(args));
        assert!(said.code.is_some_and(|code| code != 0), "{said:?}");
        assert!(said.err.contains("--database-url"), "{}", said.err);
    }
}
