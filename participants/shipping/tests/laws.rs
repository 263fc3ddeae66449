//! What the shipping participant promises, over its real server and a real file.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../order/tests/harness/mod.rs"]
mod harness;

use std::sync::Arc;

use backstitch_proto::common::{Address, Money};
use backstitch_proto::contract::{Op, Refusal, Verdict};
use backstitch_proto::events::ShipmentChanged;
use backstitch_proto::shipping::shipping_client::ShippingClient;
use backstitch_proto::shipping::{
    CancelShipmentRequest, CreateShipmentRequest, CreateShipmentResponse, GetShipmentRequest,
    ListMethodsRequest, QuoteRequest, QuoteResponse, Shipment,
};
use backstitch_services::{On, each_database};
use participant_kit::ManualClock;
use sqlx::AnyPool;
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Status};
use uuid::Uuid;

use harness::{Call, Served, call};

each_database!(
    a_parcel_has_a_price_in_every_zone_and_each_currency_its_own,
    what_is_not_served_is_refused_with_what_is,
    every_tier_is_quotable_up_to_its_limit_and_refused_past_the_last_one,
    a_quote_asked_for_again_is_the_same_although_rates_have_changed,
    a_refusal_asked_for_again_is_the_same_although_it_would_be_served_now,
    a_zone_without_rates_is_not_served_at_present,
    the_same_quote_key_with_another_body_is_broken,
    a_shipment_is_created_once_under_one_number_and_told_once,
    a_shipment_refuses_nothing_and_looks_at_no_quote,
    cancelling_ends_a_shipment_once_and_is_told_once,
    an_undo_that_comes_before_its_do_keeps_the_shipment_from_ever_being,
    another_saga_s_shipment_can_be_neither_taken_nor_cancelled,
    quotes_that_ended_long_ago_are_removed_and_still_answered,
    asking_for_what_is_no_id_or_no_shipment_is_told_apart,
);

const NOW_MS: i64 = 1_790_000_000_000;
const DAY_MS: i64 = 24 * 3_600_000;

struct House {
    served: Served,
    client: ShippingClient<Channel>,
    clock: ManualClock,
    url: String,
    _directory: TempDir,
}

impl House {
    async fn open(on: On) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = harness::database(on, directory.path(), &participant_shipping::SCHEMA).await;
        let clock = ManualClock::new(NOW_MS);
        let options =
            participant_shipping::Options { database_url: url.clone(), clock: Arc::new(clock.clone()) };
        let served = Served::start(participant_shipping::open(options).await.unwrap()).await;
        Self {
            client: ShippingClient::new(served.channel.clone()),
            served,
            clock,
            url,
            _directory: directory,
        }
    }

    async fn quote(&self, call: &Call, request: &QuoteRequest) -> Result<QuoteResponse, Status> {
        Ok(self.client.clone().quote(call.with(request.clone())).await?.into_inner())
    }

    /// What a new saga is quoted.
    async fn price(&self, country: &str, method: &str, grams: i64, currency: &str) -> Result<i64, Refusal> {
        let saga = Uuid::now_v7();
        let request = QuoteRequest { currency: currency.into(), ..request(saga, country, method, grams) };
        match self.quote(&quote(saga), &request).await {
            Ok(QuoteResponse { price: Some(price), .. }) => {
                assert_eq!(price.currency, currency);
                Ok(price.amount_minor)
            }
            Ok(other) => panic!("no price: {other:?}"),
            Err(status) => match quote(saga).verdict(&status, "shipping") {
                Verdict::Refused(refusal) => Err(refusal),
                other => panic!("not refused: {other:?}"),
            },
        }
    }

    async fn ship(
        &self,
        call: &Call,
        request: &CreateShipmentRequest,
    ) -> Result<CreateShipmentResponse, Status> {
        Ok(self.client.clone().create_shipment(call.with(request.clone())).await?.into_inner())
    }

    async fn cancel(&self, saga: Uuid) -> Result<(), Status> {
        let request = CancelShipmentRequest { shipment_id: shipment_id(saga) };
        self.client.clone().cancel_shipment(unship(saga).with(request)).await.map(drop)
    }

    async fn get(&self, shipment_id: String) -> Result<Shipment, Status> {
        Ok(self.client.clone().get_shipment(GetShipmentRequest { shipment_id }).await?.into_inner())
    }

    /// What an operator does at the database.
    async fn sql(&self, sql: &'static str) -> Vec<i64> {
        sqlx::any::install_default_drivers();
        let pool = AnyPool::connect(&self.url).await.unwrap();
        let rows = sqlx::query_scalar(sql).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    }
}

fn quote(saga: Uuid) -> Call {
    call(saga, "quote_shipping", Op::Do)
}

