//! The barrier over a real database, for effects at an outside provider.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use backstitch_services::{On, each_database};
use common::provider::{Mood, Object, Pay, Provider, Void};
use common::{SCHEMA, Shop, meta, word};
use futures::future::join_all;
use participant_kit::{Background as _, Kit, Op, Resolver};
use uuid::Uuid;

each_database!(
    every_cell_answers_moves_the_row_and_reaches_the_provider_as_the_table_says,
    another_request_under_the_same_key_is_broken_and_reaches_nobody,
    an_intent_that_is_refused_reaches_nobody_and_is_kept,
    the_customer_is_waited_for_and_what_does_not_change_is_recorded_once,
    a_reply_that_makes_no_sense_is_broken_and_settles_nothing,
    a_dropped_request_cancels_nothing,
    an_undo_during_the_call_waits_for_it_and_then_takes_back_what_it_did,
    a_close_during_the_call_waits_for_it_and_then_finds_what_it_did,
    a_call_that_panics_leaves_its_row_to_be_read,
    a_result_that_cannot_be_recorded_is_unknown_and_is_read_again,
    a_crash_between_doing_and_its_record_is_settled_by_the_tick,
    a_row_that_cannot_be_settled_is_taken_up_at_growing_intervals_and_never_mutates,
    closing_rows_are_settled_by_the_tick_as_what_they_are_for,
    a_row_nobody_knows_how_to_go_on_with_is_told_and_stops_nobody,
);

each_database!(2 threads: of_racing_calls_one_decides_the_provider_is_asked_once_and_all_tell_the_same_story);

const STEP: &str = "authorize_payment";
/// Later than any row is due.
const MUCH_LATER: i64 = 3_600_000;

async fn act(kit: &Kit, saga: Uuid, op: Op, pay: Pay) -> String {
    match kit.act_outside(&meta(saga, STEP, op), Ok(pay)).await {
        Ok(answer) => answer.into_inner().reservation_id,
        refused => word(saga, STEP, op, &refused),
    }
}

async fn undo(kit: &Kit, saga: Uuid, provider: &Provider) -> String {
    let ended = kit.take_back_outside(&meta(saga, STEP, Op::Undo), Ok(Void::new(provider))).await;
    word(saga, STEP, Op::Undo, &ended)
}

fn resolver(kit: &Kit, provider: &Provider) -> Resolver {
    let provider = provider.clone();
    let other = provider.clone();
    Resolver::new(kit.clone())
        .action("pay", move |bytes| Pay::decode(&provider, bytes))
        .undo("void", move |_| Ok(Void::new(&other)))
}

