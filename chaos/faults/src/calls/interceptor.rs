//! The interceptor itself: who asked, what becomes of it, and what is delivered later.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::answer::{self, Answer, Body};
use super::fate::{Excuse, Fate, Until, Which};
use super::wire::{Honest, Message, serve};
use crate::Tally;

/// A call, as its metadata tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The last part of its path, e.g. `Reserve`.
    pub method: String,
    /// The saga.
    pub saga: String,
    /// The step.
    pub step: String,
    /// `do`, `undo` or `close`.
    pub op: String,
}

impl Call {
    fn of(message: &Message) -> Self {
        Self {
            method: message.parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned(),
            saga: message.word("saga-id"),
            step: message.word("saga-step"),
            op: message.word("saga-op"),
        }
    }

    fn same_step(&self, other: &Call) -> bool {
        (&self.saga, &self.step) == (&other.saga, &other.step)
    }
}

/// Decides what becomes of a call.
type Script = Box<dyn Fn(&Call) -> Fate + Send + Sync>;

/// An interceptor in front of one participant. Ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct Interceptor {
    address: SocketAddr,
    stage: Arc<Stage>,
    serving: JoinHandle<()>,
}

impl Interceptor {
    /// Listens on a free loopback port and passes calls on to `honest` (`host:port`) as `script` says. It is asked only
    /// about the contract's actions; everything else (queries, health) passes.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn before(
        honest: &str,
        script: impl Fn(&Call) -> Fate + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stage = Arc::new(Stage {
            honest: Honest::at(honest),
            script: Box::new(script),
            calm: AtomicBool::new(false),
            tally: Tally::default(),
            answered: AtomicU64::new(0),
            later: Mutex::default(),
            deliveries: TaskTracker::new(),
        });
        let serving = tokio::spawn(serve(listener, stage.clone()));
        Ok(Self { address, stage, serving })
    }

    /// Where to call.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What became of calls, by the word of their fate, and of late ones, by `delivered …`.
    pub fn tally(&self) -> &Tally {
        &self.stage.tally
    }

    /// From now on every call passes; what is held stays held.
    pub fn calm(&self) {
        self.stage.calm.store(true, Ordering::SeqCst);
    }

    /// How many deliveries are still owed.
    pub fn owed(&self) -> usize {
        self.stage.later().len()
    }

    /// Delivers everything that is owed, and returns when it and all that is under way has been answered.
    pub async fn deliver_all(&self) {
        let owed = std::mem::take(&mut *self.stage.later());
        for late in owed {
            self.stage.deliver(late.message, "at the end");
        }
        self.stage.deliveries.close();
        self.stage.deliveries.wait().await;
        self.stage.deliveries.reopen();
    }
}

impl Drop for Interceptor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A delivery that is owed.
#[derive(Debug)]
struct Later {
    call: Call,
    message: Message,
    when: When,
}

#[derive(Clone, Copy, Debug)]
enum When {
    /// So many calls have been answered.
    Answered(u64),
    /// This has come.
    Come(Until),
}

/// What all calls share.
pub(super) struct Stage {
    honest: Honest,
    script: Script,
    calm: AtomicBool,
    tally: Tally,
    /// Calls of the contract that were delivered and answered.
    answered: AtomicU64,
    later: Mutex<Vec<Later>>,
    deliveries: TaskTracker,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("honest", &self.honest).finish_non_exhaustive()
    }
}

impl Stage {
    /// What the caller of `message` hears.
    pub(super) async fn answer(self: &Arc<Self>, message: Message) -> Response<Body> {
        let call = Call::of(&message);
        if call.op.is_empty() {
            return heard(self.honest.ask(&message).await);
        }
        let fate = if self.calm.load(Ordering::SeqCst) { Fate::Pass } else { (self.script)(&call) };
        self.tally.note(fate);
        match fate {
            Fate::Pass => heard(self.pass(call, message).await),
            Fate::LoseRequest(excuse) => answer::excuse(excuse).await,
            Fate::LoseReply(excuse) => {
                // The stand-in comes no sooner than the effect.
                let _ = self.pass(call, message).await;
                answer::excuse(excuse).await
            }
            Fate::Twice(which) => {
                let first = self.pass(call.clone(), message.clone()).await;
                let second = self.pass(call, message).await;
                heard(if which == Which::First { first } else { second })
            }
            Fate::Echo(calls) => {
                let when = When::Answered(self.answered.load(Ordering::SeqCst) + u64::from(calls));
                let answer = self.pass(call.clone(), message.clone()).await;
                self.later().push(Later { call, message, when });
                heard(answer)
            }
            Fate::Late(until) => {
                self.later().push(Later { call, message, when: When::Come(until) });
                answer::excuse(Excuse::Unavailable).await
            }
        }
    }

    /// Delivers a call, in a task that a caller who hangs up does not end, and then what was waiting for it.
    async fn pass(self: &Arc<Self>, call: Call, message: Message) -> Result<Answer, String> {
        let stage = self.clone();
        let delivery = self.deliveries.spawn(async move {
            let answer = stage.honest.ask(&message).await;
            stage.release(&call);
            answer
        });
        delivery.await.unwrap_or_else(|e| Err(e.to_string()))
    }

    /// Delivers what waited for `call` to be answered.
    fn release(self: &Arc<Self>, call: &Call) {
        let answered = self.answered.fetch_add(1, Ordering::SeqCst) + 1;
        let due = |late: &mut Later| match late.when {
            When::Answered(after) => answered >= after,
            When::Come(Until::Next) => late.call.same_step(call),
            When::Come(Until::Undone) => late.call.same_step(call) && call.op != "do",
        };
        let due: Vec<Later> = self.later().extract_if(.., due).collect();
        for late in due {
            let how = match late.when {
                When::Answered(_) => "many calls later",
                When::Come(Until::Next) => "after the next attempt",
                When::Come(Until::Undone) => "after its undo",
            };
            self.deliver(late.message, how);
        }
    }

    /// Delivers a message whose answer nobody waits for.
    fn deliver(self: &Arc<Self>, message: Message, how: &'static str) {
        let stage = self.clone();
        self.deliveries.spawn(async move {
            let what = if stage.honest.ask(&message).await.is_ok() { "delivered" } else { "undeliverable" };
            stage.tally.note(format_args!("{what} {how}"));
        });
    }

    fn later(&self) -> MutexGuard<'_, Vec<Later>> {
        // Whoever panicked in between left a list that is whole.
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn heard(answer: Result<Answer, String>) -> Response<Body> {
    match answer {
        Ok(answer) => answer::honest(answer),
        Err(why) => answer::unreachable(&why),
    }
}
