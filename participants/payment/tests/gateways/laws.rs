//! The laws. What the trait says in words is tried here on a bank; what a provider is free to do otherwise is not.

use backstitch_proto::money::{Currency, Money};
use participant_payment::gateway::{
    Decline, DeclineReason, GatewayError, NewPayment, PaymentMethod, ProviderId, ProviderPayment,
    ProviderState, RefundState,
};
use uuid::Uuid;

use crate::bank::{Bank, Card};

const AMOUNT: i64 = 1_000;

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}

fn new() -> NewPayment {
    NewPayment {
        reference: Uuid::from_u128(7),
        amount: gbp(AMOUNT),
        saga: Uuid::from_u128(1),
        root: Uuid::from_u128(2),
        order_id: "BS-1".into(),
    }
}

async fn create(bank: &impl Bank) -> ProviderPayment {
    bank.gateway().create("k/create", &new()).await.unwrap()
}

async fn confirm(bank: &impl Bank, id: &ProviderId, card: Card) -> Result<ProviderPayment, GatewayError> {
    bank.gateway().confirm("k/confirm", id, &PaymentMethod::new(bank.token(card))).await
}

async fn confirmed(bank: &impl Bank, card: Card) -> ProviderPayment {
    let created = create(bank).await;
    confirm(bank, &created.id, card).await.unwrap()
}

async fn captured(bank: &impl Bank, card: Card) -> ProviderPayment {
    let held = confirmed(bank, card).await;
    bank.gateway().capture("k/capture", &held.id, gbp(AMOUNT)).await.unwrap()
}

fn sums(payment: &ProviderPayment) -> (i64, i64, i64) {
    (payment.authorized_minor, payment.captured_minor, payment.refunded_minor)
}

fn is_held(payment: &ProviderPayment) -> bool {
    matches!(payment.state, ProviderState::Authorized { .. })
}

fn reason<T: std::fmt::Debug>(answer: Result<T, GatewayError>) -> DeclineReason {
    match answer {
        Err(GatewayError::Refused(Decline { reason, .. })) => reason,
        other => panic!("not a refusal: {other:?}"),
    }
}

/// The object ends without money, and tells why it was declined as long as it is open or after it.
async fn ends_declined(bank: &impl Bank, seen: ProviderPayment, why: DeclineReason) {
    match &seen.state {
        ProviderState::Refused(decline) => assert_eq!(decline.reason, why),
        ProviderState::Declined(decline) => {
            assert_eq!(decline.reason, why);
            let ended = bank.gateway().cancel("k/cancel", &seen.id).await.unwrap();
            let ended = matches!(ended.state, ProviderState::Cancelled | ProviderState::Refused(_));
            assert!(ended, "a declined object can be ended");
        }
        other => panic!("not declined: {other:?}"),
    }
    let token = PaymentMethod::new(bank.token(Card::Good));
    let again = bank.gateway().confirm("k/confirm-again", &seen.id, &token).await;
    assert_eq!(reason(again), DeclineReason::WrongState);
    assert_eq!(bank.moved().await, [""; 0]);
}

pub(crate) async fn a_created_object_holds_nothing_and_bears_our_id(bank: &impl Bank) {
    let created = create(bank).await;
    assert_eq!(created.state, ProviderState::Created);
    assert_eq!((created.amount, created.reference), (gbp(AMOUNT), Some(Uuid::from_u128(7))));
    assert_eq!(sums(&created), (0, 0, 0));
    assert_eq!(bank.gateway().read(&created.id).await, Ok(created));
    assert_eq!(bank.moved().await, [""; 0]);
}

pub(crate) async fn a_hold_is_for_the_whole_amount_and_has_an_end(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let ProviderState::Authorized { capture_before_ms } = held.state else { panic!("{held:?}") };
    assert!(capture_before_ms > 1_600_000_000_000, "{capture_before_ms}");
    assert_eq!(sums(&held), (AMOUNT, 0, 0));
    assert_eq!(bank.gateway().read(&held.id).await, Ok(held));
    assert_eq!(bank.moved().await, ["held 1000"]);
}

