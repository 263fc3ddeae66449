//! What only a store in a shared database can get wrong: opening it, two nodes at once, a connection that is cut, a
//! statement that runs on after it was given up.

#![allow(clippy::unwrap_used)]

mod common;

use std::{sync::Arc, task::Poll, time::Duration};

use async_trait::async_trait;
use backstitch_faults::{Break, TcpProxy, Weather};
use backstitch_store::{
    Append, Lease, PostgresError, PostgresOptions, PostgresStore, Store, StoreError, Verdict,
    testing::{Edit as _, Subject, T0, Trial, good},
};
use common::{postgres_options, run_on_postgres};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use uuid::Uuid;

/// A store in a schema that the test keeps; its connections bear the schema's name.
struct At {
    url: String,
    options: PostgresOptions,
}

#[async_trait]
impl Subject for At {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(PostgresStore::open(&self.url, &self.options).await.unwrap())
    }

    async fn poison(&self, _saga: Uuid) {
        panic!("nothing here poisons");
    }
}

/// An empty schema, and a name for connections that nobody else has.
fn fresh() -> String {
    let url = backstitch_services::fresh_schema("pg");
    let schema = url.rsplit("%3D").next().unwrap().to_owned();
    format!("{url}&application_name={schema}")
}

async fn migrated() -> String {
    let url = fresh();
    PostgresStore::migrate(&url, &postgres_options()).await.unwrap();
    url
}

async fn trial(url: &str) -> Trial {
    trial_with(url, postgres_options()).await
}

async fn trial_with(url: &str, options: PostgresOptions) -> Trial {
    Trial::new(Box::new(At { url: url.to_owned(), options })).await
}

async fn open_error(url: &str) -> PostgresError {
    let options = PostgresOptions { time_limit: Duration::from_millis(500), ..postgres_options() };
    match PostgresStore::open(url, &options).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Somebody else's connection.
async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

async fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(conn).await.unwrap().get(0)
}

/// Drives two futures until the first is done or `blocker`'s transaction has so many others waiting for it; answers
/// whether that is so.
async fn until_waiting(
    blocker: &mut PgConnection,
    waiting: i64,
    mut work: std::pin::Pin<&mut impl Future>,
) -> bool {
    let pid = number(blocker, "SELECT pg_backend_pid()::bigint").await;
    // Of the locks, because of the activity a transaction sees one picture only.
    let sql = format!(
        "WITH waits AS (SELECT DISTINCT pid, pg_blocking_pids(pid) AS for FROM pg_locks WHERE NOT granted), \
         direct AS (SELECT pid FROM waits WHERE {pid} = ANY (waits.for)) \
         SELECT count(*) FROM waits WHERE {pid} = ANY (waits.for) OR waits.for && ARRAY(SELECT pid FROM direct)"
    );
    for _ in 0..20_000 {
        let done = std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx).is_ready())).await;
        if done {
            return false;
        }
        if number(blocker, &sql).await >= waiting {
            return true;
        }
        tokio::task::yield_now().await;
    }
    panic!("nobody waits");
}

#[tokio::test]
async fn an_empty_database_is_refused_until_it_is_migrated() {
    let url = fresh();
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::NotMigrated { migration: 1, .. }), "{error:?}");
    let error = error.to_string();
    assert!(
        error.contains("`backstitch migrate --database-url") && error.contains("--database-url"),
        "{error}"
    );
    PostgresStore::migrate(&url, &postgres_options()).await.unwrap();
    let store = PostgresStore::open(&url, &postgres_options()).await.unwrap();
    assert_eq!(store.shards(), 4);
    store.close().await;
    run_on_postgres(&url, "DELETE FROM _sqlx_migrations WHERE version = 2").await;
    assert!(matches!(open_error(&url).await, PostgresError::NotMigrated { migration: 2, .. }));
}

#[tokio::test]
async fn a_newer_database_is_refused_by_name() {
    let url = migrated().await;
    run_on_postgres(
        &url,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', true, '', 0)",
    )
    .await;
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::Newer { migration: 9999, .. }), "{error:?}");
    assert!(error.to_string().contains("newer version"), "{error}");
    let error = PostgresStore::migrate(&url, &postgres_options()).await.unwrap_err();
    assert!(matches!(error, PostgresError::Newer { migration: 9999, .. }), "{error:?}");
}

