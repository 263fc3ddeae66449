//! Any calls, webhooks, polls and customers in any order, on a wire that loses and a process that dies: money is never
//! captured and voided, never given back beyond what was taken, and once everything has settled both ledgers say the same.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use backstitch_proto::contract::Op::{Close, Do};
use backstitch_services::On;
use common::{AMOUNT, Fault, Said, Shop, gbp};
use participant_payment::gateway::PaymentGateway as _;
use participant_payment::gateway::sandbox::Sandbox;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Authorize,
    CloseAuthorize,
    Void,
    Capture,
    CaptureElsewhere,
    /// Another step takes a part.
    CapturePart,
    CloseCapture,
    Refund(u8, i64),
    CloseRefund(u8, i64),
    /// A repair takes back what the object is said to hold, or to have taken.
    TakeBack(u8, bool),
    /// Somebody who has the account captures so much of what is held.
    TakenBehind(i64),
    /// The provider tells that something has happened.
    Webhook(u8),
    /// The customer is through with the provider's page, if there is one.
    Customer,
    Wire(Vec<Fault>),
    Release,
    Crash,
    /// What follows happens in the other one of two processes.
    Other,
    Tick(u64),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => Just(Fault::Pass),
        1 => Just(Fault::LoseRequest),
        1 => Just(Fault::LoseAnswer),
        1 => Just(Fault::Unavailable),
        1 => Just(Fault::HangBefore),
        2 => Just(Fault::HangAfter),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let refund = || (1..=3_u8, prop_oneof![Just(400_i64), Just(700), Just(AMOUNT)]);
    prop_oneof![
        4 => Just(Step::Authorize),
        1 => Just(Step::CloseAuthorize),
        2 => Just(Step::Void),
        4 => Just(Step::Capture),
        1 => Just(Step::CaptureElsewhere),
        1 => Just(Step::CapturePart),
        2 => Just(Step::CloseCapture),
        4 => refund().prop_map(|(n, a)| Step::Refund(n, a)),
        1 => refund().prop_map(|(n, a)| Step::CloseRefund(n, a)),
        2 => (1..=2_u8, any::<bool>()).prop_map(|(n, captured)| Step::TakeBack(n, captured)),
        1 => prop_oneof![Just(600_i64), Just(AMOUNT)].prop_map(Step::TakenBehind),
        3 => (1..=3_u8).prop_map(Step::Webhook),
        2 => Just(Step::Customer),
        4 => prop::collection::vec(fault(), 1..4).prop_map(Step::Wire),
        2 => Just(Step::Release),
        2 => Just(Step::Crash),
        2 => prop_oneof![4 => Just(6_u64), 4 => Just(40), 1 => Just(4_000), 1 => Just(90_000)].prop_map(Step::Tick),
    ]
}

fn token() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just("tok_ok"),
        1 => Just("tok_declined"),
        2 => Just("tok_3ds_ok"),
        1 => Just("tok_3ds_fail"),
        1 => Just("tok_3ds_never"),
        2 => Just("tok_timeout_executed"),
        1 => Just("tok_timeout_not_executed"),
        1 => Just("tok_capture_fails"),
        1 => Just("tok_void_fails_3"),
        1 => Just("tok_refund_fails"),
        1 => Just("tok_refund_pending"),
        1 => Just("tok_refund_fails_later"),
        1 => Just("tok_slow_capture"),
    ]
}

/// Most stories begin with a payment that goes well so far, or little would ever be refunded.
fn story() -> impl Strategy<Value = Vec<Step>> {
    let begun = prop_oneof![
        2 => Just(vec![]),
        1 => Just(vec![Step::Authorize]),
        2 => Just(vec![Step::Authorize, Step::Capture]),
    ];
    (begun, prop::collection::vec(step(), 3..14)).prop_map(|(mut story, rest)| {
        story.extend(rest);
        story
    })
}

/// Promises: a definite answer of a (step, op) is never taken back by a later one.
#[derive(Default)]
struct Promises(HashMap<String, Said>);

impl Promises {
    fn hear(&mut self, call: String, said: Option<Said>) {
        let Some(said) = said.filter(|s| matches!(s, Said::Done | Said::Refused(_))) else { return };
        if let Some(before) = self.0.get(&call) {
            assert_eq!(before, &said, "{call} was answered otherwise before");
        }
        self.0.insert(call, said);
    }
}

