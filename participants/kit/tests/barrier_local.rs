//! The barrier over a real SQLite file, for effects in the participant's own database.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Release, Reserve, Shop, Then, meta, word};
use futures::future::join_all;
use participant_kit::{Kit, Op};
use proptest::prelude::*;
use uuid::Uuid;

const STEP: &str = "reserve_stock";

async fn act(kit: &Kit, saga: Uuid, op: Op, action: Reserve) -> String {
    word(saga, STEP, op, &kit.act(&meta(saga, STEP, op), Ok(action)).await)
}

async fn undo(kit: &Kit, saga: Uuid, undo: Release) -> String {
    word(saga, STEP, Op::Undo, &kit.take_back(&meta(saga, STEP, Op::Undo), Ok(undo)).await)
}

#[tokio::test]
async fn a_do_happens_once_and_answers_the_same_however_often_it_is_asked() {
    let shop = Shop::open().await;
    shop.stock("tea", 10).await;
    let saga = Uuid::now_v7();
    let first = shop.kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap().into_inner();
    for kit in [shop.kit.clone(), shop.reopen().await] {
        let again = kit.act(&meta(saga, STEP, Op::Do), Ok(Reserve::of(3))).await.unwrap().into_inner();
        assert_eq!(again, first);
    }
    assert_eq!((shop.effects("reserve").await, shop.left("tea").await), (1, 7));
}
