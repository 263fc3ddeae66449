//! The sandbox provider on a real ledger file, through the trait that every gateway has.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::money::{Currency, Money};
use participant_kit::ManualClock;
use participant_payment::gateway::sandbox::{HOLD_MS, Patience, Sandbox};
use participant_payment::gateway::{
    CustomerAction, Decline, DeclineReason, GatewayError, NewPayment, PaymentGateway, PaymentMethod,
    ProviderPayment, ProviderState, RefundState,
};
use sqlx::{Connection as _, Row as _, SqliteConnection};
use uuid::Uuid;

struct Bank {
    sandbox: Sandbox,
    clock: ManualClock,
    directory: tempfile::TempDir,
}

impl Bank {
    async fn open() -> Self {
        Self::patient(Patience::none()).await
    }

    async fn patient(patience: Patience) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_000);
        let sandbox = Sandbox::open(&url(&directory), patience, Arc::new(clock.clone())).await.unwrap();
        Self { sandbox, clock, directory }
    }

    /// Another process on the same file.
    async fn again(&self) -> Sandbox {
        Sandbox::open(&url(&self.directory), Patience::none(), Arc::new(self.clock.clone())).await.unwrap()
    }

    async fn create(&self) -> ProviderPayment {
        self.sandbox.create("k/create", &new()).await.unwrap()
    }

    async fn confirmed(&self, token: &str) -> ProviderPayment {
        let payment = self.create().await;
        self.confirm(&payment, token).await.unwrap()
    }

    async fn confirm(&self, payment: &ProviderPayment, token: &str) -> Result<ProviderPayment, GatewayError> {
        self.sandbox.confirm("k/confirm", &payment.id, &PaymentMethod::new(token)).await
    }

    /// kind:amount of every entry, in order.
    async fn entries(&self) -> Vec<String> {
        let mut conn = SqliteConnection::connect(&url(&self.directory)).await.unwrap();
        let rows = sqlx::query("SELECT kind, amount_minor FROM entries ORDER BY account_id, number")
            .fetch_all(&mut conn)
            .await
            .unwrap();
        rows.iter().map(|r| format!("{}:{}", r.get::<&str, _>(0), r.get::<i64, _>(1))).collect()
    }
}

fn url(directory: &tempfile::TempDir) -> String {
    format!("sqlite:{}", directory.path().join("sandbox.db").display())
}

fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}

fn new() -> NewPayment {
    NewPayment {
        reference: Uuid::from_u128(7),
        amount: gbp(1_000),
        saga: Uuid::from_u128(1),
        root: Uuid::from_u128(1),
        order_id: String::new(),
    }
}

fn refused(error: GatewayError) -> DeclineReason {
    match error {
        GatewayError::Refused(Decline { reason, .. }) => reason,
        other => panic!("not a refusal: {other}"),
    }
}

#[tokio::test]
async fn a_created_object_holds_nothing() {
    let bank = Bank::open().await;
    let payment = bank.create().await;
    assert_eq!(payment.state, ProviderState::Created);
    assert_eq!((payment.amount, payment.reference), (gbp(1_000), Some(Uuid::from_u128(7))));
    assert_eq!((payment.authorized_minor, payment.captured_minor), (0, 0));
    assert_eq!(bank.entries().await, ["created:1000"]);
}

#[tokio::test]
async fn a_token_decides_what_a_confirm_comes_to() {
    use DeclineReason::{CardDeclined, InsufficientFunds, UnknownPaymentMethod};
    let held: &[&str] = &["created:1000", "authorized:1000"];
    let nothing: &[&str] = &["created:1000"];
    for (token, refusal, entries) in [
        ("tok_ok", None, held),
        ("tok_capture_fails", None, held),
        ("tok_void_fails_3", None, held),
        ("tok_refund_fails", None, held),
        ("tok_refund_pending", None, held),
        ("tok_refund_fails_later", None, held),
        ("tok_slow_capture", None, held),
        ("tok_declined", Some(CardDeclined), nothing),
        ("tok_insufficient_funds", Some(InsufficientFunds), nothing),
        ("4242424242424242", Some(UnknownPaymentMethod), nothing),
        ("", Some(UnknownPaymentMethod), nothing),
    ] {
        let bank = Bank::open().await;
        let payment = bank.confirmed(token).await;
        match refusal {
            None => assert_eq!(
                payment.state,
                ProviderState::Authorized { capture_before_ms: 1_000 + HOLD_MS },
                "{token}"
            ),
            Some(reason) => {
                assert!(
                    matches!(&payment.state, ProviderState::Refused(d) if d.reason == reason),
                    "{token}: {payment:?}"
                );
            }
        }
        assert_eq!(bank.entries().await, entries, "{token}");
        assert_eq!(bank.sandbox.read(&payment.id).await, Ok(payment), "{token}: read shows the same");
    }
}

