//! What the order participant promises, over its real server and a real database.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use backstitch_proto::contract::Verdict;
use backstitch_proto::events::OrderPlaced;
use backstitch_proto::order::{CreateOrderRequest, GetOrderRequest};
use backstitch_services::{On, each_database};
use tonic::Code;
use uuid::Uuid;

use common::{House, NOW_MS, broken, close, confirm, create, gbp, item, order, order_id, undo};

each_database!(
    an_order_is_pending_until_it_is_confirmed_and_then_it_stands,
    confirming_publishes_exactly_one_event_however_often_it_is_asked,
    any_call_may_be_repeated_across_a_restart_too_and_changes_nothing,
    the_same_key_with_another_body_is_broken_and_the_order_stays_as_it_was,
    a_checkout_has_one_order_even_if_two_are_asked_for_at_once,
    an_order_id_is_given_once,
    an_undo_that_comes_before_its_do_keeps_the_order_from_ever_being,
    a_do_that_comes_after_its_undo_does_not_bring_the_order_back,
    closing_an_order_that_never_was_refuses_it_for_good,
    confirming_what_cannot_stand_is_broken_and_never_refused,
    a_confirmed_order_cannot_be_cancelled,
    an_order_that_does_not_add_up_is_broken_and_takes_no_number,
    numbers_are_given_once_each_however_many_ask_at_once,
    a_thousand_lines_are_kept_in_their_order,
    a_guest_s_order_has_no_customer,
    asking_for_what_is_no_id_or_no_order_is_told_apart,
);

async fn an_order_is_pending_until_it_is_confirmed_and_then_it_stands(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let created = house.create(&create(saga), &order(saga)).await.unwrap();
    assert_eq!(created.order_number, "BS-000001");
    assert_eq!(created.order_id, order_id(saga).to_string());

    let pending = house.get(order_id(saga)).await.unwrap();
    assert_eq!(pending.status, "pending");
    let asked = order(saga);
    assert_eq!(
        (pending.items, pending.shipping_address, pending.total, pending.shipping_price),
        (asked.items, asked.shipping_address, asked.total, asked.shipping_price)
    );
    assert_eq!(
        (pending.customer_id, pending.email, pending.checkout_id, pending.payment_id),
        (asked.customer_id, asked.email, asked.checkout_id, asked.payment_id)
    );
    assert!(house.served.events().await.is_empty(), "a pending order is nobody's business");

    house.clock.advance(1_000);
    assert_eq!(house.confirm(saga, order_id(saga)).await.unwrap(), "BS-000001");
    let standing = house.get(order_id(saga)).await.unwrap();
    let history: Vec<_> = standing.history.iter().map(|c| (c.status.as_str(), c.at_unix_ms)).collect();
    assert_eq!(standing.status, "confirmed");
    assert_eq!(history, [("pending", NOW_MS), ("confirmed", NOW_MS + 1_000)]);
}

async fn confirming_publishes_exactly_one_event_however_often_it_is_asked(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.create(&create(saga), &order(saga)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(house.confirm(saga, order_id(saga)).await.unwrap(), "BS-000001");
    }
    let events = house.served.events().await;
    let [row] = &events[..] else { panic!("not one event: {events:?}") };
    let event = &row.event;
    assert_eq!(
        (event.topic.as_str(), event.kind.as_str(), event.source.as_str()),
        ("order.events", "com.backstitch.order.placed.v1", "/backstitch/order")
    );
    assert_eq!((&event.key, &event.subject), (&saga.to_string(), &order_id(saga).to_string()));
    assert!(event.traceparent.starts_with("00-4bf92f3577b34da6"), "{}", event.traceparent);
    let placed: OrderPlaced = serde_json::from_slice(&event.payload).unwrap();
    assert_eq!((placed.total, placed.items), (gbp(1234), order(saga).items));
    assert_eq!((placed.order_number.as_str(), placed.checkout_id), ("BS-000001", saga.to_string()));
}