#[tokio::test]
async fn several_migrate_at_once_and_a_database_keeps_its_shards() {
    let url = fresh();
    let options = |shards| PostgresOptions { shards, ..postgres_options() };
    let three = options(3);
    let migrate = || PostgresStore::migrate(&url, &three);
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    for migrated in [a, b, c, d] {
        migrated.unwrap();
    }
    PostgresStore::migrate(&url, &options(9)).await.unwrap();
    let store = PostgresStore::open(&url, &options(9)).await.unwrap();
    let epochs: Vec<i64> = good(store.acquire("n", T0).await).into_iter().map(|lease| lease.epoch).collect();
    assert_eq!((store.shards(), epochs), (3, vec![4, 5, 6]));
}

#[tokio::test]
async fn who_is_not_let_in_is_told_so_by_name() {
    let url = fresh();
    let (scheme, rest) = url.split_once("://").unwrap();
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
    let error = open_error(&format!("{scheme}://nobody_here:wrong@{server}")).await;
    assert!(matches!(error, PostgresError::Credentials { .. }), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("--database-url") && error.contains("nobody_here"), "{error}");
    assert!(!error.contains("wrong"), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_named() {
    let url = backstitch_services::postgres_url();
    let base = url.split('?').next().unwrap();
    let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
    let error = open_error(&format!("{server}/no_such_database")).await;
    assert!(matches!(error, PostgresError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains("no_such_database"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://ann:secret@{address}/shop");
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("500ms"), "{error}");
    drop(silent);
    let error = open_error(&url).await.to_string();
    assert!(error.contains(&format!("{address}/shop")) && error.contains("--database-url"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn a_standby_is_refused_by_name() {
    let url = format!("{}&options[default_transaction_read_only]=on", migrated().await);
    let error = open_error(&url).await;
    assert!(matches!(error, PostgresError::ReadOnly(_)), "{error:?}");
}

#[tokio::test]
async fn taking_over_waits_for_the_batch_under_way_and_then_sees_it() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let other = PostgresStore::open(&url, &postgres_options()).await.unwrap();
    let saga = t.id();
    let batch = [t.start(saga).key("k").event("e")];
    // The batch has its shard, and waits for the key.
    let mut blocker = connect(&url).await;
    run(&mut blocker, "BEGIN; INSERT INTO keys VALUES ('', 'k', NULL, decode(repeat('00', 32), 'hex'), 0)")
        .await;
    let mut commit = std::pin::pin!(t.store().commit(&batch));
    assert!(until_waiting(&mut blocker, 1, commit.as_mut()).await);
    let mut both = std::pin::pin!(async { tokio::join!(commit, other.acquire("other", T0)) });
    assert!(until_waiting(&mut blocker, 2, both.as_mut()).await, "the takeover did not wait");
    run(&mut blocker, "ROLLBACK").await;
    let (verdicts, leases) = both.await;
    assert_eq!(verdicts, Ok(vec![Verdict::Committed]));
    assert_eq!(good(other.load(saga).await).unwrap().records.len(), 1);
    let leases = good(leases);
    assert!(leases.iter().zip(&t.leases).all(|(new, old)| new.epoch > old.epoch));
    assert_eq!(t.commit(&[t.more(saga, 2, 1)]).await, [Verdict::Fenced]);
    assert_eq!(t.length(saga).await, 1);
}

/// Both had read that the shard is the first one's. Without the lock the batch would be written after the journal was
/// read by who took over.
#[tokio::test]
async fn a_batch_that_comes_after_a_takeover_under_way_writes_nothing() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let (lost, kept) = (t.id(), t.id());
    let batch = [t.start(lost).key("k").event("e"), t.in_shard(1, t.start(kept).event("e"))];
    let mut taker = connect(&url).await;
    run(&mut taker, "BEGIN; UPDATE shards SET owner = 'other', epoch = epoch + 100 WHERE id = 0").await;
    let mut commit = std::pin::pin!(t.store().commit(&batch));
    assert!(until_waiting(&mut taker, 1, commit.as_mut()).await, "the batch did not wait");
    run(&mut taker, "COMMIT").await;
    assert_eq!(commit.await, Ok(vec![Verdict::Fenced, Verdict::Committed]));
    assert_eq!((t.length(lost).await, t.length(kept).await, t.pending(0).await.len()), (0, 1, 0));
    assert_eq!(good(t.store().key("", "k").await), None);
}

#[tokio::test]
async fn a_lock_is_not_waited_for_longer_than_the_limit() {
    let url = migrated().await;
    let limit = Duration::from_millis(600);
    let mut t = trial_with(&url, PostgresOptions { time_limit: limit, ..postgres_options() }).await;
    let saga = t.saga(1).await;
    let mut somebody = connect(&url).await;
    run(&mut somebody, "BEGIN; SELECT FROM shards FOR UPDATE").await;
    let batch = [t.more(saga, 2, 1)];
    let error = t.store().commit(&batch).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("55P03")), "{error:?}");
    assert_eq!(t.length(saga).await, 1);
    run(&mut somebody, "ROLLBACK").await;
    t.accept(&batch).await;
}

#[tokio::test]
async fn a_connection_that_is_cut_under_a_batch_is_unknown_and_the_batch_is_written_once() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let (old, new) = (t.saga(1).await, t.id());
    let batch = [t.start(new).key("k").event("1"), t.more(old, 2, 2).event("2")];
    let mut blocker = connect(&url).await;
    run(&mut blocker, "BEGIN; INSERT INTO keys VALUES ('', 'k', NULL, decode(repeat('00', 32), 'hex'), 0)")
        .await;
    let mut commit = std::pin::pin!(t.store().commit(&batch));
    assert!(until_waiting(&mut blocker, 1, commit.as_mut()).await);
    let pid = number(&mut blocker, "SELECT pg_backend_pid()::bigint").await;
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {pid} = ANY (pg_blocking_pids(pid))"
    );
    assert_eq!(number(&mut blocker, &cut).await, 1);
    let error = commit.await.unwrap_err();
    assert!(matches!(error, StoreError::Unknown(_)), "{error:?}");
    run(&mut blocker, "ROLLBACK").await;
    assert_eq!((t.length(new).await, t.length(old).await), (0, 1));
    for _ in 0..2 {
        t.accept(&batch).await;
        assert_eq!((t.length(new).await, t.length(old).await, t.numbers().await), (1, 3, vec![1, 2]));
    }
}

/// The caller goes away, the statement does not: it is written while its repetition is under way.
#[tokio::test]
async fn a_statement_that_runs_on_and_its_repetition_write_once() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let (old, new) = (t.saga(1).await, t.id());
    for (batch, lengths, numbers) in [
        (vec![t.start(new).key("k").event("1"), t.more(old, 2, 1).event("2")], (1, 2), vec![1, 2]),
        (vec![t.more(old, 3, 2).event("3"), t.more(new, 2, 1).event("4")], (2, 4), vec![1, 2, 3, 4]),
    ] {
        let mut blocker = connect(&url).await;
        run(&mut blocker, "BEGIN; LOCK TABLE outbox IN EXCLUSIVE MODE").await;
        {
            let mut commit = std::pin::pin!(t.store().commit(&batch));
            assert!(until_waiting(&mut blocker, 1, commit.as_mut()).await);
        }
        let mut again = std::pin::pin!(t.store().commit(&batch));
        assert!(until_waiting(&mut blocker, 2, again.as_mut()).await);
        run(&mut blocker, "ROLLBACK").await;
        assert_eq!(again.await, Ok(vec![Verdict::Committed; 2]));
        assert_eq!((t.length(new).await, t.length(old).await), lengths);
        assert_eq!(t.numbers().await, numbers);
    }
}

