//! Refunds whose end is not known at once: asked again, waited for, failed after they were done, and many at a time.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::{On, each_database};
use common::Fault::{Break, HangBefore, LoseAnswer, LoseRequest, Pass, Unavailable};
use common::{AMOUNT, Said, Shop, gbp};
use participant_payment::gateway::PaymentGateway as _;
use proptest::prelude::*;

each_database!(blocking:
    past_its_key_s_time_a_refund_is_asked_for_only_after_none_was_found,
    a_key_that_was_used_anew_lasts_as_long_again,
    a_refund_that_only_the_provider_remembers_is_found_and_not_made_again,
    a_pending_refund_is_waited_for_and_stays_claimed,
    a_refund_that_fails_after_it_was_done_is_reversed_and_opens_a_case,
    a_refund_that_failed_leaves_its_amount_to_another_one,
    a_done_refund_is_looked_at_for_weeks_and_then_no_more,
    a_done_refund_that_cannot_be_looked_at_is_left_alone_as_long_and_comes_to_the_same_end,
    a_done_refund_of_another_provider_is_asked_of_nobody,
    a_case_is_settled_once_a_person_has_said_how,
    cases_are_listed_a_page_at_a_time_and_none_is_missed,
    what_was_asked_of_the_provider_is_on_record_with_what_is_unknown,
);

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A captured payment.
fn captured(on: On, token: &str) -> Shop {
    let shop = Shop::open(on);
    assert_eq!(shop.authorize(Do, token), Said::Done);
    assert_eq!(shop.capture(Do), Said::Done);
    shop
}

/// A shop that was killed before the provider heard of its refund.
fn killed_before_the_refund(on: On) -> Shop {
    let mut shop = captured(on, "tok_ok");
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_refund(Do, 1, gbp(600)), None);
    shop.crash();
    shop.asked();
    shop
}

fn advance(shop: &Shop, by: Duration) {
    shop.clock.advance(i64::try_from(by.as_millis()).unwrap());
}

fn past_its_key_s_time_a_refund_is_asked_for_only_after_none_was_found(on: On) {
    let shop = killed_before_the_refund(on);
    // Around the end of its time the provider may or may not know the key.
    for wait in [DAY - 5 * MINUTE, 5 * MINUTE, 4 * MINUTE] {
        advance(&shop, wait);
        assert_eq!(shop.refund(Do, 1, 600), Said::Unknown);
        assert_eq!(shop.asked(), ["refunds:ok"], "only looked for");
    }
    assert_eq!(shop.refund(Close, 1, 600), Said::NotNow, "and never refused because it is absent");
    assert_eq!(shop.asked(), ["refunds:ok"]);
    assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"), "it stays claimed");
    advance(&shop, 2 * MINUTE);
    assert_eq!(shop.refund(Close, 1, 600), Said::Done);
    assert_eq!(shop.asked(), ["refunds:ok", "refund:ok"]);
    assert_eq!(shop.bank(), shop.ours());
    let anew = participant_kit::Clock::now_ms(&shop.clock).to_string();
    assert_eq!(
        shop.rows("payment", "SELECT key_from_ms FROM refunds"),
        [anew],
        "written that it is used anew"
    );
}

fn a_key_that_was_used_anew_lasts_as_long_again(on: On) {
    let shop = killed_before_the_refund(on);
    advance(&shop, DAY + 6 * MINUTE);
    shop.faults(&[Pass, LoseAnswer]);
    assert_eq!(shop.refund(Do, 1, 600), Said::Unknown, "asked, and the answer is lost");
    advance(&shop, HOUR);
    assert_eq!(shop.refund(Do, 1, 600), Said::Done, "found");
    assert_eq!(shop.asked(), ["refunds:ok", "refund:ok", "refunds:ok"]);
    assert_eq!(shop.bank(), shop.ours());

    for (minutes_before_its_end, said, asked) in
        [(6, Said::Done, &["refunds:ok", "refund:ok"][..]), (4, Said::Unknown, &["refunds:ok"])]
    {
        let shop = killed_before_the_refund(on);
        advance(&shop, DAY + 6 * MINUTE);
        shop.faults(&[Pass, LoseRequest]);
        assert_eq!(shop.refund(Do, 1, 600), Said::Unknown, "asked, and the request is lost");
        shop.asked();
        advance(&shop, DAY - minutes_before_its_end * MINUTE);
        assert_eq!(shop.refund(Do, 1, 600), said, "{minutes_before_its_end}");
        assert_eq!(shop.asked(), asked, "{minutes_before_its_end}");
    }
}

