//! However many returns of one order are asked for, cancelled, completed and repeated at once: never more comes back than
//! was bought, never more is given back than was paid, and in the end every penny is.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use backstitch_proto::contract::Verdict;
use backstitch_proto::order::CreateOrderRequest;
use backstitch_services::On;
use futures::future::join_all;
use proptest::prelude::*;
use uuid::Uuid;

use common::{Back, House, gbp, item, order, order_id};

const SKUS: [&str; 3] = ["A", "B", "C"];

/// What becomes of a return.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It stays claimed.
    Claimed,
    Completed,
    Cancelled,
    /// Its undo is sent at the same time as its do.
    Raced,
}

/// One return: what it asks for (everything if nothing), how often at once, and what becomes of it.
#[derive(Clone, Debug)]
struct Plan {
    wish: Vec<(usize, i64)>,
    times: usize,
    fate: Fate,
}

fn plan() -> impl Strategy<Value = Plan> {
    let fate =
        prop_oneof![Just(Fate::Claimed), Just(Fate::Completed), Just(Fate::Cancelled), Just(Fate::Raced)];
    let wish = prop_oneof![
        1 => Just(Vec::new()),
        6 => prop::collection::vec((0..SKUS.len(), 1..3_i64), 1..3),
    ];
    (wish, 1..3_usize, fate).prop_map(|(wish, times, fate)| Plan { wish, times, fate })
}

/// Lines as (SKU, quantity, price): the same product may be there at several prices.
fn lines() -> impl Strategy<Value = Vec<(usize, i64, i64)>> {
    prop::collection::vec((0..SKUS.len(), 1..4_i64, 1..1_000_i64), 1..5)
}

/// Sends what a return sends; the refund, if it was claimed.
async fn live(house: &House, back: Back, plan: &Plan) -> Option<i64> {
    let wish: Vec<_> = plan.wish.iter().map(|&(sku, quantity)| (SKUS[sku], quantity)).collect();
    let request = back.wish(&wish);
    let ask = join_all((0..plan.times).map(|_| house.create_return(back, &request)));
    if matches!(plan.fate, Fate::Raced) {
        let (_, undone) = futures::join!(ask, house.cancel_return(back));
        undone.unwrap();
        return None;
    }
    let mut claimed = None;
    for answer in ask.await {
        match answer {
            Ok(answer) => {
                let refund = answer.refund.unwrap().amount_minor;
                assert!(claimed.is_none_or(|before| before == refund), "the same call, the same answer");
                claimed = Some(refund);
            }
            Err(status) => match back.create().verdict(&status, "order") {
                Verdict::Refused(_) | Verdict::NotNow { .. } => {}
                other => panic!("{other:?}"),
            },
        }
    }
    match plan.fate {
        Fate::Completed if claimed.is_some() => {
            let notes = join_all((0..plan.times).map(|_| house.complete_return(back))).await;
            assert!(notes.iter().any(Result::is_ok), "{notes:?}");
        }
        Fate::Cancelled => {
            let _ = join_all((0..plan.times).map(|_| house.cancel_return(back))).await;
            house.cancel_return(back).await.unwrap();
            return None;
        }
        _ => {}
    }
    claimed
}

fn check(on: On, lines: &[(usize, i64, i64)], shipping: i64, plans: &[Plan]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (house, root) = (House::open(on).await, Uuid::now_v7());
        let total = lines.iter().map(|(_, quantity, price)| quantity * price).sum::<i64>() + shipping;
        let items = lines.iter().map(|&(sku, quantity, price)| item(SKUS[sku], quantity, price)).collect();
        let bought =
            CreateOrderRequest { items, shipping_price: gbp(shipping), total: gbp(total), ..order(root) };
        house.stands(&bought).await;

        let lives = plans.iter().map(|plan| live(&house, Back::of(root), plan));
        let claimed: i64 = join_all(lives).await.into_iter().flatten().sum();
        house.audit().await;
        assert!(claimed <= total, "{claimed} of {total}");

        // Whatever is left comes back too.
        let rest = Back::of(root);
        let last = match house.create_return(rest, &rest.wish(&[])).await {
            Ok(answer) => answer.refund.unwrap().amount_minor,
            Err(status) => match rest.create().verdict(&status, "order") {
                Verdict::Refused(refusal) if refusal.reason == "NOTHING_LEFT" => 0,
                other => panic!("{other:?}"),
            },
        };
        assert_eq!(claimed + last, total);
        house.audit().await;

        let shown = house.get(order_id(root)).await.unwrap();
        let (mut back, mut notes, mut refunds) = (BTreeMap::<String, i64>::new(), BTreeSet::new(), 0);
        for one in shown.returns.iter().filter(|one| one.status != "cancelled") {
            refunds += one.refund.as_ref().unwrap().amount_minor;
            for item in &one.items {
                *back.entry(item.sku.clone()).or_default() += item.quantity;
            }
            if one.status == "completed" {
                assert!(notes.insert(one.credit_note_number.clone()), "a number is given once");
            }
        }
        let mut all = BTreeMap::<String, i64>::new();
        for (sku, quantity, _) in lines {
            *all.entry(SKUS[*sku].to_owned()).or_default() += quantity;
        }
        assert_eq!((back, refunds), (all, total));
        let numbers: BTreeSet<_> = (1..=notes.len()).map(|n| format!("CN-{n:06}")).collect();
        assert_eq!(notes, numbers, "without a gap");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn returns_at_once_never_exceed_what_was_bought_nor_what_was_paid(
        lines in lines(),
        shipping in 0..500_i64,
        plans in prop::collection::vec(plan(), 1..16),
    ) {
        check(On::Sqlite, &lines, shipping, &plans);
    }
}

proptest! {
    // The same law; a database on a server takes longer to make.
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn returns_at_once_on_a_server_never_exceed_what_was_bought_nor_what_was_paid(
        lines in lines(),
        shipping in 0..500_i64,
        plans in prop::collection::vec(plan(), 1..16),
    ) {
        check(On::Postgres, &lines, shipping, &plans);
    }
}
