//! The barrier over a real database, for effects in the participant's own database.
#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::contract::{Verdict, keys};
use backstitch_services::{On, each_database};
use common::{Release, Reserve, STEP, Shop, Then, act, born, call, meta, undo, word};
use futures::future::join_all;
use participant_kit::{Kit, Op};
use uuid::Uuid;

each_database!(
    every_cell_answers_and_moves_the_row_as_the_table_says,
    a_do_happens_once_and_answers_the_same_however_often_it_is_asked_and_after_a_restart,
    another_request_under_the_same_key_is_broken_and_changes_nothing,
    a_refusal_takes_its_effect_back_and_is_kept_though_the_world_changes,
    what_is_no_answer_for_good_stores_nothing_and_can_be_repeated,
    an_undo_that_fails_stores_nothing_and_is_repeated,
    a_call_that_cannot_be_read_is_broken_and_changes_nothing,
    a_saga_whose_rows_may_be_gone_is_answered_expired_for_every_op,
);

each_database!(2 threads: of_racing_dos_undos_and_closes_one_decides_and_all_tell_the_same_story);

/// Brings a new saga's row into a state by the calls that lead there; doing and closing, which local calls never
/// write, by hand.
async fn saga_whose_row_is(shop: &Shop, state: &str) -> Uuid {
    let (saga, kit) = (Uuid::now_v7(), &shop.kit);
    match state {
        "absent" => {}
        "done" => assert_eq!(act(kit, saga, Op::Do, Reserve::of(1)).await, "done"),
        "refused" => {
            let refusing = Reserve::of(1).then(Then::Refuse);
            assert_eq!(act(kit, saga, Op::Do, refusing).await, "refused CHANGED_ITS_MIND");
        }
        "closed by an undo" => assert_eq!(undo(kit, saga, Release::of(1)).await, "done"),
        "closed by a close" => assert_eq!(act(kit, saga, Op::Close, Reserve::of(1)).await, "refused CLOSED"),
        "undone" => {
            assert_eq!(act(kit, saga, Op::Do, Reserve::of(1)).await, "done");
            assert_eq!(undo(kit, saga, Release::of(1)).await, "done");
        }
        open => {
            let (state, aim) = open.split_once(' ').unwrap_or((open, ""));
            sqlx::query("INSERT INTO barrier VALUES ($1, $2, $3, $4, NULL, NULL, 0)")
                .bind(saga.to_string())
                .bind(STEP)
                .bind(state)
                .bind(aim)
                .execute(kit.reads())
                .await
                .unwrap();
        }
    }
    saga
}

async fn every_cell_answers_and_moves_the_row_as_the_table_says(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 1000).await;
    // row before | do, row after | undo, row after | close, row after
    #[rustfmt::skip]
    let cells = [
        ("absent",            ("done", "done"),                        ("done", "closed"),          ("refused CLOSED", "closed")),
        ("doing",             ("broken", "doing"),                     ("broken", "doing"),         ("broken", "doing")),
        ("done",              ("done", "done"),                        ("done", "undone"),          ("done", "done")),
        ("refused",           ("refused CHANGED_ITS_MIND", "refused"), ("done", "refused"),         ("refused CHANGED_ITS_MIND", "refused")),
        ("closing close",     ("superseded", "closing close"),         ("broken", "closing close"), ("broken", "closing close")),
        ("closing undo",      ("superseded", "closing undo"),          ("broken", "closing undo"),  ("broken", "closing undo")),
        ("closed by an undo", ("superseded", "closed"),                ("done", "closed"),          ("refused CLOSED", "closed")),
        ("closed by a close", ("superseded", "closed"),                ("done", "closed"),          ("refused CLOSED", "closed")),
        ("undone",            ("superseded", "undone"),                ("done", "undone"),          ("refused CLOSED", "undone")),
    ];
    for (before, on_do, on_undo, on_close) in cells {
        // Twice: a repetition is answered as the first one was, from the state that the first one left.
        for (op, (answer, after)) in [(Op::Do, on_do), (Op::Undo, on_undo), (Op::Close, on_close)] {
            let saga = saga_whose_row_is(&shop, before).await;
            for time in 1..=2 {
                let heard = match op {
                    Op::Undo => undo(&shop.kit, saga, Release::of(1)).await,
                    op => act(&shop.kit, saga, op, Reserve::of(1)).await,
                };
                assert_eq!(heard, answer, "{op} on {before}, time {time}");
                assert_eq!(shop.row(saga, STEP).await, after, "{op} on {before}, time {time}");
            }
        }
    }
    assert_eq!(1000 - shop.effects("reserve").await + shop.effects("release").await, shop.left("tea").await);
}

