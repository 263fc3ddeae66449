//! What a participant forgets, and what it answers about it then.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backstitch_proto::contract::{keys, tell_oldest_unfinished};
use backstitch_proto::inventory::ReserveResponse;
use backstitch_services::{On, each_database};
use common::provider::{Mood, Pay, Provider, Void};
use common::{Release, Reserve, STEP, Shop, act, born, meta, undo, word};
use participant_kit::{
    Action, Background as _, CallMeta, Identity, Kit, LockKey, Op, OpError, Progress, Resolver, Retention, Tx,
};
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};
use tokio::sync::Semaphore;
use tonic::metadata::{MetadataMap, MetadataValue};
use uuid::Uuid;

each_database!(
    a_saga_is_known_up_to_its_last_millisecond_and_expired_from_the_next,
    a_saga_that_has_not_ended_is_answered_however_old_it_is,
    who_is_told_nothing_that_can_be_believed_forgets_nothing,
    a_clock_that_is_ahead_forgets_nothing_while_sagas_do_not_follow_it,
    what_is_told_later_brings_no_mark_back,
    what_differs_is_heard_for_the_older_and_for_one_look,
    what_one_process_has_forgotten_another_one_does_not_do_again,
    a_row_that_stays_open_keeps_its_own_saga_and_no_other,
    a_saga_goes_whole_whatever_the_limit_and_is_answered_until_then,
    what_was_deleted_row_by_row_before_is_not_taken_for_what_never_was,
    a_saga_too_young_to_be_forgotten_is_not_whatever_is_asked,
    a_tick_deletes_a_bounded_number_and_rests_an_hour_when_none_are_left,
);

each_database!(2 threads:
    a_call_that_is_under_way_and_a_purge_leave_a_saga_whole,
    a_call_and_a_purge_that_wait_for_one_writer_leave_a_saga_whole,
);

const KEEP: Duration = Duration::from_secs(45 * 24 * 60 * 60);
const KEEP_MS: i64 = 45 * 24 * 60 * 60 * 1000;
const HOUR_MS: i64 = 60 * 60 * 1000;
const BORN: u64 = 1_600_000_000_123;
const BORN_MS: i64 = 1_600_000_000_123;

/// What the participant's clock shows.
const NOW_MS: i64 = 1_700_000_000_000;

/// A saga born at `newest_ms` calls, without any effect, and tells when the oldest that has not ended was born.
async fn tell(kit: &Kit, newest_ms: i64, oldest_ms: i64) {
    let saga = born(u64::try_from(newest_ms).unwrap());
    let mut meta: MetadataMap = meta(saga, STEP, Op::Close);
    tell_oldest_unfinished(&mut meta, oldest_ms);
    let ended = kit.act(&meta, Ok(Reserve::of(1))).await;
    assert_eq!(word(saga, STEP, Op::Close, &ended), "refused CLOSED");
}

async fn a_saga_is_known_up_to_its_last_millisecond_and_expired_from_the_next(on: On) {
    assert_eq!(Retention::DEFAULT, KEEP);
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");

    // What is of a later time than now is not the newest yet.
    for newest in [BORN_MS + KEEP_MS, BORN_MS + KEEP_MS + 1] {
        tell(&shop.kit, newest, NOW_MS).await;
    }
    let last = Retention::new(shop.kit.clone(), KEEP).tick(BORN_MS + KEEP_MS).await;
    assert_eq!(last, Progress::idle());
    for op in [Op::Do, Op::Close] {
        assert_eq!(act(&shop.kit, saga, op, Reserve::of(1)).await, "done", "{op}");
    }

    tell(&shop.kit, BORN_MS + KEEP_MS, NOW_MS).await;
    let gone = Retention::new(shop.kit.clone(), KEEP).tick(BORN_MS + KEEP_MS + 1).await;
    assert_eq!(gone, Progress::done(1, false));
    // Of this saga nothing is left; of another one that old there never was anything. Neither gets an effect.
    for saga in [saga, born(BORN)] {
        for op in [Op::Do, Op::Close] {
            assert_eq!(act(&shop.kit, saga, op, Reserve::of(1)).await, "broken", "{op}");
        }
        assert_eq!(undo(&shop.kit, saga, Release::of(1)).await, "broken");
    }
    assert_eq!(act(&shop.kit, born(BORN + 1), Op::Do, Reserve::of(1)).await, "done");
    assert_eq!((shop.effects("reserve").await, shop.effects("release").await), (2, 0));
}

