//! The laws of products: what a put means, what validation answers, through the real handlers on a real file.

#![allow(clippy::unwrap_used)]

mod common;

use backstitch_proto::common::Money;
use backstitch_proto::inventory::{
    GetProductRequest, ListProductsRequest, Product, PutProductRequest, ValidateItemsRequest,
};
use backstitch_services::{On, each_database};
use common::{Saga, Shop, item, product};
use futures::future::join_all;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

each_database!(
    the_first_put_sets_the_stock_and_its_retry_changes_nothing,
    a_retried_put_never_restocks_what_was_sold_meanwhile,
    a_count_corrects_what_is_on_hand_and_leaves_what_is_reserved_and_sold,
    a_count_that_finds_the_books_right_is_no_correction,
    the_etag_changes_with_the_product_and_with_what_is_on_hand_and_never_comes_back,
    new_terms_move_no_stock,
    a_product_that_is_not_there_matches_no_etag,
    of_counts_on_one_etag_one_wins,
    of_concurrent_first_puts_one_sets_the_stock,
    a_product_that_cannot_be_is_refused_by_field_and_nothing_is_written,
    pages_show_every_product_once_in_order,
    validation_prices_every_line_or_names_every_line_that_cannot_be,
);

fn counted(sku: &str, stock: i64, etag: &str) -> PutProductRequest {
    PutProductRequest { if_match: etag.into(), ..product(sku, stock) }
}

fn reason(answer: Result<Product, Status>) -> String {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    status.get_details_error_info().unwrap().reason
}

fn field(status: &Status) -> String {
    assert_eq!(status.code(), Code::InvalidArgument);
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

async fn the_first_put_sets_the_stock_and_its_retry_changes_nothing(on: On) {
    let shop = Shop::open(on).await;
    let first = shop.put(product("A", 10)).await.unwrap();
    assert_eq!((first.on_hand, first.reserved, first.sold, first.stated_stock), (10, 0, 0, 10));
    assert_eq!(shop.put(product("A", 10)).await.unwrap(), first);
    assert_eq!(shop.get("A").await, first);
    let events = shop.events("A").await;
    let payload = serde_json::json!({"sku": "A", "by": 10, "on_hand": 10});
    assert_eq!(events, [("com.backstitch.inventory.corrected.v1".into(), payload)]);
    shop.audit().await;
}

async fn a_retried_put_never_restocks_what_was_sold_meanwhile(on: On) {
    let shop = Shop::open(on).await;
    let first = shop.put(product("A", 10)).await.unwrap();
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 4)]).await.unwrap();
    shop.commit(&saga).await.unwrap();
    for etag in ["", &first.etag] {
        assert_eq!(shop.put(counted("A", 10, etag)).await.unwrap().on_hand, 6);
    }
    // The retry of a count, after more was sold.
    let seen = shop.get("A").await;
    assert_eq!(shop.put(counted("A", 20, &seen.etag)).await.unwrap().on_hand, 20);
    shop.reserve(&Saga::new(), &[("A", 5)]).await.unwrap();
    assert_eq!(shop.put(counted("A", 20, &seen.etag)).await.unwrap().on_hand, 15);
    // The retry of an older put, after a newer one.
    assert_eq!(reason(shop.put(product("A", 10)).await), "PRECONDITION_REQUIRED");
    assert_eq!(reason(shop.put(counted("A", 10, &first.etag)).await), "ETAG_MISMATCH");
    assert_eq!(shop.stock("A").await, (15, 5, 4));
    shop.audit().await;
}