async fn a_do_happens_once_and_answers_the_same_however_often_it_is_asked_and_after_a_restart(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = Uuid::now_v7();
    let first = shop.kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap().into_inner();
    for kit in [shop.kit.clone(), shop.reopen().await] {
        let again = kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap().into_inner();
        assert_eq!(again, first);
        let closed = kit.act(&meta(saga, STEP, Op::Close), Ok(Reserve::of(3))).await.unwrap().into_inner();
        assert_eq!(closed, first);
    }
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (1, 7));
}

async fn another_request_under_the_same_key_is_broken_and_changes_nothing(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    for before in ["done", "refused"] {
        let saga = saga_whose_row_is(&shop, before).await;
        let left = shop.left("tea").await;
        for op in [Op::Do, Op::Close] {
            assert_eq!(act(&shop.kit, saga, op, Reserve::of(2)).await, "broken", "{op} on {before}");
        }
        assert_eq!((shop.row(saga, STEP).await.as_str(), shop.left("tea").await), (before, left));
    }
}

async fn a_refusal_takes_its_effect_back_and_is_kept_though_the_world_changes(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 2).await;
    let saga = Uuid::now_v7();
    let status = shop.kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap_err();
    let key = call(saga, STEP, Op::Do).key();
    let Some(Verdict::Refused(refusal)) = Verdict::from_status(&status, "toy", &key) else {
        panic!("{status}")
    };
    assert_eq!((refusal.reason.as_str(), refusal.metadata["sku"].as_str()), ("OUT_OF_STOCK", "tea"));
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (0, 2));

    sqlx::query("UPDATE stock SET left_over = 100").execute(shop.kit.reads()).await.unwrap();
    let again = shop.kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap_err();
    assert_eq!(Verdict::from_status(&again, "toy", &key), Some(Verdict::Refused(refusal)));
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (0, 100));
}

async fn what_is_no_answer_for_good_stores_nothing_and_can_be_repeated(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    for (then, heard) in [(Then::NotNow, "not now"), (Then::BadSql, "not now"), (Then::Panic, "broken")] {
        let saga = Uuid::now_v7();
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1).then(then)).await, heard, "{then:?}");
        assert_eq!(shop.row(saga, STEP).await, "absent", "{then:?}");
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done", "after {then:?}");
    }
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (3, 7));
}

async fn an_undo_that_fails_stores_nothing_and_is_repeated(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let saga = saga_whose_row_is(&shop, "done").await;
    assert_eq!(undo(&shop.kit, saga, Release { quantity: 1, fails: true }).await, "broken");
    assert_eq!((shop.row(saga, STEP).await.as_str(), shop.left("tea").await), ("done", 9));
    assert_eq!(undo(&shop.kit, saga, Release::of(1)).await, "done");
    assert_eq!((shop.row(saga, STEP).await.as_str(), shop.left("tea").await), ("undone", 10));
}

async fn a_call_that_cannot_be_read_is_broken_and_changes_nothing(on: On) {
    let shop = Shop::open(on).await;
    let (kit, saga) = (&shop.kit, Uuid::now_v7());
    let unread = kit.act::<Reserve>(&meta(saga, STEP, Op::Do), Err("no quantity".into())).await;
    assert_eq!(word(saga, STEP, Op::Do, &unread), "broken");
    assert_eq!(act(kit, saga, Op::Undo, Reserve::of(1)).await, "broken");
    let misdirected = kit.take_back(&meta(saga, STEP, Op::Do), Ok(Release::of(1))).await;
    assert_eq!(word(saga, STEP, Op::Do, &misdirected), "broken");
    let mut nameless = meta(saga, STEP, Op::Do);
    nameless.remove(keys::SAGA_STEP);
    let nameless = kit.act(&nameless, Ok(Reserve::of(1))).await;
    assert_eq!(word(saga, STEP, Op::Do, &nameless), "broken");
    assert_eq!(shop.row(saga, STEP).await, "absent");
}