/// Yields until the row is in `state`: for what runs in a task that nobody waits for any more.
async fn until_row_is(shop: &Shop, saga: Uuid, state: &str) {
    let reached = async {
        while shop.row(saga, STEP).await != state {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
}

async fn open_rows(shop: &Shop) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM barrier_open").fetch_one(shop.kit.reads()).await.unwrap()
}

/// Brings a new saga's row into a state by the calls that lead there.
async fn saga_whose_row_is(shop: &Shop, provider: &Provider, state: &str) -> Uuid {
    let (saga, kit) = (Uuid::now_v7(), &shop.kit);
    let pay = |mood| Pay::new(provider, mood);
    match state {
        "absent" => {}
        "doing" => assert_eq!(act(kit, saga, Op::Do, pay(Mood::SilentNotExecuted)).await, "unknown"),
        "doing, executed" => assert_eq!(act(kit, saga, Op::Do, pay(Mood::SilentExecuted)).await, "unknown"),
        "doing, waiting" => assert_eq!(act(kit, saga, Op::Do, pay(Mood::Waits)).await, "waiting"),
        "done" => assert_eq!(act(kit, saga, Op::Do, pay(Mood::Fine)).await, "paid"),
        "refused" => assert_eq!(act(kit, saga, Op::Do, pay(Mood::Declines)).await, "refused DECLINED"),
        "closed" => assert_eq!(act(kit, saga, Op::Close, pay(Mood::Fine)).await, "refused CLOSED"),
        "undone" => {
            assert_eq!(act(kit, saga, Op::Do, pay(Mood::Fine)).await, "paid");
            assert_eq!(undo(kit, saga, provider).await, "done");
        }
        "closing close" | "closing undo" => {
            assert_eq!(act(kit, saga, Op::Do, pay(Mood::SilentExecuted)).await, "unknown");
            provider.goes_down(true);
            let heard = match state {
                "closing close" => act(kit, saga, Op::Close, pay(Mood::Fine)).await,
                _ => undo(kit, saga, provider).await,
            };
            assert_eq!((heard.as_str(), shop.row(saga, STEP).await.as_str()), ("not now", state));
            provider.goes_down(false);
        }
        other => panic!("{other}"),
    }
    saga
}

async fn every_cell_answers_moves_the_row_and_reaches_the_provider_as_the_table_says(on: On) {
    let shop = Shop::open(on).await;
    let provider = Provider::open();
    let pay = Pay::new(&provider, Mood::Fine);
    // row before | do, row after | undo, row after | close, row after
    #[rustfmt::skip]
    let cells = [
        ("absent",          ("paid", "done"),                ("done", "closed"),   ("refused CLOSED", "closed")),
        ("doing",           ("unknown", "doing"),            ("done", "undone"),   ("refused CANCELLED", "closed")),
        ("doing, executed", ("paid", "done"),                ("done", "undone"),   ("paid", "done")),
        ("doing, waiting",  ("waiting", "doing"),            ("done", "undone"),   ("refused CANCELLED", "closed")),
        ("done",            ("paid", "done"),                ("done", "undone"),   ("paid", "done")),
        ("refused",         ("refused DECLINED", "refused"), ("done", "refused"),  ("refused DECLINED", "refused")),
        ("closing close",   ("superseded", "closing close"), ("done", "undone"),   ("paid", "done")),
        ("closing undo",    ("superseded", "closing undo"),  ("done", "undone"),   ("not now", "closing undo")),
        ("closed",          ("superseded", "closed"),        ("done", "closed"),   ("refused CLOSED", "closed")),
        ("undone",          ("superseded", "undone"),        ("done", "undone"),   ("refused CLOSED", "undone")),
    ];
    for (before, on_do, on_undo, on_close) in cells {
        for (op, (answer, after)) in [(Op::Do, on_do), (Op::Undo, on_undo), (Op::Close, on_close)] {
            let saga = saga_whose_row_is(&shop, &provider, before).await;
            for time in 1..=2 {
                let heard = match op {
                    Op::Undo => undo(&shop.kit, saga, &provider).await,
                    op => act(&shop.kit, saga, op, pay.clone()).await,
                };
                assert_eq!(heard, answer, "{op} on {before}, time {time}");
                assert_eq!(shop.row(saga, STEP).await, after, "{op} on {before}, time {time}");
            }
            assert!(provider.mutations(saga) <= 1, "{op} on {before}");
            if op == Op::Undo {
                assert!(
                    !matches!(provider.object(saga), Some(Object::Executed | Object::Waiting)),
                    "{before}"
                );
            }
        }
    }
}

async fn another_request_under_the_same_key_is_broken_and_reaches_nobody(on: On) {
    let shop = Shop::open(on).await;
    let provider = Provider::open();
    for before in ["doing", "done", "refused", "closing close"] {
        let saga = saga_whose_row_is(&shop, &provider, before).await;
        let other = Pay { amount: 6, ..Pay::new(&provider, Mood::Fine) };
        if before != "closing close" {
            assert_eq!(act(&shop.kit, saga, Op::Do, other.clone()).await, "broken", "do on {before}");
        }
        assert_eq!(act(&shop.kit, saga, Op::Close, other).await, "broken", "close on {before}");
        assert_eq!((shop.row(saga, STEP).await.as_str(), provider.mutations(saga)), (before, 1));
    }
}

async fn an_intent_that_is_refused_reaches_nobody_and_is_kept(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::open(), Uuid::now_v7());
    let negative = Pay { amount: -1, ..Pay::new(&provider, Mood::Fine) };
    for _ in 0..2 {
        assert_eq!(act(&shop.kit, saga, Op::Do, negative.clone()).await, "refused NEGATIVE");
    }
    assert_eq!((shop.row(saga, STEP).await.as_str(), provider.mutations(saga)), ("refused", 0));
    assert_eq!((shop.effects("pay intended").await, open_rows(&shop).await), (0, 0));
}

