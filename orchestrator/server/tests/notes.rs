//! Notes: what somebody found about a saga, for the person who looks at it.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{NoteSagaRequest, WakeSagaRequest};
use serde_json::{Value, json};
use support::{Answer, World, answer, order_of};
use tonic::Code;
use tonic_types::StatusExt as _;

const NOBODY: &str = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";

async fn note(world: &World, path: &str, body: &Value) -> Answer {
    let request = world.request(reqwest::Method::POST, &format!("{path}/notes")).json(body);
    answer(request.send().await.unwrap()).await
}

/// A world with a checkout whose authorization is being called, and where operators see it.
async fn under_way() -> (World, String) {
    let world = World::new().await;
    world.participants.product("A", "GBP");
    world.participants.cart("cart-1", &[("A", 2)]);
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    world.participants.called("authorize", 1).await;
    let path = format!("/operator/v1/sagas/{}", accepted.text("/checkout_id"));
    (world, path)
}

fn texts(saga: &Value) -> Vec<&str> {
    saga["notes"].as_array().into_iter().flatten().map(|note| note["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_note_is_shown_once_and_changes_nothing() {
    let (world, path) = under_way().await;
    let noted = note(&world, &path, &json!({"text": "captured twice"})).await;
    assert_eq!((noted.status, noted.text("/status")), (200, "running"), "{}", noted.body);
    assert_eq!(texts(&noted.body), ["captured twice"]);
    assert!(noted.text("/explanation").contains("captured twice"), "{}", noted.body);
    let again = note(&world, &path, &json!({"text": "captured twice"})).await;
    assert_eq!((texts(&again.body), &again.body["seq"]), (vec!["captured twice"], &noted.body["seq"]));
    note(&world, &path, &json!({"text": "and late"})).await;
    world.participants.release("authorize");
    let done = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(done.text("/status"), "completed");
    let ended = world.get(&path).await;
    assert_eq!(texts(&ended.body), ["captured twice", "and late"]);
    note(&world, &path, &json!({"text": "too late"})).await.is_problem(409, "ended", "");
}

#[tokio::test]
async fn a_note_is_a_text_about_a_saga_that_there_is() {
    let (world, path) = under_way().await;
    for (body, status, slug, field) in [
        (json!({}), 400, "missing-field", "/text"),
        (json!({"text": 7}), 400, "wrong-type", "/text"),
        (json!({"text": "x", "seq": 1}), 400, "unknown-field", "/seq"),
        (json!({"text": ""}), 422, "invalid-field", "/text"),
        (json!({"text": "a\nb"}), 422, "invalid-field", "/text"),
        (json!({"text": "x".repeat(501)}), 422, "invalid-field", "/text"),
    ] {
        note(&world, &path, &body).await.is_problem(status, slug, field);
    }
    let good = json!({"text": "x".repeat(500)});
    note(&world, &format!("/operator/v1/sagas/{NOBODY}"), &good).await.is_problem(
        404,
        "unknown-saga",
        "saga_id",
    );
    assert_eq!(note(&world, &path, &good).await.status, 200);
    world.participants.release("authorize");
}

#[tokio::test]
async fn a_saga_has_a_hundred_notes_and_not_one_more() {
    let (world, path) = under_way().await;
    for nth in 1..=100 {
        let noted = note(&world, &path, &json!({"text": format!("note {nth}")})).await;
        assert_eq!((noted.status, texts(&noted.body).len()), (200, nth), "{}", noted.body);
    }
    let full = note(&world, &path, &json!({"text": "one more"})).await;
    full.is_problem(409, "full-of-notes", "");
    assert!(full.text("/detail").contains("100"), "{}", full.body);
    let saga_id = path.rsplit('/').next().unwrap().to_owned();
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let text = "one more".to_owned();
    let status = operator.note_saga(NoteSagaRequest { saga_id, text }).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "FULL_OF_NOTES");
    // What was noted before is there, and the way out is open.
    assert_eq!(note(&world, &path, &json!({"text": "note 7"})).await.status, 200);
    world.participants.release("authorize");
    assert_eq!(world.checkout_final("k", &order_of("cart-1")).await.text("/status"), "completed");
}

#[tokio::test]
async fn a_participant_s_word_wakes_a_saga_that_there_is_and_has_not_ended() {
    let (world, path) = under_way().await;
    let saga_id = path.rsplit('/').next().unwrap().to_owned();
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let word = |saga_id: &str, participant: &str| WakeSagaRequest {
        saga_id: saga_id.to_owned(),
        participant: participant.to_owned(),
    };
    for _ in 0..2 {
        operator.wake_saga(word(&saga_id, "payment")).await.unwrap();
    }
    world.participants.called("authorize", 1).await;
    world.participants.release("authorize");
    world.checkout_final("k", &order_of("cart-1")).await;
    for (asked, code) in [
        (word(&saga_id, "payment"), Code::FailedPrecondition),
        (word(NOBODY, "payment"), Code::NotFound),
        (word(&saga_id, ""), Code::InvalidArgument),
        (word("seven", "payment"), Code::InvalidArgument),
    ] {
        assert_eq!(operator.wake_saga(asked).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn the_grpc_face_notes_by_the_same_rules() {
    let (world, path) = under_way().await;
    let saga_id = path.rsplit('/').next().unwrap().to_owned();
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let ask =
        |saga_id: &str, text: &str| NoteSagaRequest { saga_id: saga_id.to_owned(), text: text.to_owned() };
    let noted = operator.note_saga(ask(&saga_id, "seen")).await.unwrap().into_inner();
    assert_eq!((noted.notes.len(), noted.notes[0].text.as_str()), (1, "seen"));
    world.participants.release("authorize");
    world.checkout_final("k", &order_of("cart-1")).await;
    for (asked, code, reason) in [
        (ask(&saga_id, ""), Code::InvalidArgument, "INVALID_FIELD"),
        (ask(NOBODY, "seen"), Code::NotFound, "UNKNOWN_SAGA"),
        (ask(&saga_id, "late"), Code::FailedPrecondition, "ENDED"),
    ] {
        let status = operator.note_saga(asked).await.unwrap_err();
        let told = status.get_error_details().error_info().unwrap().reason.clone();
        assert_eq!((status.code(), told.as_str()), (code, reason));
    }
}