fn ship(saga: Uuid) -> Call {
    call(saga, "create_shipment", Op::Do)
}

fn unship(saga: Uuid) -> Call {
    call(saga, "create_shipment", Op::Undo)
}

fn shipment_id(saga: Uuid) -> String {
    backstitch_proto::ids::derived(saga, "shipment").to_string()
}

fn address(country: &str) -> Option<Address> {
    Some(Address {
        name: "Ada Lovelace".into(),
        line1: "12 St James's Square".into(),
        city: "London".into(),
        country: country.into(),
        ..Default::default()
    })
}

fn request(saga: Uuid, country: &str, method: &str, weight_grams: i64) -> QuoteRequest {
    QuoteRequest {
        quote_id: backstitch_proto::ids::derived(saga, "quote").to_string(),
        address: address(country),
        method: method.into(),
        weight_grams,
        currency: "GBP".into(),
    }
}

fn shipment(saga: Uuid) -> CreateShipmentRequest {
    CreateShipmentRequest {
        shipment_id: shipment_id(saga),
        order_id: backstitch_proto::ids::derived(saga, "order").to_string(),
        address: address("GB"),
        method: "standard".into(),
        weight_grams: 1_200,
    }
}

async fn a_parcel_has_a_price_in_every_zone_and_each_currency_its_own(on: On) {
    let house = House::open(on).await;
    assert_eq!(house.price("GB", "standard", 2_000, "GBP").await, Ok(395));
    assert_eq!(house.price("GB", "standard", 2_000, "EUR").await, Ok(465));
    assert_eq!(house.price("GB", "standard", 2_000, "USD").await, Ok(495));
    assert_eq!(house.price("FR", "express", 2_001, "GBP").await, Ok(1895 + 340));
    assert_eq!(house.price("AU", "standard", 5_000, "USD").await, Ok(1895 + 4 * 690));
    assert_eq!(house.price("GB", "economy", 0, "GBP").await, Ok(295));
}

async fn what_is_not_served_is_refused_with_what_is(on: On) {
    let house = House::open(on).await;
    let refused = |refusal: Refusal, key: &str| (refusal.reason, refusal.metadata.get(key).cloned().unwrap());
    for (country, name) in [("AQ", "Antarctica"), ("UK", "the United Kingdom is GB"), ("ZZ", "ZZ is no")] {
        let refusal = house.price(country, "standard", 1, "GBP").await.unwrap_err();
        assert!(refusal.detail.contains(name), "{refusal:?}");
        assert_eq!(refused(refusal, "country"), ("UNSUPPORTED_COUNTRY".into(), country.into()));
    }
    let refusal = house.price("GB", "drone", 1, "GBP").await.unwrap_err();
    assert_eq!(refused(refusal, "methods"), ("UNKNOWN_METHOD".into(), "economy,express,standard".into()));
    let refusal = house.price("DE", "economy", 1, "GBP").await.unwrap_err();
    assert_eq!(refused(refusal, "methods"), ("UNKNOWN_METHOD".into(), "express,standard".into()));
    let refusal = house.price("GB", "standard", 1, "CHF").await.unwrap_err();
    assert_eq!(refused(refusal, "currencies"), ("UNSUPPORTED_CURRENCY".into(), "EUR,GBP,JPY,KWD,USD".into()));
    let refusal = house.price("GB", "standard", i64::MAX, "GBP").await.unwrap_err();
    assert_eq!(refused(refusal, "limit_grams"), ("TOO_HEAVY".into(), "2000000".into()));
}

/// Over the rates that the migration seeds, as ListMethods tells them.
async fn every_tier_is_quotable_up_to_its_limit_and_refused_past_the_last_one(on: On) {
    let house = House::open(on).await;
    let methods =
        house.client.clone().list_methods(ListMethodsRequest {}).await.unwrap().into_inner().methods;
    assert_eq!(methods.len(), 50);
    for tier in &methods {
        let Some(Money { amount_minor: base, currency }) = &tier.base_price else { panic!("{tier:?}") };
        let extra = tier.price_per_extra_kg.as_ref().unwrap().amount_minor;
        let country = tier.countries.first().unwrap();
        let at = |grams: i64| house.price(country, &tier.method, grams, currency);

        let limit = tier.max_weight_grams;
        let kilos = (limit - tier.base_weight_grams + 999) / 1000;
        assert_eq!(at(limit).await, Ok(base + kilos * extra), "{} {} {limit}", tier.zone, tier.method);
        let same = |m: &&backstitch_proto::shipping::Method| {
            (&m.zone, &m.method) == (&tier.zone, &tier.method)
                && m.base_price.as_ref().is_some_and(|p| p.currency == *currency)
        };
        let heaviest = methods.iter().filter(same).map(|m| m.max_weight_grams).max().unwrap();
        if limit == heaviest {
            let refusal = at(limit + 1).await.unwrap_err();
            assert_eq!(
                (refusal.reason.as_str(), &refusal.metadata["limit_grams"]),
                ("TOO_HEAVY", &limit.to_string())
            );
        } else {
            // The next tier takes over, and costs no less.
            assert!(at(limit + 1).await.unwrap() >= base + kilos * extra, "{} {}", tier.zone, tier.method);
        }
    }
    for country in ["GB", "NO", "AU", "FR", "IE", "DE", "NL"] {
        house.price(country, "standard", 500_000, "GBP").await.unwrap();
    }
}