async fn the_customer_is_waited_for_and_what_does_not_change_is_recorded_once(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::open(), Uuid::now_v7());
    let pay = Pay::new(&provider, Mood::Waits);
    for _ in 0..3 {
        assert_eq!(act(&shop.kit, saga, Op::Do, pay.clone()).await, "waiting");
    }
    assert_eq!(shop.effects("pay recorded pending").await, 1);
    // A silent provider does not make the customer's waiting an unknown... it is one, for this attempt.
    provider.goes_down(true);
    assert_eq!(act(&shop.kit, saga, Op::Do, pay.clone()).await, "unknown");
    provider.goes_down(false);
    provider.customer_pays(saga);
    assert_eq!(act(&shop.kit, saga, Op::Do, pay).await, "paid");
    assert_eq!((shop.effects("pay recorded done").await, provider.mutations(saga)), (1, 1));
    assert_eq!(open_rows(&shop).await, 0);
}

async fn a_reply_that_makes_no_sense_is_broken_and_settles_nothing(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::open(), Uuid::now_v7());
    assert_eq!(act(&shop.kit, saga, Op::Do, Pay::new(&provider, Mood::Garbage)).await, "broken");
    assert_eq!(shop.row(saga, STEP).await, "doing");
    assert_eq!(undo(&shop.kit, saga, &provider).await, "done");
    assert_eq!(provider.object(saga), Some(Object::Refunded));
}

async fn a_dropped_request_cancels_nothing(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::gated(), Uuid::now_v7());
    let (kit, pay) = (shop.kit.clone(), Pay::new(&provider, Mood::Fine));
    let request = tokio::spawn(async move { act(&kit, saga, Op::Do, pay).await });
    provider.arrival().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());

    // While it is there nobody else goes: a repetition hears that it is under way.
    let again = Pay::new(&provider, Mood::Fine);
    assert_eq!(act(&shop.kit, saga, Op::Do, again.clone()).await, "unknown");
    provider.let_through(1);
    until_row_is(&shop, saga, "done").await;
    assert_eq!(act(&shop.kit, saga, Op::Do, again).await, "paid");
    assert_eq!((provider.mutations(saga), shop.effects("pay recorded done").await), (1, 1));
}

async fn an_undo_during_the_call_waits_for_it_and_then_takes_back_what_it_did(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::gated(), Uuid::now_v7());
    let (kit, pay) = (shop.kit.clone(), Pay::new(&provider, Mood::Fine));
    let request = tokio::spawn(async move { act(&kit, saga, Op::Do, pay).await });
    provider.arrival().await;
    assert_eq!(undo(&shop.kit, saga, &provider).await, "not now");
    assert_eq!(provider.object(saga), None);
    provider.let_through(1);
    assert_eq!(request.await.unwrap(), "superseded");
    assert_eq!(undo(&shop.kit, saga, &provider).await, "done");
    assert_eq!((provider.object(saga), provider.mutations(saga)), (Some(Object::Refunded), 1));
    // The effect was never told as one.
    assert_eq!((shop.effects("pay recorded done").await, shop.effects("void recorded").await), (0, 1));
}

async fn a_close_during_the_call_waits_for_it_and_then_finds_what_it_did(on: On) {
    let shop = Shop::open(on).await;
    for (mood, heard) in [(Mood::Fine, "paid"), (Mood::SilentNotExecuted, "refused CANCELLED")] {
        let (provider, saga) = (Provider::gated(), Uuid::now_v7());
        let (kit, pay) = (shop.kit.clone(), Pay::new(&provider, mood));
        let doing = pay.clone();
        let request = tokio::spawn(async move { act(&kit, saga, Op::Do, doing).await });
        provider.arrival().await;
        assert_eq!(act(&shop.kit, saga, Op::Close, pay.clone()).await, "not now");
        assert_eq!(act(&shop.kit, saga, Op::Do, pay.clone()).await, "superseded");
        provider.let_through(1);
        request.await.unwrap();
        for _ in 0..2 {
            assert_eq!(act(&shop.kit, saga, Op::Close, pay.clone()).await, heard, "{mood:?}");
        }
        assert_eq!(provider.mutations(saga), 1);
    }
}