#[tokio::test]
async fn a_challenge_is_finished_by_the_second_read_or_by_the_page_or_never() {
    for (token, last) in
        [("tok_3ds_ok", "authorized"), ("tok_3ds_fail", "refused"), ("tok_3ds_never", "waits")]
    {
        for by_page in [false, true] {
            let bank = Bank::open().await;
            let payment = bank.confirmed(token).await;
            let waits = |p: &ProviderPayment| matches!(&p.state, ProviderState::CustomerAction(CustomerAction::Redirect(url)) if !url.is_empty());
            assert!(waits(&payment), "{token}");
            if by_page {
                let finished = bank.sandbox.finish_challenge(&payment.id).await;
                assert_eq!(finished.is_ok(), last != "waits", "{token}");
            } else {
                assert!(waits(&bank.sandbox.read(&payment.id).await.unwrap()), "{token}: first read");
            }
            let now = bank.sandbox.read(&payment.id).await.unwrap();
            match last {
                "authorized" => assert!(matches!(now.state, ProviderState::Authorized { .. }), "{token}"),
                "refused" => assert!(
                    matches!(&now.state, ProviderState::Refused(d) if d.reason == DeclineReason::AuthenticationFailed),
                    "{token}"
                ),
                _ => assert!(waits(&now), "{token}"),
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_was_executed_and_a_lost_request_was_not() {
    for (token, executed) in [("tok_timeout_executed", true), ("tok_timeout_not_executed", false)] {
        let bank = Bank::open().await;
        let payment = bank.create().await;
        let answer = bank.confirm(&payment, token).await;
        assert!(matches!(answer, Err(GatewayError::Unknown(_))), "{token}");
        let now = bank.sandbox.read(&payment.id).await.unwrap();
        assert_eq!(matches!(now.state, ProviderState::Authorized { .. }), executed, "{token}");
        assert_eq!(now.state == ProviderState::Created, !executed, "{token}");
    }
}

#[tokio::test]
async fn a_late_answer_is_committed_long_before_it_is_heard() {
    let late = Duration::from_secs(3_600);
    let bank = Bank::patient(Patience { late, ..Patience::none() }).await;
    let payment = bank.confirmed("tok_slow_capture").await;
    let capture = tokio::spawn({
        let (sandbox, id) = (bank.sandbox.clone(), payment.id.clone());
        async move { sandbox.capture("k/capture", &id, gbp(1_000)).await }
    });
    let elsewhere = bank.again().await;
    while elsewhere.read(&payment.id).await.unwrap().captured_minor == 0 {
        assert!(!capture.is_finished(), "answered before it was booked");
    }
    // The merchant is killed here: nothing that the bank has booked goes away.
    capture.abort();
    assert!(capture.await.is_err());
    assert_eq!(bank.entries().await, ["created:1000", "authorized:1000", "captured:1000"]);
}

#[tokio::test]
async fn a_key_has_its_effect_once_and_is_answered_the_same_again_also_by_another_process() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    let captured = bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    let refund = bank.sandbox.refund("k/refund", &payment.id, Uuid::from_u128(9), gbp(300)).await.unwrap();
    for sandbox in [bank.sandbox.clone(), bank.again().await] {
        assert_eq!(sandbox.create("k/create", &new()).await.unwrap().id, payment.id);
        assert_eq!(sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.as_ref(), Ok(&captured));
        let again = sandbox.refund("k/refund", &payment.id, Uuid::from_u128(9), gbp(300)).await;
        assert_eq!(again.as_ref(), Ok(&refund));
    }
    assert_eq!(bank.entries().await, ["created:1000", "authorized:1000", "captured:1000", "refunded:300"]);
}

#[tokio::test]
async fn a_key_used_for_another_call_is_broken_and_changes_nothing() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    let reused = bank.sandbox.capture("k/confirm", &payment.id, gbp(1_000)).await;
    assert!(matches!(reused, Err(GatewayError::Broken(_))), "{reused:?}");
    let other = bank.sandbox.create("k/create", &NewPayment { amount: gbp(5), ..new() }).await;
    assert!(matches!(other, Err(GatewayError::Broken(_))), "{other:?}");
    assert_eq!(bank.entries().await, ["created:1000", "authorized:1000"]);
}

#[tokio::test]
async fn the_bank_itself_refuses_capture_after_cancel_and_cancel_after_capture() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    assert_eq!(bank.sandbox.cancel("k/cancel", &payment.id).await.unwrap().state, ProviderState::Cancelled);
    assert_eq!(bank.sandbox.cancel("k/cancel2", &payment.id).await.unwrap().state, ProviderState::Cancelled);
    let late = bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap_err();
    assert_eq!(refused(late), DeclineReason::WrongState);
    let confirm = bank.sandbox.confirm("k/confirm2", &payment.id, &PaymentMethod::new("tok_ok")).await;
    assert_eq!(refused(confirm.unwrap_err()), DeclineReason::WrongState);
    assert_eq!(bank.entries().await, ["created:1000", "authorized:1000", "voided:1000"]);

    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    let cancel = bank.sandbox.cancel("k/cancel", &payment.id).await.unwrap_err();
    assert_eq!(refused(cancel), DeclineReason::WrongState);
    let again = bank.sandbox.capture("k/capture2", &payment.id, gbp(1_000)).await.unwrap_err();
    assert_eq!(refused(again), DeclineReason::WrongState);
    assert_eq!(bank.entries().await, ["created:1000", "authorized:1000", "captured:1000"]);
}

#[tokio::test]
async fn the_bank_itself_refuses_refunds_above_captured_and_other_currencies() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    let eur = Money::new(100, Currency::parse("EUR").unwrap());
    assert_eq!(
        refused(bank.sandbox.capture("k/c1", &payment.id, eur).await.unwrap_err()),
        DeclineReason::AmountNotAllowed
    );
    assert_eq!(
        refused(bank.sandbox.capture("k/c2", &payment.id, gbp(1_001)).await.unwrap_err()),
        DeclineReason::AmountNotAllowed
    );
    bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    let refund = |key: &'static str, amount| {
        let (sandbox, id) = (bank.sandbox.clone(), payment.id.clone());
        async move { sandbox.refund(key, &id, Uuid::from_u128(9), amount).await }
    };
    assert_eq!(refund("r1", gbp(700)).await.unwrap().state, RefundState::Succeeded);
    assert_eq!(refused(refund("r2", gbp(301)).await.unwrap_err()), DeclineReason::AmountNotAllowed);
    assert_eq!(refused(refund("r3", eur).await.unwrap_err()), DeclineReason::AmountNotAllowed);
    assert_eq!(refund("r4", gbp(300)).await.unwrap().state, RefundState::Succeeded);
    let states: Vec<_> =
        bank.sandbox.refunds(&payment.id).await.unwrap().iter().map(|r| (r.amount, r.state)).collect();
    assert_eq!(states, [(gbp(700), RefundState::Succeeded), (gbp(300), RefundState::Succeeded)]);
}