#[tokio::test]
async fn connections_cut_at_any_time_lose_and_double_nothing() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let schema = url.rsplit('=').next().unwrap().to_owned();
    let cut = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = '{schema}' AND pid <> pg_backend_pid()"
    );
    let mut somebody = connect(&url).await;
    let sagas: Vec<Uuid> = (0..8).map(|_| t.id()).collect();
    let (mut unknown, mut first) = (0, 0);
    for round in 1..=60_u32 {
        let batch: Vec<Append> = sagas
            .iter()
            .map(|saga| if round == 1 { t.start(*saga) } else { t.more(*saga, round, 1) }.event("e"))
            .collect();
        let polls = round * 7 % 23;
        let cutting = async {
            for _ in 0..polls {
                tokio::task::yield_now().await;
            }
            number(&mut somebody, &cut).await
        };
        let (answer, _) = tokio::join!(t.store().commit(&batch), cutting);
        match answer {
            Ok(verdicts) => {
                assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Committed), "{verdicts:?}");
                first += 1;
            }
            Err(StoreError::Unknown(_) | StoreError::Unavailable(_)) => {
                unknown += 1;
                // The new connection may have been cut too, when nobody used it.
                let mut tries = 0;
                while t.store().commit(&batch).await != Ok(vec![Verdict::Committed; batch.len()]) {
                    tries += 1;
                    assert!(tries < 5);
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(unknown > 0 && first > 0, "{unknown} cut, {first} not");
    for saga in &sagas {
        let stored = good(t.store().load(*saga).await).unwrap();
        assert_eq!(stored.records.len(), 60);
    }
    assert_eq!(t.numbers().await, (1..=480).collect::<Vec<i64>>());
}

/// Two nodes with a shard each.
async fn two_nodes(url: &str) -> [(PostgresStore, Lease); 2] {
    let term = Duration::from_secs(600);
    let mut nodes = Vec::new();
    for (shard, name) in [(0, "a"), (1, "b")] {
        let store = PostgresStore::open(url, &postgres_options()).await.unwrap();
        let member = good(store.join(name, "", term).await);
        let lease = good(store.claim(&member, &[shard], term).await)[0];
        nodes.push((store, lease));
    }
    nodes.try_into().unwrap_or_else(|_| panic!("two"))
}

#[tokio::test]
async fn of_two_nodes_with_the_same_keys_each_key_goes_to_one() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    good(t.store().give_back(&t.leases).await);
    let [(a, lease_a), (b, lease_b)] = two_nodes(&url).await;
    let mut won = [0, 0];
    for round in 0..12 {
        let keys: Vec<String> = (0..20).map(|nth| format!("key-{round}-{nth}")).collect();
        let mut batch = |lease: Lease| -> Vec<Append> {
            let start = |key: &String| {
                let saga = t.id();
                let start = t.start(saga).key(key).event("e");
                Append { shard: lease.shard, epoch: lease.epoch, ..start }
            };
            keys.iter().map(start).collect()
        };
        let (of_a, mut of_b) = (batch(lease_a), batch(lease_b));
        // In another order: each would wait for the other one.
        of_b.reverse();
        let (said_a, said_b) = tokio::join!(a.commit(&of_a), b.commit(&of_b));
        let (said_a, mut said_b) = (good(said_a), good(said_b));
        of_b.reverse();
        said_b.reverse();
        for (nth, key) in keys.iter().enumerate() {
            let holder = good(a.key("", key).await).unwrap();
            let (winner, loser) = match (&said_a[nth], &said_b[nth]) {
                (Verdict::Committed, Verdict::KeyTaken(row)) if *row == holder => (0, &of_b[nth]),
                (Verdict::KeyTaken(row), Verdict::Committed) if *row == holder => (1, &of_a[nth]),
                other => panic!("{key}: {other:?}"),
            };
            won[winner] += 1;
            assert_eq!(holder.saga, Some([&of_a, &of_b][winner][nth].saga));
            assert_eq!(good(a.load(loser.saga).await), None);
        }
    }
    for (shard, count) in [(0, won[0]), (1, won[1])] {
        let numbers = t.pending(shard).await.into_iter().map(|row| row.number);
        assert_eq!(numbers.collect::<Vec<_>>(), (1..=count).collect::<Vec<i64>>(), "no gaps where one lost");
    }
}

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

