//! A participant's trouble stays its own: limits, priorities, breakers and the retry budget, seen from sagas.

#![allow(clippy::unwrap_used)]

mod town;

use std::collections::BTreeMap;
use std::time::Duration;

use backstitch_core::{Definition, DefinitionBuilder, Op, Operation, Status, explain};
use backstitch_engine::{FlowOptions, Options, StartError, VerbError};
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest, UndoResponse};
use town::{HOUR, LATENCY, Mood, Town, order, pass};
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);

fn one_call_at_a_time() -> Options {
    Options { flow: FlowOptions { max_calls: 1, ..FlowOptions::default() }, ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn an_outage_slows_no_saga_that_does_not_need_the_participant() {
    for mood in [Mood::Away, Mood::Silent, Mood::Unserved] {
        let town = Town::new(Options::default()).await;
        town.participants.become_("shipping", mood);
        let orders = town.start_many("order", 300).await;
        pass(60 * SECOND).await;
        let began = town.elapsed();
        for id in town.start_many("download", 50).await {
            assert_eq!(town.rests(id, HOUR).await, Status::Completed);
        }
        assert!(town.elapsed() - began < 10 * LATENCY, "{mood:?}: {:?}", town.elapsed() - began);
        assert_eq!(town.troubled(), ["shipping"]);
        for id in &orders {
            assert_eq!(town.status(*id).await, Status::Running, "after the pivot an outage only delays");
        }
        // Every order has met the outage once at most; from then on there were probes.
        let asked = town.participants.calls_to("shipping");
        assert!(asked < 300 + 60, "{mood:?}: {asked} calls to a participant that is away");

        pass(HOUR).await;
        town.participants.become_("shipping", Mood::Well);
        for id in orders {
            assert_eq!(town.rests(id, 60 * SECOND).await, Status::Completed, "{mood:?}");
        }
        assert!(town.troubled().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_pivot_an_outage_turns_sagas_back_and_new_ones_are_refused() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("inventory", Mood::Away);
    let orders = town.start_many("order", 20).await;
    pass(2 * SECOND).await;
    // A probe may be due in this very moment; then one is let in to make it.
    let refused = match town.try_start("order").await {
        Ok(_) => town.try_start("order").await,
        refused => refused,
    };
    let Err(StartError::Unavailable(trouble)) = refused else { panic!("accepted") };
    assert_eq!((trouble.participant, trouble.misconfigured), ("inventory", false));
    assert!(trouble.why.contains("not reachable"), "{trouble:?}");
    assert!(trouble.retry_after <= 15 * SECOND);
    // Who does not need it is accepted.
    town.start("download").await;
    for id in orders {
        // Never reached, so that there is nothing to take back and nobody to wait for.
        assert_eq!(town.rests(id, 90 * SECOND).await, Status::Compensated);
    }
    assert_eq!(town.participants.made(|made| made.op == Op::Undo).len(), 0);

    // Nobody is left to find out; in each pause one saga is let in to do that.
    town.participants.become_("inventory", Mood::Well);
    let mut refused = 0;
    let id = loop {
        match town.try_start("order").await {
            Ok(id) => break id,
            Err(StartError::Unavailable(trouble)) => pass(trouble.retry_after).await,
            Err(error) => panic!("{error}"),
        }
        refused += 1;
    };
    assert!(refused <= 2, "refused {refused} times");
    assert_eq!(town.rests(id, HOUR).await, Status::Completed);
    assert!(town.troubled().is_empty());
}

/// Hold an amount and take it, both at the payment.
fn at_one_participant() -> Definition {
    const CALL: Operation<ActRequest, ActResponse> = Operation::new("payment", "Act");
    let undo = Operation::<UndoRequest, UndoResponse>::new("payment", "Undo");
    let mut d = DefinitionBuilder::<SyntheticInput>::new("order", 1);
    let hold = d
        .step("hold", CALL)
        .request(|_, ()| ActRequest::default())
        .compensated_by(undo, |_| UndoRequest::default());
    d.step("pay", CALL).after([hold.step()]).request(|_, ()| ActRequest::default()).pivot();
    d.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_needs_a_participant_twice_finds_out_as_well() {
    let town = Town::with(at_one_participant(), Options::default()).await;
    town.participants.become_("payment", Mood::Away);
    for id in town.start_many("order", 20).await {
        assert_eq!(town.rests(id, HOUR).await, Status::Compensated);
    }
    town.participants.become_("payment", Mood::Well);
    pass(60 * SECOND).await;
    let id = town.start("order").await;
    assert_eq!(town.rests(id, HOUR).await, Status::Completed);
    assert!(town.troubled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_is_told_unimplemented_waits_with_all_others_until_it_is_served() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("inventory", Mood::Unserved);
    let first = town.start("order").await;
    pass(LATENCY * 3).await;
    let Err(StartError::Unavailable(trouble)) = town.try_start("order").await else { panic!("accepted") };
    assert_eq!((trouble.participant, trouble.misconfigured), ("inventory", true));
    assert!(trouble.why.contains("does not serve") && trouble.why.contains("Unimplemented"), "{trouble:?}");
    assert_eq!(town.status(first).await, Status::Running);
    pass(20 * SECOND).await;
    assert!(town.participants.calls_to("inventory") <= 6, "only probes");
    town.participants.become_("inventory", Mood::Well);
    assert_eq!(town.rests(first, 30 * SECOND).await, Status::Completed);
    let next = town.start("order").await;
    assert_eq!(town.rests(next, SECOND).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn what_only_follows_the_pivot_refuses_no_new_saga() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("shipping", Mood::Unserved);
    town.start("order").await;
    pass(10 * SECOND).await;
    assert_eq!(town.troubled(), ["shipping"]);
    let id = town.start("order").await;
    town.participants.become_("shipping", Mood::Well);
    assert_eq!(town.rests(id, 60 * SECOND).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_person_sees_why_a_call_waits_and_that_it_was_not_made() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("shipping", Mood::Away);
    let ids = town.start_many("order", 30).await;
    pass(60 * SECOND).await;
    let mut waiting = 0;
    for id in ids {
        let view = town.engine.inspect(id).await.unwrap().unwrap().view;
        let ship = view.definition.find("ship").unwrap();
        let made = town.participants.made(|made| made.saga == id && made.step == "ship").len();
        assert_eq!(view.state.step(ship).attempts as usize, made);
        let told = explain(&view.definition, &view.state);
        waiting += usize::from(told.contains("because shipping does not answer (not reachable)"));
    }
    assert!(waiting >= 20, "{waiting} wait in line");
}

#[tokio::test(start_paused = true)]
async fn an_undo_waits_for_its_participant_and_is_not_given_up() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("inventory", Mood::Silent);
    // They find out that it is silent, and have to be taken back there: who knows what it did.
    let ids = town.start_many("order", 10).await;
    pass(HOUR / 2).await;
    for id in &ids {
        assert_eq!(town.status(*id).await, Status::Compensating);
    }
    town.participants.become_("inventory", Mood::Well);
    for id in ids {
        assert_eq!(town.rests(id, 60 * SECOND).await, Status::Compensated);
    }
}

#[tokio::test(start_paused = true)]
async fn verdicts_and_one_saga_s_trouble_open_no_breaker() {
    for (mood, comes_to) in [
        (Mood::Busy, Status::Compensated),
        (Mood::Broken, Status::Parked),
        (Mood::Confused, Status::Compensating),
    ] {
        let town = Town::new(Options::default()).await;
        town.participants.become_("inventory", mood);
        let orders = town.start_many("order", 40).await;
        pass(100 * SECOND).await;
        assert!(town.troubled().is_empty(), "{mood:?}");
        assert_eq!(town.status(orders[0]).await, comes_to, "{mood:?}");
    }
    // A participant that one saga alone chokes, however often it asks.
    let town = Town::new(Options::default()).await;
    town.participants.become_("shipping", Mood::Silent);
    town.start("order").await;
    pass(HOUR).await;
    assert!(town.participants.calls_to("shipping") > 50);
    assert!(town.troubled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_participant_has_more_calls_in_flight_than_its_limit() {
    let options =
        Options { flow: FlowOptions { max_calls: 7, ..FlowOptions::default() }, ..Options::default() };
    let town = Town::new(options).await;
    for id in town.start_many("order", 100).await {
        assert_eq!(town.rests(id, HOUR).await, Status::Completed);
    }
    for participant in ["inventory", "payment", "shipping"] {
        let began: Vec<_> =
            town.participants.made(|made| made.participant == participant).iter().map(|m| m.at).collect();
        for at in &began {
            let in_flight = began.iter().filter(|other| **other <= *at && *at < **other + LATENCY).count();
            assert!(in_flight <= 7, "{in_flight} calls in flight to {participant} at {at:?}");
        }
        assert_eq!(began.len(), 100);
    }
}

#[tokio::test(start_paused = true)]
async fn undo_goes_before_what_has_just_begun() {
    let town = Town::new(one_call_at_a_time()).await;
    let ids = town.start_many("order", 50).await;
    pass(LATENCY / 2).await;
    // Its call is the one in flight; the undo does not stand at the end of the line of the other 49.
    town.engine.cancel(ids[0], "changed my mind").await.unwrap();
    assert_eq!(town.rests(ids[0], HOUR).await, Status::Compensated);
    let to_inventory = town.participants.made(|made| made.participant == "inventory");
    assert_eq!((to_inventory[1].saga, to_inventory[1].op), (ids[0], Op::Undo));
    for id in &ids[1..] {
        assert_eq!(town.rests(*id, HOUR).await, Status::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_in_line_is_never_made() {
    let town = Town::new(one_call_at_a_time()).await;
    let ids = town.start_many("order", 3).await;
    pass(LATENCY / 2).await;
    town.engine.cancel(ids[2], "changed my mind").await.unwrap();
    for id in &ids[..2] {
        assert_eq!(town.rests(*id, HOUR).await, Status::Completed);
    }
    assert_eq!(town.rests(ids[2], HOUR).await, Status::Compensated);
    assert_eq!(town.participants.made(|made| made.saga == ids[2] && made.op == Op::Do).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn time_in_line_is_no_time_of_the_call() {
    // One at a time, the last one waits longer than any call may take.
    let town = Town::new(one_call_at_a_time()).await;
    for id in town.start_many("download", 800).await {
        assert_eq!(town.rests(id, HOUR).await, Status::Completed);
    }
    assert_eq!(town.participants.calls_to("payment"), 800);
    assert!(town.elapsed() > 7 * SECOND);
}

/// Calls in each second.
fn rate(town: &Town, participant: &str) -> BTreeMap<u64, u32> {
    let mut rate = BTreeMap::new();
    for made in town.participants.made(|made| made.participant == participant) {
        *rate.entry(made.at.as_secs()).or_default() += 1;
    }
    rate
}

#[tokio::test(start_paused = true)]
async fn an_outage_causes_no_storm() {
    let town = Town::new(Options::default()).await;
    let orders = town.start_many("order", 500).await;
    town.participants.become_("shipping", Mood::Silent);
    pass(HOUR / 2).await;
    let rate_in_outage = rate(&town, "shipping");
    let first_wave: u32 = rate_in_outage.range(..30).map(|(_, calls)| calls).sum();
    assert!(first_wave <= 500 + 20, "{first_wave} calls before the breaker was believed");
    let after: u32 = rate_in_outage.range(30..).map(|(_, calls)| *calls).max().unwrap();
    assert_eq!(after, 1, "nothing but probes");

    town.participants.become_("shipping", Mood::Well);
    let back = town.elapsed().as_secs();
    for id in orders {
        assert_eq!(town.rests(id, 120 * SECOND).await, Status::Completed);
    }
    // What comes back does not come back at once more often than calls may be in flight.
    let worst = rate(&town, "shipping").range(back..).map(|(_, calls)| *calls).max().unwrap();
    assert!(worst <= 500, "{worst} calls in a second");
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_budget_where_no_breaker_helps() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("shipping", Mood::Confused);
    let orders = town.start_many("order", 500).await;
    pass(60 * SECOND).await;
    let retry = Options::default().flow.retry;
    let retries = town.participants.made(|made| made.participant == "shipping" && made.attempt > 1);
    let earned = f64::from(retry.burst)
        + f64::from(retry.floor_per_second) * town.elapsed().as_secs_f64()
        + 500.0 * f64::from(retry.percent) / 100.0;
    assert!(retries.len() as f64 <= earned, "{} retries, {earned} earned", retries.len());
    assert!(retries.len() > 500, "the budget is used");
    // Delayed, not dropped.
    town.participants.become_("shipping", Mood::Well);
    for id in orders {
        assert_eq!(town.rests(id, 120 * SECOND).await, Status::Completed);
    }
}

/// A town whose participants are waited for half a minute, and whose engine recovers by itself.
async fn impatient() -> Town {
    let town = Town::with(order(30 * SECOND), Options::default()).await;
    town.engine.spawn_recovery();
    town
}

async fn parked(town: &Town, ids: &[Uuid]) -> usize {
    let mut parked = 0;
    for id in ids {
        parked += usize::from(town.status(*id).await == Status::Parked);
    }
    parked
}

#[tokio::test(start_paused = true)]
async fn what_parked_by_silence_goes_on_by_itself_when_its_participant_is_back() {
    for mood in [Mood::Away, Mood::Silent, Mood::Unserved] {
        let town = impatient().await;
        let ids = town.start_many("order", 30).await;
        town.participants.become_("shipping", mood);
        pass(10 * 60 * SECOND).await;
        let given_up = parked(&town, &ids).await;
        assert!(given_up >= 10, "{mood:?}: only {given_up} of 30 have parked");
        town.participants.become_("shipping", Mood::Well);
        for id in &ids {
            town.rests(*id, 60 * SECOND).await;
        }
        // Once the last pause is over, and somebody has found out.
        pass(40 * SECOND).await;
        for id in ids {
            assert_eq!(town.status(id).await, Status::Completed, "{mood:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_everybody_has_parked_somebody_still_finds_out_that_it_is_over() {
    let town = impatient().await;
    let id = town.start("order").await;
    town.participants.become_("shipping", Mood::Unserved);
    pass(HOUR).await;
    let history = town.engine.history(id).await.unwrap().unwrap();
    assert!(history.records.iter().any(|entry| entry.record.kind() == "step_parked"));
    assert_eq!(town.troubled(), ["shipping"]);
    town.participants.become_("shipping", Mood::Well);
    pass(40 * SECOND).await;
    assert_eq!(town.status(id).await, Status::Completed);
    assert!(town.troubled().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_was_unlucky_alone_is_tried_again_now_and_then() {
    let town = impatient().await;
    let id = town.start("order").await;
    town.participants.become_("shipping", Mood::Silent);
    pass(100 * SECOND).await;
    assert_eq!(town.status(id).await, Status::Parked);
    assert!(town.troubled().is_empty());
    town.participants.become_("shipping", Mood::Well);
    pass(400 * SECOND).await;
    assert_eq!(town.status(id).await, Status::Completed);
}

#[tokio::test(start_paused = true)]
async fn what_a_participant_s_silence_parked_is_asked_at_once_when_that_knows_more() {
    let town = impatient().await;
    let id = town.start("order").await;
    town.participants.become_("shipping", Mood::Silent);
    pass(100 * SECOND).await;
    assert_eq!(town.status(id).await, Status::Parked);
    town.participants.become_("shipping", Mood::Well);
    town.engine.available(id, "somebody_else").await.unwrap();
    pass(SECOND).await;
    assert_eq!(town.status(id).await, Status::Parked);
    town.engine.available(id, "shipping").await.unwrap();
    pass(SECOND).await;
    assert_eq!(town.status(id).await, Status::Completed);
    assert!(matches!(town.engine.available(id, "shipping").await, Err(VerbError::AlreadyFinal(_))));
}

#[tokio::test(start_paused = true)]
async fn what_a_fault_parked_waits_for_its_person() {
    let town = impatient().await;
    let id = town.start("order").await;
    town.participants.become_("shipping", Mood::Broken);
    pass(SECOND).await;
    assert_eq!(town.status(id).await, Status::Parked);
    // Others meet an outage, and its end.
    town.participants.become_("shipping", Mood::Away);
    let others = town.start_many("order", 20).await;
    pass(20 * SECOND).await;
    assert_eq!(town.troubled(), ["shipping"]);
    town.participants.become_("shipping", Mood::Well);
    pass(HOUR).await;
    for other in others {
        assert_eq!(town.status(other).await, Status::Completed);
    }
    assert_eq!(town.status(id).await, Status::Parked);
    assert_eq!(town.participants.made(|made| made.saga == id && made.step == "ship").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_is_not_overrun_by_what_parked() {
    let flow = FlowOptions { retry_parked_every: HOUR, ..FlowOptions::default() };
    let town = Town::with(order(30 * SECOND), Options { flow, ..Options::default() }).await;
    town.engine.spawn_recovery();
    let ids = town.start_many("order", 400).await;
    town.participants.become_("shipping", Mood::Confused);
    pass(10 * 60 * SECOND).await;
    assert_eq!(parked(&town, &ids).await, 400);
    let before = town.participants.calls_to("shipping");
    town.participants.become_("shipping", Mood::Well);
    pass(2 * HOUR).await;
    assert_eq!(parked(&town, &ids).await, 0);
    let rate = rate(&town, "shipping");
    let worst = rate.range(600..).map(|(_, calls)| *calls).max().unwrap();
    assert!(worst <= 201, "{worst} calls in a second");
    assert_eq!(town.participants.calls_to("shipping") - before, 400);
}

#[tokio::test(start_paused = true)]
async fn a_restart_does_not_call_everybody_at_once() {
    let town = Town::new(Options::default()).await;
    town.participants.become_("shipping", Mood::Silent);
    let ids = town.start_many("order", 600).await;
    pass(SECOND).await;
    let next = town.restarted(Options::default()).await;
    let before = next.participants.calls_to("shipping");
    next.engine.recover().await.unwrap();
    pass(SECOND).await;
    assert_eq!(next.participants.calls_to("shipping") - before, 256, "as many as may be in flight");
    next.participants.become_("shipping", Mood::Well);
    for id in ids {
        assert_eq!(next.rests(id, 120 * SECOND).await, Status::Completed);
    }
}
