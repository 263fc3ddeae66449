//! From an outbox to a real Kafka that is stopped, frozen and refuses.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/topic.rs"]
mod topic;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use backstitch_services::{Kafka, Service as _, kafka_brokers};
use common::{NOW, Outbox, event};
use outbox_relay::{
    Event, KafkaOptions, KafkaSink, Leases, Options, Pace, Relay, Sink, Source as _, Terms, TopicPlan,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use topic::{PATIENCE, all, partitions, reader, topic, whole_and_in_order};

const PLAN: TopicPlan = TopicPlan { partitions: 4, replication: 1 };

fn sink(brokers: &str, message_timeout: Duration) -> Arc<KafkaSink> {
    let options = KafkaOptions { message_timeout, topics: Some(PLAN), ..KafkaOptions::new(brokers) };
    Arc::new(KafkaSink::new(options).unwrap())
}

fn relay(outbox: &Outbox, sink: &Arc<KafkaSink>) -> Relay {
    let options = Options { batch: 40, ..Options::default() };
    Relay::new(Arc::new(outbox.source.clone()), Arc::clone(sink) as Arc<dyn Sink>, options)
}

async fn commit(outbox: &Outbox, topic: &str, key: &str) {
    outbox.append(&Event { topic: topic.to_owned(), ..event(key, "order") }).await.unwrap();
}

async fn drained(outbox: &Outbox) -> bool {
    outbox.source.lag(NOW).await.unwrap().waiting == 0
}

/// Runs `relay` in the background until the token is cancelled.
fn start(relay: Relay, stop: &CancellationToken) -> tokio::task::JoinHandle<bool> {
    let pace = Pace { pause_max: Duration::from_millis(500), ..Pace::polling() };
    tokio::spawn(outbox_relay::run(Arc::new(relay), Arc::new(Notify::new()), || NOW, pace, stop.clone()))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn a_missing_topic_is_made_as_planned_and_one_that_is_there_is_used_as_it_is() {
    let brokers = kafka_brokers();
    let (outbox, name) = (Outbox::open().await, topic("made"));
    commit(&outbox, &name, "a").await;
    assert_eq!(relay(&outbox, &sink(&brokers, PATIENCE)).tick(NOW).await.unwrap().published, 1);
    assert_eq!(partitions(&reader(&brokers), &name), Some(4));

    let more = TopicPlan { partitions: 9, replication: 1 };
    let options = KafkaOptions { topics: Some(more), ..KafkaOptions::new(&brokers) };
    let other = Arc::new(KafkaSink::new(options).unwrap());
    commit(&outbox, &name, "a").await;
    assert_eq!(relay(&outbox, &other).tick(NOW).await.unwrap().published, 1);
    assert_eq!(partitions(&reader(&brokers), &name), Some(4), "a key's partition must not change");
    assert_eq!(whole_and_in_order(&all(&brokers, &name).await), (1, 2));
}

#[tokio::test]
async fn a_topic_that_cannot_be_made_is_named_with_the_option_and_holds_up_no_other() {
    let brokers = kafka_brokers();
    let (outbox, forbidden, fine) = (Outbox::open().await, topic("forbidden"), topic("fine"));
    sink(&brokers, PATIENCE).prepare(&[&fine]).await.unwrap();
    let three = TopicPlan { partitions: 4, replication: 3 };
    let options = KafkaOptions { topics: Some(three), ..KafkaOptions::new(&brokers) };
    let relay = relay(&outbox, &Arc::new(KafkaSink::new(options).unwrap()));
    commit(&outbox, &forbidden, "a").await;
    commit(&outbox, &fine, "b").await;
    let progress = relay.tick(NOW).await.unwrap();
    assert_eq!((progress.published, progress.pending, progress.parked), (1, 1, 0));
    let why = progress.trouble.unwrap();
    for named in [forbidden.as_str(), brokers.as_str(), "--kafka-replication 3"] {
        assert!(why.contains(named), "{named} is not in: {why}");
    }
}

#[tokio::test]
async fn a_topic_without_permission_is_named_and_waits_until_it_is_granted() {
    let kafka = Kafka::start();
    let (outbox, denied) = (Outbox::open().await, topic("denied"));
    let sink = sink(&kafka.brokers(), Duration::from_secs(5));
    sink.prepare(&[&denied]).await.unwrap();
    kafka.deny_writes(&denied);
    commit(&outbox, &denied, "a").await;
    let mut committed = 1;
    let relay = relay(&outbox, &sink);
    // The rule takes a moment to be known; from then on nothing is taken, nothing parked, nothing lost.
    let mut why = None;
    until("it is refused", async || {
        let progress = relay.tick(NOW).await.unwrap();
        assert_eq!(progress.parked, 0);
        if progress.published == 1 {
            commit(&outbox, &denied, "a").await;
            committed += 1;
        }
        why = progress.trouble;
        why.is_some()
    })
    .await;
    let why = why.unwrap();
    assert!(why.contains(&denied) && why.contains("let this client write"), "{why}");
    assert!(!drained(&outbox).await);

    kafka.allow_writes(&denied);
    until("it is published once it is granted", async || {
        assert_eq!(relay.tick(NOW).await.unwrap().parked, 0);
        drained(&outbox).await
    })
    .await;
    let (keys, events) = whole_and_in_order(&all(&kafka.brokers(), &denied).await);
    assert_eq!((keys, events), (1, committed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_and_comes_back_gets_the_backlog_in_order() {
    let kafka = Kafka::start();
    let brokers = kafka.brokers();
    let (outbox, name) = (Outbox::open().await, topic("outage"));
    let (sink, stop) = (sink(&brokers, Duration::from_secs(2)), CancellationToken::new());
    let running = start(relay(&outbox, &sink), &stop);
    for n in 0..60 {
        commit(&outbox, &name, &format!("key-{}", n % 7)).await;
        if n == 20 {
            until("it is publishing", async || outbox.source.lag(NOW).await.unwrap().waiting < 20).await;
            kafka.kill();
            let told = sink.probe().await.unwrap_err();
            assert!(told.contains(&brokers), "{told}");
        }
    }
    assert!(!drained(&outbox).await, "nobody was there to take it");
    kafka.start_again();
    until("the backlog is drained", async || drained(&outbox).await).await;
    assert_eq!(sink.probe().await, Ok(()));
    stop.cancel();
    assert!(running.await.unwrap());
    assert_eq!(whole_and_in_order(&all(&brokers, &name).await), (7, 60));
}

/// A frozen broker answers nothing and forgets nothing: rows time out at the relay while their requests lie in the
/// broker's buffers, and are written there when it goes on, after they were given up, perhaps after they were sent anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_timed_out_leaves_no_gap_and_is_not_overtaken() {
    let kafka = Kafka::start();
    let brokers = kafka.brokers();
    let (outbox, name) = (Outbox::open().await, topic("timeout"));
    let (sink, stop) = (sink(&brokers, Duration::from_millis(800)), CancellationToken::new());
    commit(&outbox, &name, "key-0").await;
    let relay = Arc::new(relay(&outbox, &sink));
    until("it is publishing", async || relay.tick(NOW).await.unwrap().published == 1).await;
    for round in 0..3 {
        kafka.freeze();
        for n in 0..30 {
            commit(&outbox, &name, &format!("key-{}", n % 5)).await;
        }
        let timed_out = relay.tick(NOW).await.unwrap();
        assert!(timed_out.trouble.is_some_and(|why| why.contains("no acknowledgement")), "round {round}");
        assert_eq!(timed_out.published, 0);
        kafka.thaw();
        until("the backlog is drained", async || {
            relay.tick(NOW).await.unwrap();
            drained(&outbox).await
        })
        .await;
    }
    stop.cancel();
    assert_eq!(whole_and_in_order(&all(&brokers, &name).await), (5, 91));
}

/// Two relays on one outbox; again and again the owner forgets to renew, as if it were frozen, and goes on publishing
/// what it has begun. Then both publish without any lease at all, which costs repetitions and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn two_relays_that_fight_repeat_and_never_overtake() {
    let brokers = kafka_brokers();
    let (outbox, name) = (Outbox::on_postgres().await, topic("fight"));
    let sink = sink(&brokers, PATIENCE);
    let terms = Terms { term: Duration::from_millis(200), in_flight: Duration::ZERO };
    let leases = ["one", "two"]
        .map(|owner| Leases::new("test", outbox.pool.clone(), owner, ["lane".to_owned()], terms));
    let stop = CancellationToken::new();
    let mut tasks: Vec<_> = leases
        .iter()
        .map(|leases| start(relay(&outbox, &sink).under(leases.tenure("lane")), &stop))
        .collect();
    let (owners, fighting) = (Arc::new(AtomicI64::new(0)), leases.clone());
    let (counted, told) = (Arc::clone(&owners), stop.clone());
    let fight = tokio::spawn(async move {
        for round in 0.. {
            // Whoever asks first when the term is over gets it; the owner never renews.
            for leases in [&fighting[round % 2], &fighting[(round + 1) % 2]] {
                if !leases.tenure("lane").holds() && leases.renew().await.unwrap() == 1 {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(10)) => {}
                () = told.cancelled() => return,
            }
        }
    });
    let mut committed = 0;
    until("the lane changed hands often", async || {
        for n in 0..20 {
            commit(&outbox, &name, &format!("key-{}", n % 6)).await;
            committed += 1;
        }
        owners.load(Ordering::Relaxed) >= 12
    })
    .await;
    tasks.extend([start(relay(&outbox, &sink), &stop), start(relay(&outbox, &sink), &stop)]);
    for n in 0..600 {
        commit(&outbox, &name, &format!("key-{}", n % 6)).await;
        committed += 1;
    }
    until("all is published", async || drained(&outbox).await).await;
    stop.cancel();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    fight.await.unwrap();
    let read = all(&brokers, &name).await;
    assert_eq!(whole_and_in_order(&read), (6, committed));
    assert!(read.len() > committed, "nothing was repeated, so nothing was tried");
}