async fn a_quote_asked_for_again_is_the_same_although_rates_have_changed(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let asked = request(saga, "GB", "standard", 1_000);
    let first = house.quote(&quote(saga), &asked).await.unwrap();
    assert_eq!((first.valid_for_seconds, first.method.as_str()), (1800, "standard"));

    house.sql("UPDATE rates SET base_price_minor = base_price_minor + 100 RETURNING base_price_minor").await;
    house.clock.advance(DAY_MS);
    assert_eq!(house.quote(&quote(saga), &asked).await.unwrap(), first);
    assert_eq!(house.price("GB", "standard", 1_000, "GBP").await, Ok(495), "a new quote is at the new rate");
    assert_eq!(
        house.sql("SELECT valid_until_ms - created_at_ms FROM quotes").await,
        [30 * 60 * 1000, 30 * 60 * 1000]
    );
}

async fn a_refusal_asked_for_again_is_the_same_although_it_would_be_served_now(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let heavy = request(saga, "GB", "economy", 10_001);
    let first = house.quote(&quote(saga), &heavy).await.unwrap_err();
    house
        .sql("UPDATE rates SET max_weight_grams = 20000 WHERE method = 'economy' RETURNING max_weight_grams")
        .await;
    let again = house.quote(&quote(saga), &heavy).await.unwrap_err();
    assert_eq!(quote(saga).verdict(&again, "shipping"), quote(saga).verdict(&first, "shipping"));
    house.price("GB", "economy", 10_001, "GBP").await.unwrap();
}

async fn a_zone_without_rates_is_not_served_at_present(on: On) {
    let house = House::open(on).await;
    house.sql("DELETE FROM rates WHERE zone = 'world' RETURNING base_price_minor").await;
    let refusal = house.price("NO", "standard", 1, "GBP").await.unwrap_err();
    assert_eq!(
        (refusal.reason.as_str(), refusal.detail.as_str()),
        ("UNSUPPORTED_COUNTRY", "nothing is sent to NO at present")
    );
    house.price("GB", "standard", 1, "GBP").await.unwrap();
}

async fn the_same_quote_key_with_another_body_is_broken(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.quote(&quote(saga), &request(saga, "GB", "standard", 1_000)).await.unwrap();
    for other in [
        request(saga, "FR", "standard", 1_000),
        request(saga, "GB", "express", 1_000),
        request(saga, "GB", "standard", 1_001),
        QuoteRequest { currency: "EUR".into(), ..request(saga, "GB", "standard", 1_000) },
        QuoteRequest { quote_id: Uuid::now_v7().to_string(), ..request(saga, "GB", "standard", 1_000) },
        QuoteRequest { weight_grams: -1, ..request(saga, "GB", "standard", 1_000) },
    ] {
        let status = house.quote(&quote(saga), &other).await.unwrap_err();
        assert!(matches!(quote(saga).verdict(&status, "shipping"), Verdict::Broken(_)), "{status:?}");
    }
}

async fn a_shipment_is_created_once_under_one_number_and_told_once(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let created = house.ship(&ship(saga), &shipment(saga)).await.unwrap();
    assert_eq!(created.shipment_id, shipment_id(saga));
    for again in [ship(saga), call(saga, "create_shipment", Op::Close)] {
        assert_eq!(house.ship(&again, &shipment(saga)).await.unwrap(), created);
    }
    let stored = house.get(shipment_id(saga)).await.unwrap();
    assert_eq!((stored.status.as_str(), &stored.tracking_number), ("created", &created.tracking_number));
    assert_eq!(stored.order_id, shipment(saga).order_id);

    let events = house.served.events().await;
    let [row] = &events[..] else { panic!("not one event: {events:?}") };
    assert_eq!(
        (row.event.topic.as_str(), row.event.kind.as_str()),
        ("shipping.events", "com.backstitch.shipping.created.v1")
    );
    assert_eq!((&row.event.key, &row.event.subject), (&saga.to_string(), &shipment_id(saga)));
    let changed: ShipmentChanged = serde_json::from_slice(&row.event.payload).unwrap();
    assert_eq!((changed.status.as_str(), changed.tracking_number), ("created", created.tracking_number));
}