pub(crate) async fn a_key_has_its_effect_once_and_is_answered_the_same_also_to_another_process(
    bank: &impl Bank,
) {
    let created = create(bank).await;
    let token = PaymentMethod::new(bank.token(Card::Good));
    let other = bank.again().await;
    let id = &created.id;
    let (mut holds, mut captures, mut refunds) = (Vec::new(), Vec::new(), Vec::new());
    for gateway in [bank.gateway(), other.as_ref()] {
        assert_eq!(gateway.create("k/create", &new()).await.unwrap().id, created.id);
        holds.push(gateway.confirm("k/confirm", id, &token).await.unwrap());
    }
    for gateway in [bank.gateway(), other.as_ref()] {
        captures.push(gateway.capture("k/capture", id, gbp(AMOUNT)).await.unwrap());
    }
    for gateway in [bank.gateway(), other.as_ref()] {
        refunds.push(gateway.refund("k/refund", id, Uuid::from_u128(9), gbp(300)).await.unwrap());
    }
    assert_eq!((&holds[0], &captures[0], &refunds[0]), (&holds[1], &captures[1], &refunds[1]));
    assert_eq!(bank.moved().await, ["held 1000", "captured 1000", "refunded 300"]);
}

pub(crate) async fn a_key_used_for_another_call_is_broken_and_moves_nothing(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let other_call = bank.gateway().capture("k/confirm", &held.id, gbp(AMOUNT)).await;
    assert!(matches!(other_call, Err(GatewayError::Broken(_))), "{other_call:?}");
    let other_amount = bank.gateway().create("k/create", &NewPayment { amount: gbp(500), ..new() }).await;
    assert!(matches!(other_amount, Err(GatewayError::Broken(_))), "{other_amount:?}");
    assert_eq!(bank.moved().await, ["held 1000"]);
}

pub(crate) async fn a_declined_card_holds_nothing_and_never_will(bank: &impl Bank) {
    for (n, (card, why)) in
        [(Card::Declined, DeclineReason::CardDeclined), (Card::Empty, DeclineReason::InsufficientFunds)]
            .into_iter()
            .enumerate()
    {
        let created = bank.gateway().create(&format!("k/create-{n}"), &new()).await.unwrap();
        let token = PaymentMethod::new(bank.token(card));
        let seen = bank.gateway().confirm(&format!("k/confirm-{n}"), &created.id, &token).await.unwrap();
        assert_eq!(sums(&seen), (0, 0, 0), "{card:?}");
        let key = format!("k/cancel-{n}");
        match &seen.state {
            ProviderState::Refused(decline) | ProviderState::Declined(decline) => {
                assert_eq!(decline.reason, why, "{card:?}");
            }
            other => panic!("{card:?}: {other:?}"),
        }
        assert_eq!(bank.gateway().read(&created.id).await.unwrap(), seen, "{card:?}: read shows the same");
        let ended = bank.gateway().cancel(&key, &created.id).await.unwrap();
        // Why is still told, if the provider tells.
        match &ended.state {
            ProviderState::Refused(decline) => assert_eq!(decline.reason, why, "{card:?}"),
            other => assert_eq!(*other, ProviderState::Cancelled, "{card:?}"),
        }
        let token = PaymentMethod::new(bank.token(Card::Good));
        let again = bank.gateway().confirm(&format!("k/again-{n}"), &created.id, &token).await;
        assert_eq!(reason(again), DeclineReason::WrongState, "{card:?}");
    }
    assert_eq!(bank.moved().await, [""; 0]);
}

pub(crate) async fn an_unknown_token_is_told_by_name_and_holds_nothing(bank: &impl Bank) {
    let created = create(bank).await;
    let token = PaymentMethod::new("a_token_of_nobody");
    match bank.gateway().confirm("k/confirm", &created.id, &token).await {
        Ok(seen) => ends_declined(bank, seen, DeclineReason::UnknownPaymentMethod).await,
        refused => {
            assert_eq!(reason(refused), DeclineReason::UnknownPaymentMethod);
            let seen = bank.gateway().read(&created.id).await.unwrap();
            assert_eq!(seen.state, ProviderState::Created, "the object is as it was");
        }
    }
    assert_eq!(bank.moved().await, [""; 0]);
}

