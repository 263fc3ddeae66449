//! async-stripe, the client that the product uses, against the double: it decodes all that it is given.

use std::collections::HashMap;

use backstitch_stripe_double::{KEY, Stripe};
use stripe::{
    ApiErrorsCode, Client, ClientBuilder, IdempotencyKey, RequestStrategy, StripeError, StripeRequest as _,
};
use stripe_core::payment_intent::{
    CancelPaymentIntent, CapturePaymentIntent, ConfirmPaymentIntent, CreatePaymentIntent, ListPaymentIntent,
    RetrievePaymentIntent,
};
use stripe_core::refund::{CreateRefund, ListRefund, RetrieveRefund};
use stripe_shared::{
    Charge, PaymentIntent, PaymentIntentAllowedPaymentMethodTypes, PaymentIntentCaptureMethod,
    PaymentIntentStatus,
};
use stripe_types::{Currency, RangeQueryTs};

struct Shop {
    _stripe: Stripe,
    client: Client,
}

impl Shop {
    async fn open() -> Self {
        let stripe = Stripe::start().await;
        let client = ClientBuilder::new(KEY).url(stripe.url()).build().unwrap();
        Self { _stripe: stripe, client }
    }

    async fn created(&self, amount: i64) -> PaymentIntent {
        let request = CreatePaymentIntent::new(amount, Currency::EUR)
            .capture_method(PaymentIntentCaptureMethod::Manual)
            .allowed_payment_method_types([PaymentIntentAllowedPaymentMethodTypes::Card])
            .metadata(HashMap::from([("saga".to_owned(), "s1".to_owned())]));
        let key = IdempotencyKey::new(format!("create-{amount}")).unwrap();
        let request = request.customize().request_strategy(RequestStrategy::Idempotent(key));
        request.send(&self.client).await.unwrap()
    }

    async fn confirmed(&self, amount: i64, card: &str) -> Result<PaymentIntent, StripeError> {
        let intent = self.created(amount).await;
        ConfirmPaymentIntent::new(intent.id).payment_method(card).send(&self.client).await
    }
}

fn charge(intent: &PaymentIntent) -> &Charge {
    intent.latest_charge.as_ref().unwrap().as_object().expect("expanded")
}

#[tokio::test]
async fn a_payment_is_held_captured_in_part_and_refunded() {
    let shop = Shop::open().await;
    let intent = shop.confirmed(2000, "pm_card_visa").await.unwrap();
    assert_eq!(intent.status, PaymentIntentStatus::RequiresCapture);
    assert_eq!((intent.amount_capturable, intent.amount_received), (2000, 0));
    assert_eq!(intent.metadata["saga"], "s1");
    let read = RetrievePaymentIntent::new(intent.id.clone()).expand(["latest_charge".to_owned()]);
    let read = read.send(&shop.client).await.unwrap();
    let card = charge(&read).payment_method_details.as_ref().unwrap().card.as_ref().unwrap();
    assert!(card.capture_before.unwrap() > charge(&read).created);
    let request = CapturePaymentIntent::new(intent.id.clone()).amount_to_capture(1500);
    let captured = request.send(&shop.client).await.unwrap();
    assert_eq!(captured.status, PaymentIntentStatus::Succeeded);
    assert_eq!((captured.amount_capturable, captured.amount_received), (0, 1500));
    let refund =
        CreateRefund::new().payment_intent(intent.id.as_str()).amount(400).send(&shop.client).await.unwrap();
    assert_eq!((refund.amount, refund.status.as_deref()), (400, Some("succeeded")));
    let again = RetrieveRefund::new(refund.id.clone()).send(&shop.client).await.unwrap();
    assert_eq!(again.id, refund.id);
    let read = RetrievePaymentIntent::new(intent.id.clone()).expand(["latest_charge".to_owned()]);
    let read = read.send(&shop.client).await.unwrap();
    // What the capture left counts as refunded.
    assert_eq!((charge(&read).amount_captured, charge(&read).amount_refunded), (1500, 500 + 400));
    let all = ListRefund::new().payment_intent(intent.id.as_str()).send(&shop.client).await.unwrap();
    assert_eq!(all.data.iter().map(|r| &r.id).collect::<Vec<_>>(), [&refund.id]);
}

#[tokio::test]
async fn a_hold_is_voided_and_lists_come_by_pages() {
    let shop = Shop::open().await;
    let intent = shop.confirmed(700, "pm_card_visa").await.unwrap();
    let canceled = CancelPaymentIntent::new(intent.id.clone()).send(&shop.client).await.unwrap();
    assert_eq!(canceled.status, PaymentIntentStatus::Canceled);
    let later = shop.created(701).await;
    let created = RangeQueryTs::gte(intent.created);
    let first = ListPaymentIntent::new().created(created).limit(1).expand(["data.latest_charge".to_owned()]);
    let first = first.send(&shop.client).await.unwrap();
    assert!(first.has_more && first.data[0].id == later.id);
    let rest = ListPaymentIntent::new().starting_after(later.id.as_str()).send(&shop.client).await.unwrap();
    assert!(!rest.has_more);
    assert_eq!(rest.data.iter().map(|i| &i.id).collect::<Vec<_>>(), [&intent.id]);
}

#[tokio::test]
async fn a_decline_is_an_error_with_its_code_and_the_intent() {
    let shop = Shop::open().await;
    let declined = shop.confirmed(700, "pm_card_chargeDeclinedInsufficientFunds").await.unwrap_err();
    let StripeError::Stripe(error, 402) = declined else { panic!("{declined}") };
    assert_eq!(error.code, Some(ApiErrorsCode::CardDeclined));
    assert_eq!(error.decline_code.as_deref(), Some("insufficient_funds"));
    let intent = error.payment_intent.expect("the intent is in the error");
    assert_eq!(intent.status, PaymentIntentStatus::RequiresPaymentMethod);
    assert!(intent.last_payment_error.is_some());
}

#[tokio::test]
async fn a_customer_is_sent_to_its_bank_where_it_can_be_sent_back() {
    let shop = Shop::open().await;
    let intent = shop.created(700).await;
    let request =
        ConfirmPaymentIntent::new(intent.id.clone()).payment_method("pm_card_threeDSecure2Required");
    let asked = request.return_url("https://shop.example/back").send(&shop.client).await.unwrap();
    assert_eq!(asked.status, PaymentIntentStatus::RequiresAction);
    let to = asked.next_action.unwrap().redirect_to_url.unwrap();
    assert_eq!(to.return_url.as_deref(), Some("https://shop.example/back"));
    assert!(to.url.unwrap().contains(intent.id.as_str()));
    let asked = shop.confirmed(701, "pm_card_threeDSecure2Required").await.unwrap();
    assert!(asked.client_secret.is_some() && asked.next_action.unwrap().use_stripe_sdk.is_some());
}
