//! The carrier's scan becomes the order's status and one mail to the customer, through events.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use backstitch_proto::ids::derived;
use backstitch_proto::shipping::MarkShippedRequest;
use backstitch_proto::shipping::shipping_client::ShippingClient;
use common::{Answer, Shop, order_of, until};
use tonic::Code;
use uuid::Uuid;

/// The carrier's scan of a checkout's parcel.
async fn scan(shop: &Shop, checkout: &Answer) -> Result<String, tonic::Status> {
    let saga = Uuid::parse_str(checkout.text("/checkout_id")).unwrap();
    let at = format!("http://{}", shop.up().address("shipping"));
    let mut carrier = ShippingClient::connect(at).await.unwrap();
    let shipment_id = derived(saga, "shipment").to_string();
    let shipment = carrier.mark_shipped(MarkShippedRequest { shipment_id }).await?.into_inner();
    assert_eq!(shipment.events.iter().filter(|event| event.status == "shipped").count(), 1);
    Ok(shipment.status)
}

/// Mails that say that an order has been sent.
fn mails(data: &Path) -> Vec<String> {
    let files = std::fs::read_dir(data.join("mail")).into_iter().flatten();
    let read = files.filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
    read.filter(|mail| mail.contains("has been sent")).collect()
}

#[tokio::test]
async fn a_scanned_parcel_makes_the_order_shipped_and_writes_one_mail() {
    let mut shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    assert_eq!(mails(&shop.data()), Vec::<String>::new(), "before it has left");

    // Carriers scan a parcel more than once.
    for _ in 0..3 {
        assert_eq!(scan(&shop, &done).await.unwrap(), "shipped");
    }
    let mail = until("the mail is written", async || mails(&shop.data()).into_iter().next()).await;
    assert!(mail.contains("To: ada@example.com") && mail.contains(done.text("/order_number")), "{mail}");
    let order = shop.get(&format!("/api/v1/orders/{}", done.text("/order_id"))).await.ok();
    assert_eq!((order.text("/status"), order.text("/history/2/status")), ("shipped", "shipped"));

    // The built-in broker starts empty, the consumers' places with it: every event is delivered again.
    shop.stop().await;
    shop.start().await;
    shop.fill("cart", &[("A", 1)]).await;
    let next = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    scan(&shop, &next).await.unwrap();
    until("the next one's mail is written", async || (mails(&shop.data()).len() == 2).then_some(())).await;
    let of_first = mails(&shop.data());
    let of_first = of_first.iter().filter(|mail| mail.contains(done.text("/order_number"))).count();
    assert_eq!(of_first, 1, "one mail for each order");
    shop.close().await;
}

#[tokio::test]
async fn a_parcel_that_is_not_there_is_not_scanned() {
    let shop = Shop::open().await;
    let at = format!("http://{}", shop.up().address("shipping"));
    let mut carrier = ShippingClient::connect(at).await.unwrap();
    for (id, code) in
        [(Uuid::now_v7().to_string(), Code::NotFound), ("BS-1".to_owned(), Code::InvalidArgument)]
    {
        let refused = carrier.mark_shipped(MarkShippedRequest { shipment_id: id }).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    shop.close().await;
}
