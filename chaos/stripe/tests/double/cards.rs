//! Test cards, and the customers that hold them.

use backstitch_stripe_double::Moved;

use crate::shop::Shop;

#[tokio::test]
async fn a_declined_card_leaves_an_intent_that_another_card_can_pay() {
    let shop = Shop::open().await;
    let declines = [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", ""),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ];
    let id = shop.created("700").await;
    for (card, code, decline) in declines {
        let answer = shop.confirm(&id, card).await;
        assert_eq!(answer.refused(), (402, code), "{card}");
        assert_eq!(answer.body["error"]["decline_code"].as_str().unwrap_or_default(), decline, "{card}");
        let intent = shop.intent(&id).await;
        assert_eq!(
            (&intent["status"], &intent["last_payment_error"]["code"]),
            (&"requires_payment_method".into(), &code.into())
        );
    }
    assert!(shop.confirm(&id, "pm_card_visa").await.is("requires_capture"));
    let statement = shop.control().statement().await;
    assert_eq!((statement.accounts[0].on_hold(), statement.accounts[0].movements.len()), (700, 1));
}

#[tokio::test]
async fn a_payment_method_that_nobody_made_is_missing() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    let answer = shop.confirm(&id, "pm_nobody_made").await;
    assert_eq!(answer.refused(), (400, "resource_missing"));
    assert_eq!(answer.body["error"]["param"], "payment_method");
}

#[tokio::test]
async fn a_customer_who_proves_who_it_is_pays() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    assert!(shop.confirm(&id, "pm_card_threeDSecure2Required").await.is("requires_action"));
    assert_eq!(shop.control().statement().await.accounts[0].movements, []);
    shop.control().customer(&id, true).await.unwrap();
    assert_eq!(shop.intent(&id).await["status"], "requires_capture");
    assert_eq!(shop.control().statement().await.accounts[0].on_hold(), 700);
    // There is nothing to prove any more.
    assert!(shop.control().customer(&id, true).await.is_err());
}

#[tokio::test]
async fn a_customer_who_fails_to_prove_it_pays_nothing_and_may_try_again() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    shop.confirm(&id, "pm_card_authenticationRequired").await;
    shop.control().customer(&id, false).await.unwrap();
    let intent = shop.intent(&id).await;
    assert_eq!(intent["status"], "requires_payment_method");
    assert_eq!(intent["last_payment_error"]["code"], "payment_intent_authentication_failure");
    assert!(shop.confirm(&id, "pm_card_visa").await.is("requires_capture"));
}

#[tokio::test]
async fn a_bank_may_decline_after_the_proof_and_nobody_is_asked_off_session() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    shop.confirm(&id, "pm_card_threeDSecureRequiredChargeDeclined").await;
    shop.control().customer(&id, true).await.unwrap();
    assert_eq!(shop.intent(&id).await["last_payment_error"]["code"], "card_declined");
    let form = [("payment_method", "pm_card_authenticationRequired"), ("off_session", "true")];
    assert_eq!(shop.act(&id, "confirm", &form).await.refused(), (402, "authentication_required"));
    assert_eq!(shop.intent(&id).await["status"], "requires_payment_method");
}

#[tokio::test]
async fn who_was_given_up_cannot_finish_later() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    shop.confirm(&id, "pm_card_threeDSecure2Required").await;
    assert!(shop.act(&id, "cancel", &[]).await.is("canceled"));
    let late = shop.control().customer(&id, true).await.unwrap_err();
    assert!(late.contains("payment_intent_unexpected_state"), "{late}");
    assert_eq!(shop.control().statement().await.accounts[0].movements, []);
}

#[tokio::test]
async fn the_page_of_the_bank_sends_the_customer_back() {
    let shop = Shop::open().await;
    let id = shop.created("700").await;
    let form =
        [("payment_method", "pm_card_threeDSecure2Required"), ("return_url", "http://127.0.0.1:9/back")];
    let asked = shop.act(&id, "confirm", &form).await;
    let page = asked.body["next_action"]["redirect_to_url"]["url"].as_str().unwrap().to_owned();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let sent = browser.get(format!("{page}?outcome=succeed")).send().await.unwrap();
    let back = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(back.starts_with(&format!("http://127.0.0.1:9/back?payment_intent={id}&")), "{back}");
    assert!(back.ends_with("redirect_status=succeeded"), "{back}");
    assert_eq!(shop.intent(&id).await["status"], "requires_capture");
}

#[tokio::test]
async fn a_capture_may_be_declined_and_its_hold_is_still_there_to_be_voided() {
    let shop = Shop::open().await;
    let id = shop.held("700", "pm_card_captureDeclined").await;
    assert_eq!(shop.act(&id, "capture", &[]).await.refused(), (402, "card_declined"));
    assert_eq!(shop.intent(&id).await["status"], "requires_capture");
    assert!(shop.act(&id, "cancel", &[]).await.is("canceled"));
    assert_eq!(shop.control().statement().await.accounts[0].sum(Moved::Voided), 700);
}

#[tokio::test]
async fn a_card_may_lose_its_hold_before_the_capture() {
    let shop = Shop::open().await;
    let id = shop.held("700", "pm_card_captureFail").await;
    assert_eq!(shop.act(&id, "capture", &[]).await.refused(), (400, "capture_charge_authorization_expired"));
    assert_eq!(shop.intent(&id).await["status"], "canceled");
    let statement = shop.control().statement().await;
    assert_eq!(statement.accounts[0].sum(Moved::Voided), 700);
    assert_eq!(statement.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refund_may_fail_at_once_and_nothing_has_moved() {
    let shop = Shop::open().await;
    let id = shop.captured("700", "pm_card_refundDeclined").await;
    assert!(shop.refund(&id, "700").await.is("failed"));
    let statement = shop.control().statement().await;
    assert_eq!((statement.accounts[0].kept(), statement.accounts[0].movements.len()), (700, 2));
}
