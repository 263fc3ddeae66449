//! Currencies without decimals and with three: a whole purchase, and some of it back.

use backstitch_stripe_double::Moved;
use serde_json::json;

use crate::common::Answer;
use crate::scene::{Scene, Word};

/// Two of a product are bought, one is given back, and then the rest.
async fn bought_and_given_back(code: &str, price: i64, shipping: i64) {
    let mut scene = Scene::open(Word::Sent).await;
    let product = json!({
        "name": "Something", "price": {"amount_minor": price, "currency": code}, "stock": 100, "weight_grams": 100,
    });
    scene.shop.put("/api/v1/products/C", &product).await.ok();
    let id = scene.begin_of("C", "cart", "pm_card_visa").await;
    let done = scene.shop.rested(&id).await;
    let total = 2 * price + shipping;
    let told = |answer: &Answer, what: &str| {
        (answer.int(&format!("/{what}/amount_minor")), answer.text(&format!("/{what}/currency")).to_owned())
    };
    assert_eq!(done.text("/status"), "completed", "{done:?}");
    assert_eq!(told(&done, "total"), (total, code.to_owned()), "{done:?}");
    for (key, body, back, kept) in [
        ("one", json!({"items": [{"sku": "C", "quantity": 1}]}), price, price + shipping),
        ("rest", json!({}), price + shipping, 0),
    ] {
        let returned = scene.give_back(&done, key, &body).await;
        assert_eq!(returned.text("/status"), "completed", "{returned:?}");
        assert_eq!(told(&returned, "refund"), (back, code.to_owned()), "{returned:?}");
        let account = scene.account(&id).await;
        assert_eq!((account.kept(), account.currency.as_str()), (kept, code.to_lowercase().as_str()));
    }
    let account = scene.account(&id).await;
    let moved: Vec<_> = account.movements.iter().map(|movement| (movement.what, movement.amount)).collect();
    let back = [(Moved::Refunded, price), (Moved::Refunded, price + shipping)];
    assert_eq!(moved, [&[(Moved::Held, total), (Moved::Captured, total)][..], &back].concat());
    scene.close().await;
}

#[tokio::test]
async fn a_purchase_in_yen_is_paid_and_given_back_in_parts() {
    bought_and_given_back("JPY", 500, 750).await;
}

#[tokio::test]
async fn a_purchase_in_dinars_is_paid_and_given_back_in_parts() {
    bought_and_given_back("KWD", 5_120, 1_520).await;
}
