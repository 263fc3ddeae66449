//! What returns promise, over the real server and a real database.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use backstitch_proto::common::{Item, PricedItem};
use backstitch_proto::contract::{Refusal, Verdict};
use backstitch_proto::events::OrderReturned;
use backstitch_proto::order::{
    CreateOrderRequest, CreateReturnRequest, CreateReturnResponse, ListOrdersRequest,
};
use backstitch_services::{On, each_database};
use sqlx::{AnyConnection, Connection as _, Row as _};
use tonic::{Code, Status};
use uuid::Uuid;

use common::{Back, House, NOW_MS, broken, confirm, create, gbp, item, order, order_id};

each_database!(
    a_return_claims_what_comes_back_and_says_what_it_is_worth,
    completing_writes_one_credit_note_and_publishes_one_event,
    the_last_return_gives_back_whatever_is_left_of_the_total,
    what_was_not_bought_or_is_not_left_is_refused_and_claims_nothing,
    a_refusal_is_kept_even_when_there_is_enough_again,
    cancelling_frees_what_was_claimed_and_is_told_to_nobody,
    the_price_of_shipping_comes_back_once_whatever_is_cancelled,
    an_order_comes_back_to_the_last_millisecond_of_its_window_and_not_past_it,
    an_order_that_does_not_stand_does_not_come_back,
    an_order_whose_parcel_has_left_stands,
    what_never_stood_is_made_good_as_a_whole_and_never_stands,
    an_order_that_was_nearly_made_good_can_still_be_confirmed,
    any_call_may_be_repeated_across_a_restart_too_and_changes_nothing,
    the_same_key_with_another_body_is_broken,
    an_undo_that_comes_before_its_do_keeps_the_return_from_ever_being,
    only_its_own_saga_settles_a_return_and_only_once,
    the_same_product_at_two_prices_comes_back_line_by_line,
    a_thousand_lines_come_back_at_once,
    a_request_that_cannot_be_is_broken_and_names_the_field,
    orders_are_listed_a_page_at_a_time_and_no_page_is_too_long_for_a_message,
    orders_are_listed_from_a_time_on_oldest_first_in_pages_that_stay_where_they_are,
);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A house with an order that stands: 2 x 2.50 of 85123A, 1 x 3.39 of 71053, 3.95 for shipping.
async fn house(on: On) -> (House, Uuid) {
    let (house, root) = (House::open(on).await, Uuid::now_v7());
    house.stands(&order(root)).await;
    (house, root)
}