async fn a_shipment_refuses_nothing_and_looks_at_no_quote(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.sql("DELETE FROM rates RETURNING base_price_minor").await;
    let odd = CreateShipmentRequest {
        address: address("AQ"),
        method: "drone".into(),
        weight_grams: i64::MAX,
        ..shipment(saga)
    };
    house.ship(&ship(saga), &odd).await.unwrap();
}

async fn cancelling_ends_a_shipment_once_and_is_told_once(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.ship(&ship(saga), &shipment(saga)).await.unwrap();
    house.clock.advance(5);
    house.cancel(saga).await.unwrap();
    house.cancel(saga).await.unwrap();
    let stored = house.get(shipment_id(saga)).await.unwrap();
    let events: Vec<_> = stored.events.iter().map(|e| (e.status.as_str(), e.at_unix_ms)).collect();
    assert_eq!(stored.status, "cancelled");
    assert_eq!(events, [("created", NOW_MS), ("cancelled", NOW_MS + 5)]);
    let kinds: Vec<String> = house.served.events().await.into_iter().map(|row| row.event.kind).collect();
    assert_eq!(kinds, ["com.backstitch.shipping.created.v1", "com.backstitch.shipping.cancelled.v1"]);
    // A do that comes late does not bring it back.
    let late = house.ship(&ship(saga), &shipment(saga)).await.unwrap_err();
    assert!(matches!(ship(saga).verdict(&late, "shipping"), Verdict::Superseded(_)), "{late:?}");
}

async fn an_undo_that_comes_before_its_do_keeps_the_shipment_from_ever_being(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    house.cancel(saga).await.unwrap();
    let late = house.ship(&ship(saga), &shipment(saga)).await.unwrap_err();
    assert!(matches!(ship(saga).verdict(&late, "shipping"), Verdict::Superseded(_)), "{late:?}");
    assert_eq!(house.get(shipment_id(saga)).await.unwrap_err().code(), Code::NotFound);
    assert!(house.served.events().await.is_empty());
}

async fn another_saga_s_shipment_can_be_neither_taken_nor_cancelled(on: On) {
    let house = House::open(on).await;
    let (mine, yours) = (Uuid::now_v7(), Uuid::now_v7());
    house.ship(&ship(mine), &shipment(mine)).await.unwrap();
    let stolen = CreateShipmentRequest { shipment_id: shipment_id(mine), ..shipment(yours) };
    let status = house.ship(&ship(yours), &stolen).await.unwrap_err();
    assert!(matches!(ship(yours).verdict(&status, "shipping"), Verdict::Broken(_)), "{status:?}");

    house.ship(&ship(yours), &shipment(yours)).await.unwrap();
    let request = CancelShipmentRequest { shipment_id: shipment_id(mine) };
    let status = house.client.clone().cancel_shipment(unship(yours).with(request)).await.unwrap_err();
    let Verdict::Broken(why) = unship(yours).verdict(&status, "shipping") else { panic!("{status:?}") };
    assert!(why.contains(&mine.to_string()), "{why}");
    for saga in [mine, yours] {
        assert_eq!(house.get(shipment_id(saga)).await.unwrap().status, "created");
    }
}

async fn quotes_that_ended_long_ago_are_removed_and_still_answered(on: On) {
    let house = House::open(on).await;
    let saga = Uuid::now_v7();
    let first = house.quote(&quote(saga), &request(saga, "GB", "standard", 1)).await.unwrap();
    house.clock.advance(DAY_MS);
    house.price("GB", "standard", 1, "GBP").await.unwrap();

    let end_ms = NOW_MS + 30 * 60 * 1000;
    for (now_ms, removed) in [(end_ms + 30 * DAY_MS, 0), (end_ms + 30 * DAY_MS + 1, 1)] {
        let [background] = &house.served.background[..] else { panic!("another background") };
        let progress = background.tick(now_ms).await;
        assert_eq!((progress.done, progress.more, progress.problem), (removed, false, None));
    }
    assert_eq!(house.sql("SELECT COUNT(*) FROM quotes").await, [1]);
    assert_eq!(house.quote(&quote(saga), &request(saga, "GB", "standard", 1)).await.unwrap(), first);
}

async fn asking_for_what_is_no_id_or_no_shipment_is_told_apart(on: On) {
    let house = House::open(on).await;
    assert_eq!(house.get("BS-1".into()).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(house.get(Uuid::now_v7().to_string()).await.unwrap_err().code(), Code::NotFound);
}
