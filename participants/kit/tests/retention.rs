//! What a participant forgets, and what it answers about it then.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_services::{On, each_database};
use common::{Release, Reserve, Shop, act, born, undo};
use participant_kit::{Background as _, Op, Progress, Retention};

each_database!(
    a_saga_is_known_up_to_its_last_millisecond_and_expired_from_the_next,
    what_one_process_has_forgotten_another_one_does_not_do_again,
    a_tick_deletes_a_bounded_number_and_rests_an_hour_when_none_are_left,
);

const KEEP: Duration = Duration::from_secs(45 * 24 * 60 * 60);
const KEEP_MS: i64 = 45 * 24 * 60 * 60 * 1000;
const HOUR_MS: i64 = 60 * 60 * 1000;
const BORN: u64 = 1_600_000_000_123;
const BORN_MS: i64 = 1_600_000_000_123;

async fn a_saga_is_known_up_to_its_last_millisecond_and_expired_from_the_next(on: On) {
    assert_eq!(Retention::DEFAULT, KEEP);
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = born(BORN);
    assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");

    let last = Retention::new(shop.kit.clone(), KEEP).tick(BORN_MS + KEEP_MS).await;
    assert_eq!(last, Progress::idle());
    for op in [Op::Do, Op::Close] {
        assert_eq!(act(&shop.kit, saga, op, Reserve::of(1)).await, "done", "{op}");
    }

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

async fn a_tick_deletes_a_bounded_number_and_rests_an_hour_when_none_are_left(on: On) {
    let shop = Shop::open(on).await;
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) \
         INSERT INTO barrier SELECT $1, 'step_' || i, 'closed', '', NULL, NULL, 0 FROM n",
    )
    .bind(born(BORN).to_string())
    .execute(shop.kit.reads())
    .await
    .unwrap();
    let retention = Retention::new(shop.kit.clone(), KEEP);
    let now = BORN_MS + KEEP_MS + 1;
    assert_eq!(retention.tick(now).await, Progress::done(1000, true));
    assert_eq!(retention.tick(now).await, Progress::done(1, false));
    let commits = shop.kit.counts().commits;
    assert_eq!(retention.tick(now + HOUR_MS - 1).await, Progress::idle());
    assert_eq!(shop.kit.counts().commits, commits, "a tick that is not due writes nothing");
    retention.tick(now + HOUR_MS).await;
    assert!(shop.kit.counts().commits > commits);
}