fn run(mut shop: Shop, token: &'static str, steps: &[Step], turns_back: bool) {
    let mut promises = Promises::default();
    let by_somebody = steps.iter().any(|step| matches!(step, Step::TakenBehind(_)));
    let elsewhere =
        by_somebody || steps.iter().any(|step| matches!(step, Step::CaptureElsewhere | Step::CapturePart));
    let mut declines = Vec::new();
    if elsewhere || ["tok_capture_fails", "tok_void_fails_3"].contains(&token) {
        declines.push("capture");
    }
    if by_somebody {
        declines.push("cancel");
    }
    for step in steps {
        match step {
            Step::Authorize => promises.hear("authorize".into(), shop.try_authorize(Do, token)),
            Step::CloseAuthorize => {
                // A close may be answered with the end of what a do was once answered to have done.
                shop.try_authorize(Close, token);
            }
            Step::Void => promises.hear("void".into(), shop.try_void()),
            Step::Capture => promises.hear("capture".into(), shop.try_capture(Do, gbp(AMOUNT))),
            Step::CaptureElsewhere => {
                promises.hear("elsewhere".into(), shop.try_capture_as("capture_2", Do, gbp(AMOUNT)));
            }
            Step::CapturePart => {
                promises.hear("part".into(), shop.try_capture_as("capture_part", Do, gbp(600)));
            }
            Step::CloseCapture => promises.hear("close capture".into(), shop.try_capture(Close, gbp(AMOUNT))),
            Step::Refund(n, a) => promises.hear(format!("refund {n}"), shop.try_refund(Do, *n, gbp(*a))),
            Step::CloseRefund(n, a) => {
                shop.try_refund(Close, *n, gbp(*a));
            }
            Step::TakeBack(n, captured) => {
                let state = if *captured { "captured" } else { "authorized" };
                if let Some(object) = object(&shop) {
                    shop.try_take_back(Do, *n + if *captured { 10 } else { 0 }, &object, state);
                }
            }
            Step::TakenBehind(minor) => {
                // What is taken before we know that it is held is broken until it is undone.
                if ["authorized", "capturing", "voiding"].contains(&shop.status().as_str()) {
                    let taken =
                        async |bank: Sandbox, object| bank.capture("nobody's", &object, gbp(*minor)).await;
                    // Nothing, where nothing is held or the bank declines.
                    let _ = shop.at_the_bank(taken);
                }
            }
            Step::Webhook(n) => {
                if let Some(object) = object(&shop) {
                    assert_eq!(shop.webhook(&format!("evt_{n}"), &object), 200);
                }
            }
            Step::Customer => {
                if object(&shop).is_some() {
                    // Who is not waited for, or will not come, changes nothing.
                    let _ = shop.at_the_bank(async |bank, object| bank.finish_challenge(&object).await);
                }
            }
            Step::Wire(faults) => shop.faults(faults),
            Step::Release => shop.release(),
            Step::Crash => shop.crash(),
            Step::Other => shop.other(),
            Step::Tick(seconds) => {
                // A tick that meets a hanging wire would wait for it for ever; the process is killed there instead.
                shop.faults(&[]);
                shop.tick(Duration::from_secs(*seconds));
            }
        }
        check_always(&shop, &declines);
    }
    shop.crash();
    if by_somebody && let Some(object) = object(&shop) {
        // Nobody's step looks at a hold that is at rest.
        assert_eq!(shop.webhook("evt_taken", &object), 200);
    }
    shop.settle();
    check_always(&shop, &declines);
    if turns_back {
        let said = (0..6).map(|_| shop.void()).find(|said| *said != Said::NotNow).unwrap_or(Said::NotNow);
        // A refund that failed calls a person; one that cannot be seen is waited for.
        let parks = token == "tok_refund_fails" && said.is_broken();
        assert!(said == Said::Done || parks || gives_back(&shop), "the undo ends with {said:?}");
        promises.hear("void".into(), Some(said));
        check_always(&shop, &declines);
    }
    // Whatever a done refund may still come to is known after this.
    for _ in 0..4 {
        shop.tick(Duration::from_secs(24 * 60 * 60));
    }
    shop.settle();
    check_always(&shop, &declines);
    check_settled(&shop, &promises, elsewhere);
}

/// The bank's object, once there is one.
fn object(shop: &Shop) -> Option<String> {
    shop.rows("sandbox", "SELECT id FROM accounts").pop()
}

/// What holds at every moment. `declines`: what the provider may have a reason of its own to refuse.
fn check_always(shop: &Shop, declines: &[&str]) {
    let sums = "SELECT captures, voids, captured_minor, refunded_minor FROM statement";
    for line in shop.rows("sandbox", sums) {
        let n: Vec<i64> = line.split(':').map(|n| n.parse().unwrap()).collect();
        assert!(n[0] + n[1] <= 1, "captured and voided: {line}");
        assert!(n[3] <= n[2], "given back more than taken: {line}");
    }
    let accounts = shop.rows("sandbox", "SELECT id FROM accounts WHERE state IN ('authorized', 'captured')");
    assert!(accounts.len() <= 1, "one payment holds at most once: {accounts:?}");
    let claims = "SELECT p.captured_minor,
                         (SELECT CAST(COALESCE(SUM(r.amount_minor), 0) AS BIGINT) FROM refunds r
                          WHERE r.payment_id = p.payment_id AND r.status IN ('pending', 'done'))
                  FROM payments p";
    for line in shop.rows("payment", claims) {
        let (captured, claimed) = line.split_once(':').unwrap();
        assert!(claimed.parse::<i64>().unwrap() <= captured.parse::<i64>().unwrap(), "claimed: {line}");
    }
    // Our ledger never sends what the provider would have to refuse: a bank that captured what is voided, or voided
    // what is captured, would be given no chance to.
    for asked in shop.asked() {
        let mutation = asked.trim_end_matches(":refused");
        let refused = mutation != asked && !declines.contains(&mutation);
        assert!(!refused, "the provider had to refuse: {asked}");
    }
}

