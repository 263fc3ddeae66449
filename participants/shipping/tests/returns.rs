//! What taking a parcel back promises, over the real server and a real file.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../order/tests/harness/mod.rs"]
mod harness;

use std::sync::Arc;

use backstitch_proto::common::{Address, Item};
use backstitch_proto::contract::{Op, Verdict};
use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::ids;
use backstitch_proto::shipping::shipping_client::ShippingClient;
use backstitch_proto::shipping::{
    CreateShipmentRequest, CreateShipmentResponse, GetShipmentRequest, MarkShippedRequest, Shipment,
    TakeBackRequest,
};
use backstitch_services::{On, each_database};
use participant_kit::ManualClock;
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use harness::{Call, Served, call};

each_database!(
    a_parcel_of_which_nothing_is_wanted_does_not_leave,
    what_comes_back_of_a_parcel_that_has_left_is_received,
    what_comes_back_in_part_is_received_and_the_rest_leaves,
    a_part_that_comes_back_after_the_parcel_was_called_back_finds_it_so,
    a_parcel_is_called_back_only_when_everything_of_it_has_come_back,
    whichever_return_comes_last_calls_the_parcel_back,
    a_parcel_that_is_taken_back_before_it_was_created_never_leaves,
    a_part_of_a_parcel_that_is_not_there_yet_waits_for_it,
    a_repeated_call_has_its_effect_once_and_the_same_answer,
    only_the_family_of_a_parcel_takes_it_back,
    a_request_that_cannot_be_is_broken_and_names_the_field,
);

const NOW_MS: i64 = 1_790_000_000_000;

struct House {
    served: Served,
    client: ShippingClient<Channel>,
    _directory: TempDir,
}

/// A return: its saga, and the checkout whose goods come back.
#[derive(Clone, Copy)]
struct Back {
    saga: Uuid,
    root: Uuid,
}

impl Back {
    fn of(root: Uuid) -> Self {
        Self { saga: Uuid::now_v7(), root }
    }

    fn call(self) -> Call {
        call(self.saga, "take_back_shipment", Op::Do).of_family(self.root, "return")
    }

    fn wish(self, whole: bool) -> TakeBackRequest {
        TakeBackRequest {
            receipt_id: ids::derived(self.saga, "receipt").to_string(),
            shipment_id: shipment_id(self.root),
            order_id: ids::derived(self.root, "order").to_string(),
            whole,
            items: vec![Item { sku: "A".into(), quantity: 2 }],
            ordered: Vec::new(),
        }
    }

    /// Of an order of three `A`.
    fn of_three(self, whole: bool, quantity: i64) -> TakeBackRequest {
        let item = |quantity| vec![Item { sku: "A".into(), quantity }];
        TakeBackRequest { items: item(quantity), ordered: item(3), ..self.wish(whole) }
    }

    #[track_caller]
    fn broken(self, result: Result<String, Status>) -> String {
        match self.call().verdict(&result.unwrap_err(), "shipping") {
            Verdict::Broken(why) => why,
            other => panic!("not broken: {other:?}"),
        }
    }
}

impl House {
    async fn open(on: On) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = harness::database(on, directory.path(), &participant_shipping::SCHEMA).await;
        let clock = Arc::new(ManualClock::new(NOW_MS));
        let options = participant_shipping::Options { database_url: url, clock };
        let served = Served::start(participant_shipping::open(options).await.unwrap()).await;
        Self { client: ShippingClient::new(served.channel.clone()), served, _directory: directory }
    }

    async fn ship(&self, root: Uuid) -> Result<CreateShipmentResponse, Status> {
        let request = CreateShipmentRequest {
            shipment_id: shipment_id(root),
            order_id: ids::derived(root, "order").to_string(),
            address: Some(Address {
                name: "Ada Lovelace".into(),
                line1: "12 St James's Square".into(),
                city: "London".into(),
                country: "GB".into(),
                ..Default::default()
            }),
            method: "standard".into(),
            weight_grams: 1_200,
        };
        let call = call(root, "create_shipment", Op::Do);
        Ok(self.client.clone().create_shipment(call.with(request)).await?.into_inner())
    }

    /// A parcel of a new checkout.
    async fn parcel(&self) -> Uuid {
        let root = Uuid::now_v7();
        self.ship(root).await.unwrap();
        root
    }

    async fn leave(&self, root: Uuid) -> Result<Shipment, Status> {
        let request = MarkShippedRequest { shipment_id: shipment_id(root) };
        Ok(self.client.clone().mark_shipped(request).await?.into_inner())
    }

    async fn take_back(&self, back: Back, request: TakeBackRequest) -> Result<String, Status> {
        Ok(self.client.clone().take_back(back.call().with(request)).await?.into_inner().outcome)
    }

    async fn get(&self, root: Uuid) -> Shipment {
        let request = GetShipmentRequest { shipment_id: shipment_id(root) };
        self.client.clone().get_shipment(request).await.unwrap().into_inner()
    }

    /// Its status, and what happened to it.
    async fn story(&self, root: Uuid) -> (String, Vec<String>) {
        let shipment = self.get(root).await;
        (shipment.status, shipment.events.into_iter().map(|event| event.status).collect())
    }

    /// The words of its events, in their order.
    async fn told(&self, root: Uuid) -> Vec<String> {
        let rows = self.served.events().await.into_iter().filter(|row| row.event.key == root.to_string());
        let word = |row: outbox_relay::Row| {
            let changed: ShipmentChanged = serde_json::from_slice(&row.event.payload).unwrap();
            assert_eq!(row.event.kind, format!("com.backstitch.shipping.{}.v1", changed.status));
            assert_eq!((&row.event.subject, &changed.shipment_id), (&shipment_id(root), &shipment_id(root)));
            assert!(!changed.tracking_number.is_empty());
            changed.status
        };
        rows.map(word).collect()
    }
}

