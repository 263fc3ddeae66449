//! Where a process is killed: every boundary of every step and undo that the definition has.

/// Which process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Orchestrator,
    Participants,
    Relay,
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

fn point(who: Who, name: impl Into<String>) -> Point {
    Point { name: name.into(), who, when: When::Serving, often: true }
}

/// Every step's do, and every undo that there is, as failpoints call them.
fn operations() -> Vec<String> {
    let checkout = backstitch_sagas::checkout().unwrap();
    let dos = checkout.steps.iter().map(|step| format!("{}/do", step.name));
    let undos = checkout.steps.iter().filter(|step| step.undo.is_some());
    dos.chain(undos.map(|step| format!("{}/undo", step.name))).collect()
}

pub(crate) fn of_orchestrator() -> Vec<Point> {
    let places = [
        "dispatch.before_send",
        "dispatch.after_send",
        "dispatch.after_reply",
        "writer.before_commit",
        "writer.after_commit",
    ];
    let of = |place: &str, what: &str| point(Who::Orchestrator, format!("{place}:{what}"));
    let mut points = Vec::new();
    for operation in operations() {
        points.extend(places.iter().map(|place| of(place, &operation)));
    }
    for record in ["start", "pivot_intent", "turned_back", "end"] {
        points.extend(places[3..].iter().map(|place| of(place, record)));
    }
    points.extend(["reply.accepted", "reply.told"].map(|name| point(Who::Orchestrator, name)));
    let starting = [("lease.before_claim", 1), ("lease.after_claim", 1), ("recovery.take_up", 2)];
    points.extend(starting.map(|(name, lives)| Point {
        when: When::Starting(lives),
        often: false,
        ..point(Who::Orchestrator, name)
    }));
    points
}

pub(crate) fn of_participants() -> Vec<Point> {
    let mut points = Vec::new();
    for operation in operations() {
        let places = ["participant.before_commit", "participant.before_reply"];
        points.extend(places.map(|place| point(Who::Participants, format!("{place}:{operation}"))));
    }
    for outside in ["authorize_payment/do", "authorize_payment/undo", "capture_payment/do"] {
        let places = ["participant.before_provider", "participant.after_provider"];
        points.extend(places.map(|place| point(Who::Participants, format!("{place}:{outside}"))));
    }
    points.extend(["payment.created", "payment.attached"].map(|name| point(Who::Participants, name)));
    points
}

/// Around every call to Stripe, every webhook, and every word to the orchestrator about one.
pub(crate) fn of_payments_at_stripe() -> Vec<Point> {
    let places = [
        "participant.before_commit",
        "participant.before_provider",
        "participant.after_provider",
        "participant.before_reply",
    ];
    let mut points = Vec::new();
    for outside in ["authorize_payment/do", "authorize_payment/undo", "capture_payment/do"] {
        points.extend(places.map(|place| point(Who::Participants, format!("{place}:{outside}"))));
    }
    let named = [
        "payment.created",
        "payment.attached",
        "payment.confirmed",
        "payment.captured",
        "payment.after_cancel",
        "payment.webhook_stored",
        "payment.webhook_acted_on",
        "payment.before_notice",
        "payment.after_notice",
    ];
    points.extend(named.map(|name| point(Who::Participants, name)));
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

/// Around every publishing, of the orchestrator's events and of each participant's that has some.
pub(crate) fn of_relay() -> Vec<Point> {
    let mut points = Vec::new();
    for source in ["lane", "inventory", "payment", "order", "cart", "shipping"] {
        let places = ["relay.before_publish", "relay.before_mark", "relay.after_mark"];
        points.extend(places.map(|place| point(Who::Relay, format!("{place}:{source}"))));
    }
    points
}
