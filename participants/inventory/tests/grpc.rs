//! Inventory as it is deployed: served on a socket, called by a client that knows only the address.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::inventory::inventory_client::InventoryClient;
use backstitch_proto::inventory::{CommitRequest, GetProductRequest, ReleaseRequest};
use backstitch_services::{On, each_database};
use common::{Saga, Shop, product, refused};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

each_database!(a_reservation_is_made_refused_released_and_committed_over_the_wire,);

async fn a_reservation_is_made_refused_released_and_committed_over_the_wire(on: On) {
    let Shop { participant, directory: _directory, .. } = Shop::open(on).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(participant.serve(listener, shutdown.clone()));

    let endpoint = Endpoint::from_shared(address).unwrap().connect_timeout(Duration::from_secs(5));
    let mut client = InventoryClient::new(endpoint.connect().await.unwrap());
    client.put_product(product("A", 3)).await.unwrap();

    let (buyer, late, back) = (Saga::new(), Saga::new(), Saga::new());
    let do_ = |saga: Saga, items| saga.call("reserve_stock", Op::Do, saga.wish(items));
    let answer = client.reserve(do_(buyer, &[("A", 2)])).await.unwrap().into_inner();
    assert_eq!(answer.reservation_id, buyer.reservation());

    let answer = client.reserve(do_(late, &[("A", 2)])).await.map(|_| ());
    let (reason, facts) = refused(late.reserve_verdict(&answer));
    assert_eq!(reason, "OUT_OF_STOCK");
    let expected = [("available", "1"), ("sku", "A"), ("wanted", "2")].map(|(k, v)| (k.into(), v.into()));
    assert_eq!(facts, expected);

    client.reserve(do_(back, &[("A", 1)])).await.unwrap();
    let request = ReleaseRequest { reservation_id: back.reservation() };
    client.release(back.call("reserve_stock", Op::Undo, request)).await.unwrap();
    let answer = client.reserve(do_(back, &[("A", 1)])).await.map(|_| ());
    assert!(matches!(back.reserve_verdict(&answer), Verdict::Superseded(_)));

    let request = CommitRequest { reservation_id: buyer.reservation() };
    client.commit(buyer.call("commit_stock", Op::Do, request)).await.unwrap();
    let product = client.get_product(GetProductRequest { sku: "A".into() }).await.unwrap().into_inner();
    assert_eq!((product.on_hand, product.reserved, product.sold), (1, 0, 2));

    // A call without the contract's metadata promises nothing.
    let bare = client.reserve(buyer.wish(&[("A", 1)])).await.unwrap_err();
    assert_eq!(
        Verdict::from_status(
            &bare,
            "inventory",
            &participant_kit::testing::call(buyer.0, "reserve_stock", Op::Do).key()
        ),
        None
    );

    drop(client);
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