async fn any_call_may_be_repeated_across_a_restart_too_and_changes_nothing(on: On) {
    let house = House::open(on).await;
    let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
    let answer = house.create(&create(first), &order(first)).await.unwrap();
    assert_eq!(house.create(&create(first), &order(first)).await.unwrap(), answer);
    assert_eq!(house.create(&close(first), &order(first)).await.unwrap(), answer);

    let house = house.restart().await;
    assert_eq!(house.create(&create(first), &order(first)).await.unwrap(), answer);
    // No repetition took a number.
    assert_eq!(house.create(&create(second), &order(second)).await.unwrap().order_number, "BS-000002");

    house.cancel(first, order_id(first)).await.unwrap();
    house.cancel(first, order_id(first)).await.unwrap();
    let cancelled = house.get(order_id(first)).await.unwrap();
    assert_eq!((cancelled.status.as_str(), cancelled.history.len()), ("cancelled", 2));
    assert!(house.served.events().await.is_empty(), "nobody was told of it, so nobody is told of its end");
}

async fn the_same_key_with_another_body_is_broken_and_the_order_stays_as_it_was(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.create(&create(saga), &order(saga)).await.unwrap();
    let other = CreateOrderRequest { email: "eve@example.com".into(), ..order(saga) };
    broken(&create(saga), house.create(&create(saga), &other).await);
    assert_eq!(house.get(order_id(saga)).await.unwrap().email, "ada@example.com");
}

async fn a_checkout_has_one_order_even_if_two_are_asked_for_at_once(on: On) {
    let house = House::open(on).await;
    let checkout = Uuid::now_v7();
    let attempts = (0..8).map(|_| {
        let saga = Uuid::now_v7();
        let request = CreateOrderRequest { checkout_id: checkout.to_string(), ..order(saga) };
        let (house, call) = (&house, create(saga));
        async move { (house.create(&call, &request).await, call) }
    });
    let results = futures::future::join_all(attempts).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(|(result, _)| result.is_ok());
    assert_eq!((won.len(), lost.len()), (1, 7));
    for (result, call) in lost {
        let why = broken(&call, result);
        assert!(why.contains(&checkout.to_string()), "{why}");
    }
}

async fn an_order_id_is_given_once(on: On) {
    let house = House::open(on).await;
    let (mine, yours) = (Uuid::now_v7(), Uuid::now_v7());
    house.create(&create(mine), &order(mine)).await.unwrap();
    let stolen = CreateOrderRequest { order_id: order_id(mine).to_string(), ..order(yours) };
    broken(&create(yours), house.create(&create(yours), &stolen).await);
    // What was rolled back left nothing behind, not even a number.
    let next = Uuid::now_v7();
    assert_eq!(house.create(&create(next), &order(next)).await.unwrap().order_number, "BS-000002");
}

async fn an_undo_that_comes_before_its_do_keeps_the_order_from_ever_being(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.cancel(saga, order_id(saga)).await.unwrap();
    let late = house.create(&create(saga), &order(saga)).await.unwrap_err();
    assert!(matches!(create(saga).verdict(&late, "order"), Verdict::Superseded(_)), "{late:?}");
    assert_eq!(house.get(order_id(saga)).await.unwrap_err().code(), Code::NotFound);
}

async fn a_do_that_comes_after_its_undo_does_not_bring_the_order_back(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.create(&create(saga), &order(saga)).await.unwrap();
    house.cancel(saga, order_id(saga)).await.unwrap();
    let late = house.create(&create(saga), &order(saga)).await.unwrap_err();
    assert!(matches!(create(saga).verdict(&late, "order"), Verdict::Superseded(_)), "{late:?}");
    assert_eq!(house.get(order_id(saga)).await.unwrap().status, "cancelled");
}

async fn closing_an_order_that_never_was_refuses_it_for_good(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let closed = house.create(&close(saga), &order(saga)).await.unwrap_err();
    assert!(matches!(close(saga).verdict(&closed, "order"), Verdict::Refused(_)), "{closed:?}");
    let late = house.create(&create(saga), &order(saga)).await.unwrap_err();
    assert!(matches!(create(saga).verdict(&late, "order"), Verdict::Superseded(_)), "{late:?}");
}