fn a_refund_that_only_the_provider_remembers_is_found_and_not_made_again(on: On) {
    let shop = Shop::open(on);
    let born_ms = i64::try_from(shop.saga.get_timestamp().unwrap().to_unix().0).unwrap() * 1_000;
    shop.clock.set(born_ms);
    advance(&shop, 2 * DAY);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.capture(Do), Said::Done);
    // Asked for by this database before it was restored.
    let (key, id) = (format!("{}/refund_1/refund", shop.saga), shop.refund_id(1));
    shop.at_the_bank(async |bank, object| bank.refund(&key, &object, id, gbp(600)).await).unwrap();
    shop.asked();
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    assert_eq!(shop.asked(), ["refunds:ok"], "it is looked for first");
    assert_eq!(shop.bank(), shop.ours());
    assert_eq!(shop.refund(Do, 2, 400), Said::Done, "one that is not there is made");
}

fn a_pending_refund_is_waited_for_and_stays_claimed(on: On) {
    let shop = captured(on, "tok_refund_pending");
    assert_eq!(shop.refund(Do, 1, 600), Said::Unknown);
    assert_eq!(shop.get().unwrap().refunds[0].status, "pending");
    assert_eq!(shop.refund(Do, 2, 401), Said::refused("REFUND_EXCEEDS_CAPTURED"));
    for _ in 0..2 {
        shop.tick(Duration::from_secs(61));
    }
    assert_eq!(shop.get().unwrap().refunds[0].status, "done");
    shop.tick(Duration::from_secs(1));
    assert_eq!(shop.told.heard(), [format!("wake {}", shop.saga)], "whoever waits for it asks at once");
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    assert_eq!(shop.asked().iter().filter(|asked| *asked == "refund:ok").count(), 1, "asked for once");
    assert_eq!(shop.bank(), shop.ours());
}

/// A refund of everything that was done and has failed since.
fn failed_later(on: On) -> Shop {
    let shop = captured(on, "tok_refund_fails_later");
    assert_eq!(shop.refund(Do, 1, AMOUNT), Said::Done);
    for _ in 0..2 {
        shop.tick(HOUR);
        shop.tick(HOUR);
    }
    shop
}

fn a_refund_that_fails_after_it_was_done_is_reversed_and_opens_a_case(on: On) {
    let shop = failed_later(on);
    let (payment, refund) = (shop.payment.to_string(), shop.refund_id(1));
    assert_eq!(shop.ours(), ["authorized:1000", "captured:1000", "refunded:1000", "reversed:1000"]);
    assert_eq!(shop.events(), ["authorized", "captured", "refunded", "refund_failed"]);
    let document = shop.get().unwrap();
    assert_eq!((document.captured_minor, document.refunded_minor), (1_000, 0));
    assert_eq!(document.refunds[0].status, "failed");
    let cases = shop.cases(true);
    assert_eq!(cases.len(), 1);
    let case = &cases[0];
    assert_eq!(
        (case.case_id.as_str(), case.payment_id.as_str()),
        (refund.to_string().as_str(), payment.as_str())
    );
    assert_eq!(
        (case.why.as_str(), case.amount.as_ref().unwrap().amount_minor),
        ("expired_or_canceled_card", 1_000)
    );
    assert_eq!(shop.told.heard(), [format!("case {refund} of {}", shop.saga)], "told once");
    assert_eq!(shop.refund(Do, 1, AMOUNT), Said::Done, "a stored answer says what was done");
    shop.tick(DAY);
    assert_eq!(shop.events().len(), 4, "once");
    assert_eq!(shop.told.heard(), [""; 0]);
}

