//! What lets somebody act as a customer is told to that customer, and stands in nothing else that is said or written.

use backstitch_stripe_double::KEY;

use crate::scene::{SECRET, Scene, Word};

/// Nothing but the customer's document may have any of these, and nothing at all what only Stripe and we know.
async fn is_nowhere_else(scene: &Scene, id: &str, secrets: &[String]) {
    let ours = [KEY, SECRET].map(str::to_owned);
    let document = scene.shop.get(&format!("/api/v1/checkouts/{id}")).await.body.to_string();
    assert!(ours.iter().all(|secret| !document.contains(secret)), "{document}");
    let mut said = vec![("the log", scene.shop.up().said())];
    for path in ["", "?status=waiting"].map(|query| format!("/operator/v1/sagas{query}")) {
        said.push(("a list", scene.shop.get(&path).await.ok().body.to_string()));
    }
    said.push(("the operator's view", scene.shop.saga(id).await.body.to_string()));
    for path in ["/metrics", "/readyz"] {
        let text = scene.shop.request(reqwest::Method::GET, path).send().await.unwrap().text().await.unwrap();
        said.push((path, text));
    }
    for (place, text) in said {
        for secret in secrets.iter().chain(&ours) {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}");
            // As `Debug` prints bytes.
            let bytes: Vec<_> = secret.bytes().map(|byte| byte.to_string()).collect();
            assert!(!text.contains(&bytes.join(", ")), "the bytes of {secret} are in {place}");
        }
    }
}

#[tokio::test]
async fn a_client_secret_is_in_its_customer_s_document_alone() {
    let loud = ["--log", "trace", "--log-format", "json"];
    let mut scene = Scene::open_on_its_page(Word::Sent, &loud).await;
    let (id, intent) = scene.challenged("page").await;
    let told = scene.shop.reaches(&id, &["waiting"]).await;
    assert_eq!(told.text("/next_action/kind"), "client_secret", "{told:?}");
    let secret = told.text("/next_action/client_secret").to_owned();
    assert!(secret.contains(&intent) && secret.len() > intent.len(), "{secret}");
    is_nowhere_else(&scene, &id, std::slice::from_ref(&secret)).await;
    scene.control().customer(&intent, true).await.unwrap();
    assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
    is_nowhere_else(&scene, &id, &[secret]).await;
    assert!(scene.shop.up().said().contains("\"level\":\"TRACE\""), "the log is not loud");
    scene.close().await;
}

#[tokio::test]
async fn the_address_of_a_bank_s_page_is_in_its_customer_s_document_alone() {
    let mut scene = Scene::open_with(Word::Sent, &["--log", "trace", "--log-format", "json"]).await;
    let (id, intent) = scene.challenged("leaves").await;
    let told = scene.shop.reaches(&id, &["waiting"]).await;
    let page = told.text("/next_action/url").to_owned();
    assert!(page.contains(&intent), "{page}");
    is_nowhere_else(&scene, &id, &[page]).await;
    scene.control().customer(&intent, true).await.unwrap();
    assert_eq!(scene.shop.rested(&id).await.text("/status"), "completed");
    scene.close().await;
}
