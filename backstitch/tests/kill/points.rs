//! Where a process is killed: every boundary of every step and undo that the definitions have.

use backstitch_core::Definition;

use crate::dice::Dice;
use crate::money::{MONEY, around_refunds};

/// Which process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Orchestrator,
    Participants,
    Relay,
    Reconciler,
}

/// When it is told to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// In its first life, while customers check out.
    Serving,
    /// In so many lives that follow one which was killed with checkouts under way.
    Starting(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    pub(crate) who: Who,
    pub(crate) when: When,
    /// It may be told to die at the second time instead, since so many checkouts come by.
    pub(crate) often: bool,
}

pub(crate) fn point(who: Who, name: impl Into<String>) -> Point {
    Point { name: name.into(), who, when: When::Serving, often: true }
}

impl Point {
    /// As its process is told.
    pub(crate) fn armed(&self, dice: &mut Dice) -> String {
        let times = if self.often { 1 + dice.roll(2) } else { 1 };
        // At once, or with a pause in which whoever ought to wait might not.
        let pause = 25 * dice.roll(2);
        format!("{}@{times}=abort+{pause}", self.name)
    }
}

/// Every step's do, and every undo that there is, as failpoints call them.
fn operations(definition: &Definition) -> Vec<String> {
    let dos = definition.steps.iter().map(|step| format!("{}/do", step.name));
    let undos = definition.steps.iter().filter(|step| step.undo.is_some());
    dos.chain(undos.map(|step| format!("{}/undo", step.name))).collect()
}

pub(crate) const BEFORE_RECORD: &str = "writer.before_commit";
pub(crate) const AFTER_RECORD: &str = "writer.after_commit";
/// Around each call, and around the record of what it came to.
pub(crate) const AROUND_CALL: [&str; 5] =
    ["dispatch.before_send", "dispatch.after_send", "dispatch.after_reply", BEFORE_RECORD, AFTER_RECORD];
/// Those that count where another orchestrator takes over: a call that may arrive, a record that may be there.
pub(crate) const OF_A_TAKEOVER: [&str; 2] = ["dispatch.after_send", BEFORE_RECORD];

pub(crate) fn orchestrator(places: &[&str], whats: &[impl AsRef<str>]) -> Vec<Point> {
    let of = |what: &str| {
        places.iter().map(|place| point(Who::Orchestrator, format!("{place}:{what}"))).collect::<Vec<_>>()
    };
    whats.iter().flat_map(|what| of(what.as_ref())).collect()
}

/// A saga's own records, and the two answers that say that it is there.
fn around_records() -> Vec<Point> {
    let mut points =
        orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &["start", "pivot_intent", "turned_back", "end"]);
    points.extend(["reply.accepted", "reply.told"].map(|name| point(Who::Orchestrator, name)));
    points
}

pub(crate) fn of_orchestrator() -> Vec<Point> {
    let checkout = backstitch_sagas::checkout().unwrap();
    let mut points = orchestrator(&AROUND_CALL, &operations(&checkout));
    points.extend(around_records());
    let starting = [("lease.before_claim", 1), ("lease.after_claim", 1), ("recovery.take_up", 2)];
    points.extend(starting.map(|(name, lives)| Point {
        when: When::Starting(lives),
        often: false,
        ..point(Who::Orchestrator, name)
    }));
    points
}

/// While returns are under way.
pub(crate) fn of_orchestrator_in_returns() -> Vec<Point> {
    let mut points = orchestrator(&AROUND_CALL, &operations(&backstitch_sagas::returns().unwrap()));
    points.extend(around_records());
    points
}

/// Those of them that another orchestrator takes up.
pub(crate) fn of_a_takeover_of_returns() -> Vec<Point> {
    let mut points = orchestrator(&OF_A_TAKEOVER, &operations(&backstitch_sagas::returns().unwrap()));
    points.extend(around_records());
    points
}

pub(crate) fn of_participants() -> Vec<Point> {
    let mut points = around_effects(&operations(&backstitch_sagas::checkout().unwrap()));
    for outside in MONEY {
        let places = ["participant.before_provider", "participant.after_provider"];
        points.extend(places.map(|place| point(Who::Participants, format!("{place}:{outside}"))));
    }
    points.extend(["payment.created", "payment.attached"].map(|name| point(Who::Participants, name)));
    points
}

/// Both sides of each participant's commit.
pub(crate) fn around_effects(operations: &[String]) -> Vec<Point> {
    let places = ["participant.before_commit", "participant.before_reply"];
    let of = |operation| places.map(|place| point(Who::Participants, format!("{place}:{operation}")));
    operations.iter().flat_map(of).collect()
}

/// While returns are under way.
pub(crate) fn of_participants_in_returns() -> Vec<Point> {
    let mut points = around_effects(&operations(&backstitch_sagas::returns().unwrap()));
    points.extend(around_refunds());
    points
}

/// While a person's decision is done: around its record, the start and the end of the return that it names, and the word of
/// that to the checkout; and around what such a return does that others do not.
pub(crate) fn of_making_good() -> Vec<Point> {
    let of_returns = operations(&backstitch_sagas::returns().unwrap());
    let mut own = operations(&backstitch_sagas::make_good().unwrap());
    own.retain(|operation| !of_returns.contains(operation));
    let mut points = orchestrator(&AROUND_CALL, &own);
    points.extend(around_effects(&own));
    points.extend(around_making_good());
    points
}

/// Those of them after which another orchestrator sees to it.
pub(crate) fn around_making_good() -> Vec<Point> {
    let mut points = orchestrator(&[BEFORE_RECORD, AFTER_RECORD], &["made_good", "start", "end"]);
    let seen_to = ["good.before_start", "good.started", "good.before_end", "good.after_end"];
    points.extend(seen_to.map(|name| point(Who::Orchestrator, name)));
    points
}

/// Where an orchestrator freezes: about to act, or to write down what it has done.
pub(crate) fn to_freeze_at() -> Vec<Point> {
    let names = [
        "dispatch.before_send:capture_payment/do",
        "dispatch.after_send:capture_payment/do",
        "dispatch.after_reply:capture_payment/do",
        "dispatch.before_send:authorize_payment/undo",
        "dispatch.before_send:confirm_order/do",
        "writer.before_commit:pivot_intent",
        "writer.before_commit:turned_back",
        "writer.after_commit:end",
    ];
    names.map(|name| point(Who::Orchestrator, name)).to_vec()
}

/// The same while what was bought comes back.
pub(crate) fn to_freeze_returns_at() -> Vec<Point> {
    let names = [
        "dispatch.before_send:refund_payment/do",
        "dispatch.after_send:refund_payment/do",
        "dispatch.after_reply:refund_payment/do",
        "dispatch.before_send:create_return/undo",
        "writer.before_commit:pivot_intent",
        "writer.after_commit:end",
    ];
    names.map(|name| point(Who::Orchestrator, name)).to_vec()
}

/// Around every publishing, of the orchestrator's events and of each participant's that has some.
pub(crate) fn of_relay() -> Vec<Point> {
    let mut points = Vec::new();
    for source in ["lane", "inventory", "payment", "order", "cart", "shipping"] {
        let places = ["relay.before_publish", "relay.before_mark", "relay.after_mark"];
        points.extend(places.map(|place| point(Who::Relay, format!("{place}:{source}"))));
    }
    points
}