fn a_refund_that_failed_leaves_its_amount_to_another_one(on: On) {
    let shop = failed_later(on);
    assert_eq!(shop.refund(Do, 2, AMOUNT + 1), Said::refused("REFUND_EXCEEDS_CAPTURED"));
    assert_eq!(shop.refund(Do, 3, AMOUNT), Said::Done);
    assert_eq!(shop.get().unwrap().refunded_minor, AMOUNT);
}

fn a_done_refund_is_looked_at_for_weeks_and_then_no_more(on: On) {
    let shop = captured(on, "tok_ok");
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    shop.asked();
    // Twice as old every time, and daily in the end.
    let mut age = Duration::ZERO;
    for hours in [1, 2, 4, 8, 16].into_iter().chain((1..=34).map(|day| 8 + 24 * day)) {
        let at = hours * HOUR;
        shop.tick(at - age - MINUTE);
        assert_eq!(shop.asked(), [""; 0], "a minute before the hour {hours}");
        shop.tick(MINUTE);
        assert_eq!(shop.asked(), ["refunds:ok"], "at the hour {hours}");
        age = at;
    }
    shop.tick(DAY);
    assert_eq!(shop.asked(), ["refunds:ok"], "when 35 days are over, the last time");
    shop.tick(100 * DAY);
    assert_eq!(shop.asked(), [""; 0]);
    assert_eq!(shop.get().unwrap().refunds[0].status, "done");
}

fn a_done_refund_that_cannot_be_looked_at_is_left_alone_as_long_and_comes_to_the_same_end(on: On) {
    for fault in [LoseAnswer, Unavailable, Break] {
        let shop = captured(on, "tok_ok");
        assert_eq!(shop.refund(Do, 1, 600), Said::Done);
        shop.left();
        shop.faults(&[fault; 100]);
        shop.tick(HOUR);
        assert_eq!(shop.left().len(), 1, "{fault:?}");
        shop.tick(Duration::ZERO);
        shop.tick(HOUR - MINUTE);
        assert_eq!(shop.left(), [], "{fault:?}: not before its time");
        for _ in 0..40 {
            shop.tick(DAY);
        }
        assert_eq!(shop.left().len(), 35, "{fault:?}: daily, until 35 days are over");
        shop.tick(100 * DAY);
        assert_eq!(shop.left(), [], "{fault:?}: nor for ever");
        assert_eq!(shop.rows("payment", "SELECT look_at_ms FROM refunds"), ["0"], "{fault:?}");
    }
}

fn a_done_refund_of_another_provider_is_asked_of_nobody(on: On) {
    let shop = captured(on, "tok_ok");
    assert_eq!(shop.refund(Do, 1, 600), Said::Done);
    shop.asked();
    shop.rows("payment", "UPDATE payments SET provider = 'another'");
    shop.tick(2 * HOUR);
    assert_eq!(shop.asked(), [""; 0]);
    let due = shop.rows("payment", "SELECT look_at_ms FROM refunds").remove(0).parse::<i64>().unwrap();
    assert!(due > participant_kit::Clock::now_ms(&shop.clock), "and is not due any more");
    shop.rows("payment", "UPDATE payments SET provider = 'sandbox'");
    shop.tick(DAY);
    assert_eq!(shop.asked(), ["refunds:ok"], "once its own provider is back");
}