/// The same database through a proxy.
async fn behind_a_proxy(url: &str) -> (TcpProxy, String) {
    let settings: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let proxy = TcpProxy::before(&format!("{}:{}", settings.get_host(), settings.get_port())).await.unwrap();
    let (server, rest) = url.rsplit_once('/').unwrap();
    let (scheme, server) = server.split_once("://").unwrap();
    let user = server.rsplit_once('@').map_or(String::new(), |(user, _)| format!("{user}@"));
    let url = format!("{scheme}://{user}{}/{rest}", proxy.address());
    (proxy, url)
}

#[tokio::test]
async fn what_is_not_answered_in_time_is_unknown_and_goes_on_when_the_network_does() {
    let url = migrated().await;
    let (proxy, url) = behind_a_proxy(&url).await;
    let limit = Duration::from_millis(500);
    let mut t = trial_with(&url, PostgresOptions { time_limit: limit, ..postgres_options() }).await;
    let saga = t.saga(1).await;
    let batch = [t.more(saga, 2, 1).event("e")];
    proxy.set(Weather::Frozen);
    assert!(matches!(t.store().commit(&batch).await, Err(StoreError::Unknown(_))));
    assert!(matches!(t.store().commit(&batch).await, Err(StoreError::Unavailable(_))), "nothing was sent");
    assert!(matches!(t.store().load(saga).await, Err(StoreError::Unavailable(_))));
    proxy.set(Weather::Clear);
    t.accept(&batch).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (2, vec![1]));
}