pub(crate) async fn a_customer_who_proves_it_is_held_and_one_who_fails_is_not(bank: &impl Bank) {
    let asked = confirmed(bank, Card::Proves).await;
    assert!(matches!(asked.state, ProviderState::CustomerAction(_)), "{asked:?}");
    assert_eq!(sums(&asked), (0, 0, 0));
    bank.customer(&asked.id, true).await;
    assert!(is_held(&bank.gateway().read(&asked.id).await.unwrap()));
    assert_eq!(bank.moved().await, ["held 1000"]);
    bank.gateway().cancel("k/cancel-first", &asked.id).await.unwrap();

    let created = bank.gateway().create("k/create-2", &new()).await.unwrap();
    let token = PaymentMethod::new(bank.token(Card::Fails));
    let asked = bank.gateway().confirm("k/confirm-2", &created.id, &token).await.unwrap();
    assert!(matches!(asked.state, ProviderState::CustomerAction(_)), "{asked:?}");
    bank.customer(&asked.id, false).await;
    let failed = bank.gateway().read(&asked.id).await.unwrap();
    match &failed.state {
        ProviderState::Refused(decline) | ProviderState::Declined(decline) => {
            assert_eq!(decline.reason, DeclineReason::AuthenticationFailed);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(bank.moved().await, ["held 1000", "let go 1000"], "of the first alone");
}

pub(crate) async fn a_customer_cannot_come_back_to_what_was_cancelled(bank: &impl Bank) {
    let asked = confirmed(bank, Card::Proves).await;
    let ended = bank.gateway().cancel("k/cancel", &asked.id).await.unwrap();
    assert_eq!(ended.state, ProviderState::Cancelled);
    bank.customer(&asked.id, true).await;
    assert_eq!(bank.gateway().read(&asked.id).await.unwrap().state, ProviderState::Cancelled);
    assert_eq!(bank.moved().await, [""; 0]);
}

pub(crate) async fn a_capture_takes_the_hold_once_and_ends_it_for_cancels(bank: &impl Bank) {
    let taken = captured(bank, Card::Good).await;
    assert_eq!((taken.state.clone(), sums(&taken)), (ProviderState::Captured, (AMOUNT, AMOUNT, 0)));
    assert_eq!(bank.gateway().read(&taken.id).await.unwrap(), taken);
    let gateway = bank.gateway();
    assert_eq!(
        reason(gateway.capture("k/capture-2", &taken.id, gbp(AMOUNT)).await),
        DeclineReason::WrongState
    );
    assert_eq!(reason(gateway.cancel("k/cancel", &taken.id).await), DeclineReason::WrongState);
    assert_eq!(bank.moved().await, ["held 1000", "captured 1000"]);
}

pub(crate) async fn a_capture_of_a_part_lets_go_of_the_rest_for_good(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let gateway = bank.gateway();
    let taken = gateway.capture("k/capture", &held.id, gbp(400)).await.unwrap();
    assert_eq!((taken.state.clone(), sums(&taken)), (ProviderState::Captured, (AMOUNT, 400, 0)));
    assert_eq!(reason(gateway.capture("k/capture-2", &held.id, gbp(600)).await), DeclineReason::WrongState);
    let too_much = gateway.refund("k/refund", &held.id, Uuid::from_u128(9), gbp(401)).await;
    assert_eq!(reason(too_much), DeclineReason::AmountNotAllowed);
    gateway.refund("k/refund-2", &held.id, Uuid::from_u128(10), gbp(150)).await.unwrap();
    let seen = gateway.read(&held.id).await.unwrap();
    assert_eq!((seen.state.clone(), sums(&seen)), (ProviderState::Captured, (AMOUNT, 400, 150)));
    assert_eq!(bank.moved().await, ["held 1000", "captured 400", "let go 600", "refunded 150"]);
}

pub(crate) async fn a_capture_above_the_hold_is_refused_and_takes_nothing(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let above = bank.gateway().capture("k/capture", &held.id, gbp(AMOUNT + 1)).await;
    assert_eq!(reason(above), DeclineReason::AmountNotAllowed);
    assert!(is_held(&bank.gateway().read(&held.id).await.unwrap()));
    assert_eq!(bank.moved().await, ["held 1000"]);
}

pub(crate) async fn a_cancel_ends_a_hold_once_and_for_captures_and_confirms(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let gateway = bank.gateway();
    for key in ["k/cancel", "k/cancel", "k/cancel-2"] {
        let ended = gateway.cancel(key, &held.id).await.unwrap();
        assert_eq!((ended.state.clone(), sums(&ended)), (ProviderState::Cancelled, (AMOUNT, 0, 0)), "{key}");
    }
    assert_eq!(reason(gateway.capture("k/capture", &held.id, gbp(AMOUNT)).await), DeclineReason::WrongState);
    let token = PaymentMethod::new(bank.token(Card::Good));
    assert_eq!(reason(gateway.confirm("k/confirm-2", &held.id, &token).await), DeclineReason::WrongState);
    assert_eq!(bank.moved().await, ["held 1000", "let go 1000"]);
}

pub(crate) async fn a_hold_that_has_run_out_cannot_be_captured(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    bank.holds_run_out().await;
    let late = bank.gateway().capture("k/capture", &held.id, gbp(AMOUNT)).await;
    assert_eq!(reason(late), DeclineReason::Expired);
    let seen = bank.gateway().read(&held.id).await.unwrap();
    assert_eq!((seen.state.clone(), sums(&seen)), (ProviderState::Cancelled, (AMOUNT, 0, 0)));
    assert_eq!(bank.moved().await, ["held 1000", "let go 1000"]);
}

pub(crate) async fn refunds_never_exceed_what_was_captured_and_are_shown_oldest_first(bank: &impl Bank) {
    let taken = captured(bank, Card::Good).await;
    let (gateway, id) = (bank.gateway(), &taken.id);
    let first = gateway.refund("k/r1", id, Uuid::from_u128(11), gbp(700)).await.unwrap();
    let above = gateway.refund("k/r2", id, Uuid::from_u128(12), gbp(301)).await;
    assert_eq!(reason(above), DeclineReason::AmountNotAllowed);
    let second = gateway.refund("k/r3", id, Uuid::from_u128(13), gbp(300)).await.unwrap();
    assert_eq!((first.state, second.state), (RefundState::Succeeded, RefundState::Succeeded));
    assert_eq!((first.reference, first.amount), (Some(Uuid::from_u128(11)), gbp(700)));
    let more = gateway.refund("k/r4", id, Uuid::from_u128(14), gbp(1)).await;
    assert_eq!(reason(more), DeclineReason::AmountNotAllowed);
    assert_eq!(gateway.refunds(id).await.unwrap(), [first, second]);
    let seen = gateway.read(id).await.unwrap();
    assert_eq!((seen.state.clone(), sums(&seen)), (ProviderState::Captured, (AMOUNT, AMOUNT, AMOUNT)));
    assert_eq!(bank.moved().await, ["held 1000", "captured 1000", "refunded 700", "refunded 300"]);
}

pub(crate) async fn nothing_is_given_back_of_what_was_not_captured(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    let refund = bank.gateway().refund("k/r", &held.id, Uuid::from_u128(9), gbp(1)).await;
    assert_eq!(reason(refund), DeclineReason::WrongState);
    assert_eq!(bank.gateway().refunds(&held.id).await.unwrap(), []);
    assert_eq!(bank.moved().await, ["held 1000"]);
}

pub(crate) async fn a_refund_is_decided_later_and_may_fail_after_that(bank: &impl Bank) {
    for (n, (card, first, succeeds, last, counts)) in [
        (Card::RefundPends, RefundState::Pending, true, RefundState::Succeeded, 300),
        (Card::RefundFails, RefundState::Succeeded, false, RefundState::Failed, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let gateway = bank.gateway();
        let id = gateway.create(&format!("k/create-{n}"), &new()).await.unwrap().id;
        let token = PaymentMethod::new(bank.token(card));
        gateway.confirm(&format!("k/confirm-{n}"), &id, &token).await.unwrap();
        gateway.capture(&format!("k/capture-{n}"), &id, gbp(AMOUNT)).await.unwrap();
        let asked = gateway.refund(&format!("k/r-{n}"), &id, Uuid::from_u128(9), gbp(300)).await.unwrap();
        assert_eq!((asked.state, &asked.failure), (first, &None), "{card:?}");
        assert_eq!(gateway.read(&id).await.unwrap().refunded_minor, 300, "{card:?}: counts at once");
        bank.refund_goes_on(&id, &asked.id, succeeds).await;
        let shown = gateway.refunds(&id).await.unwrap();
        assert_eq!((shown.len(), shown[0].state), (1, last), "{card:?}");
        assert_eq!(shown[0].failure.is_some(), last == RefundState::Failed, "{card:?}: {shown:?}");
        assert_eq!(gateway.read(&id).await.unwrap().refunded_minor, counts, "{card:?}");
        let again = gateway.refund(&format!("k/r-{n}"), &id, Uuid::from_u128(9), gbp(300)).await.unwrap();
        assert_eq!(again.id, asked.id, "{card:?}: the key makes no second one");
    }
}

pub(crate) async fn a_list_shows_every_object_newest_first_as_it_is_read(bank: &impl Bank) {
    let taken = captured(bank, Card::Good).await;
    let refund = bank.gateway().refund("k/r", &taken.id, Uuid::from_u128(9), gbp(300)).await.unwrap();
    let open = bank.gateway().create("k/create-2", &new()).await.unwrap();
    let page = bank.gateway().list(0, None).await.unwrap();
    let seen: Vec<_> = page.objects.iter().map(|listed| &listed.object.id).collect();
    assert_eq!((seen, page.next), (vec![&open.id, &taken.id], None));
    for listed in &page.objects {
        assert_eq!(bank.gateway().read(&listed.object.id).await.unwrap(), listed.object);
        assert_eq!((listed.saga, listed.order_id.as_str()), (Some(Uuid::from_u128(1)), "BS-1"));
        assert_eq!(bank.gateway().find(&listed.object.id).await.as_ref(), Ok(&Some(listed.clone())));
    }
    assert_eq!(page.objects[1].refunds, [refund]);
    let later = page.objects[0].created_at_ms + 60_000;
    assert_eq!(bank.gateway().list(later, None).await.unwrap().objects, []);
}

pub(crate) async fn an_object_that_is_not_there_is_broken(bank: &impl Bank) {
    let nobody_s = ProviderId::new("pi_nobody_s");
    let (gateway, token) = (bank.gateway(), PaymentMethod::new(bank.token(Card::Good)));
    for (verb, answer) in [
        ("read", gateway.read(&nobody_s).await),
        ("confirm", gateway.confirm("k/1", &nobody_s, &token).await),
        ("capture", gateway.capture("k/2", &nobody_s, gbp(1)).await),
        ("cancel", gateway.cancel("k/3", &nobody_s).await),
    ] {
        assert!(matches!(answer, Err(GatewayError::Broken(_))), "{verb}: {answer:?}");
    }
    let refund = gateway.refund("k/4", &nobody_s, Uuid::from_u128(9), gbp(1)).await;
    assert!(matches!(refund, Err(GatewayError::Broken(_))), "{refund:?}");
    // Whoever only looks for it is told so.
    for absent in [nobody_s, ProviderId::new("of another provider")] {
        assert_eq!(gateway.find(&absent).await, Ok(None));
    }
}

pub(crate) async fn an_amount_of_nothing_moves_nothing(bank: &impl Bank) {
    let held = confirmed(bank, Card::Good).await;
    for minor in [0, -1, i64::MIN] {
        let amount = gbp(minor);
        assert!(bank.gateway().create("k/0", &NewPayment { amount, ..new() }).await.is_err(), "{minor}");
        assert!(bank.gateway().capture("k/1", &held.id, amount).await.is_err(), "{minor}");
        assert!(bank.gateway().refund("k/2", &held.id, Uuid::from_u128(9), amount).await.is_err(), "{minor}");
    }
    assert_eq!(bank.moved().await, ["held 1000"]);
}