#[tokio::test]
async fn a_void_that_fails_three_times_succeeds_under_the_same_key() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_void_fails_3").await;
    for _ in 0..3 {
        let answer = bank.sandbox.cancel("k/cancel", &payment.id).await;
        assert!(matches!(answer, Err(GatewayError::Unavailable { .. })), "{answer:?}");
    }
    assert_eq!(bank.sandbox.cancel("k/cancel", &payment.id).await.unwrap().state, ProviderState::Cancelled);
}

#[tokio::test]
async fn a_refund_that_fails_is_seen_as_failed_and_leaves_the_money_taken() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_refund_fails").await;
    bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    let refund = bank.sandbox.refund("k/r", &payment.id, Uuid::from_u128(9), gbp(10)).await.unwrap();
    assert_eq!(refund.state, RefundState::Failed);
    assert_eq!(bank.sandbox.refunds(&payment.id).await.unwrap(), [refund]);
    assert_eq!(bank.sandbox.read(&payment.id).await.unwrap().refunded_minor, 0);
}

#[tokio::test]
async fn a_refund_may_be_decided_later_and_may_fail_after_it_had_succeeded() {
    use RefundState::{Failed, Pending, Succeeded};
    for (token, states, given_back) in [
        ("tok_ok", [Succeeded; 4], 300),
        ("tok_refund_pending", [Pending, Pending, Succeeded, Succeeded], 300),
        ("tok_refund_fails_later", [Succeeded, Succeeded, Failed, Failed], 0),
    ] {
        let bank = Bank::open().await;
        let payment = bank.confirmed(token).await;
        bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
        let refund = || bank.sandbox.refund("k/r", &payment.id, Uuid::from_u128(9), gbp(300));
        let asked = refund().await.unwrap();
        assert_eq!((asked.state, asked.failure.is_some()), (states[0], false), "{token}");
        assert_eq!(
            bank.sandbox.read(&payment.id).await.unwrap().refunded_minor,
            300,
            "{token}: counts at once"
        );
        for state in &states[1..] {
            let shown = bank.sandbox.refunds(&payment.id).await.unwrap();
            assert_eq!((shown[0].state, shown.len()), (*state, 1), "{token}");
            assert_eq!(shown[0].failure.is_some(), *state == Failed, "{token}");
        }
        assert_eq!(refund().await.unwrap(), asked, "{token}: the key's answer is the first one");
        assert_eq!(bank.sandbox.read(&payment.id).await.unwrap().refunded_minor, given_back, "{token}");
        let left =
            bank.sandbox.refund("k/r2", &payment.id, Uuid::from_u128(10), gbp(1_000 - given_back)).await;
        assert!(left.is_ok(), "{token}: what a failed refund leaves can be given back: {left:?}");
        let back = bank.entries().await.iter().filter(|e| e.starts_with("refund_failed:300")).count();
        assert_eq!(back, usize::from(given_back == 0), "{token}");
    }
}