/// What one task of a race heard.
struct Heard {
    saga: Uuid,
    op: Op,
    word: String,
}

/// Do, undo and close of a few sagas from many tasks, through two participants over one file.
async fn race(shop: &Shop, other: &Kit, round: u128) -> Vec<Heard> {
    let sagas: Vec<Uuid> = (0..3).map(|_| Uuid::now_v7()).collect();
    let tasks = (0..36u128).map(|i| {
        // A small mixer, so that every round queues the ops in another order.
        let mixed = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(round * 2 + 1) >> 32;
        let saga = sagas[usize::try_from(mixed % 3).unwrap()];
        let op = [Op::Do, Op::Undo, Op::Close][usize::try_from(mixed / 3 % 3).unwrap()];
        let kit = if mixed / 9 % 2 == 0 { shop.kit.clone() } else { other.clone() };
        tokio::spawn(async move {
            let word = match op {
                Op::Undo => undo(&kit, saga, Release::of(1)).await,
                op => act(&kit, saga, op, Reserve::of(1)).await,
            };
            Heard { saga, op, word }
        })
    });
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

async fn of_racing_dos_undos_and_closes_one_decides_and_all_tell_the_same_story(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 100_000).await;
    let other = shop.reopen().await;
    let (mut performed, mut prevented) = (0, 0);
    for round in 0..25 {
        let heard = race(&shop, &other, round).await;
        let mut sagas: Vec<Uuid> = heard.iter().map(|h| h.saga).collect();
        sagas.sort_unstable();
        sagas.dedup();
        for saga in sagas {
            let count = |what: &'static str| {
                let query = sqlx::query_scalar::<_, i64>(
                    "SELECT COUNT(*) FROM effects WHERE saga_id = $1 AND what = $2",
                );
                query.bind(saga.to_string()).bind(what).fetch_one(shop.kit.reads())
            };
            let (done, undone) = (count("reserve").await.unwrap(), count("release").await.unwrap());
            let row = shop.row(saga, STEP).await;
            let any =
                |op: Op, word: &str| heard.iter().any(|h| h.saga == saga && h.op == op && h.word == word);
            assert!(done <= 1 && undone <= done, "{done} effects, {undone} taken back");
            if any(Op::Do, "done") || any(Op::Close, "done") {
                assert_eq!(done, 1, "somebody was told that it is done");
            }
            if any(Op::Undo, "done") || any(Op::Close, "refused CLOSED") || any(Op::Do, "superseded") {
                assert_eq!(done, undone, "somebody was told that nothing is left of it");
                assert!(row == "closed" || row == "undone", "{row}");
            }
            assert_eq!(row == "closed", done == 0, "{row}");
            performed += done;
            prevented += 1 - done;
        }
    }
    // The race is one: both ends of it were seen.
    assert!(performed > 5 && prevented > 5, "{performed} performed, {prevented} prevented");
    assert_eq!(
        shop.left("tea").await,
        100_000 - shop.effects("reserve").await + shop.effects("release").await
    );
}

async fn a_saga_whose_rows_may_be_gone_is_answered_expired_for_every_op(on: On) {
    let shop = Shop::open(on).await;
    shop.stock("tea", 10).await;
    let (old, young) = (born(1_600_000_000_000), born(1_600_000_000_001));
    for saga in [old, young] {
        assert_eq!(act(&shop.kit, saga, Op::Do, Reserve::of(1)).await, "done");
    }
    assert_eq!(shop.kit.purge(1_600_000_000_001, 100).await.unwrap(), 1);
    assert_eq!(
        (shop.row(old, STEP).await.as_str(), shop.row(young, STEP).await.as_str()),
        ("absent", "done")
    );

    // The mark survives a restart, and never goes back.
    assert_eq!(shop.kit.purge(1_500_000_000_000, 100).await.unwrap(), 0);
    for kit in [shop.kit.clone(), shop.reopen().await] {
        for op in [Op::Do, Op::Close] {
            assert_eq!(act(&kit, old, op, Reserve::of(1)).await, "broken", "{op}");
        }
        assert_eq!(undo(&kit, old, Release::of(1)).await, "broken");
        assert_eq!(act(&kit, young, Op::Do, Reserve::of(1)).await, "done");
    }
    assert_eq!(shop.effects("reserve").await, 2);
}