async fn a_saga_that_has_not_ended_is_answered_however_old_it_is(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (older, parked, absent) = (born(BORN - 1), born(BORN), born(BORN));
    for saga in [older, parked] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    let look = async |oldest_ms| {
        tell(&shop.kit, BORN_MS + 2 * KEEP_MS, oldest_ms).await;
        Retention::new(shop.kit.clone(), KEEP).tick(BORN_MS + 2 * KEEP_MS).await
    };
    // The oldest that has not ended was born when these two were.
    assert_eq!(look(BORN_MS).await, Progress::done(1, false));
    assert_eq!(act(&shop.kit, older, Op::Close, Reserve::of(1)).await, "broken");
    for kit in [shop.kit.clone(), shop.reopen().await] {
        for op in [Op::Do, Op::Close] {
            assert_eq!(act(&kit, parked, op, Reserve::of(1)).await, "done", "{op}");
        }
    }
    // A step that it comes to only now, and a saga that never was here.
    assert_eq!(late(&shop.kit, parked, Op::Do, Reserve::of(1)).await, "done");
    assert_eq!(act(&shop.kit, absent, Op::Do, Reserve::of(1)).await, "done");
    assert_eq!(undo(&shop.kit, absent, Release::of(1)).await, "done");
    assert_eq!(act(&shop.kit, absent, Op::Do, Reserve::of(1)).await, "superseded");
    assert_eq!(undo(&shop.kit, parked, Release::of(1)).await, "done");
    let effects = async || (shop.effects("reserve").await, shop.effects("release").await);
    assert_eq!(effects().await, (4, 2));

    // It has ended, and the next one was born a millisecond later.
    assert_eq!(look(BORN_MS + 1).await, Progress::done(3, false));
    for saga in [parked, absent] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "broken");
        assert_eq!(undo(&shop.kit, saga, Release::of(1)).await, "broken");
    }
    assert_eq!(effects().await, (4, 2));
}

async fn who_is_told_nothing_that_can_be_believed_forgets_nothing(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    let retention = Retention::new(shop.kit.clone(), KEEP);
    let future = (NOW_MS + 1).to_string();
    for told in [None, Some("soon"), Some("-1"), Some(""), Some(future.as_str())] {
        let newest = born(u64::try_from(NOW_MS).unwrap());
        let mut meta = meta(newest, STEP, Op::Do);
        if let Some(told) = told {
            meta.insert(keys::OLDEST_UNFINISHED_MS, MetadataValue::try_from(told).unwrap());
        }
        // Nobody's money waits for what cannot be read.
        assert_eq!(word(newest, STEP, Op::Do, &shop.kit.act(&meta, Ok(Reserve::of(1))).await), "done");
        assert_eq!(retention.tick(NOW_MS).await, Progress::idle(), "{told:?}");
        assert_eq!(rows(&shop.kit, saga).await, 1, "{told:?}");
        assert_eq!(shop.kit.answers_from().await.unwrap(), None, "{told:?}");
    }
    // What one process was told another one does not know.
    let other = shop.reopen().await;
    tell(&shop.kit, NOW_MS, NOW_MS).await;
    assert_eq!(Retention::new(other, KEEP).tick(NOW_MS).await, Progress::idle());
    assert_eq!(rows(&shop.kit, saga).await, 1);
    // It did not rest for an hour meanwhile.
    assert_eq!(retention.tick(NOW_MS).await, Progress::done(1, false));
    assert_eq!(rows(&shop.kit, saga).await, 0);
}