#[tokio::test]
async fn a_capture_of_a_part_lets_go_of_the_rest() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    let captured = bank.sandbox.capture("k/capture", &payment.id, gbp(400)).await.unwrap();
    assert_eq!(captured.state, ProviderState::Captured);
    assert_eq!((captured.authorized_minor, captured.captured_minor), (1_000, 400));
    let more = bank.sandbox.capture("k/capture2", &payment.id, gbp(600)).await.unwrap_err();
    assert_eq!(refused(more), DeclineReason::WrongState);
    let too_much = bank.sandbox.refund("k/r", &payment.id, Uuid::from_u128(9), gbp(401)).await.unwrap_err();
    assert_eq!(refused(too_much), DeclineReason::AmountNotAllowed);
}

#[tokio::test]
async fn a_list_shows_every_object_newest_first_page_by_page_from_a_time_on() {
    let bank = Bank::open().await;
    let made = 250_u128;
    for n in 0..made {
        bank.clock.advance(1);
        let new = NewPayment { reference: Uuid::from_u128(n), order_id: format!("order {n}"), ..new() };
        bank.sandbox.create(&format!("k/{n}"), &new).await.unwrap();
    }
    let first_ms = 1_001;
    for (from_ms, expected) in
        [(0, made), (first_ms, made), (first_ms + 1, made - 1), (first_ms + 249, 1), (9_999, 0)]
    {
        let (mut seen, mut page) = (Vec::new(), None);
        loop {
            let shown = bank.sandbox.list(from_ms, page.as_deref()).await.unwrap();
            seen.extend(shown.objects);
            page = shown.next;
            if page.is_none() {
                break;
            }
        }
        let references: Vec<_> =
            seen.iter().map(|listed| listed.object.reference.unwrap().as_u128()).collect();
        let wanted: Vec<_> = (made - expected..made).rev().collect();
        assert_eq!(references, wanted, "from {from_ms}");
        assert!(seen.iter().all(|listed| listed.created_at_ms >= from_ms));
        assert!(
            seen.iter().all(
                |listed| listed.saga == Some(Uuid::from_u128(1)) && listed.order_id.starts_with("order ")
            )
        );
    }
    let nonsense = bank.sandbox.list(0, Some("tomorrow")).await;
    assert!(matches!(nonsense, Err(GatewayError::Broken(_))), "{nonsense:?}");
}

#[tokio::test]
async fn a_list_shows_where_each_object_stands_with_its_refunds() {
    let bank = Bank::open().await;
    let payment = bank.confirmed("tok_ok").await;
    bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    let refund = bank.sandbox.refund("k/r", &payment.id, Uuid::from_u128(9), gbp(300)).await.unwrap();
    let page = bank.sandbox.list(0, None).await.unwrap();
    assert_eq!(page.next, None);
    assert_eq!(page.objects.len(), 1);
    assert_eq!(page.objects[0].object, bank.sandbox.read(&payment.id).await.unwrap());
    assert_eq!(page.objects[0].refunds, [refund]);
}

#[tokio::test]
async fn the_statement_sums_the_entries() {
    let bank = Bank::open().await;
    let line = || async {
        let mut conn = SqliteConnection::connect(&url(&bank.directory)).await.unwrap();
        let columns = "authorized_minor, captured_minor, voided_minor, refunded_minor, held_minor";
        let row: (i64, i64, i64, i64, i64) =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {columns} FROM statement")))
                .fetch_one(&mut conn)
                .await
                .unwrap();
        row
    };
    let payment = bank.confirmed("tok_ok").await;
    assert_eq!(line().await, (1_000, 0, 0, 0, 1_000));
    bank.sandbox.capture("k/capture", &payment.id, gbp(1_000)).await.unwrap();
    bank.sandbox.refund("k/r", &payment.id, Uuid::from_u128(9), gbp(10)).await.unwrap();
    assert_eq!(line().await, (1_000, 1_000, 0, 10, 0));
}

#[tokio::test]
async fn a_ledger_from_a_newer_program_is_refused_by_name() {
    let bank = Bank::open().await;
    let mut conn = SqliteConnection::connect(&url(&bank.directory)).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
         VALUES (9999, 'later', '2030-01-01', 1, x'00', 0)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let opened = Sandbox::open(&url(&bank.directory), Patience::none(), Arc::new(bank.clock.clone()))
        .await
        .unwrap_err();
    assert!(opened.to_string().contains("9999"), "{opened}");
}