async fn a_call_that_panics_leaves_its_row_to_be_read(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::open(), Uuid::now_v7());
    assert_eq!(act(&shop.kit, saga, Op::Do, Pay::new(&provider, Mood::Panics)).await, "unknown");
    assert_eq!(act(&shop.kit, saga, Op::Do, Pay::new(&provider, Mood::Fine)).await, "unknown");
    assert_eq!(provider.mutations(saga), 0);
    assert_eq!(act(&shop.kit, saga, Op::Close, Pay::new(&provider, Mood::Fine)).await, "refused CANCELLED");
}

async fn a_result_that_cannot_be_recorded_is_unknown_and_is_read_again(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::open(), Uuid::now_v7());
    let failing = Pay { record_fails: true, ..Pay::new(&provider, Mood::Fine) };
    assert_eq!(act(&shop.kit, saga, Op::Do, failing).await, "unknown");
    assert_eq!((shop.row(saga, STEP).await.as_str(), shop.effects("pay recorded done").await), ("doing", 0));
    assert_eq!(act(&shop.kit, saga, Op::Do, Pay::new(&provider, Mood::Fine)).await, "paid");
    assert_eq!((provider.mutations(saga), shop.effects("pay recorded done").await), (1, 1));
}

/// Runs `work` with a participant in a runtime of its own, which is then gone with every task in it: a crash.
fn crash_after<F: Future<Output = ()>>(shop: &Shop, work: impl FnOnce(Kit) -> F + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let kit = Kit::open(&SCHEMA, &shop.url, Arc::new(shop.clock.clone())).await.unwrap();
                work(kit).await;
            });
            runtime.shutdown_background();
        });
    });
}

async fn a_crash_between_doing_and_its_record_is_settled_by_the_tick(on: On) {
    let shop = Shop::open(on).await;
    let (provider, saga) = (Provider::gated(), Uuid::now_v7());
    crash_after(&shop, |kit| async {
        let (pay, here) = (Pay::new(&provider, Mood::Fine), provider.clone());
        tokio::spawn(async move { act(&kit, saga, Op::Do, pay).await });
        here.arrival().await;
    });
    assert_eq!((shop.row(saga, STEP).await.as_str(), provider.object(saga)), ("doing", None));
    // The message was on its way, and arrives though its sender is gone.
    provider.customer_pays(saga);

    let (resolver, now) = (resolver(&shop.kit, &provider), 1_700_000_000_000);
    assert_eq!(resolver.tick(now + 4_999).await.done, 0);
    assert_eq!(shop.row(saga, STEP).await, "doing");
    let progress = resolver.tick(now + 5_000).await;
    assert_eq!((progress.done, progress.problem), (1, None));
    assert_eq!(shop.row(saga, STEP).await, "done");
    assert_eq!(act(&shop.kit, saga, Op::Do, Pay::new(&provider, Mood::Fine)).await, "paid");
    assert_eq!((shop.effects("pay recorded done").await, open_rows(&shop).await), (1, 0));
}

async fn a_row_that_cannot_be_settled_is_taken_up_at_growing_intervals_and_never_mutates(on: On) {
    let shop = Shop::open(on).await;
    let provider = Provider::open();
    let saga = saga_whose_row_is(&shop, &provider, "doing").await;
    let resolver = resolver(&shop.kit, &provider);
    let mut now = 1_700_000_000_000 + 5_000;
    for pause in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        resolver.tick(now).await;
        let next: i64 = sqlx::query_scalar("SELECT next_at_ms FROM barrier_open")
            .fetch_one(shop.kit.reads())
            .await
            .unwrap();
        assert_eq!(next - now, pause);
        now = next;
    }
    assert_eq!((shop.row(saga, STEP).await.as_str(), provider.mutations(saga)), ("doing", 1));
}

