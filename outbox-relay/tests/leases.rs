//! One relay per lane, by the database's clock.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use backstitch_services::{Postgres, Service as _};
use common::{NOW, Outbox};
use outbox_relay::testing::{Fault, MemorySink};
use outbox_relay::{Leases, Options, Relay, Sink, TableSource, Terms, migrations};
use sqlx::any::AnyPoolOptions;
use tokio_util::sync::CancellationToken;

const TERMS: Terms = Terms { term: Duration::from_secs(1), in_flight: Duration::from_millis(300) };

fn leases(outbox: &Outbox, owner: &str, terms: Terms) -> Leases {
    Leases::new("test", outbox.pool.clone(), owner, ["a", "b"].map(str::to_owned), terms)
}

/// Waits for what has to come within a bound.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

async fn epoch(outbox: &Outbox) -> i64 {
    sqlx::query_scalar("SELECT epoch FROM relay_leases WHERE lane = 'a'")
        .fetch_one(&outbox.pool)
        .await
        .unwrap()
}

async fn one_owner_at_a_time(outbox: Outbox) {
    let long = Terms { term: Duration::from_secs(60), ..TERMS };
    let (one, two) = (leases(&outbox, "one", long), leases(&outbox, "two", long));
    assert!(!one.tenure("a").holds(), "nothing is held before it is asked for");
    assert_eq!((one.renew().await.unwrap(), two.renew().await.unwrap()), (2, 0));
    assert!(one.tenure("a").holds() && one.tenure("b").holds() && !two.tenure("a").holds());
    assert!(!one.tenure("another").holds());
    assert_eq!((one.renew().await.unwrap(), epoch(&outbox).await), (2, 1), "a renewal is no change of owner");

    one.release().await.unwrap();
    assert!(!one.tenure("a").holds());
    assert_eq!((two.renew().await.unwrap(), epoch(&outbox).await), (2, 2));
    assert_eq!(one.renew().await.unwrap(), 0);
}

async fn a_lane_is_free_after_the_term_and_what_was_in_flight(outbox: Outbox) {
    let (one, two) = (leases(&outbox, "one", TERMS), leases(&outbox, "two", TERMS));
    let taken = tokio::time::Instant::now();
    one.renew().await.unwrap();
    until("it ends by itself", async || !one.tenure("a").holds()).await;
    assert!(taken.elapsed() >= TERMS.term);
    until("the next one has it", async || two.renew().await.unwrap() == 2).await;
    assert!(taken.elapsed() >= TERMS.term + TERMS.in_flight, "not before the last row can have arrived");
    assert_eq!(one.renew().await.unwrap(), 0);
}

#[tokio::test]
async fn one_owner_at_a_time_on_sqlite() {
    one_owner_at_a_time(Outbox::open().await).await;
}

#[tokio::test]
async fn one_owner_at_a_time_on_postgres() {
    one_owner_at_a_time(Outbox::on_postgres().await).await;
}

#[tokio::test]
async fn a_lane_is_free_in_time_on_sqlite() {
    a_lane_is_free_after_the_term_and_what_was_in_flight(Outbox::open().await).await;
}

#[tokio::test]
async fn a_lane_is_free_in_time_on_postgres() {
    a_lane_is_free_after_the_term_and_what_was_in_flight(Outbox::on_postgres().await).await;
}

