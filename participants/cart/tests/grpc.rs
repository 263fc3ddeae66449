//! Carts as they are deployed: served on a socket, called by a client that knows only the address.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::cart::carts_client::CartsClient;
use backstitch_proto::cart::{
    ClearCartRequest, FreeCartRequest, GetCartRequest, HoldCartRequest, PutCartRequest,
};
use backstitch_proto::contract::{Op, Verdict};
use backstitch_services::{On, each_database};
use common::{Saga, Shop, lines};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

each_database!(a_cart_is_put_held_refused_freed_and_cleared_over_the_wire,);

async fn a_cart_is_put_held_refused_freed_and_cleared_over_the_wire(on: On) {
    let Shop { participant, directory: _directory, .. } = Shop::open(on).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    let serving = tokio::spawn(participant.serve(listener, shutdown.clone()));

    let endpoint = Endpoint::from_shared(address).unwrap().connect_timeout(Duration::from_secs(5));
    let mut client = CartsClient::new(endpoint.connect().await.unwrap());
    let put = PutCartRequest { cart_id: "c".into(), items: lines(&[("A", 2)]), ..PutCartRequest::default() };
    let version = client.put(put).await.unwrap().into_inner().version;

    let hold = |saga: Saga| saga.call("hold_cart", Op::Do, HoldCartRequest { cart_id: "c".into(), version });
    let (first, second, third) = (Saga::new(), Saga::new(), Saga::new());
    client.hold(hold(first)).await.unwrap();
    let refusal = second.refusal(&client.hold(hold(second)).await.map(|_| ()));
    assert_eq!(refusal.reason, "CART_IN_CHECKOUT");
    assert_eq!(refusal.metadata["holder"], first.0.to_string());

    let free = FreeCartRequest { cart_id: "c".into() };
    client.free(first.call("hold_cart", Op::Undo, free)).await.unwrap();
    let late = client.hold(hold(first)).await.map(|_| ());
    assert!(matches!(first.verdict("hold_cart", Op::Do, &late), Verdict::Superseded(_)));

    client.hold(hold(third)).await.unwrap();
    let clear = ClearCartRequest { cart_id: "c".into(), items: lines(&[("A", 1)]) };
    client.clear(third.call("clear_cart", Op::Do, clear)).await.unwrap();
    let cart = client.get(GetCartRequest { cart_id: "c".into(), fresh: false }).await.unwrap().into_inner();
    assert_eq!((cart.items, cart.held_by.as_str()), (lines(&[("A", 1)]), ""));

    // A call without the contract's metadata promises nothing.
    let bare = client.hold(HoldCartRequest { cart_id: "c".into(), version: cart.version }).await.unwrap_err();
    assert_eq!(
        Verdict::from_status(
            &bare,
            "cart",
            &participant_kit::testing::call(third.0, "hold_cart", Op::Do).key()
        ),
        None
    );

    drop(client);
    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