async fn confirming_what_cannot_stand_is_broken_and_never_refused(on: On) {
    let house = House::open(on).await;
    let [cancelled, unknown, other, mine] = [(); 4].map(|()| Uuid::now_v7());
    house.create(&create(cancelled), &order(cancelled)).await.unwrap();
    house.cancel(cancelled, order_id(cancelled)).await.unwrap();
    house.create(&create(mine), &order(mine)).await.unwrap();

    let why = broken(&confirm(cancelled), house.confirm(cancelled, order_id(cancelled)).await);
    assert!(why.contains("is cancelled"), "{why}");
    let why = broken(&confirm(unknown), house.confirm(unknown, order_id(unknown)).await);
    assert!(why.contains("is unknown"), "{why}");
    let why = broken(&confirm(other), house.confirm(other, order_id(mine)).await);
    assert!(why.contains(&mine.to_string()), "{why}");
    assert_eq!(house.get(order_id(mine)).await.unwrap().status, "pending");
    assert!(house.served.events().await.is_empty());
    // Broken stores nothing: the rightful saga still can.
    house.confirm(mine, order_id(mine)).await.unwrap();
}

async fn a_confirmed_order_cannot_be_cancelled(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.create(&create(saga), &order(saga)).await.unwrap();
    house.confirm(saga, order_id(saga)).await.unwrap();
    let why = broken(&undo(saga), house.cancel(saga, order_id(saga)).await);
    assert!(why.contains("is confirmed"), "{why}");
    assert_eq!(house.get(order_id(saga)).await.unwrap().status, "confirmed");
}

async fn an_order_that_does_not_add_up_is_broken_and_takes_no_number(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let wrong = CreateOrderRequest { total: gbp(1235), ..order(saga) };
    let why = broken(&create(saga), house.create(&create(saga), &wrong).await);
    assert!(why.ends_with("total is 12.35 GBP, but items and shipping come to 12.34 GBP"), "{why}");
    let malformed = CreateOrderRequest { items: vec![item("85123A", 0, 1)], ..order(saga) };
    broken(&create(saga), house.create(&create(saga), &malformed).await);
    assert_eq!(house.create(&create(saga), &order(saga)).await.unwrap().order_number, "BS-000001");
}

async fn numbers_are_given_once_each_however_many_ask_at_once(on: On) {
    let house = House::open(on).await;
    let sagas: Vec<Uuid> = (0..50).map(|_| Uuid::now_v7()).collect();
    let created = sagas.iter().map(|&saga| {
        let house = &house;
        async move { house.create(&create(saga), &order(saga)).await.unwrap().order_number }
    });
    let mut numbers = futures::future::join_all(created).await;
    numbers.sort();
    let expected: Vec<String> = (1..=50).map(|n| format!("BS-{n:06}")).collect();
    assert_eq!(numbers, expected);
}

async fn a_thousand_lines_are_kept_in_their_order(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let items: Vec<_> = (0..1000).map(|n| item(&format!("SKU-{n}"), n % 7 + 1, n)).collect();
    let total: i64 = items.iter().map(|i| i.quantity * i.unit_price.as_ref().unwrap().amount_minor).sum();
    let long = CreateOrderRequest { items: items.clone(), total: gbp(total + 395), ..order(saga) };
    house.create(&create(saga), &long).await.unwrap();
    house.confirm(saga, order_id(saga)).await.unwrap();
    assert_eq!(house.get(order_id(saga)).await.unwrap().items, items);
    let too_long = Uuid::now_v7();
    let items = vec![item("A", 1, 0); 1001];
    let request = CreateOrderRequest { items, total: gbp(395), ..order(too_long) };
    broken(&create(too_long), house.create(&create(too_long), &request).await);
}

async fn a_guest_s_order_has_no_customer(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let guest = CreateOrderRequest { customer_id: String::new(), ..order(saga) };
    house.create(&create(saga), &guest).await.unwrap();
    assert_eq!(house.get(order_id(saga)).await.unwrap().customer_id, "");
}

async fn asking_for_what_is_no_id_or_no_order_is_told_apart(on: On) {
    let house = House::open(on).await;
    let bad = GetOrderRequest { order_id: "BS-000001".into() };
    assert_eq!(house.orders.clone().get(bad).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(house.get(Uuid::now_v7()).await.unwrap_err().code(), Code::NotFound);
}
