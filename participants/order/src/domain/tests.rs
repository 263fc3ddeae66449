use backstitch_proto::common;
use proptest::prelude::*;

use super::*;

fn gbp(minor: i64) -> Option<common::Money> {
    Some(common::Money { amount_minor: minor, currency: "GBP".into() })
}

fn item(quantity: i64, price: i64) -> PricedItem {
    PricedItem {
        sku: "85123A".into(),
        quantity,
        name: "WHITE HANGING HEART T-LIGHT HOLDER".into(),
        unit_price: gbp(price),
        unit_weight_grams: 200,
    }
}

fn request(items: Vec<PricedItem>, shipping: i64, total: i64) -> CreateOrderRequest {
    CreateOrderRequest {
        order_id: Uuid::from_u128(1).to_string(),
        checkout_id: Uuid::from_u128(2).to_string(),
        customer_id: String::new(),
        email: "ada@example.com".into(),
        items,
        shipping_address: Some(common::Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            country: "GB".into(),
            ..Default::default()
        }),
        shipping_method: "standard".into(),
        shipping_price: gbp(shipping),
        total: gbp(total),
        payment_id: Uuid::from_u128(3).to_string(),
    }
}

/// The sum as a spreadsheet with unlimited cells would have it.
fn exact_total(lines: &[(i64, i64)], shipping: i64) -> i128 {
    lines.iter().map(|&(q, p)| i128::from(q) * i128::from(p)).sum::<i128>() + i128::from(shipping)
}

fn price() -> impl Strategy<Value = i64> {
    // Mostly shop prices, sometimes so much that sums overflow.
    prop_oneof![9 => 0..100_000_i64, 1 => i64::MAX / 1_000_000 - 5..=i64::MAX]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_order_is_accepted_exactly_when_its_total_is_the_sum_of_its_parts(
        lines in prop::collection::vec((1..=MAX_QUANTITY, price()), 1..20),
        shipping in price(),
        off in prop_oneof![3 => Just(0_i64), 1 => -3..=3_i64, 1 => any::<i64>()],
    ) {
        let exact = exact_total(&lines, shipping);
        let stated = i64::try_from((exact + i128::from(off)).clamp(0, i128::from(i64::MAX))).unwrap();
        let items = lines.iter().map(|&(q, p)| item(q, p)).collect();
        let parsed = NewOrder::parse(request(items, shipping, stated));
        if exact == i128::from(stated) {
            prop_assert_eq!(parsed.map(|order| order.total.minor), Ok(stated));
        } else {
            prop_assert!(parsed.is_err(), "{exact} was accepted as {stated}");
        }
    }
}

#[test]
fn a_wrong_total_is_told_apart_from_a_sum_that_cannot_be() {
    let one_off = NewOrder::parse(request(vec![item(2, 250)], 100, 601));
    assert_eq!(
        one_off.unwrap_err().to_string(),
        "total is 6.01 GBP, but items and shipping come to 6.00 GBP"
    );
    let too_large = NewOrder::parse(request(vec![item(2, i64::MAX)], 0, 1));
    assert_eq!(too_large.unwrap_err().to_string(), "items[0].unit_price the amount is too large");
}

#[test]
fn parts_in_two_currencies_are_no_order() {
    let mut mixed = request(vec![item(1, 100)], 0, 100);
    mixed.items[0].unit_price = Some(common::Money { amount_minor: 100, currency: "EUR".into() });
    assert_eq!(field_of(mixed), "items[0].unit_price");
    let mut mixed = request(vec![item(1, 100)], 0, 100);
    mixed.shipping_price = Some(common::Money { amount_minor: 0, currency: "EUR".into() });
    assert_eq!(field_of(mixed), "shipping_price");
}

#[test]
fn limits_hold_at_the_limit_and_one_past_it() {
    let lines = |n: usize| request(vec![item(1, 1); n], 0, i64::try_from(n).unwrap());
    assert_eq!(NewOrder::parse(lines(MAX_ITEMS)).unwrap().lines.len(), MAX_ITEMS);
    assert_eq!(field_of(lines(MAX_ITEMS + 1)), "items");
    assert_eq!(field_of(lines(0)), "items");
    assert!(NewOrder::parse(request(vec![item(MAX_QUANTITY, 1)], 0, MAX_QUANTITY)).is_ok());
    for quantity in [MAX_QUANTITY + 1, 0, -1, 1 << 31, i64::MIN] {
        assert_eq!(field_of(request(vec![item(quantity, 0)], 0, 0)), "items[0].quantity");
    }
}

#[test]
fn a_malformed_field_is_named() {
    type Edit = fn(&mut CreateOrderRequest);
    let cases: [(&str, Edit); 13] = [
        ("order_id", |r| r.order_id = "42".into()),
        ("checkout_id", |r| r.checkout_id.clear()),
        ("customer_id", |r| r.customer_id = "a\0b".into()),
        ("email", |r| r.email = "ada@example.com\r\nBcc: x@example.com".into()),
        ("items[0].sku", |r| r.items[0].sku.clear()),
        ("items[0].name", |r| r.items[0].name = "a\nb".into()),
        ("items[0].unit_price", |r| r.items[0].unit_price = None),
        ("items[0].unit_price", |r| r.items[0].unit_price = gbp(-1)),
        ("items[0].unit_weight_grams", |r| r.items[0].unit_weight_grams = -1),
        ("shipping_address.country", |r| {
            r.shipping_address.as_mut().unwrap().country = "United Kingdom".into();
        }),
        ("shipping_method", |r| r.shipping_method.clear()),
        ("total", |r| r.total = None),
        ("payment_id", |r| r.payment_id = "tok_ok".into()),
    ];
    for (field, edit) in cases {
        let mut bad = request(vec![item(1, 100)], 50, 150);
        edit(&mut bad);
        assert_eq!(field_of(bad), field);
    }
}

#[test]
fn every_field_counts_for_identity() {
    type Edit = fn(&mut CreateOrderRequest);
    let good = || request(vec![item(1, 100), item(2, 0)], 50, 150);
    let identity = |r: CreateOrderRequest| NewOrder::parse(r).unwrap().identity().finish();
    let edits: [Edit; 12] = [
        |r| r.order_id = Uuid::from_u128(9).to_string(),
        |r| r.checkout_id = Uuid::from_u128(9).to_string(),
        |r| r.customer_id = "c-1".into(),
        |r| r.email = "bob@example.com".into(),
        |r| r.payment_id = Uuid::from_u128(9).to_string(),
        |r| r.shipping_method = "express".into(),
        |r| r.shipping_address.as_mut().unwrap().postal_code = "SW1Y 4JH".into(),
        |r| r.items.swap(0, 1),
        |r| r.items[1].sku = "71053".into(),
        |r| r.items[1].quantity = 3,
        |r| r.items[1].unit_weight_grams = 3,
        |r| {
            r.shipping_price = gbp(51);
            r.total = gbp(151);
        },
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut other = good();
        edit(&mut other);
        assert_ne!(identity(other), identity(good()), "edit {number}");
    }
    assert_eq!(identity(good()), identity(good()));
}

#[test]
fn order_numbers_are_for_people() {
    assert_eq!(OrderNumber(1).to_string(), "BS-000001");
    assert_eq!(OrderNumber(123_456).to_string(), "BS-123456");
    assert_eq!(OrderNumber(1_234_567).to_string(), "BS-1234567");
}

fn field_of(request: CreateOrderRequest) -> String {
    match NewOrder::parse(request) {
        Err(InvalidOrder::Field { field, .. }) => field,
        other => panic!("no field is named: {other:?}"),
    }
}