#[track_caller]
fn refused(back: Back, result: Result<CreateReturnResponse, Status>) -> Refusal {
    match back.create().verdict(&result.unwrap_err(), "order") {
        Verdict::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn facts(refusal: &Refusal) -> Vec<(&str, &str)> {
    refusal.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

async fn kinds(house: &House) -> Vec<String> {
    house.served.events().await.into_iter().map(|row| row.event.kind).collect()
}

/// How many of each product there are in some lines.
fn bought(items: &[PricedItem]) -> Vec<Item> {
    let mut all = BTreeMap::<String, i64>::new();
    for item in items {
        *all.entry(item.sku.clone()).or_default() += item.quantity;
    }
    all.into_iter().map(|(sku, quantity)| Item { sku, quantity }).collect()
}

async fn a_return_claims_what_comes_back_and_says_what_it_is_worth(on: On) {
    let (house, root) = house(on).await;
    house.clock.advance(5);
    let back = Back::of(root);
    let claimed = house.create_return(back, &back.wish(&[("85123A", 1)])).await.unwrap();
    let expected = CreateReturnResponse {
        return_id: back.id(),
        order_number: "BS-000001".into(),
        payment_id: order(root).payment_id,
        items: vec![item("85123A", 1, 250)],
        refund: gbp(250),
        whole: false,
        email: "ada@example.com".into(),
        name: "Ada Lovelace".into(),
        // A line for each product, however many prices it was bought at.
        ordered: bought(&order(root).items),
    };
    assert_eq!(claimed, expected);

    let shown = house.get(order_id(root)).await.unwrap();
    assert_eq!((shown.status.as_str(), shown.items), ("confirmed", order(root).items));
    let [one] = &shown.returns[..] else { panic!("{:?}", shown.returns) };
    assert_eq!((one.status.as_str(), one.reason.as_str()), ("claimed", "it does not fit"));
    assert_eq!((&one.return_id, &one.refund, one.credit_note_number.as_str()), (&back.id(), &gbp(250), ""));
    assert_eq!(one.items, [Item { sku: "85123A".into(), quantity: 1 }]);
    assert_eq!((one.created_at_unix_ms, &one.saga_id), (NOW_MS + 5, &back.saga.to_string()));
    assert_eq!(kinds(&house).await, ["com.backstitch.order.placed.v1"], "a claim is nobody's business");
    house.audit().await;
}

async fn completing_writes_one_credit_note_and_publishes_one_event(on: On) {
    let (house, root) = house(on).await;
    let back = Back::of(root);
    house.create_return(back, &back.wish(&[("85123A", 1), ("71053", 1)])).await.unwrap();
    for _ in 0..3 {
        assert_eq!(house.complete_return(back).await.unwrap(), "CN-000001");
    }
    let events = house.served.events().await;
    let [_, row] = &events[..] else { panic!("not one event: {events:?}") };
    let event = &row.event;
    assert_eq!(
        (event.topic.as_str(), event.kind.as_str(), event.source.as_str()),
        ("order.events", "com.backstitch.order.returned.v1", "/backstitch/order")
    );
    assert_eq!((&event.key, &event.subject), (&root.to_string(), &order_id(root).to_string()));
    assert!(event.traceparent.starts_with("00-4bf92f3577b34da6"), "{}", event.traceparent);
    let returned: OrderReturned = serde_json::from_slice(&event.payload).unwrap();
    let of = |sku: &str, quantity| Item { sku: sku.into(), quantity };
    let expected = OrderReturned {
        order_id: order_id(root).to_string(),
        return_id: back.id(),
        credit_note_number: "CN-000001".into(),
        refund: gbp(589),
        items: vec![of("71053", 1), of("85123A", 1)],
    };
    assert_eq!(returned, expected);
    let shown = house.get(order_id(root)).await.unwrap();
    assert_eq!((shown.status.as_str(), shown.returns[0].status.as_str()), ("confirmed", "completed"));
    assert_eq!(shown.returns[0].credit_note_number, "CN-000001");
    house.audit().await;
}

async fn the_last_return_gives_back_whatever_is_left_of_the_total(on: On) {
    let (house, root) = house(on).await;
    let (first, last, none) = (Back::of(root), Back::of(root), Back::of(root));
    house.create_return(first, &first.wish(&[("85123A", 1)])).await.unwrap();
    let rest = house.create_return(last, &last.wish(&[])).await.unwrap();
    assert_eq!((rest.whole, rest.refund), (true, gbp(1234 - 250)));
    assert_eq!(rest.items, [item("85123A", 1, 250), item("71053", 1, 339)]);
    let refusal = refused(none, house.create_return(none, &none.wish(&[])).await);
    assert_eq!((refusal.reason.as_str(), facts(&refusal)), ("NOTHING_LEFT", vec![]));
    // Credit notes are numbered as they are written, not as they were claimed.
    assert_eq!(house.complete_return(last).await.unwrap(), "CN-000001");
    assert_eq!(house.complete_return(first).await.unwrap(), "CN-000002");
    let shown = house.get(order_id(root)).await.unwrap();
    assert_eq!(shown.status, "confirmed", "it stands as the record of what was sold");
    assert_eq!(shown.returns.iter().map(|r| &r.return_id).collect::<Vec<_>>(), [&first.id(), &last.id()]);
    house.audit().await;
}

async fn what_was_not_bought_or_is_not_left_is_refused_and_claims_nothing(on: On) {
    let (house, root) = house(on).await;
    let ask = async |items: &[(&str, i64)]| {
        let back = Back::of(root);
        refused(back, house.create_return(back, &back.wish(items)).await)
    };
    let refusal = ask(&[("85123A", 1), ("22752", 1)]).await;
    assert_eq!((refusal.reason.as_str(), facts(&refusal)), ("NOT_BOUGHT", vec![("sku", "22752")]));
    let more = |asked, left| vec![("asked", asked), ("left", left), ("sku", "85123A")];
    let refusal = ask(&[("71053", 1), ("85123A", 3)]).await;
    assert_eq!((refusal.reason.as_str(), facts(&refusal)), ("MORE_THAN_BOUGHT", more("3", "2")));
    // Two lines of one product are asked for together.
    let refusal = ask(&[("85123A", 2), ("85123A", 1)]).await;
    assert_eq!((refusal.reason.as_str(), facts(&refusal)), ("MORE_THAN_BOUGHT", more("3", "2")));

    let back = Back::of(root);
    let claimed = house.create_return(back, &back.wish(&[("85123A", 2)])).await.unwrap();
    assert_eq!((claimed.refund, claimed.whole), (gbp(500), false));
    let refusal = ask(&[("85123A", 1)]).await;
    assert_eq!((refusal.reason.as_str(), facts(&refusal)), ("MORE_THAN_BOUGHT", more("1", "0")));
    assert_eq!(house.get(order_id(root)).await.unwrap().returns.len(), 1);
    house.audit().await;
}

async fn a_refusal_is_kept_even_when_there_is_enough_again(on: On) {
    let (house, root) = house(on).await;
    let (first, second) = (Back::of(root), Back::of(root));
    house.create_return(first, &first.wish(&[])).await.unwrap();
    let before = refused(second, house.create_return(second, &second.wish(&[("71053", 1)])).await);
    assert_eq!(before.reason, "NOTHING_LEFT");
    house.cancel_return(first).await.unwrap();
    let after = refused(second, house.create_return(second, &second.wish(&[("71053", 1)])).await);
    assert_eq!(after, before);
    house.audit().await;
}

async fn cancelling_frees_what_was_claimed_and_is_told_to_nobody(on: On) {
    let (house, root) = house(on).await;
    let (first, second) = (Back::of(root), Back::of(root));
    house.create_return(first, &first.wish(&[])).await.unwrap();
    house.cancel_return(first).await.unwrap();
    house.cancel_return(first).await.unwrap();
    house.audit().await;
    let late = house.create_return(first, &first.wish(&[])).await.unwrap_err();
    assert!(matches!(first.create().verdict(&late, "order"), Verdict::Superseded(_)), "{late:?}");

    let again = house.create_return(second, &second.wish(&[])).await.unwrap();
    assert_eq!((again.refund, again.whole), (gbp(1234), true));
    let statuses = house.get(order_id(root)).await.unwrap().returns;
    let statuses: Vec<_> = statuses.iter().map(|shown| shown.status.as_str()).collect();
    assert_eq!(statuses, ["cancelled", "claimed"]);
    assert_eq!(kinds(&house).await, ["com.backstitch.order.placed.v1"]);
    house.audit().await;
}

async fn the_price_of_shipping_comes_back_once_whatever_is_cancelled(on: On) {
    let (house, root) = house(on).await;
    let (first, last, again) = (Back::of(root), Back::of(root), Back::of(root));
    house.create_return(first, &first.wish(&[("71053", 1)])).await.unwrap();
    let rest = house.create_return(last, &last.wish(&[])).await.unwrap();
    assert_eq!(rest.refund, gbp(500 + 395));
    house.cancel_return(first).await.unwrap();
    // Nothing is left after it either, but the price of shipping is given back already.
    let rest = house.create_return(again, &again.wish(&[])).await.unwrap();
    assert_eq!((rest.refund, rest.whole), (gbp(339), true));
    house.audit().await;
}

async fn an_order_comes_back_to_the_last_millisecond_of_its_window_and_not_past_it(on: On) {
    let (house, root) = house(on).await;
    let (in_time, late, good) = (Back::of(root), Back::of(root), Back::of(root));
    house.clock.advance(30 * DAY_MS);
    house.create_return(in_time, &in_time.wish(&[("85123A", 1)])).await.unwrap();
    house.clock.advance(1);
    let refusal = refused(late, house.create_return(late, &late.wish(&[("85123A", 1)])).await);
    let until = (NOW_MS + 30 * DAY_MS).to_string();
    assert_eq!(
        (refusal.reason.as_str(), facts(&refusal)),
        ("RETURN_WINDOW_CLOSED", vec![("until_unix_ms", until.as_str())])
    );
    // What was claimed in time is completed whenever it is.
    assert_eq!(house.complete_return(in_time).await.unwrap(), "CN-000001");
    let wish = CreateReturnRequest { make_good: true, ..good.wish(&[]) };
    assert_eq!(house.create_return(good, &wish).await.unwrap().refund, gbp(1234 - 250));
    house.audit().await;
}

async fn an_order_that_does_not_stand_does_not_come_back(on: On) {
    let house = House::open(on).await;
    let [pending, cancelled, unknown] = [(); 3].map(|()| Uuid::now_v7());
    for root in [pending, cancelled] {
        house.create(&create(root), &order(root)).await.unwrap();
    }
    house.cancel(cancelled, order_id(cancelled)).await.unwrap();
    for (root, status, make_good) in [
        (pending, "pending", false),
        (cancelled, "cancelled", false),
        (cancelled, "cancelled", true),
        (unknown, "unknown", false),
        (unknown, "unknown", true),
    ] {
        let back = Back::of(root);
        let wish = CreateReturnRequest { make_good, ..back.wish(&[]) };
        let refusal = refused(back, house.create_return(back, &wish).await);
        assert_eq!(
            (refusal.reason.as_str(), facts(&refusal)),
            ("ORDER_NOT_CONFIRMED", vec![("status", status)])
        );
    }
    house.audit().await;
}

async fn an_order_whose_parcel_has_left_stands(on: On) {
    let (house, root) = house(on).await;
    let mut conn = AnyConnection::connect(&house.url).await.unwrap();
    sqlx::query(
        "INSERT INTO shipped_orders (order_id, shipment_id, tracking_number, at_ms) VALUES ($1, '', '', 1)",
    )
    .bind(order_id(root).to_string())
    .execute(&mut conn)
    .await
    .unwrap();
    assert_eq!(house.get(order_id(root)).await.unwrap().status, "shipped");
    let back = Back::of(root);
    house.create_return(back, &back.wish(&[])).await.unwrap();
    house.complete_return(back).await.unwrap();
    assert_eq!(house.get(order_id(root)).await.unwrap().status, "shipped");
}

async fn what_never_stood_is_made_good_as_a_whole_and_never_stands(on: On) {
    let (house, root) = (House::open(on).await, Uuid::now_v7());
    house.create(&create(root), &order(root)).await.unwrap();
    let (part, back) = (Back::of(root), Back::of(root));
    let good = |back: Back, items| CreateReturnRequest { make_good: true, ..back.wish(items) };
    let why = broken(&part.create(), house.create_return(part, &good(part, &[("71053", 1)])).await);
    assert!(why.contains("as a whole"), "{why}");

    let claimed = house.create_return(back, &good(back, &[])).await.unwrap();
    assert_eq!((claimed.refund, claimed.whole), (gbp(1234), true));
    // A confirmation that was on its way waits for what becomes of it …
    let waiting = house.confirm(root, order_id(root)).await.unwrap_err();
    assert!(matches!(confirm(root).verdict(&waiting, "order"), Verdict::NotNow { .. }), "{waiting:?}");
    assert_eq!(house.complete_return(back).await.unwrap(), "CN-000001");
    let shown = house.get(order_id(root)).await.unwrap();
    let history: Vec<_> = shown.history.iter().map(|change| change.status.as_str()).collect();
    assert_eq!((shown.status.as_str(), history), ("cancelled", vec!["pending", "cancelled"]));
    // … and then has nothing left to do.
    for _ in 0..2 {
        assert_eq!(house.confirm(root, order_id(root)).await.unwrap(), "BS-000001");
    }
    assert_eq!(house.get(order_id(root)).await.unwrap().status, "cancelled");
    assert_eq!(kinds(&house).await, ["com.backstitch.order.returned.v1"]);
    house.audit().await;
}

async fn an_order_that_was_nearly_made_good_can_still_be_confirmed(on: On) {
    let (house, root) = (House::open(on).await, Uuid::now_v7());
    house.create(&create(root), &order(root)).await.unwrap();
    let back = Back::of(root);
    let wish = CreateReturnRequest { make_good: true, ..back.wish(&[]) };
    house.create_return(back, &wish).await.unwrap();
    house.cancel_return(back).await.unwrap();
    assert_eq!(house.confirm(root, order_id(root)).await.unwrap(), "BS-000001");
    assert_eq!(house.get(order_id(root)).await.unwrap().status, "confirmed");
    house.audit().await;
}

async fn any_call_may_be_repeated_across_a_restart_too_and_changes_nothing(on: On) {
    let (house, root) = house(on).await;
    let back = Back::of(root);
    let wish = back.wish(&[("85123A", 2)]);
    let answer = house.create_return(back, &wish).await.unwrap();
    // The same wish in other words.
    let words = back.wish(&[("85123A", 1), ("85123A", 1)]);
    assert_eq!(house.create_return(back, &words).await.unwrap(), answer);
    let closed = house.orders.clone().create_return(back.close().with(wish.clone())).await.unwrap();
    assert_eq!(closed.into_inner(), answer);
    let house = house.restart().await;
    assert_eq!(house.create_return(back, &wish).await.unwrap(), answer);
    assert_eq!(house.complete_return(back).await.unwrap(), "CN-000001");
    let house = house.restart().await;
    assert_eq!(house.complete_return(back).await.unwrap(), "CN-000001");
    let next = Back::of(root);
    house.create_return(next, &next.wish(&[])).await.unwrap();
    assert_eq!(house.complete_return(next).await.unwrap(), "CN-000002", "no repetition took a number");
    house.audit().await;
}

async fn the_same_key_with_another_body_is_broken(on: On) {
    let (house, root) = house(on).await;
    let back = Back::of(root);
    house.create_return(back, &back.wish(&[("85123A", 1)])).await.unwrap();
    for other in [
        back.wish(&[("85123A", 2)]),
        back.wish(&[]),
        CreateReturnRequest { make_good: true, ..back.wish(&[("85123A", 1)]) },
        CreateReturnRequest { reason: "it is broken".into(), ..back.wish(&[("85123A", 1)]) },
    ] {
        broken(&back.create(), house.create_return(back, &other).await);
    }
    house.audit().await;
}

async fn an_undo_that_comes_before_its_do_keeps_the_return_from_ever_being(on: On) {
    let (house, root) = house(on).await;
    let (undone, closed) = (Back::of(root), Back::of(root));
    house.cancel_return(undone).await.unwrap();
    let never = house.orders.clone().create_return(closed.close().with(closed.wish(&[]))).await.unwrap_err();
    assert!(matches!(closed.close().verdict(&never, "order"), Verdict::Refused(_)), "{never:?}");
    for back in [undone, closed] {
        let late = house.create_return(back, &back.wish(&[])).await.unwrap_err();
        assert!(matches!(back.create().verdict(&late, "order"), Verdict::Superseded(_)), "{late:?}");
    }
    assert!(house.get(order_id(root)).await.unwrap().returns.is_empty());
}

async fn only_its_own_saga_settles_a_return_and_only_once(on: On) {
    let (house, root) = house(on).await;
    let (mine, stranger) = (Back::of(root), Back::of(Uuid::now_v7()));
    let stolen = CreateReturnRequest { order_id: order_id(root).to_string(), ..stranger.wish(&[]) };
    let why = broken(&stranger.create(), house.create_return(stranger, &stolen).await);
    assert!(why.contains(&root.to_string()), "{why}");

    house.create_return(mine, &mine.wish(&[("85123A", 1)])).await.unwrap();
    let thief = Back::of(root);
    let complete = |back: Back| {
        let request = backstitch_proto::order::CompleteReturnRequest { return_id: mine.id() };
        let (mut orders, call) = (house.orders.clone(), back.complete());
        async move { orders.complete_return(call.with(request)).await }
    };
    let why = broken(&thief.complete(), complete(thief).await);
    assert!(why.contains(&mine.saga.to_string()), "{why}");
    let same_id = CreateReturnRequest { return_id: mine.id(), ..thief.wish(&[]) };
    broken(&thief.create(), house.create_return(thief, &same_id).await);
    let why = broken(&thief.complete(), house.complete_return(thief).await);
    assert!(why.contains("is unknown"), "{why}");

    house.complete_return(mine).await.unwrap();
    let why = broken(&mine.undo(), house.cancel_return(mine).await);
    assert!(why.contains("is completed"), "{why}");
    house.audit().await;
}

/// An order over these lines, without a price for shipping.
fn over(root: Uuid, items: Vec<PricedItem>) -> CreateOrderRequest {
    let total = items.iter().map(|i| i.quantity * i.unit_price.as_ref().unwrap().amount_minor).sum();
    CreateOrderRequest { items, shipping_price: gbp(0), total: gbp(total), ..order(root) }
}

async fn the_same_product_at_two_prices_comes_back_line_by_line(on: On) {
    let (house, root) = (House::open(on).await, Uuid::now_v7());
    house.stands(&over(root, vec![item("A", 2, 300), item("B", 1, 50), item("A", 2, 100)])).await;
    let (first, second, third) = (Back::of(root), Back::of(root), Back::of(root));
    let claimed = house.create_return(first, &first.wish(&[("A", 3)])).await.unwrap();
    assert_eq!((claimed.items, claimed.refund), (vec![item("A", 2, 300), item("A", 1, 100)], gbp(700)));
    let shown = house.get(order_id(root)).await.unwrap().returns;
    assert_eq!(shown[0].items, [Item { sku: "A".into(), quantity: 3 }]);
    let claimed = house.create_return(second, &second.wish(&[("A", 1)])).await.unwrap();
    assert_eq!((claimed.items, claimed.refund), (vec![item("A", 1, 100)], gbp(100)));
    house.cancel_return(first).await.unwrap();
    let claimed = house.create_return(third, &third.wish(&[])).await.unwrap();
    assert_eq!(claimed.items, [item("A", 2, 300), item("B", 1, 50), item("A", 1, 100)]);
    assert_eq!((claimed.refund, claimed.whole), (gbp(750), true));
    house.audit().await;
}

async fn a_thousand_lines_come_back_at_once(on: On) {
    let (house, root) = (House::open(on).await, Uuid::now_v7());
    let items: Vec<_> = (0..1000).map(|n| item(&format!("SKU-{n:04}"), n % 7 + 1, n)).collect();
    house.stands(&over(root, items.clone())).await;
    let (back, much) = (Back::of(root), Back::of(root));
    let wish: Vec<_> = items.iter().map(|item| (item.sku.as_str(), item.quantity)).collect();
    let mut too_long = wish.clone();
    too_long.push(("SKU-0000", 1));
    let why = broken(&much.create(), house.create_return(much, &much.wish(&too_long)).await);
    assert!(why.contains("items must be at most 1000"), "{why}");
    let claimed = house.create_return(back, &back.wish(&wish)).await.unwrap();
    assert_eq!((claimed.items, claimed.whole), (items, true));
    house.complete_return(back).await.unwrap();
    house.audit().await;
}

async fn a_request_that_cannot_be_is_broken_and_names_the_field(on: On) {
    let (house, root) = house(on).await;
    type Edit = fn(&mut CreateReturnRequest);
    let bad: [(&str, Edit); 8] = [
        ("return_id", |r| r.return_id = "1".into()),
        ("order_id", |r| r.order_id = "BS-000001".into()),
        ("items[0].sku", |r| r.items[0].sku.clear()),
        ("items[0].quantity", |r| r.items[0].quantity = 0),
        ("items[0].quantity", |r| r.items[0].quantity = -1),
        ("items[0].quantity", |r| r.items[0].quantity = 1_000_001),
        ("reason", |r| r.reason = "x".repeat(501)),
        ("reason", |r| r.reason = "line\nbreak".into()),
    ];
    for (field, edit) in bad {
        let back = Back::of(root);
        let mut request = back.wish(&[("85123A", 1)]);
        edit(&mut request);
        let why = broken(&back.create(), house.create_return(back, &request).await);
        assert!(why.contains(field), "{field}: {why}");
    }
    let back = Back::of(root);
    let edge = CreateReturnRequest { reason: "ß".repeat(500), ..back.wish(&[("85123A", 1)]) };
    house.create_return(back, &edge).await.unwrap();
}

async fn orders_are_listed_a_page_at_a_time_and_no_page_is_too_long_for_a_message(on: On) {
    let (house, mut ids) = (House::open(on).await, Vec::new());
    for n in 0..5 {
        let root = Uuid::now_v7();
        // Long names: two of these orders are more than a message may be.
        let long = |n| PricedItem { name: "🧵".repeat(500), ..item(&format!("{:0>90}", n), 1, 1) };
        let items = if n < 3 { (0..1000).map(long).collect() } else { vec![item("A", 1, 100)] };
        house.stands(&over(root, items)).await;
        ids.push(order_id(root).to_string());
    }
    ids.sort();
    let back = Back::of(Uuid::now_v7());
    let page = |page_size, page_token: &str| {
        let request =
            ListOrdersRequest { page_size, page_token: page_token.to_owned(), created_from_unix_ms: 0 };
        let mut orders = house.orders.clone();
        async move { orders.list(request).await.map(tonic::Response::into_inner) }
    };
    for size in [0, 1, 2, 1000] {
        let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let next = page(size, &token).await.unwrap();
            pages += 1;
            assert!(size == 0 || next.orders.len() <= usize::try_from(size).unwrap());
            for listed in next.orders {
                assert_eq!(listed, house.get(listed.order_id.parse().unwrap()).await.unwrap());
                seen.push(listed.order_id);
            }
            token = next.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, ids);
        assert!(pages > 1, "two of these orders do not fit in one message");
    }
    for (size, token) in [(-1, ""), (1001, ""), (1, "next"), (1, &back.saga.to_string())] {
        assert_eq!(page(size, token).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

async fn orders_are_listed_from_a_time_on_oldest_first_in_pages_that_stay_where_they_are(on: On) {
    let (house, mut ids) = (House::open(on).await, Vec::new());
    // The last three at one time, in the order of their ids.
    for n in 0..6 {
        let root = Uuid::now_v7();
        house.stands(&order(root)).await;
        ids.push(order_id(root).to_string());
        house.clock.advance(if n < 3 { 1 } else { 0 });
    }
    ids[3..].sort();
    let list = |page_size, page_token: String, created_from_unix_ms| {
        let mut orders = house.orders.clone();
        async move {
            let request = ListOrdersRequest { page_size, page_token, created_from_unix_ms };
            let page = orders.list(request).await?.into_inner();
            let ids: Vec<_> = page.orders.into_iter().map(|order| order.order_id).collect();
            Ok::<_, tonic::Status>((ids, page.next_page_token))
        }
    };
    for size in [1, 2, 3, 5, 6, 7] {
        for (from_ms, left) in
            [(0, 6), (NOW_MS, 6), (NOW_MS + 1, 5), (NOW_MS + 3, 3), (NOW_MS + 4, 0), (i64::MAX, 0)]
        {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let (page, next) = list(size, token, from_ms).await.unwrap();
                seen.extend(page);
                token = next;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, ids[6 - left..], "pages of {size} from {}", from_ms - NOW_MS);
        }
    }
    let (first, next) = list(2, String::new(), NOW_MS + 1).await.unwrap();
    assert_eq!(first, ids[1..3]);
    house.clock.advance(1);
    let root = Uuid::now_v7();
    house.stands(&order(root)).await;
    ids.push(order_id(root).to_string());
    assert_eq!(list(100, next, NOW_MS + 1).await.unwrap().0, ids[3..]);
    // A page of before the bound goes on at the bound.
    assert_eq!(list(2, ids[0].clone(), NOW_MS + 1).await.unwrap().0, ids[1..3]);
    assert_eq!(list(1, String::new(), -1).await.unwrap_err().code(), Code::InvalidArgument);
}

/// A page is searched in the index by time, and what belongs to its orders by their ids.
#[tokio::test]
async fn a_page_of_orders_reads_no_more_than_it_shows() {
    let house = House::open(On::Sqlite).await;
    let mut conn = AnyConnection::connect(&house.url).await.unwrap();
    let (by_time, of_page) = ("(created_at_ms,order_id)>(?,?)", " AND (created_at_ms,order_id)<(?,?)");
    for (sql, of_its_own) in [
        (include_str!("../src/sql/places.sql"), ""),
        (include_str!("../src/sql/orders.sql"), ""),
        (include_str!("../src/sql/lines.sql"), "SEARCH order_items "),
        (include_str!("../src/sql/history.sql"), "SEARCH order_status_changes "),
        (include_str!("../src/sql/returns.sql"), "SEARCH order_returns "),
        (include_str!("../src/sql/returned_items.sql"), "SEARCH r "),
    ] {
        let plan = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN\n{sql}")));
        let rows = plan.fetch_all(&mut conn).await.unwrap();
        let told: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let told = told.join("\n");
        assert!(told.contains("orders_by_time") && told.contains(by_time), "{sql}\n{told}");
        assert!(sql.contains("LIMIT") || told.contains(of_page), "{sql}\n{told}");
        assert!(told.contains(of_its_own) && !told.contains("SCAN order"), "{sql}\n{told}");
    }
}