async fn a_count_corrects_what_is_on_hand_and_leaves_what_is_reserved_and_sold(on: On) {
    let shop = Shop::open(on).await;
    shop.put(product("A", 10)).await.unwrap();
    let (reserved, sold) = (Saga::new(), Saga::new());
    shop.reserve(&reserved, &[("A", 2)]).await.unwrap();
    shop.reserve(&sold, &[("A", 3)]).await.unwrap();
    shop.commit(&sold).await.unwrap();
    // Stated before, on hand now, counted: limits at the limit, nothing, and a count that finds the books right.
    for stock in [0, 1_000_000_000, 7, 5] {
        let seen = shop.get("A").await;
        assert_eq!(reason(shop.put(product("A", stock)).await), "PRECONDITION_REQUIRED");
        let after = shop.put(counted("A", stock, &seen.etag)).await.unwrap();
        assert_eq!((after.on_hand, after.reserved, after.sold), (stock, 2, 3));
        assert_eq!(after.stated_stock, stock);
        assert_ne!(after.etag, seen.etag);
        assert_eq!(reason(shop.put(counted("A", 3, &seen.etag)).await), "ETAG_MISMATCH");
        shop.audit().await;
    }
    let by: Vec<_> = shop.events("A").await.iter().map(|(_, event)| event["by"].as_i64().unwrap()).collect();
    assert_eq!(by, [10, -5, 1_000_000_000, 7 - 1_000_000_000, -2]);
}

async fn a_count_that_finds_the_books_right_is_no_correction(on: On) {
    let shop = Shop::open(on).await;
    let first = shop.put(product("A", 10)).await.unwrap();
    shop.reserve(&Saga::new(), &[("A", 3)]).await.unwrap();
    let seen = shop.get("A").await;
    assert_ne!(seen.etag, first.etag, "a reservation changes what is on hand");
    let after = shop.put(counted("A", 7, &seen.etag)).await.unwrap();
    assert_eq!((after.on_hand, after.stated_stock), (7, 7));
    assert_eq!(shop.events("A").await.len(), 1);
    shop.audit().await;
}

async fn the_etag_changes_with_the_product_and_with_what_is_on_hand_and_never_comes_back(on: On) {
    let shop = Shop::open(on).await;
    let mut seen = vec![shop.put(product("A", 10)).await.unwrap().etag];
    let renamed = PutProductRequest { name: "Other".into(), ..product("A", 10) };
    seen.push(shop.put(renamed).await.unwrap().etag);
    seen.push(shop.put(product("A", 10)).await.unwrap().etag);
    let saga = Saga::new();
    shop.reserve(&saga, &[("A", 1)]).await.unwrap();
    seen.push(shop.get("A").await.etag);
    shop.release(&saga).await.unwrap();
    seen.push(shop.get("A").await.etag);
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");
}

async fn new_terms_move_no_stock(on: On) {
    let shop = Shop::open(on).await;
    shop.put(product("A", 10)).await.unwrap();
    shop.reserve(&Saga::new(), &[("A", 3)]).await.unwrap();
    let price = Some(Money { amount_minor: 1, currency: "JPY".into() });
    let dearer = PutProductRequest { price: price.clone(), weight_grams: 0, ..product("A", 10) };
    let stale = PutProductRequest { if_match: "1".into(), ..dearer.clone() };
    assert_eq!(reason(shop.put(stale).await), "ETAG_MISMATCH");
    let after = shop.put(dearer).await.unwrap();
    assert_eq!((after.on_hand, after.price, after.weight_grams), (7, price, 0));
    shop.audit().await;
}

