//! A connection that is cut, a statement that runs on after it was given up, a network that is silent.

use std::time::Duration;

use backstitch_faults::{Break, TcpProxy, Weather};
use backstitch_store::testing::{Edit as _, T0, good};
use backstitch_store::{Append, PostgresOptions, PostgresStore, Store as _, StoreError, Verdict};
use uuid::Uuid;

use crate::common::postgres_options;
use crate::{connect, migrated, number, run, trial, trial_with, until_waiting};

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