async fn closing_rows_are_settled_by_the_tick_as_what_they_are_for(on: On) {
    let shop = Shop::open(on).await;
    let provider = Provider::open();
    let closing = saga_whose_row_is(&shop, &provider, "closing close").await;
    let undoing = saga_whose_row_is(&shop, &provider, "closing undo").await;
    let progress = resolver(&shop.kit, &provider).tick(1_700_000_000_000 + MUCH_LATER).await;
    assert_eq!((progress.done, progress.problem), (2, None));
    assert_eq!(
        (shop.row(closing, STEP).await.as_str(), provider.object(closing)),
        ("done", Some(Object::Executed))
    );
    assert_eq!(
        (shop.row(undoing, STEP).await.as_str(), provider.object(undoing)),
        ("undone", Some(Object::Refunded))
    );
    assert_eq!(open_rows(&shop).await, 0);
}

async fn a_row_nobody_knows_how_to_go_on_with_is_told_and_stops_nobody(on: On) {
    let shop = Shop::open(on).await;
    let provider = Provider::open();
    let stuck = saga_whose_row_is(&shop, &provider, "closing undo").await;
    let fine = saga_whose_row_is(&shop, &provider, "doing, executed").await;
    let other = provider.clone();
    let half = Resolver::new(shop.kit.clone()).action("pay", move |bytes| Pay::decode(&other, bytes));
    let progress = half.tick(1_700_000_000_000 + MUCH_LATER).await;
    assert_eq!(progress.done, 1);
    assert!(progress.problem.unwrap().contains(&stuck.to_string()));
    assert_eq!(
        (shop.row(fine, STEP).await.as_str(), shop.row(stuck, STEP).await.as_str()),
        ("done", "closing undo")
    );
}

async fn of_racing_calls_one_decides_the_provider_is_asked_once_and_all_tell_the_same_story(on: On) {
    let shop = Shop::open(on).await;
    let other = shop.reopen().await;
    let (mut paid, mut never) = (0, 0);
    for round in 0..40u64 {
        let (provider, saga) = (Provider::open(), Uuid::now_v7());
        let calls = (0..12u64).map(|i| {
            let mixed = (i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(round * 2 + 1) >> 33;
            // Every other round nobody undoes, so that some are paid in the end.
            let third = if round % 2 == 0 { Op::Undo } else { Op::Do };
            let op = [Op::Do, Op::Do, third, Op::Close][usize::try_from(mixed % 4).unwrap()];
            let moods = [Mood::Fine, Mood::SilentExecuted, Mood::SilentNotExecuted, Mood::Waits];
            let pay = Pay::new(&provider, moods[usize::try_from(mixed / 4 % 4).unwrap()]);
            let (kit, provider) = (shop.kit.clone(), provider.clone());
            tokio::spawn(async move {
                (
                    op,
                    match op {
                        Op::Undo => undo(&kit, saga, &provider).await,
                        op => act(&kit, saga, op, pay).await,
                    },
                )
            })
        });
        let heard: Vec<(Op, String)> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        // Whatever is still open is settled by another process.
        for _ in 0..3 {
            resolver(&other, &provider).tick(i64::MAX - MUCH_LATER).await;
        }
        let (row, object) = (shop.row(saga, STEP).await, provider.object(saga));
        assert!(provider.mutations(saga) <= 1);
        let any = |op: Op, what: &str| heard.iter().any(|(o, w)| *o == op && w == what);
        assert!(matches!(row.as_str(), "doing" | "done" | "closed" | "undone"), "{row}: {heard:?}");
        if any(Op::Undo, "done") {
            assert!(row == "undone" || row == "closed", "{row}: {heard:?}");
            assert!(!matches!(object, Some(Object::Executed | Object::Waiting)), "{object:?}: {heard:?}");
        }
        if heard.iter().any(|(_, word)| word.starts_with("refused")) {
            assert!(!matches!(object, Some(Object::Executed | Object::Waiting)), "{object:?}: {heard:?}");
        }
        if row == "done" {
            assert_eq!(object, Some(Object::Executed), "{heard:?}");
            paid += 1;
        } else if provider.mutations(saga) == 0 {
            never += 1;
        }
    }
    assert!(paid > 0 && never > 0, "{paid} paid, {never} never asked");
}