async fn a_clock_that_is_ahead_forgets_nothing_while_sagas_do_not_follow_it(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    // Of another kind, and greater than any of the time.
    let ageless: Uuid = "ffffffff-ffff-8fff-bfff-ffffffffffff".parse().unwrap();
    assert_eq!(act(&shop.kit, ageless, Op::Do, Reserve::of(1)).await, "done");
    // Caller and participant have the same wrong clock, and nothing is unfinished.
    let ahead_ms = NOW_MS + 100 * KEEP_MS;
    shop.clock.set(ahead_ms);
    tell(&shop.kit, BORN_MS + KEEP_MS, ahead_ms).await;
    assert_eq!(Retention::new(shop.kit.clone(), KEEP).tick(ahead_ms).await, Progress::idle());
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    assert_eq!(late(&shop.kit, born(BORN), Op::Do, Reserve::of(1)).await, "done");

    // The clock is right again, and one saga was born a millisecond later.
    shop.clock.set(NOW_MS);
    tell(&shop.kit, BORN_MS + KEEP_MS + 1, NOW_MS).await;
    let retention = Retention::new(shop.kit.clone(), KEEP);
    assert_eq!(retention.tick(NOW_MS).await, Progress::done(2, false));
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "broken");

    // While it was ahead it was looked for the last time, and yet the next time is not in a hundred years.
    let (retention, old) = (Retention::new(shop.kit.clone(), KEEP), born(BORN + 2));
    shop.clock.set(ahead_ms);
    tell(&shop.kit, BORN_MS + KEEP_MS + 2, ahead_ms).await;
    assert_eq!(retention.tick(ahead_ms).await, Progress::idle());
    assert_eq!(act(&shop.kit, old, Op::Do, Reserve::of(1)).await, "done");
    shop.clock.set(NOW_MS);
    tell(&shop.kit, BORN_MS + KEEP_MS + 3, NOW_MS).await;
    assert_eq!(retention.tick(NOW_MS).await, Progress::done(1, false));
}

async fn what_is_told_later_brings_no_mark_back(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (gone, kept) = (born(BORN), born(BORN - 1));
    assert_eq!(act(&shop.kit, gone, Op::Do, Reserve::of(1)).await, "done");
    tell(&shop.kit, NOW_MS, BORN_MS + 1).await;
    assert_eq!(Retention::new(shop.kit.clone(), KEEP).tick(NOW_MS).await, Progress::done(1, false));
    let from = shop.kit.answers_from().await.unwrap();
    // A store was restored from a copy, and sagas are unfinished again whose rows were forgotten. One was not: it is kept.
    sqlx::query("INSERT INTO barrier VALUES ($1, 'kept', 'done', '', NULL, NULL, 0)")
        .bind(kept.to_string())
        .execute(shop.kit.reads())
        .await
        .unwrap();
    tell(&shop.kit, NOW_MS, BORN_MS - 1).await;
    assert_eq!(Retention::new(shop.kit.clone(), KEEP).tick(NOW_MS).await, Progress::idle());
    assert_eq!(shop.kit.answers_from().await.unwrap(), from);
    for saga in [gone, born(BORN - 1)] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "broken");
    }
    assert_eq!(rows(&shop.kit, kept).await, 1);
    assert_eq!(late(&shop.kit, kept, Op::Do, Reserve::of(1)).await, "done");
}

async fn what_differs_is_heard_for_the_older_and_for_one_look(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    for oldest_ms in [NOW_MS, BORN_MS, NOW_MS] {
        tell(&shop.kit, NOW_MS, oldest_ms).await;
    }
    let retention = Retention::new(shop.kit.clone(), KEEP);
    assert_eq!(retention.tick(NOW_MS).await, Progress::idle());
    assert_eq!(rows(&shop.kit, saga).await, 1);
    // The next look waits for an hour and for somebody who tells.
    let later_ms = NOW_MS + HOUR_MS;
    assert_eq!(retention.tick(later_ms).await, Progress::idle());
    assert_eq!(rows(&shop.kit, saga).await, 1);
    tell(&shop.kit, NOW_MS, NOW_MS).await;
    assert_eq!(retention.tick(later_ms).await, Progress::done(1, false));
    assert_eq!(rows(&shop.kit, saga).await, 0);
}

async fn what_one_process_has_forgotten_another_one_does_not_do_again(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (done, undone) = (born(BORN), born(BORN));
    for saga in [done, undone] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    // Its mark is older than what the first process does now.
    let other = shop.reopen().await;
    assert_eq!(shop.kit.purge(BORN_MS + 1, 100).await.unwrap(), 2);
    for op in [Op::Do, Op::Close] {
        assert_eq!(act(&other, done, op, Reserve::of(1)).await, "broken", "{op}");
    }
    assert_eq!(undo(&other, undone, Release::of(1)).await, "broken");
    assert_eq!((shop.effects("reserve").await, shop.effects("release").await), (2, 0));
}

/// The step at the provider.
const PAY: &str = "authorize_payment";
/// A step that is asked for late.
const LATE: &str = "late";

