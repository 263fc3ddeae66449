//! Whoever waits for a checkout is told of what happens to it.

use serde_json::{Value, json};

use crate::support::{Answer, answer, order_of};
use crate::world;

#[tokio::test]
async fn a_waiting_checkout_says_what_to_do_and_a_wake_up_makes_it_ask_again() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    let location = accepted.header("location").to_owned();
    let mut events = world.request(reqwest::Method::GET, &format!("{location}/events")).send().await.unwrap();
    let waiting = until(&mut events, |document| document["status"] == "waiting").await;
    let action = &waiting["next_action"];
    assert_eq!((&action["kind"], &action["url"]), (&json!("redirect"), &json!("https://psp.example/3ds")));
    assert!(action["until_unix_ms"].as_i64().unwrap() > 0, "{action}");
    world.participants.state().customer_acts = false;
    let woken = world.post(&format!("{location}/wake")).await;
    assert!(matches!(woken.status, 200 | 202), "{woken:?}");
    let done = until(&mut events, |document| document["status"] == "completed").await;
    assert_eq!(done.get("next_action"), None);
}

#[tokio::test]
async fn a_preference_to_wait_answers_with_what_the_customer_has_to_do() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let wait = async |method, path: &str| {
        let request = world.request(method, path).header("Prefer", "wait=30");
        // Far less than the 30 seconds that were asked for.
        answer(request.timeout(std::time::Duration::from_secs(10)).send().await.unwrap()).await
    };
    let told = |seen: &Answer, status: u16| {
        assert_eq!((seen.status, seen.text("/status")), (status, "waiting"));
        assert_eq!(seen.text("/next_action/url"), "https://psp.example/3ds");
        assert_eq!(seen.header("preference-applied"), "wait=30");
    };
    let request = world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30");
    let first = request.timeout(std::time::Duration::from_secs(10)).send().await.unwrap();
    let first = answer(first).await;
    told(&first, 202);
    // A retry and a read are told the same.
    told(&world.checkout_final("k", &order_of("cart-1")).await, 202);
    let location = first.header("location");
    told(&wait(reqwest::Method::GET, location).await, 200);
    // Who cancels waits for the end, as nobody waits for the customer any more.
    let back = wait(reqwest::Method::POST, &format!("{location}/cancel")).await;
    assert_eq!((back.status, back.text("/status")), (200, "compensated"));
}

#[tokio::test]
async fn a_wait_goes_on_to_the_end_once_the_customer_has_acted() {
    let world = world().await;
    world.participants.state().customer_acts = true;
    let waiting = world.checkout_final("k", &order_of("cart-1")).await;
    assert_eq!(waiting.text("/status"), "waiting");
    world.participants.hold("capture");
    world.participants.state().customer_acts = false;
    world.post(&format!("{}/wake", waiting.header("location"))).await;
    world.participants.called("capture", 1).await;
    let request = world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30");
    let (done, ()) = tokio::join!(request.send(), async { world.participants.release("capture") });
    let done = answer(done.unwrap()).await;
    assert_eq!((done.status, done.text("/status")), (200, "completed"));
}

/// Reads events until one has a document like this; panics when the stream ends before.
async fn until(events: &mut reqwest::Response, like: impl Fn(&Value) -> bool) -> Value {
    let mut read = String::new();
    loop {
        let chunk = events.chunk().await.unwrap().expect("the stream goes on");
        read.push_str(std::str::from_utf8(&chunk).unwrap());
        while let Some(end) = read.find("\n\n") {
            let event: String = read.drain(..end + 2).collect();
            let data = event.lines().find_map(|line| line.strip_prefix("data: "));
            let document = data.map(|data| serde_json::from_str::<Value>(data).unwrap());
            if let Some(document) = document.filter(&like) {
                return document;
            }
        }
    }
}

#[tokio::test]
async fn events_tell_the_document_now_and_after_each_change_and_end_with_the_final_one() {
    let world = world().await;
    world.participants.hold("authorize");
    let accepted = world.checkout("k", &order_of("cart-1")).await;
    let path = format!("{}/events", accepted.header("location"));
    let events = world.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    world.participants.release("authorize");
    let text = events.text().await.unwrap();

    let mut last_id = 0;
    let mut documents = Vec::new();
    for event in text.split("\n\n").filter(|e| e.contains("data: ")) {
        let field = |name: &str| event.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        assert_eq!(field("event: "), "checkout");
        let id: u32 = field("id: ").parse().unwrap();
        assert!(id > last_id, "{text}");
        last_id = id;
        documents.push(serde_json::from_str::<Value>(field("data: ")).unwrap());
    }
    assert_eq!(documents.first().unwrap()["checkout_id"], accepted.body["checkout_id"]);
    assert_eq!(documents.last().unwrap()["status"], "completed");
    // An order that was told of is never taken away again.
    let orders: Vec<_> = documents.iter().map(|d| d.get("order_id").is_some()).collect();
    assert!(orders.is_sorted(), "{orders:?}");

    let again = world.request(reqwest::Method::GET, &path).header("Last-Event-ID", last_id.to_string());
    assert_eq!(again.send().await.unwrap().status(), 204);
    let from_before =
        world.request(reqwest::Method::GET, &path).header("Last-Event-ID", "1").send().await.unwrap();
    assert!(from_before.text().await.unwrap().contains("completed"));
}

#[tokio::test]
async fn at_shutdown_whoever_waits_is_answered_with_what_is_known() {
    let world = world().await;
    world.participants.hold("authorize");
    let waiting =
        tokio::spawn(world.checkout_request("k", &order_of("cart-1")).header("Prefer", "wait=30").send());
    world.participants.called("authorize", 1).await;
    let listed = world.get("/operator/v1/sagas").await;
    let id = listed.text("/sagas/0/saga_id");
    let events =
        world.request(reqwest::Method::GET, &format!("/api/v1/checkouts/{id}/events")).send().await.unwrap();
    world.shutdown.cancel();
    // Far less than the 30 seconds that were asked for.
    let soon = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    let answered = answer(soon.unwrap().unwrap().unwrap()).await;
    assert_eq!((answered.status, answered.text("/status")), (202, "running"));
    assert!(events.text().await.unwrap().contains("running"));
    world.serving.await.unwrap().unwrap();
}