async fn a_product_that_is_not_there_matches_no_etag(on: On) {
    let shop = Shop::open(on).await;
    assert_eq!(reason(shop.put(counted("A", 10, "1")).await), "ETAG_MISMATCH");
    let status = shop.client.clone().get_product(GetProductRequest { sku: "A".into() }).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

async fn of_counts_on_one_etag_one_wins(on: On) {
    let shop = Shop::open(on).await;
    let seen = shop.put(product("A", 10)).await.unwrap();
    let puts = (0..10).map(|i| shop.put(counted("A", 100 + i, &seen.etag)));
    let answers = join_all(puts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    shop.audit().await;
}

async fn of_concurrent_first_puts_one_sets_the_stock(on: On) {
    let shop = Shop::open(on).await;
    let answers = join_all((0..10).map(|_| shop.put(product("A", 10)))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(shop.stock("A").await, (10, 0, 0));
    shop.audit().await;
}

async fn a_product_that_cannot_be_is_refused_by_field_and_nothing_is_written(on: On) {
    let shop = Shop::open(on).await;
    let price = |amount_minor, currency: &str| Some(Money { amount_minor, currency: currency.into() });
    let bad = [
        (PutProductRequest { price: price(0, "GBP"), ..product("A", 1) }, "price.amount_minor"),
        (PutProductRequest { price: price(-11_062, "GBP"), ..product("A", 1) }, "price.amount_minor"),
        (PutProductRequest { price: price(1, "Pounds"), ..product("A", 1) }, "price.currency"),
        (PutProductRequest { price: None, ..product("A", 1) }, "price"),
        (PutProductRequest { weight_grams: -1, ..product("A", 1) }, "weight_grams"),
        (product("A", -1), "stock"),
        (product("A", 1_000_000_001), "stock"),
        (product("", 1), "sku"),
        (product("A\u{1b}[31m", 1), "sku"),
        (product(&"x".repeat(65), 1), "sku"),
        (PutProductRequest { name: "x".repeat(201), ..product("A", 1) }, "name"),
    ];
    for (request, name) in bad {
        assert_eq!(field(&shop.put(request).await.unwrap_err()), name);
    }
    let list = shop.client.clone().list_products(ListProductsRequest::default()).await.unwrap();
    assert!(list.into_inner().products.is_empty());
}

async fn pages_show_every_product_once_in_order(on: On) {
    let shop = Shop::open(on).await;
    for i in 0..7 {
        shop.put(product(&format!("SKU {i}"), i)).await.unwrap();
    }
    for page_size in [1, 2, 3, 7, 8, 0] {
        let (mut skus, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListProductsRequest { page_size, page_token };
            let page = shop.client.clone().list_products(request).await.unwrap().into_inner();
            skus.extend(page.products.into_iter().map(|product| product.sku));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(skus, (0..7).map(|i| format!("SKU {i}")).collect::<Vec<_>>(), "{page_size}");
    }
    for page_size in [-1, 1001] {
        let request = ListProductsRequest { page_size, page_token: String::new() };
        assert_eq!(field(&shop.client.clone().list_products(request).await.unwrap_err()), "page_size");
    }
}

async fn validation_prices_every_line_or_names_every_line_that_cannot_be(on: On) {
    let shop = Shop::open(on).await;
    shop.put(product("A", 0)).await.unwrap();
    shop.put(product("B", 5)).await.unwrap();
    let validate = async |items| {
        let request = ValidateItemsRequest { items };
        shop.client.clone().validate_items(request).await.map(tonic::Response::into_inner)
    };

    let answer = validate(vec![item("B", 2), item("A", 1), item("B", 3)]).await.unwrap();
    let lines: Vec<_> = answer.items.iter().map(|line| (line.sku.as_str(), line.quantity)).collect();
    assert_eq!(lines, [("B", 2), ("A", 1), ("B", 3)]);
    assert_eq!(answer.items[0].name, "Product B");
    assert_eq!(answer.items[0].unit_price, Some(Money { amount_minor: 255, currency: "GBP".into() }));
    assert_eq!(answer.items[0].unit_weight_grams, 100);

    let answer = validate(vec![item("X", 1), item("A", 1), item("Y", 1)]).await.unwrap();
    let problems: Vec<_> =
        answer.problems.iter().map(|p| (p.index, p.sku.as_str(), p.reason.as_str())).collect();
    assert_eq!(problems, [(0, "X", "UNKNOWN_SKU"), (2, "Y", "UNKNOWN_SKU")]);
    assert!(answer.items.is_empty());

    assert_eq!(field(&validate(vec![item("A", 1), item("A", 0)]).await.unwrap_err()), "items[1].quantity");
    assert_eq!(field(&validate(vec![]).await.unwrap_err()), "items");
    assert!(validate(vec![item("A", 1); 1000]).await.is_ok());
    assert_eq!(field(&validate(vec![item("A", 1); 1001]).await.unwrap_err()), "items");
}
