//! Sagas that this node cannot read whole: what there is of them is told, and nothing is done with them.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_core::{Entry, Record, StepId, Timestamp};
use backstitch_engine::Recovered;
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::operator::GetSagaRequest;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_store::codec;
use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use support::{Setup, World};
use uuid::Uuid;

const ID: Uuid = Uuid::from_u128(0x0197_8a3e_5f2d_7c41_9b7a_0f6d_3c2b_1a90);
const GARBAGE: Bytes = Bytes::from_static(b"\xff\xff\xff");

/// A first record whose definition has this fingerprint, or its own.
fn started(fingerprint: Option<&'static [u8]>) -> Bytes {
    let definition = backstitch_sagas::checkout().unwrap();
    let input = CheckoutInput { payment_method: "tok_secret".into(), ..Default::default() };
    let input = input.encode_to_vec().into();
    let (_, mut entry) = backstitch_core::begin(&definition, ID, ID, input, String::new(), Timestamp(5));
    if let (Record::Started(start), Some(other)) = (&mut entry.record, fingerprint) {
        start.fingerprint = Bytes::from_static(other);
    }
    codec::encode(&entry)
}

fn done(step: usize) -> Bytes {
    let step = StepId::new(step).unwrap();
    let record = Record::StepDone { step, output: Bytes::new(), attempts: 1, valid_until: None };
    codec::encode(&Entry { at: Timestamp(6), record })
}

async fn left_behind(records: Vec<Bytes>) -> World {
    World::with(Setup { left_behind: vec![(ID, records)], ..Setup::default() }).await
}

#[tokio::test]
async fn a_record_that_does_not_decode_hides_none_of_the_others() {
    let world = left_behind(vec![started(None), done(0), GARBAGE, done(1)]).await;
    let saga = world.get(&format!("/operator/v1/sagas/{ID}")).await;
    assert_eq!((saga.status, saga.text("/status"), &saga.body["seq"]), (200, "running", &json!(4)));
    assert!(saga.text("/reason").contains("record 3 of saga"), "{}", saga.body);
    assert!(saga.text("/explanation").contains("cannot be read whole"), "{}", saga.body);
    let records = saga.body["records"].as_array().unwrap();
    let kinds: Vec<_> = records.iter().map(|record| record["kind"].as_str().unwrap_or("?")).collect();
    assert_eq!(kinds, ["started", "step_done", "?", "step_done"]);
    assert_eq!((&records[2]["seq"], &records[2]["length"]), (&json!(3), &json!(3)));
    assert!(!records[2]["undecodable"].as_str().unwrap().is_empty());
    let first = backstitch_sagas::checkout().unwrap().steps[0].name;
    assert_eq!(
        (records[1]["step"].as_str().unwrap(), &saga.body["steps"][0]["forward"]),
        (first, &json!("done"))
    );
    assert_eq!(
        saga.body["steps"][1]["forward"], "idle",
        "what comes after the hole is told, and not believed"
    );

    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let asked = GetSagaRequest { saga_id: ID.to_string() };
    let same = operator.get_saga(asked).await.unwrap().into_inner();
    assert_eq!(same.reason, saga.text("/reason"));
    assert_eq!((same.records[2].length, same.records[2].undecodable.is_empty()), (3, false));
    assert_eq!((same.records[3].kind.as_str(), same.records.len()), ("step_done", 4));
}

#[tokio::test]
async fn a_checkout_that_cannot_be_read_is_parked_and_nothing_is_done_with_it() {
    let world = left_behind(vec![started(None), GARBAGE]).await;
    let path = format!("/api/v1/checkouts/{ID}");
    for recovered in [false, true] {
        if recovered {
            let done = world.engine.recover().await.unwrap();
            assert_eq!(done, Recovered { parked: 1, ..Recovered::default() });
        }
        let checkout = world.get(&path).await;
        assert_eq!((checkout.status, checkout.text("/status")), (200, "parked"));
        assert!(checkout.text("/parked/0/why").contains("a person"), "{}", checkout.body);
        assert!(!checkout.body.to_string().contains("decode"), "{}", checkout.body);
        world.post(&format!("{path}/cancel")).await.is_problem(409, "unreadable", "");
        world.post(&format!("{path}/wake")).await.is_problem(409, "unreadable", "");
        let decision = json!({"reason": "repaired", "seq": 2});
        let resume = format!("/operator/v1/sagas/{ID}/resume");
        let resumed = world.request(reqwest::Method::POST, &resume).json(&decision).send().await.unwrap();
        support::answer(resumed).await.is_problem(409, "unreadable", "");
    }
    let saga = world.get(&format!("/operator/v1/sagas/{ID}")).await;
    assert_eq!((saga.text("/status"), saga.text("/records/2/kind")), ("parked", "poisoned"));
    assert!(!saga.body.to_string().contains("tok_secret"), "{}", saga.body);
}

#[tokio::test]
async fn without_its_first_record_a_saga_has_no_steps_and_its_records_name_them_by_number() {
    let world = left_behind(vec![GARBAGE, done(3)]).await;
    let saga = world.get(&format!("/operator/v1/sagas/{ID}")).await;
    assert_eq!((saga.status, &saga.body["steps"], saga.text("/definition")), (200, &json!([]), "checkout"));
    assert_eq!(saga.text("/records/1/step"), "step 3");
    assert_eq!(world.get(&format!("/api/v1/checkouts/{ID}")).await.text("/status"), "parked");
}

#[tokio::test]
async fn records_that_do_not_follow_from_each_other_are_told_as_they_are() {
    let world = left_behind(vec![started(None), done(63)]).await;
    let saga = world.get(&format!("/operator/v1/sagas/{ID}")).await;
    assert!(saga.text("/reason").contains("names step 63"), "{}", saga.body);
    assert_eq!((saga.body["steps"].as_array().unwrap().len(), saga.text("/records/1/step")), (11, "step 63"));
}

#[tokio::test]
async fn a_saga_whose_definition_is_not_here_keeps_its_status_for_who_has_it() {
    let world = left_behind(vec![started(Some(b"another shape")), done(0)]).await;
    let saga = world.get(&format!("/operator/v1/sagas/{ID}")).await;
    assert_eq!((saga.status, saga.text("/status")), (200, "running"));
    assert!(saga.text("/reason").contains("give the change a new version"), "{}", saga.body);
    assert!(saga.text("/explanation").contains("waits for a node that has its definition"));
    assert_eq!(saga.text("/records/1/step"), "step 0");
    let path = format!("/api/v1/checkouts/{ID}");
    assert_eq!(world.get(&path).await.text("/status"), "running");
    world.post(&format!("{path}/cancel")).await.is_problem(409, "unreadable", "");
}