/// Wherever the line is cut: before the batch has arrived, before its commit, before its answer, or when the one who
/// lost his key in it is decided again.
#[tokio::test]
async fn a_line_that_is_cut_after_any_byte_loses_and_doubles_nothing() {
    let direct = migrated().await;
    let (proxy, url) = behind_a_proxy(&direct).await;
    let mut t = trial(&url).await;
    let seen = PostgresStore::open(&direct, &postgres_options()).await.unwrap();
    good(seen.block_key("", "blocked", T0).await);
    let (mut written, mut lost) = (0, 0);
    let mut sagas = Vec::new();
    // A batch, its answer, and what is read for the loser are a few thousand bytes.
    for after in (0..6_000).step_by(100) {
        let (saga, loser) = (t.id(), t.id());
        sagas.push(saga);
        let batch =
            [t.start(saga).key(&saga.to_string()).event("e"), t.start(loser).key("blocked").event("e")];
        proxy.set(Weather::Cut { after, how: Break::Reset });
        let answer = t.store().commit(&batch).await;
        proxy.set(Weather::Clear);
        let there = good(seen.load(saga).await).is_some();
        match answer {
            Ok(verdicts) => assert!(is_won_and_lost(&verdicts) && there, "{verdicts:?}"),
            Err(StoreError::Unknown(_)) if there => written += 1,
            Err(StoreError::Unknown(_)) => lost += 1,
            Err(error) => panic!("after {after} bytes: {error}"),
        }
        let verdicts = t.commit(&batch).await;
        assert!(is_won_and_lost(&verdicts), "{verdicts:?}");
        assert_eq!(t.length(loser).await, 0);
    }
    assert!(written > 0 && lost > 0, "{written} unknown ones were written, {lost} were not");
    for saga in &sagas {
        assert_eq!(t.length(*saga).await, 1);
    }
    assert_eq!(t.numbers().await.len(), sagas.len());
}

fn is_won_and_lost(verdicts: &[Verdict]) -> bool {
    matches!(verdicts, [Verdict::Committed, Verdict::KeyTaken(row)] if row.saga.is_none())
}

#[tokio::test]
async fn nothing_is_locked_between_two_batches() {
    let url = migrated().await;
    let mut t = trial(&url).await;
    let saga = t.saga(2).await;
    run_on_postgres(
        &url,
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$; \
         CREATE TRIGGER no BEFORE INSERT ON journal FOR EACH ROW WHEN (new.seq = 9) EXECUTE FUNCTION no()",
    )
    .await;
    t.refuse(Append { records: vec![bytes::Bytes::new(); 7], ..t.more(saga, 3, 1) }).await;
    let schema = url.rsplit('=').next().unwrap();
    let open = format!(
        "SELECT count(*) FROM pg_stat_activity \
         WHERE application_name = '{schema}' AND state <> 'idle' AND pid <> pg_backend_pid()"
    );
    let mut somebody = connect(&url).await;
    assert_eq!(number(&mut somebody, &open).await, 0);
    run(&mut somebody, "BEGIN; SELECT FROM shards FOR UPDATE NOWAIT; ROLLBACK").await;
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
        (include_str!("../src/postgres/sql/load.sql"), "NULL", "journal_pkey"),
        (include_str!("../src/postgres/sql/unfinished.sql"), "NULL, NULL, NULL", "sagas_by_status"),
        (include_str!("../src/postgres/sql/family.sql"), "NULL", "sagas_of_family"),
        (include_str!("../src/postgres/sql/list.sql"), "0, 0, 0, NULL, NULL, 1", "sagas_by_start"),
        (
            include_str!("../src/postgres/sql/list_status.sql"),
            "0, 0, 0, NULL, NULL, 1, 0::smallint",
            "sagas_by_status",
        ),
        (include_str!("../src/postgres/sql/lane_pending.sql"), "0, 1", "outbox_pkey"),
        (include_str!("../src/postgres/sql/lane_published_since.sql"), "0, 0, 0, 1", "outbox_pkey"),
    ] {
        run(&mut conn, &format!("DEALLOCATE ALL; PREPARE asked AS {sql}")).await;
        let explain = format!("EXPLAIN EXECUTE asked ({parameters})");
        let plan = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(plan.iter().any(|step| step.contains(index)), "{sql}\n{plan:#?}");
    }
}
