//! kill -9 at any moment, then start again: every accepted checkout ends, every key stands for the same checkout as
//! before, and the auditor finds nothing.
//!
//! `BACKSTITCH_KILLS` sets how often it is killed, `BACKSTITCH_SEED` the moments, for playing a failure again.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use backstitch_proto::ids::derived;
use backstitch_proto::payment::GetPaymentRequest;
use backstitch_proto::payment::payment_client::PaymentClient;
use common::{Answer, Shop, item, order_of, until};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn moment(&mut self, within_ms: u64) -> Duration {
        Duration::from_millis(self.roll(within_ms))
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// What checkouts are made of: a token, a product, and how it may end.
const KINDS: [(&str, &str, &[&str]); 9] = [
    ("tok_ok", "A", &["completed"]),
    ("tok_ok", "B", &["completed"]),
    ("tok_ok", "RARE", &["completed", "OUT_OF_STOCK"]),
    ("tok_slow_capture", "A", &["completed"]),
    ("tok_3ds_ok", "A", &["completed"]),
    ("tok_3ds_fail", "B", &["AUTHENTICATION_FAILED"]),
    ("tok_declined", "A", &["CARD_DECLINED"]),
    ("tok_capture_fails", "A", &["CAPTURE_FAILED"]),
    ("tok_timeout_executed", "B", &["completed"]),
];
/// Whoever dies between the intent to ask the bank and the answer, and then sees nothing there, never asks a second
/// time but makes sure that it cannot happen. So any card's checkout may also end like this.
const GIVEN_UP: &str = "PAYMENT_INTERRUPTED";
const RARE: i64 = 3;
/// Checkouts that begin in each life.
const NEW_PER_LIFE: usize = 12;

/// A customer who sends the same request until it is answered, and sometimes again.
struct Customer {
    key: String,
    kind: usize,
    filled: bool,
    /// The checkout, from the first answer that said so.
    checkout: Option<String>,
}

impl Customer {
    fn new(n: usize) -> Self {
        Self { key: format!("customer-{n}"), kind: n % KINDS.len(), filled: false, checkout: None }
    }

    fn body(&self) -> Value {
        order_of(&self.key, KINDS[self.kind].0)
    }

    /// One try; any of it may be cut off.
    async fn ask(&mut self, shop: &Shop) -> reqwest::Result<()> {
        if !self.filled {
            let items = json!({"items": [item(KINDS[self.kind].1, 1)]});
            let put = shop.request(reqwest::Method::PUT, &format!("/api/v1/carts/{}", self.key)).json(&items);
            let answer = Answer::read(put.send().await?).await?;
            self.filled = answer.status == 200;
            assert!(self.filled || answer.status == 503, "{answer:?}");
        }
        if self.filled {
            let sent = shop.checkout_request(&self.key, &self.body()).send().await?;
            self.hear(&Answer::read(sent).await?);
        }
        Ok(())
    }

    fn hear(&mut self, answer: &Answer) {
        match answer.status {
            200 | 202 => {
                let id = answer.text("/checkout_id").to_owned();
                let known = self.checkout.get_or_insert_with(|| id.clone());
                assert_eq!(*known, id, "{} stands for another checkout than before", self.key);
            }
            // Stopping, or not all there yet: to be asked again.
            503 => {}
            _ => panic!("{}: {answer:?}", self.key),
        }
    }

    /// The end, which must be one that the request can have.
    fn ends_well(&self, end: &Answer) -> String {
        let (token, _, ends) = KINDS[self.kind];
        let how = match end.text("/status") {
            "compensated" => end.text("/refusal/reason"),
            status => status,
        };
        assert!(ends.contains(&how) || how == GIVEN_UP, "{token} ended as {how}: {end:?}");
        how.to_owned()
    }
}

/// As many at a time as a small shop has.
async fn ask_all(shop: &Shop, customers: impl Iterator<Item = &mut Customer>) {
    let asking = futures::stream::iter(customers);
    asking.for_each_concurrent(24, async |customer| drop(customer.ask(shop).await)).await;
}

#[tokio::test]
async fn killed_at_any_moment_under_load_it_ends_every_checkout_exactly_once() {
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = from_environment("BACKSTITCH_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    let kills = from_environment("BACKSTITCH_KILLS").unwrap_or(12);
    eprintln!("BACKSTITCH_SEED={seed} BACKSTITCH_KILLS={kills}");
    let mut dice = Dice(seed);

    let mut shop = Shop::open().await;
    for (sku, stock) in [("A", 10_000), ("B", 10_000), ("RARE", RARE)] {
        shop.put_product(sku, 500, stock).await.ok();
    }
    let mut customers: Vec<Customer> = Vec::new();
    for life in 0..kills {
        if life > 0 {
            // One life in three is so short that it does not get to be ready.
            if dice.roll(3) == 0 {
                let mut process = shop.spawn();
                let _ = tokio::time::timeout(dice.moment(800), process.ended()).await;
                process.kill();
            }
            shop.start().await;
        }
        let first = customers.len();
        customers.extend((first..first + NEW_PER_LIFE).map(Customer::new));
        // Who has an answer asks again now and then.
        let asking = customers.iter_mut().filter(|c| c.checkout.is_none() || dice.roll(8) == 0);
        let asking: Vec<_> = asking.collect();
        let moment = dice.moment(1_500);
        let _ = tokio::time::timeout(moment, ask_all(&shop, asking.into_iter())).await;
        if dice.roll(4) == 0 {
            // Asked to stop, and killed while it does.
            let mut process = shop.take();
            process.ask_to_stop();
            let _ = tokio::time::timeout(dice.moment(300), process.ended()).await;
            process.kill();
        } else {
            shop.kill();
        }
    }

    shop.start().await;
    until("everybody is answered", async || {
        ask_all(&shop, customers.iter_mut().filter(|c| c.checkout.is_none())).await;
        customers.iter().all(|c| c.checkout.is_some()).then_some(())
    })
    .await;
    let (mut sold, mut ends) = (0, BTreeMap::new());
    for customer in &mut customers {
        let end = shop.rested(customer.checkout.as_deref().unwrap()).await;
        *ends.entry(customer.ends_well(&end)).or_insert(0_usize) += 1;
        sold += i64::from(KINDS[customer.kind].1 == "RARE" && end.text("/status") == "completed");
        // Asked for the last time, long after: the same answer.
        customer.hear(&shop.begin(&customer.key, &customer.body()).await);
    }
    eprintln!("{} checkouts ended: {ends:?}", customers.len());
    // A crash costs a customer another try only where the bank was being asked in that moment.
    assert!(ends["completed"] > customers.len() / 4, "{ends:?}");
    assert_eq!(shop.stock("RARE").await, (RARE - sold, 0, sold));
    let report = shop.close().await;
    assert_eq!(report["counts"]["sagas"], customers.len());
}

#[tokio::test]
async fn asked_to_stop_it_answers_who_waits_ends_by_itself_and_loses_nothing() {
    let mut shop = Shop::stocked().await;
    for cart in ["slow", "waits", "quick"] {
        shop.fill(cart, &[("A", 1)]).await;
    }
    let waits = shop.begin("waits", &order_of("waits", "tok_3ds_never")).await.ok();
    let waits = waits.text("/checkout_id").to_owned();
    shop.reaches(&waits, &["waiting"]).await;
    let request = shop.checkout_request("slow", &order_of("slow", "tok_slow_capture"));
    let waiting = tokio::spawn(request.header("Prefer", "wait=30").send());
    let slow = until("the second is under way", async || {
        let listed = shop.get("/operator/v1/sagas?status=running").await.ok();
        (!listed.text("/sagas/0/saga_id").is_empty()).then(|| listed.text("/sagas/0/saga_id").to_owned())
    })
    .await;

    let mut process = shop.take();
    process.ask_to_stop();
    let answered = Answer::read(waiting.await.unwrap().unwrap()).await.unwrap();
    assert_eq!((answered.status, answered.text("/checkout_id")), (202, slow.as_str()));
    assert!(process.ended().await.success(), "{}", process.said());
    let (said, report) = shop.audit();
    assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");

    shop.start().await;
    assert_eq!(shop.rested(&slow).await.text("/status"), "completed");
    // Who would wait for it is told at once that it waits for the customer, also by who took it up.
    let asked = shop.request(Method::GET, &format!("/api/v1/checkouts/{waits}")).header("Prefer", "wait=30");
    let asked = shop.send(asked.timeout(Duration::from_secs(10))).await;
    assert_eq!(asked.text("/status"), "waiting");
    shop.post(&format!("/api/v1/checkouts/{waits}/cancel")).await.ok();
    assert_eq!(shop.rested(&waits).await.text("/status"), "compensated");
    let quick = shop.check_out("quick", &order_of("quick", "tok_ok")).await;
    assert_eq!(quick.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test]
async fn a_request_that_the_bank_never_saw_is_found_out_after_a_crash_and_never_guessed() {
    let mut shop = Shop::stocked().await;
    shop.fill("cart", &[("A", 2)]).await;
    let started = shop.begin("k", &order_of("cart", "tok_timeout_not_executed")).await.ok();
    let id: Uuid = started.text("/checkout_id").parse().unwrap();
    let payment_id = derived(id, "payment").to_string();
    let address = format!("http://{}", shop.up().address("payment"));
    let mut payments = PaymentClient::connect(address).await.unwrap();
    until("the bank is being asked", async || {
        let asked = GetPaymentRequest { payment_id: payment_id.clone() };
        let payment = payments.get_payment(asked).await.ok()?.into_inner();
        (!payment.provider_id.is_empty()).then_some(())
    })
    .await;
    shop.kill();
    shop.start().await;
    let back = shop.rested(started.text("/checkout_id")).await;
    assert_eq!((back.text("/status"), back.text("/refusal/reason")), ("compensated", GIVEN_UP));
    assert_eq!(shop.stock("A").await, (100, 0, 0));
    let done = shop.check_out("k2", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    let report = shop.close().await;
    assert_eq!(report["money"]["GBP"]["captured_minor"], 1000 + 395);
}