/// What holds once nothing is under way any more, whatever the wire and the process did.
fn check_settled(shop: &Shop, promises: &Promises, elsewhere: bool) {
    // A customer who never comes is waited for, and so is the saga, where the provider surely did not hold anything yet: it
    // has the token, and asks again or takes the step back.
    let last = "SELECT result FROM attempts WHERE step = 'authorize_payment' ORDER BY number DESC LIMIT 1";
    let untouched = shop.status() == "authorizing" && shop.rows("payment", last) == ["unavailable"];
    let lost = "SELECT b.step || ' ' || b.state FROM barrier_open o JOIN barrier b
                ON b.saga_id = o.saga_id AND b.step = o.step";
    for open in shop.rows("payment", lost) {
        let waits = open == "authorize_payment doing" && (shop.status() == "waiting" || untouched);
        assert!(waits || gives_back(shop), "still open: {open}");
    }
    if shop.rows("payment", "SELECT saga_id FROM barrier_open").is_empty() {
        let status = shop.status();
        let rests = ["NotFound", "authorized", "captured", "voided", "refused"].contains(&status.as_str());
        assert!(rests, "nobody goes on with a payment that is {status}");
    }
    assert_eq!(sorted(shop.bank()), told_by_the_bank(shop.ours()), "the two ledgers differ");
    let sums = "SELECT payment_id FROM payments WHERE status IN ('captured', 'voided', 'refused')
                AND authorized_minor <> captured_minor + voided_minor + released_minor";
    assert_eq!(shop.rows("payment", sums), [""; 0], "what was held is taken or let go");
    let doubts = "SELECT verb || ' ' || step FROM attempts a WHERE result IN ('', 'unknown') AND NOT EXISTS
                  (SELECT 1 FROM barrier_open o WHERE o.saga_id = a.saga_id AND o.step = a.step)";
    assert_eq!(shop.rows("payment", doubts), [""; 0], "what is settled is in no doubt");
    // The object of an authorization that was given up before its id was known is nobody's.
    let known = shop.rows("payment", "SELECT provider_id FROM payments WHERE provider_id <> ''");
    for kept in shop.webhooks() {
        assert!(kept.status == "parked" && known.is_empty(), "not done: {kept:?}");
    }
    assert_eq!(shop.events().len(), shop.ours().len(), "an event for every entry");
    let money = |kind: &str| shop.bank().iter().any(|entry| entry.starts_with(kind));
    if promises.0.get("capture") == Some(&Said::Done) {
        assert!(money("captured"), "answered Done, but nothing was taken");
    }
    // Refused is a promise; only another step may have taken the money.
    if matches!(promises.0.get("capture"), Some(Said::Refused(_))) && !elsewhere {
        assert!(!money("captured"), "refused, but taken");
    }
    let reversed = shop.ours().iter().any(|entry| entry.starts_with("reversed"));
    let undos = "SELECT refund_id FROM refunds WHERE status = 'failed' AND step = 'authorize_payment'";
    let wanted = reversed || !shop.rows("payment", undos).is_empty();
    assert_eq!(wanted, !shop.cases(true).is_empty(), "a refund that fails for good opens a case");
    if promises.0.get("void") == Some(&Said::Done) && !reversed {
        let left = "SELECT held_minor + captured_minor - refunded_minor FROM statement";
        for line in shop.rows("sandbox", left) {
            assert_eq!(line, "0", "undone, but money is held or taken");
        }
    }
}

/// Our entries as the bank books them: what a capture lets go of is no line of its own there.
fn told_by_the_bank(ours: Vec<String>) -> Vec<String> {
    let theirs = ours.into_iter().filter(|entry| !entry.starts_with("released"));
    sorted(theirs.map(|entry| entry.replace("reversed", "refund_failed")).collect())
}

fn sorted(mut entries: Vec<String>) -> Vec<String> {
    entries.sort();
    entries
}

/// Whether an undo of a captured payment waits for refunds, or found that one failed.
fn gives_back(shop: &Shop) -> bool {
    shop.status() == "captured"
}

/// Enough for every run; a long search says `PROPTEST_CASES=10000`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_loses_or_doubles_money(token in token(), steps in story(), turns_back: bool) {
        run(Shop::open(On::Sqlite), token, &steps, turns_back);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases().div_ceil(3), max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_of_two_processes_on_one_database_loses_or_doubles_money(
        token in token(),
        steps in story(),
        others in prop::collection::vec(0_usize..12, 0..6),
        turns_back: bool,
    ) {
        let mut steps = steps;
        for at in others {
            steps.insert(at.min(steps.len()), Step::Other);
        }
        run(Shop::with_two_processes(), token, &steps, turns_back);
    }
}