#[tokio::test]
async fn two_relays_that_ask_at_once_do_not_both_get_it() {
    let outbox = Outbox::on_postgres().await;
    for round in 0..20 {
        let long = Terms { term: Duration::from_secs(60), ..TERMS };
        let one = leases(&outbox, &format!("one-{round}"), long);
        let two = leases(&outbox, &format!("two-{round}"), long);
        let (first, second) = tokio::join!(one.renew(), two.renew());
        assert_eq!(first.unwrap() + second.unwrap(), 2, "round {round}");
        assert_ne!(one.tenure("a").holds(), two.tenure("a").holds(), "round {round}");
        one.release().await.unwrap();
        two.release().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_stops_between_two_waves_when_its_lease_is_gone() {
    let outbox = Outbox::open().await;
    let leases = leases(&outbox, "one", Terms { term: Duration::from_secs(60), ..TERMS });
    for _ in 0..3 {
        outbox.commit("key", "fine").await;
    }
    let sink = Arc::new(MemorySink::default());
    let relay =
        Relay::new(Arc::new(outbox.source.clone()), Arc::clone(&sink) as Arc<dyn Sink>, Options::default())
            .under(leases.tenure("a"));
    assert_eq!(relay.tick(NOW).await.unwrap().published, 0, "before it has it");
    leases.renew().await.unwrap();
    // The first row's acknowledgement comes after the lease has gone.
    let (handle, losing) = (tokio::runtime::Handle::current(), leases.clone());
    sink.script(move |_| {
        let losing = losing.clone();
        tokio::task::block_in_place(|| handle.block_on(losing.release())).unwrap();
        Fault::None
    });
    let progress = tokio::spawn(async move { relay.tick(NOW).await.unwrap() }).await.unwrap();
    assert_eq!((progress.published, progress.pending), (1, 2));
    assert_eq!(sink.taken().len(), 1);
}

#[tokio::test]
async fn a_relay_stands_by_and_takes_over_by_itself() {
    let outbox = Outbox::open().await;
    let (one, two) = (leases(&outbox, "one", TERMS), leases(&outbox, "two", TERMS));
    let (stop_one, stop_two) = (CancellationToken::new(), CancellationToken::new());
    one.renew().await.unwrap();
    let keep = |leases: &Leases, stop: &CancellationToken| {
        let (leases, stop) = (leases.clone(), stop.clone());
        tokio::spawn(async move { leases.keep(&stop).await })
    };
    let (keeping_one, keeping_two) = (keep(&one, &stop_one), keep(&two, &stop_two));
    // As long as three terms nobody else gets it.
    let standing_by = tokio::time::timeout(TERMS.term * 3, two.tenure("a").held()).await;
    assert!(standing_by.is_err(), "the lease was not renewed in time");
    stop_one.cancel();
    keeping_one.await.unwrap();
    until("the other takes over", async || two.tenure("a").holds()).await;
    stop_two.cancel();
    keeping_two.await.unwrap();
}

/// A frozen server keeps its connections and says nothing on them, as one does whose machine is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_says_nothing_is_trouble_until_it_answers_again() {
    sqlx::any::install_default_drivers();
    let server = Postgres::start();
    let url = server.fresh_database("silent");
    let pool = AnyPoolOptions::new().max_connections(2).connect(&url).await.unwrap();
    migrations().run(&pool).await.unwrap();
    let leases = Leases::new("test", pool.clone(), "one", ["a".to_owned()], TERMS);
    let options = Options { patience: TERMS.term, ..Options::default() };
    let source = Arc::new(TableSource::new("test", pool.clone()));
    let relay = Relay::new(source, Arc::new(MemorySink::default()), options).under(leases.tenure("a"));
    let stop = CancellationToken::new();
    let (keeper, told) = (leases.clone(), stop.clone());
    let keeping = tokio::spawn(async move { keeper.keep(&told).await });
    until("it has the lane", async || relay.tenure().holds() && relay.trouble().is_none()).await;

    server.freeze();
    let error = relay.lag(NOW).await.unwrap_err().to_string();
    assert!(error.contains("no answer within 1s"), "{error}");
    until("the lane is let go", async || !relay.tenure().holds()).await;
    assert!(relay.trouble().is_some_and(|why| why.contains("no answer within")), "{:?}", relay.trouble());
    // What it was asked and did not answer has no place in the pool any more, although the server is still frozen.
    until("no connection waits for an answer", async || pool.size() == 0).await;

    server.thaw();
    until("it has the lane again", async || relay.tenure().holds() && relay.trouble().is_none()).await;
    relay.lag(NOW).await.unwrap();
    stop.cancel();
    keeping.await.unwrap();
}