async fn pay(kit: &Kit, saga: Uuid, op: Op, provider: &Provider) -> String {
    let pay = Pay::new(provider, Mood::SilentNotExecuted);
    let ended = kit.act_outside(&meta(saga, PAY, op), Ok(pay)).await;
    word(saga, PAY, op, &ended)
}

async fn late<A: Action>(kit: &Kit, saga: Uuid, op: Op, action: A) -> String {
    word(saga, LATE, op, &kit.act(&meta(saga, LATE, op), Ok(action)).await)
}

async fn rows(kit: &Kit, saga: Uuid) -> i64 {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM barrier WHERE saga_id = $1").bind(saga.to_string());
    count.fetch_one(kit.reads()).await.unwrap()
}

async fn a_row_that_stays_open_keeps_its_own_saga_and_no_other(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let provider = Provider::open();
    let (older, closing, doing, younger) = (born(BORN - 1), born(BORN), born(BORN), born(BORN + 1));
    for saga in [older, closing, doing, younger] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    for saga in [closing, doing] {
        assert_eq!(pay(&shop.kit, saga, Op::Do, &provider).await, "unknown");
    }
    provider.goes_down(true);
    assert_eq!(pay(&shop.kit, closing, Op::Close, &provider).await, "not now");

    assert_eq!(shop.kit.purge(BORN_MS + 1, 100).await.unwrap(), 1);
    assert_eq!(rows(&shop.kit, older).await, 0, "it does not wait for the open ones");
    assert_eq!(rows(&shop.kit, younger).await, 1, "it is not older than the mark");
    assert_eq!(shop.kit.purge(BORN_MS + 2, 100).await.unwrap(), 1);
    assert_eq!(rows(&shop.kit, younger).await, 0);
    assert_eq!((rows(&shop.kit, closing).await, rows(&shop.kit, doing).await), (2, 2));
    for saga in [older, younger] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "broken");
        assert_eq!(undo(&shop.kit, saga, Release::of(1)).await, "broken");
    }

    // Served as ever, by any process: what was done is answered, what never was is done, once.
    for kit in [shop.kit.clone(), shop.reopen().await] {
        for saga in [closing, doing] {
            for op in [Op::Do, Op::Close] {
                assert_eq!(act(&kit, saga, op, Reserve::of(1)).await, "done", "{op}");
            }
            assert_eq!(late(&kit, saga, Op::Do, Reserve::of(2)).await, "done");
        }
        assert_eq!(pay(&kit, doing, Op::Do, &provider).await, "unknown");
        assert_eq!(pay(&kit, closing, Op::Close, &provider).await, "not now");
    }
    for _ in 0..2 {
        assert_eq!(undo(&shop.kit, doing, Release::of(1)).await, "done");
        assert_eq!(act(&shop.kit, doing, Op::Close, Reserve::of(1)).await, "refused CLOSED");
    }
    // The four, and one late step of each kept saga.
    assert_eq!((shop.effects("reserve").await, shop.effects("release").await), (6, 1));
    assert_eq!((provider.mutations(doing), provider.mutations(closing)), (1, 1));

    // Settled, one by the tick and one by its saga, they go like all others: whole, and for good.
    provider.goes_down(false);
    let (pays, voids) = (provider.clone(), provider.clone());
    let resolver = Resolver::new(shop.kit.clone())
        .action("pay", move |bytes| Pay::decode(&pays, bytes))
        .undo("void", move |_| Ok(Void::new(&voids)));
    let ended = shop.kit.take_back_outside(&meta(doing, PAY, Op::Undo), Ok(Void::new(&provider))).await;
    assert_eq!(word(doing, PAY, Op::Undo, &ended), "done");
    resolver.tick(i64::MAX / 2).await;
    assert_eq!(shop.row(closing, PAY).await, "closed");
    assert_eq!(shop.kit.purge(BORN_MS + 1, 100).await.unwrap(), 6);
    for saga in [closing, doing] {
        for op in [Op::Do, Op::Close] {
            assert_eq!(act(&shop.kit, saga, op, Reserve::of(1)).await, "broken", "{op}");
            assert_eq!(pay(&shop.kit, saga, op, &provider).await, "broken", "{op}");
        }
        assert_eq!(undo(&shop.kit, saga, Release::of(1)).await, "broken");
    }
    assert_eq!((shop.effects("reserve").await, shop.effects("release").await), (6, 1));
}

