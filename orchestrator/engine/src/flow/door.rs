//! A gate with people at it: tasks that wait, a timer, and what operators see of it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::breaker::Standing;
use super::gate::{Closed, Entered, Gate, Granted, Report, Ticket};
use super::line::{Ask, Kind};
use crate::dispatch::Heard;
use crate::metrics as names;
use crate::options::FlowOptions;
use backstitch_core::Outcome;

/// How to reach a task that waits.
type Waiting = oneshot::Sender<Answer>;

/// What a task that waited is told.
pub(crate) enum Answer {
    Go(Pass),
    NotNow(Closed),
}

/// The gate to one participant.
pub(crate) struct Door {
    participant: &'static str,
    began: Instant,
    inside: Mutex<Inside>,
    /// Somebody waits for a time to come.
    due: Notify,
    /// Who is back.
    back: mpsc::UnboundedSender<&'static str>,
    meters: Meters,
}

struct Inside {
    gate: Gate<Waiting>,
    /// As last told.
    standing: Standing,
}

struct Meters {
    in_flight: Gauge,
    queued: Gauge,
    queue_seconds: Histogram,
    retries_delayed: Counter,
    standing: Gauge,
}

impl Meters {
    fn of(participant: &'static str) -> Self {
        Self {
            in_flight: gauge!(names::CALLS_IN_FLIGHT, "participant" => participant),
            queued: gauge!(names::CALLS_QUEUED, "participant" => participant),
            queue_seconds: histogram!(names::CALL_QUEUE_SECONDS, "participant" => participant),
            retries_delayed: counter!(names::RETRIES_DELAYED, "participant" => participant),
            standing: gauge!(names::BREAKER_STATE, "participant" => participant),
        }
    }
}

impl Door {
    pub(crate) fn new(
        participant: &'static str,
        options: FlowOptions,
        back: mpsc::UnboundedSender<&'static str>,
    ) -> Self {
        let gate = Gate::new(options, Duration::ZERO);
        Self {
            participant,
            began: Instant::now(),
            inside: Mutex::new(Inside { gate, standing: Standing::Closed }),
            due: Notify::new(),
            back,
            meters: Meters::of(participant),
        }
    }

    pub(crate) fn participant(&self) -> &'static str {
        self.participant
    }

    /// The gate's time.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(self: &Arc<Self>, ask: Ask) -> Entered<Wait> {
        let mut inside = self.lock();
        let entered = inside.gate.enter(self.now(), ask, || {
            let (who, answer) = oneshot::channel();
            (who, Wait { answer, since: Instant::now(), door: self.clone() })
        });
        if let Entered::Go(_) = entered {
            self.tell(&mut inside);
            self.meters.in_flight.increment(1.0);
        }
        drop(inside);
        if let Entered::Waits(_) = entered {
            self.meters.queued.increment(1.0);
            if ask.kind == Kind::Retry {
                self.meters.retries_delayed.increment(1);
            }
            // Perhaps it is time's turn to let it go.
            self.due.notify_one();
        }
        entered
    }

    /// Whether a saga that needs these actions of the participant may start.
    pub(crate) fn admit(&self, needs: impl Fn(&str) -> bool) -> Result<(), Closed> {
        self.lock().gate.admit(self.now(), needs)
    }

    pub(crate) fn trouble(&self) -> Option<Closed> {
        self.lock().gate.trouble(self.now())
    }

    pub(crate) fn is_worth_trying(&self) -> bool {
        self.lock().gate.is_worth_trying(self.now())
    }

    /// Lets those go whose time has come; how long until the next one's.
    pub(crate) fn tick(self: &Arc<Self>) -> Option<Duration> {
        let mut inside = self.lock();
        let mut told = Vec::new();
        let next = inside.gate.pump(self.now(), oneshot::Sender::is_closed, &mut told);
        self.tell(&mut inside);
        drop(inside);
        // Outside the lock: a pass that nobody takes any more comes back through it.
        for (who, granted) in told {
            let answer = match granted {
                Granted::Go(ticket) => {
                    self.meters.in_flight.increment(1.0);
                    Answer::Go(Pass { door: self.clone(), ticket: Some(ticket) })
                }
                Granted::NotNow(closed) => Answer::NotNow(closed),
            };
            drop(who.send(answer));
        }
        next
    }

    /// Waits until [`Door::tick`] is due, given what the last one said.
    pub(crate) async fn due(&self, next: Option<Duration>) {
        match next {
            None => self.due.notified().await,
            Some(next) => {
                tokio::select! {
                    () = self.due.notified() => {}
                    () = tokio::time::sleep(next) => {}
                }
            }
        }
    }

    /// A call has ended, one way or the other.
    fn leave(self: &Arc<Self>, end: impl FnOnce(&mut Gate<Waiting>, Duration) -> bool) {
        let mut inside = self.lock();
        let back = end(&mut inside.gate, self.now());
        self.tell(&mut inside);
        let waiting = inside.gate.waiting() > 0;
        drop(inside);
        self.meters.in_flight.decrement(1.0);
        if waiting && self.tick().is_some() {
            self.due.notify_one();
        }
        if back {
            // Nobody listens any more when the engine is gone.
            let _ = self.back.send(self.participant);
        }
    }

    /// Tells operators when the breaker has changed.
    fn tell(&self, inside: &mut Inside) {
        let now = inside.gate.standing();
        if inside.standing == now {
            return;
        }
        let before = std::mem::replace(&mut inside.standing, now);
        self.meters.standing.set(match now {
            Standing::Closed => 0.0,
            Standing::HalfOpen => 1.0,
            Standing::Open => 2.0,
        });
        counter!(names::BREAKER_TRANSITIONS, "participant" => self.participant, "to" => now.as_str())
            .increment(1);
        let participant = self.participant;
        match (now, inside.gate.trouble(self.now())) {
            (Standing::Open, Some(closed)) if before == Standing::Closed => {
                warn!(participant, why = closed.why, "a breaker opened");
            }
            (Standing::Closed, _) => info!(participant, "a breaker closed"),
            _ => {}
        }
    }
}

/// The right to make one call. Dropped without [`Pass::heard`], the call counts as never heard of.
pub(crate) struct Pass {
    door: Arc<Door>,
    ticket: Option<Ticket>,
}

impl Pass {
    pub(crate) fn new(door: Arc<Door>, ticket: Ticket) -> Self {
        Self { door, ticket: Some(ticket) }
    }

    /// What came of the call.
    pub(crate) fn heard(mut self, saga: Uuid, heard: &Heard) {
        let Some(ticket) = self.ticket.take() else { return };
        let (settled, why) = match &heard.outcome {
            Outcome::NotNow { why, .. } | Outcome::Unknown { why, .. } => (false, why.as_str()),
            _ => (true, ""),
        };
        let report = Report { settled, fault: heard.fault.map(|fault| (fault, why)) };
        self.door.leave(|gate, now| gate.heard(now, &ticket, saga, report, rand::random()));
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.door.leave(|gate, now| {
                gate.lost(now, &ticket);
                false
            });
        }
    }
}

/// A place in line.
pub(crate) struct Wait {
    answer: oneshot::Receiver<Answer>,
    since: Instant,
    door: Arc<Door>,
}

impl Future for Wait {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let answer = ready!(Pin::new(&mut self.answer).poll(cx));
        self.door.meters.queue_seconds.record(self.since.elapsed().as_secs_f64());
        // The gate never drops who waits; should it, asking again is always right.
        Poll::Ready(answer.unwrap_or_else(|_| Answer::NotNow(Closed::forgotten())))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.door.meters.queued.decrement(1.0);
    }
}