fn shipment_id(root: Uuid) -> String {
    ids::derived(root, "shipment").to_string()
}

async fn a_parcel_of_which_nothing_is_wanted_does_not_leave(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    let back = Back::of(root);
    assert_eq!(house.take_back(back, back.wish(true)).await.unwrap(), "cancelled");
    assert_eq!(house.leave(root).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(house.story(root).await, ("cancelled".into(), vec!["created".into(), "cancelled".into()]));
    assert_eq!(house.told(root).await, ["created", "cancelled"]);
}

async fn what_comes_back_of_a_parcel_that_has_left_is_received(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    house.leave(root).await.unwrap();
    let (part, whole) = (Back::of(root), Back::of(root));
    assert_eq!(house.take_back(part, part.wish(false)).await.unwrap(), "received");
    assert_eq!(house.take_back(whole, whole.wish(true)).await.unwrap(), "received");
    let events = ["created", "shipped", "received", "received"].map(String::from);
    assert_eq!(house.story(root).await, ("shipped".into(), events.to_vec()));
    assert_eq!(house.told(root).await, events);
}

async fn what_comes_back_in_part_is_received_and_the_rest_leaves(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    let back = Back::of(root);
    assert_eq!(house.take_back(back, back.wish(false)).await.unwrap(), "received");
    assert_eq!(house.leave(root).await.unwrap().status, "shipped");
    assert_eq!(house.told(root).await, ["created", "received", "shipped"]);
}

async fn a_part_that_comes_back_after_the_parcel_was_called_back_finds_it_so(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    let (whole, part) = (Back::of(root), Back::of(root));
    assert_eq!(house.take_back(whole, whole.wish(true)).await.unwrap(), "cancelled");
    assert_eq!(house.take_back(part, part.wish(false)).await.unwrap(), "cancelled");
    assert_eq!(house.told(root).await, ["created", "cancelled"]);
}

async fn a_parcel_is_called_back_only_when_everything_of_it_has_come_back(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    // Another return has claimed the third one, and its refund is refused afterwards: that one is still bought.
    let rest = Back::of(root);
    assert_eq!(house.take_back(rest, rest.of_three(true, 2)).await.unwrap(), "received");
    assert_eq!(house.story(root).await.0, "created");
    assert_eq!(house.leave(root).await.unwrap().status, "shipped");
    assert_eq!(house.told(root).await, ["created", "received", "shipped"]);

    // One return of everything, of a parcel and of one that is not there yet.
    let root = house.parcel().await;
    let whole = Back::of(root);
    assert_eq!(house.take_back(whole, whole.of_three(true, 3)).await.unwrap(), "cancelled");
    let early = Back::of(Uuid::now_v7());
    assert_eq!(house.take_back(early, early.of_three(true, 3)).await.unwrap(), "none");
    let part = Back::of(Uuid::now_v7());
    let waits = house.take_back(part, part.of_three(true, 2)).await.unwrap_err();
    assert!(matches!(part.call().verdict(&waits, "shipping"), Verdict::NotNow { .. }), "{waits:?}");
}

async fn whichever_return_comes_last_calls_the_parcel_back(on: On) {
    let house = House::open(on).await;
    for order in [[(true, 2), (false, 1)], [(false, 1), (true, 2)]] {
        let root = house.parcel().await;
        for ((whole, quantity), outcome) in order.into_iter().zip(["received", "cancelled"]) {
            let back = Back::of(root);
            for _ in 0..2 {
                let said = house.take_back(back, back.of_three(whole, quantity)).await.unwrap();
                assert_eq!(said, outcome, "{whole} {quantity}");
            }
            // A caller that does not say what was ordered asks the same.
            let untold = TakeBackRequest { ordered: Vec::new(), ..back.of_three(whole, quantity) };
            assert_eq!(house.take_back(back, untold).await.unwrap(), outcome);
        }
        assert_eq!(house.leave(root).await.unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(house.told(root).await, ["created", "received", "cancelled"]);
    }
}

async fn a_parcel_that_is_taken_back_before_it_was_created_never_leaves(on: On) {
    let house = House::open(on).await;
    let root = Uuid::now_v7();
    let back = Back::of(root);
    assert_eq!(house.take_back(back, back.wish(true)).await.unwrap(), "none");
    // A call that was on its way: done, so that nobody repeats it, and whoever follows the answer finds how it stands.
    let created = house.ship(root).await.unwrap();
    assert_eq!(house.ship(root).await.unwrap(), created);
    let shown = house.get(root).await;
    assert_eq!((shown.status.as_str(), &shown.tracking_number), ("cancelled", &created.tracking_number));
    assert_eq!(house.leave(root).await.unwrap_err().code(), Code::FailedPrecondition);
    assert!(house.told(root).await.is_empty(), "nobody was told of a parcel");
    assert_eq!(house.take_back(back, back.wish(true)).await.unwrap(), "none");
}

async fn a_part_of_a_parcel_that_is_not_there_yet_waits_for_it(on: On) {
    let house = House::open(on).await;
    let root = Uuid::now_v7();
    let back = Back::of(root);
    let early = house.take_back(back, back.wish(false)).await.unwrap_err();
    assert!(matches!(back.call().verdict(&early, "shipping"), Verdict::NotNow { .. }), "{early:?}");
    house.ship(root).await.unwrap();
    assert_eq!(house.take_back(back, back.wish(false)).await.unwrap(), "received");
    assert_eq!(house.told(root).await, ["created", "received"]);
}

async fn a_repeated_call_has_its_effect_once_and_the_same_answer(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    let back = Back::of(root);
    assert_eq!(house.take_back(back, back.wish(false)).await.unwrap(), "received");
    house.leave(root).await.unwrap();
    for _ in 0..2 {
        assert_eq!(house.take_back(back, back.wish(false)).await.unwrap(), "received");
    }
    assert_eq!(house.told(root).await, ["created", "received", "shipped"]);
    let more = TakeBackRequest { items: vec![Item { sku: "A".into(), quantity: 3 }], ..back.wish(false) };
    for other in [back.wish(true), more] {
        back.broken(house.take_back(back, other).await);
    }
    let other = Back::of(root);
    let taken = TakeBackRequest { receipt_id: back.wish(false).receipt_id, ..other.wish(false) };
    assert!(other.broken(house.take_back(other, taken).await).contains("exists already"));
}

async fn only_the_family_of_a_parcel_takes_it_back(on: On) {
    let house = House::open(on).await;
    let (root, stranger) = (house.parcel().await, Back::of(Uuid::now_v7()));
    let stolen = TakeBackRequest { shipment_id: shipment_id(root), ..stranger.wish(true) };
    let why = stranger.broken(house.take_back(stranger, stolen).await);
    assert!(why.contains(&root.to_string()), "{why}");
    let back = Back::of(root);
    let other_order = TakeBackRequest { order_id: Uuid::now_v7().to_string(), ..back.wish(true) };
    back.broken(house.take_back(back, other_order).await);
    assert_eq!(house.story(root).await.0, "created");
}

async fn a_request_that_cannot_be_is_broken_and_names_the_field(on: On) {
    let house = House::open(on).await;
    let root = house.parcel().await;
    type Edit = fn(&mut TakeBackRequest);
    let bad: [(&str, Edit); 9] = [
        ("ordered", |r| r.ordered = vec![r.items[0].clone(); 1001]),
        ("ordered[0].quantity", |r| r.ordered = vec![Item { sku: "A".into(), quantity: 0 }]),
        ("receipt_id", |r| r.receipt_id = "1".into()),
        ("shipment_id", |r| r.shipment_id.clear()),
        ("order_id", |r| r.order_id = "BS-000001".into()),
        ("items", |r| r.items.clear()),
        ("items", |r| r.items = vec![r.items[0].clone(); 1001]),
        ("items[0].sku", |r| r.items[0].sku.clear()),
        ("items[0].quantity", |r| r.items[0].quantity = 1_000_001),
    ];
    for (field, edit) in bad {
        let back = Back::of(root);
        let mut request = back.wish(true);
        edit(&mut request);
        let why = back.broken(house.take_back(back, request).await);
        assert!(why.contains(field), "{field}: {why}");
    }
    let back = Back::of(root);
    let most = vec![Item { sku: "A".into(), quantity: 1_000_000 }; 1000];
    let edge = TakeBackRequest { items: most, ..back.wish(false) };
    assert_eq!(house.take_back(back, edge).await.unwrap(), "received");
}