async fn a_saga_goes_whole_whatever_the_limit_and_is_answered_until_then(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let sagas = [born(BORN), born(BORN + 1), born(BORN + 2)];
    for saga in sagas {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
        assert_eq!(late(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    // At the limit, and one past it: the row that is too many goes with its saga.
    let left = async || [rows(&shop.kit, sagas[0]).await, rows(&shop.kit, sagas[1]).await];
    assert_eq!(shop.kit.purge(BORN_MS + 2, 2).await.unwrap(), 2);
    assert_eq!(left().await, [0, 2]);
    assert_eq!(act(&shop.kit, sagas[0], Op::Do, Reserve::of(1)).await, "broken");
    // Older than the mark, and not gone yet.
    assert_eq!(act(&shop.kit, sagas[1], Op::Do, Reserve::of(1)).await, "done");
    assert_eq!(shop.kit.purge(BORN_MS + 2, 1).await.unwrap(), 2);
    assert_eq!(left().await, [0, 0]);
    assert_eq!(shop.kit.purge(BORN_MS + 2, 1).await.unwrap(), 0);
    assert_eq!(rows(&shop.kit, sagas[2]).await, 2);
    assert_eq!(shop.kit.purge(BORN_MS + 3, 3).await.unwrap(), 2);
    assert_eq!(shop.effects("reserve").await, 6);
}

async fn what_was_deleted_row_by_row_before_is_not_taken_for_what_never_was(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (cut, whole) = (born(BORN), born(BORN + 1));
    for saga in [cut, whole] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    // As the migration leaves a mark that was raised by a program of before: of `cut` a row may be gone.
    sqlx::query("INSERT INTO barrier_forgotten (one, before_ms, whole_from_ms) VALUES (1, $1, $2)")
        .bind(BORN_MS + 2)
        .bind(BORN_MS + 1)
        .execute(shop.kit.reads())
        .await
        .unwrap();
    assert_eq!(late(&shop.kit, cut, Op::Do, Reserve::of(1)).await, "broken");
    assert_eq!(late(&shop.kit, whole, Op::Do, Reserve::of(1)).await, "done");
    assert_eq!(act(&shop.kit, cut, Op::Do, Reserve::of(1)).await, "done", "the row itself has its answer");
    assert_eq!(shop.kit.purge(BORN_MS + 3, 100).await.unwrap(), 3);
    assert_eq!(act(&shop.kit, cut, Op::Do, Reserve::of(1)).await, "broken");
    assert_eq!(shop.effects("reserve").await, 3);
}

async fn a_saga_too_young_to_be_forgotten_is_not_whatever_is_asked(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let day = 24 * 60 * 60 * 1000;
    let now = u64::try_from(participant_kit::Clock::now_ms(&shop.clock)).unwrap();
    let (old, young) = (born(now - day - 1), born(now - day));
    for saga in [old, young] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    assert_eq!(shop.kit.purge(i64::MAX, 100).await.unwrap(), 1);
    assert_eq!((rows(&shop.kit, old).await, rows(&shop.kit, young).await), (0, 1));
    assert_eq!(late(&shop.kit, born(now - day), Op::Do, Reserve::of(1)).await, "done");
}

/// Has its effect, and stays in its transaction until it is let go.
#[derive(Clone)]
struct Slow {
    arrived: Arc<Semaphore>,
    gate: Arc<Semaphore>,
}

#[async_trait]
impl Action for Slow {
    type Answer = ReserveResponse;

    fn identity(&self) -> Identity {
        Identity::new("Slow")
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<ReserveResponse, OpError> {
        common::effect(tx, call, "slow").await?;
        self.arrived.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        Ok(ReserveResponse::default())
    }
}

/// Yields until `ready`; not for ever.
async fn until(ready: impl AsyncFn() -> bool) {
    let waited = async {
        while !ready().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.unwrap();
}

/// Whether somebody waits for another transaction's lock.
async fn is_blocked(on: On, url: &str) -> bool {
    if on == On::Sqlite {
        // The file's writer is waited for by whoever comes second, without a trace.
        return true;
    }
    let sql = "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'";
    let mut conn = AnyConnection::connect(url).await.unwrap();
    sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut conn).await.unwrap() > 0
}

async fn a_call_that_is_under_way_and_a_purge_leave_a_saga_whole(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (other, saga) = (shop.reopen().await, born(BORN));
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    // The mark is above it, and it is not gone yet.
    shop.kit.purge(BORN_MS + 1, 0).await.unwrap();
    assert_eq!(rows(&shop.kit, saga).await, 1);

    let (arrived, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let slow = Slow { arrived: arrived.clone(), gate: gate.clone() };
    let kit = shop.kit.clone();
    let call = tokio::spawn(async move { late(&kit, saga, Op::Do, slow).await });
    arrived.acquire().await.unwrap().forget();
    let purge = tokio::spawn(async move { other.purge(BORN_MS + 1, 100).await });
    until(async || purge.is_finished() || is_blocked(on, &shop.url).await).await;
    gate.add_permits(1);
    assert_eq!(call.await.unwrap(), "done");
    purge.await.unwrap().unwrap();

    // With the row that was under way, or without any.
    assert!([0, 2].contains(&rows(&shop.kit, saga).await), "a part of it is gone");
    let again = act(&shop.kit, saga, Op::Do, Reserve::of(1)).await;
    assert!(["done", "broken"].contains(&again.as_str()), "{again}");
    assert_eq!(shop.effects("reserve").await, 1, "what is gone was not done again");
    shop.kit.purge(BORN_MS + 1, 100).await.unwrap();
    assert_eq!(rows(&shop.kit, saga).await, 0);
}

async fn a_call_and_a_purge_that_wait_for_one_writer_leave_a_saga_whole(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    shop.kit.purge(BORN_MS + 1, 0).await.unwrap();

    let (arrived, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let slow = Slow { arrived: arrived.clone(), gate: gate.clone() };
    let (kit, first, second) = (shop.kit.clone(), shop.kit.clone(), shop.kit.clone());
    let ahead = tokio::spawn(async move { late(&kit, Uuid::now_v7(), Op::Do, slow).await });
    arrived.acquire().await.unwrap().forget();
    // In this order, and as far as one can make them: in one batch, if they let each other.
    let call = tokio::spawn(async move { late(&first, saga, Op::Do, Reserve::of(1)).await });
    let purge = tokio::spawn(async move { second.purge(BORN_MS + 1, 100).await });
    for _ in 0..100 {
        rows(&shop.kit, saga).await;
    }
    gate.add_permits(1);
    assert_eq!((ahead.await.unwrap().as_str(), call.await.unwrap().as_str()), ("done", "done"));
    purge.await.unwrap().unwrap();
    assert_eq!(rows(&shop.kit, saga).await, 0, "the call came first, and its row went as well");
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "broken");
    assert_eq!(shop.effects("reserve").await, 2);
}

async fn a_tick_deletes_a_bounded_number_and_rests_an_hour_when_none_are_left(on: On) {
    let shop = Shop::open(on).await;
    // Two rows of each but the youngest.
    let sagas: Vec<String> = (0..501).map(|n| born(BORN - 500 + n).to_string()).collect();
    for (step, sagas) in [("one", &sagas[..]), ("two", &sagas[..500])] {
        for sagas in sagas.chunks(100) {
            let place = |n: usize| format!("(${n}, '{step}', 'closed', '', NULL, NULL, 0)");
            let places: Vec<String> = (1..=sagas.len()).map(place).collect();
            let insert = AssertSqlSafe(format!("INSERT INTO barrier VALUES {}", places.join(", ")));
            let query = sagas.iter().fold(sqlx::query(insert), |query, saga| query.bind(saga.clone()));
            query.execute(shop.kit.reads()).await.unwrap();
        }
    }
    let retention = Retention::new(shop.kit.clone(), KEEP);
    let now = BORN_MS + KEEP_MS + 1;
    tell(&shop.kit, now, NOW_MS).await;
    assert_eq!(retention.tick(now).await, Progress::done(1000, true));
    assert_eq!(retention.tick(now).await, Progress::done(1, false));
    tell(&shop.kit, now, NOW_MS).await;
    let commits = shop.kit.counts().commits;
    assert_eq!(retention.tick(now + HOUR_MS - 1).await, Progress::idle());
    assert_eq!(shop.kit.counts().commits, commits, "a tick that is not due writes nothing");
    retention.tick(now + HOUR_MS).await;
    assert!(shop.kit.counts().commits > commits);
}