fn a_case_is_settled_once_a_person_has_said_how(on: On) {
    let shop = failed_later(on);
    let case = shop.refund_id(1);
    let waits = shop.settle_case(case).unwrap_err();
    assert!(matches!(&waits, Said::Broken(why) if why.contains("expired_or_canceled_card")), "{waits:?}");
    let long = "x".repeat(501);
    for (id, resolution, field) in [
        ("no id", "paid", "case_id"),
        (case.to_string().as_str(), "", "resolution"),
        (case.to_string().as_str(), "a\nb", "resolution"),
        (case.to_string().as_str(), long.as_str(), "resolution"),
    ] {
        let status = shop.resolve_case(id, resolution).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().contains(field), "{status}");
    }
    assert_eq!(shop.resolve_case(&shop.payment.to_string(), "x").unwrap_err().code(), tonic::Code::NotFound);
    for _ in 0..2 {
        let resolved = shop.resolve_case(&case.to_string(), "bank transfer 4711").unwrap();
        assert!(resolved.resolved_at_unix_ms > 0 && resolved.resolution == "bank transfer 4711");
    }
    let other = shop.resolve_case(&case.to_string(), "cash").unwrap_err();
    assert_eq!(other.code(), tonic::Code::FailedPrecondition);
    assert_eq!(shop.settle_case(case), Ok("bank transfer 4711".into()));
    assert_eq!((shop.cases(true).len(), shop.cases(false).len()), (0, 1));
    let unknown = shop.settle_case(shop.refund_id(9));
    assert!(unknown.unwrap_err().is_broken());
}

fn cases_are_listed_a_page_at_a_time_and_none_is_missed(on: On) {
    let shop = captured(on, "tok_refund_fails_later");
    for number in 1..=5 {
        assert_eq!(shop.refund(Do, number, AMOUNT / 5), Said::Done);
    }
    for _ in 0..4 {
        shop.tick(HOUR);
    }
    let pages = |open: bool, size: i32| {
        let (mut ids, mut sizes, mut token) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = shop.case_page(open, size, &token).unwrap();
            sizes.push(page.cases.len());
            ids.extend(page.cases.into_iter().map(|case| case.case_id));
            match page.next_page_token {
                next if next.is_empty() => return (ids, sizes),
                next => token = next,
            }
        }
    };
    let (all, sizes) = pages(false, 0);
    assert_eq!((all.len(), sizes), (5, vec![5]));
    assert_eq!(pages(false, 2), (all.clone(), vec![2, 2, 1]));
    assert_eq!(pages(true, 5), (all.clone(), vec![5, 0]));
    // What is settled between two pages moves nothing.
    let first = shop.case_page(true, 2, "").unwrap();
    shop.resolve_case(&all[1], "bank transfer 4711").unwrap();
    let rest = shop.case_page(true, 1_000, &first.next_page_token).unwrap();
    assert_eq!(
        rest.cases.iter().map(|case| &case.case_id).collect::<Vec<_>>(),
        all[2..].iter().collect::<Vec<_>>()
    );
    for (size, token, field) in [(-1, "", "page_size"), (1_001, "", "page_size"), (1, "seven", "page_token")]
    {
        let status = shop.case_page(false, size, token).unwrap_err();
        assert!(status.message().contains(field), "{status}");
    }
}

fn what_was_asked_of_the_provider_is_on_record_with_what_is_unknown(on: On) {
    let results = |shop: &Shop| -> Vec<String> {
        let attempts = shop.get().unwrap().attempts;
        attempts.iter().map(|a| format!("{}:{}", a.verb, a.result)).collect()
    };
    let mut shop = Shop::open(on);
    shop.faults(&[Pass, LoseAnswer]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Unknown);
    assert_eq!(results(&shop), ["create:ok", "confirm:unknown"]);
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_capture(Do, gbp(AMOUNT)), None);
    assert_eq!(results(&shop), ["create:ok", "confirm:settled", "capture:"]);
    shop.crash();
    shop.tick(Duration::from_secs(6));
    assert_eq!(results(&shop), ["create:ok", "confirm:settled", "capture:settled", "cancel:ok"]);

    let shop = captured(on, "tok_ok");
    shop.refund(Do, 1, AMOUNT);
    shop.tick(Duration::ZERO);
    assert_eq!(results(&shop), ["create:ok", "confirm:ok", "capture:ok", "refund:ok"]);

    // What a killed process may have sent is not known by what came of the next one's.
    let mut shop = captured(on, "tok_ok");
    shop.faults(&[HangBefore]);
    assert_eq!(shop.try_refund(Do, 1, gbp(AMOUNT)), None);
    shop.crash();
    shop.faults(&[Pass, Unavailable]);
    assert_eq!(shop.refund(Do, 1, AMOUNT), Said::Unknown);
    assert_eq!(results(&shop)[3..], ["refund:", "refund:unavailable"]);
    assert_eq!(shop.refund(Do, 1, AMOUNT), Said::Done);
    assert_eq!(results(&shop)[3..], ["refund:settled", "refund:unavailable", "refund:ok"]);
}

