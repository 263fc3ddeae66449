//! What the server itself says and keeps to: its errors, the schema's rules, its indexes.

use backstitch_store::StoreError;
use sqlx::{AssertSqlSafe, Row as _};

use crate::common::run_on_postgres;
use crate::{connect, migrated, number, run, trial};

#[tokio::test]
async fn what_the_server_says_is_told_by_what_to_do_about_it() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let (saga, other) = (t.saga(1).await, t.saga(1).await);
    // The server's own words for a full disk, for a transaction that stood in another one's way twice, for an
    // administrator who cancels, and for a missing right.
    run_on_postgres(
        &url,
        "CREATE SEQUENCE times; CREATE TABLE says (code text); \
         CREATE FUNCTION say() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE word text; BEGIN \
         SELECT code INTO word FROM says; \
         IF word IS NULL OR (word = '40001' AND nextval('times') > 2) THEN RETURN NEW; END IF; \
         RAISE EXCEPTION 'as told' USING ERRCODE = word; END $$; \
         CREATE TRIGGER say BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION say()",
    )
    .await;
    let batch = [t.more(saga, 2, 1), t.more(other, 2, 1)];
    for code in ["53100", "57014", "42501", "XX001"] {
        run_on_postgres(&url, &format!("DELETE FROM says; INSERT INTO says VALUES ('{code}')")).await;
        let error = t.store().commit(&batch).await.unwrap_err();
        match (code, &error) {
            ("53100", StoreError::Full(_)) | ("57014" | "42501" | "XX001", StoreError::Unavailable(_)) => {}
            _ => panic!("{code}: {error:?}"),
        }
        assert!(error.to_string().contains(code), "{error}");
        assert_eq!((t.length(saga).await, t.length(other).await), (1, 1));
    }
    run_on_postgres(&url, "UPDATE says SET code = '40001'").await;
    t.accept(&batch).await;
    assert_eq!(number(&mut connect(&url).await, "SELECT last_value FROM times").await, 4);
}

#[tokio::test]
async fn a_record_is_never_changed_by_anybody() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    t.saga(1).await;
    let mut somebody = connect(&url).await;
    for (sql, why) in [
        ("UPDATE journal SET record = ''", "never changed"),
        ("UPDATE counters SET value = 0", "never goes back"),
        ("UPDATE lanes SET watermark = 5; UPDATE lanes SET watermark = 4", "never goes back"),
        ("INSERT INTO journal SELECT * FROM journal", "duplicate key"),
        ("UPDATE sagas SET status = 6", "sagas_status_check"),
        ("UPDATE shards SET epoch = 1", "duplicate key"),
        (
            "INSERT INTO definitions VALUES ('a', 1, decode(repeat('00', 32), 'hex'), 0); UPDATE definitions SET version = 2",
            "never changes",
        ),
        ("INSERT INTO members VALUES ('a', 2, '', now()); UPDATE members SET run = 1", "stays replaced"),
    ] {
        let error = sqlx::raw_sql(sql).execute(&mut somebody).await.unwrap_err().to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
}

#[tokio::test]
async fn every_read_is_served_by_the_index_that_is_meant_for_it() {
    let url = migrated().await;
    let mut conn = connect(&url).await;
    run(
        &mut conn,
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan",
    )
    .await;
    for (sql, parameters, index) in [
        (include_str!("../../src/postgres/sql/load.sql"), "(NULL)", "journal_pkey"),
        (include_str!("../../src/postgres/sql/unfinished.sql"), "(NULL, NULL, NULL)", "sagas_by_status"),
        (include_str!("../../src/postgres/sql/oldest.sql"), "", "sagas_by_status"),
        (include_str!("../../src/postgres/sql/family.sql"), "(NULL)", "sagas_of_family"),
        (include_str!("../../src/postgres/sql/list.sql"), "(0, 0, 0, NULL, NULL, 1)", "sagas_by_start"),
        (
            include_str!("../../src/postgres/sql/list_status.sql"),
            "(0, 0, 0, NULL, NULL, 1, 0::smallint)",
            "sagas_by_status",
        ),
        (include_str!("../../src/postgres/sql/lane_pending.sql"), "(0, 1)", "outbox_pkey"),
        (include_str!("../../src/postgres/sql/lane_published_since.sql"), "(0, 0, 0, 1)", "outbox_pkey"),
    ] {
        run(&mut conn, &format!("DEALLOCATE ALL; PREPARE asked AS {sql}")).await;
        let explain = format!("EXPLAIN EXECUTE asked {parameters}");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}\n{plan:#?}");
    }
}
