//! Seeing to the returns that make sagas good: each is started, and its end is told to the saga that waits for it.
//!
//! Both live in one shard, so whoever has the saga can start its return. Everything here may be done again: the return
//! has one id, which is on record before anything is started, and an end that was told already changes nothing. A task
//! that dies with its node begins again when the parked saga is taken up.

use std::time::Duration;

use backstitch_core::{Cause, Direction, End, Event, Invalid};
use backstitch_failpoint::hit;
use bytes::Bytes;
use tracing::{info, warn};
use uuid::Uuid;

use crate::engine::Engine;
use crate::shards::Tenure;
use crate::start::{NewRun, StartError, Started};
use crate::verbs::VerbError;
use crate::view::SagaView;

/// Whose keys they are: nobody's who asks through a face.
const SCOPE: &str = "backstitch/made-good";
/// Between two looks at a return that is in nobody's memory: soon at first, then less often.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(30);

/// A saga that is being made good, and how.
pub(crate) struct Good {
    pub(crate) saga: Uuid,
    pub(crate) return_saga: Uuid,
    /// Its definition, and its encoded input.
    pub(crate) input: Result<(&'static str, Bytes), Invalid>,
    pub(crate) tenure: Tenure,
}

impl Engine {
    /// Sees to a return until it has ended or the shard is another node's; once at a time.
    pub(crate) fn see_to(&self, good: Good) {
        if !self.seen_to().insert(good.return_saga) {
            return;
        }
        let engine = self.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                () = engine.until_returned(&good) => {}
                () = good.tenure.left() => {}
            }
            engine.seen_to().remove(&good.return_saga);
        });
    }

    fn seen_to(&self) -> std::sync::MutexGuard<'_, std::collections::HashSet<Uuid>> {
        self.shared.seen_to.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn until_returned(&self, good: &Good) {
        let Good { saga, return_saga, .. } = *good;
        let mut pause = FIRST_LOOK;
        loop {
            if let Some(mut follow) = self.follow(return_saga) {
                while follow.changed().await {}
            }
            match self.view(return_saga).await {
                Ok(Some(view)) => {
                    if let Some(end) = view.state.end
                        && self.tell_returned(saga, end, &view).await
                    {
                        return;
                    }
                }
                Ok(None) => match self.start_return(good).await {
                    Ok(_) => info!(%saga, %return_saga, "a return that makes a saga good has started"),
                    Err(error) => {
                        warn!(%saga, %return_saga, %error, "a return could not be started; trying again")
                    }
                },
                Err(error) => warn!(%saga, %return_saga, %error, "a return could not be read; trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        }
    }

    async fn start_return(&self, good: &Good) -> Result<Started, StartError> {
        let (definition, input) = match &good.input {
            Ok((definition, input)) => (*definition, input.clone()),
            Err(Invalid(why)) => return Err(StartError::Store(format!("its input: {why}"))),
        };
        let run = NewRun {
            id: good.return_saga,
            root: Some(good.saga),
            definition: definition.to_owned(),
            scope: SCOPE.to_owned(),
            key: Some(good.return_saga.to_string()),
            request_hash: [0; 32],
            input,
            traceparent: String::new(),
        };
        hit("good.before_start");
        let started = self.start(run).await;
        hit("good.started");
        started
    }

    /// Whether that is done: it is on record, or was, or is another node's to do.
    async fn tell_returned(&self, saga: Uuid, end: End, view: &SagaView) -> bool {
        let event = Event::Returned { return_saga: view.state.id, end, why: why(view) };
        hit("good.before_end");
        let delivered = self.deliver(saga, event, None).await;
        hit("good.after_end");
        match delivered {
            Ok(()) | Err(VerbError::AlreadyFinal(_) | VerbError::NotFound) => true,
            Err(VerbError::Elsewhere { .. } | VerbError::ShuttingDown) => true,
            Err(error) => {
                warn!(%saga, %error, "the end of its return could not be told to a saga; trying again");
                false
            }
        }
    }
}

/// What became of a return that turned back, for the person who has to decide again.
fn why(view: &SagaView) -> String {
    let name = |step| view.definition.step(step).name;
    let cause = match (&view.state.direction, view.state.refusal()) {
        (_, Some((step, refusal))) => {
            format!("{} refused ({}: {})", name(step), refusal.reason, refusal.detail)
        }
        (Direction::Back(Cause::GaveUp { step, last }), _) => {
            format!("{} did not answer ({last})", name(*step))
        }
        (Direction::Back(Cause::Cancelled(why)), _) => format!("it was cancelled: {why}"),
        _ => "it was not in time".to_owned(),
    };
    format!("return {} that was to make it good was taken back: {cause}", view.state.id)
}