/// The amounts of many refunds, and which answers of the provider are lost.
fn asks() -> impl Strategy<Value = (Vec<i64>, Vec<bool>)> {
    (prop::collection::vec(1..700_i64, 2..24), prop::collection::vec(any::<bool>(), 12))
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() }
}

/// Asks for all of them at once, and once more, of a payment that was captured; every other one of another process, if
/// there is one.
fn never_exceed(shop: &Shop, (amounts, losses): &(Vec<i64>, Vec<bool>), others: bool) {
    assert_eq!(shop.authorize(Do, "tok_ok"), Said::Done);
    assert_eq!(shop.capture(Do), Said::Done);
    shop.faults(&losses.iter().map(|lost| if *lost { LoseAnswer } else { Pass }).collect::<Vec<_>>());
    for _ in 0..2 {
        let numbered = (1..).zip(amounts).map(|(number, minor)| async move {
            match others && number % 2 == 0 {
                true => shop.refunding_in_the_other(number, *minor).await,
                false => shop.refunding(number, *minor).await,
            }
        });
        let said = shop.block_on(futures::future::join_all(numbered));
        let claimed =
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM refunds WHERE status <> 'failed'";
        assert!(shop.rows("payment", claimed)[0].parse::<i64>().unwrap() <= AMOUNT);
        let too_much = Said::refused("REFUND_EXCEEDS_CAPTURED");
        let known =
            |said: &Said| matches!(said, Said::Done | Said::Unknown | Said::NotNow) || *said == too_much;
        assert!(said.iter().all(known), "{said:?}");
    }
    // A bank refuses what is too much as well; it was never asked for it.
    let asked = shop.asked();
    assert!(!asked.contains(&"refund:refused".to_owned()), "{asked:?}");
    shop.faults(&[]);
    shop.settle();
    assert_eq!(sorted(shop.bank()), sorted(shop.ours()));
    let document = shop.get().unwrap();
    let done: i64 = document.refunds.iter().filter(|r| r.status == "done").map(|r| r.amount_minor).sum();
    assert_eq!((document.refunded_minor, document.refunds.iter().all(|r| r.status == "done")), (done, true));
    assert!((1..=AMOUNT).contains(&done), "{done}");
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn many_refunds_at_a_time_never_exceed_what_was_captured(asks in asks()) {
        never_exceed(&Shop::open(On::Sqlite), &asks, false);
    }
}

proptest! {
    // The same law where transactions do run beside each other; a database on a server takes longer to make.
    #![proptest_config(config(4))]

    #[test]
    fn many_refunds_at_a_time_on_a_server_never_exceed_what_was_captured(asks in asks()) {
        never_exceed(&Shop::open(On::Postgres), &asks, false);
    }

    #[test]
    fn many_refunds_at_a_time_of_two_processes_never_exceed_what_was_captured(asks in asks()) {
        let mut shop = Shop::with_two_processes();
        shop.other();
        shop.other();
        never_exceed(&shop, &asks, true);
    }
}

fn sorted(mut entries: Vec<String>) -> Vec<String> {
    entries.sort();
    entries
}
