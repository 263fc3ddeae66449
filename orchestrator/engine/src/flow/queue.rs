//! The calls of one saga that wait in line.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use backstitch_core::{Call, Op, StepId, StepSet};
use futures::stream::{FuturesUnordered, StreamExt as _};

use super::{Answer, Kind, Wait};

/// Calls that are not made yet. What a saga gives up leaves the line with it.
#[derive(Default)]
pub(crate) struct Queue {
    calls: FuturesUnordered<Queued>,
}

struct Queued {
    /// Taken when it is its turn.
    call: Option<Call>,
    wait: Wait,
}

impl Future for Queued {
    type Output = Option<(Call, Answer)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.wait).poll(cx));
        Poll::Ready(self.call.take().map(|call| (call, answer)))
    }
}

impl Queue {
    pub(crate) fn push(&mut self, call: Call, wait: Wait) {
        self.calls.push(Queued { call: Some(call), wait });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The next call whose waiting is over.
    pub(crate) async fn next(&mut self) -> Option<(Call, Answer)> {
        self.calls.next().await.flatten()
    }

    /// Keeps those that the saga still wants to make; nobody loses the place in line.
    pub(crate) fn retain(&mut self, wanted: impl Fn(&Call) -> bool) {
        if self.calls.iter().all(|queued| queued.call.as_ref().is_some_and(&wanted)) {
            return;
        }
        let calls = std::mem::take(&mut self.calls).into_iter();
        self.calls = calls.filter(|queued| queued.call.as_ref().is_some_and(&wanted)).collect();
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter_map(|queued| queued.call.as_ref())
    }

    pub(crate) fn clear(&mut self) {
        self.calls = FuturesUnordered::new();
    }
}

/// What this owner of a saga has sent, to tell retries from calls that a closed gate has answered.
#[derive(Default)]
pub(crate) struct Sent {
    forward: StepSet,
    undo: StepSet,
    close: StepSet,
}

impl Sent {
    fn of(&mut self, op: Op) -> &mut StepSet {
        match op {
            Op::Do => &mut self.forward,
            Op::Undo => &mut self.undo,
            Op::Close => &mut self.close,
        }
    }

    pub(crate) fn note(&mut self, step: StepId, op: Op) {
        self.of(op).insert(step);
    }

    /// `waiting`: the participant waits for the customer, and has told us to ask again.
    pub(crate) fn kind(&mut self, step: StepId, op: Op, waiting: bool) -> Kind {
        match self.of(op).contains(step) {
            false => Kind::First,
            true if waiting && op == Op::Do => Kind::Poll,
            true => Kind::Retry,
        }
    }
}
