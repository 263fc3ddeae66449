//! What the engine's and the store's failures are called at our doors.

use std::time::Duration;

use backstitch_core::{Illegal, MAX_NOTES};
use backstitch_engine::{Engine, ReadError, StartError, VerbError};
use backstitch_store::StoreError;

use crate::peers::NotDone;
use crate::problem::{Kind, Problem, kind};
use crate::refusals::sentence;
use crate::salvage;

const SOON: Duration = Duration::from_secs(1);
/// What a key that stands for another request is told.
pub(crate) const KEY_REUSED: &str =
    "This key was used with another request; use a new key for a new attempt.";

/// A saga was not started.
pub(crate) fn start(engine: &Engine, error: StartError) -> Problem {
    match error {
        StartError::KeyReused { .. } => Problem::new(&kind::KEY_REUSED, KEY_REUSED).at("Idempotency-Key"),
        StartError::KeyBlocked => {
            let detail = "This key was deleted before anything was started with it.";
            Problem::new(&kind::KEY_GIVEN_UP, detail).at("Idempotency-Key")
        }
        StartError::Busy { retry_after } => {
            Problem::new(&kind::BUSY, "As many sagas are under way as this node takes.")
                .retry_after(retry_after)
        }
        StartError::Unavailable(trouble) => {
            Problem::new(&kind::UNAVAILABLE, format!("{} {}.", trouble.participant, trouble.why))
                .with("part", trouble.participant)
                .retry_after(trouble.retry_after.max(SOON))
        }
        StartError::Full => Problem::new(&kind::STORAGE_FULL, "The store has no room for new work."),
        StartError::ShuttingDown => stopping(),
        StartError::Elsewhere { .. } => elsewhere(),
        StartError::NoShard { retry_after } => {
            let detail = "This node has no shard right now; another node may take it.";
            Problem::new(&kind::NOT_READY, detail).retry_after(retry_after)
        }
        StartError::UnknownDefinition(name) => {
            Problem::new(&kind::NOT_READY, format!("This node does not run `{name}`."))
        }
        StartError::NotSwitchedOn(ref name) => {
            let detail = format!("There is {error}; {}", switching_on(engine, name));
            Problem::new(&kind::NOT_READY, detail)
        }
        StartError::TooLarge { size, limit } => {
            let detail = format!("Its snapshot has {size} bytes, and may have {limit}.");
            Problem::new(&kind::BODY_TOO_LARGE, detail).at("").with("limit_bytes", limit)
        }
        StartError::Store(why) => unavailable(format!("It is not known whether it was accepted: {why}.")),
    }
}

/// What an operator does about `name`, of which nothing is on. A version is only proposed where it is the only one: one
/// of several may be dark because nobody trusts it yet.
pub(crate) fn switching_on(engine: &Engine, name: &str) -> String {
    let mut runnable = engine.catalog().all().filter(|d| d.name == name && engine.runs(name, d.version));
    let version = match (runnable.next(), runnable.next()) {
        (Some(only), None) => only.version.to_string(),
        _ => "VERSION".to_owned(),
    };
    format!("an operator can switch one on: backstitch definitions switch-on {name} {version} --reason …")
}

/// A read or a change of the store beside the engine.
pub(crate) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Full(_) => Problem::new(&kind::STORAGE_FULL, "The store has no room for new work."),
        StoreError::Unavailable(_) | StoreError::Unknown(_) | StoreError::Fatal(_) => {
            unavailable(format!("{error}."))
        }
        StoreError::Invalid(_) | StoreError::Corrupt { .. } => {
            Problem::new(&kind::INTERNAL, format!("{error}."))
        }
    }
}

/// A saga could not be read.
pub(crate) fn read(error: ReadError) -> Problem {
    match error {
        ReadError::Store(error) => store(error),
        ReadError::Definition { .. } | ReadError::Record { .. } | ReadError::Fold { .. } => {
            Problem::new(&kind::UNREADABLE, salvage::reason(&error))
        }
    }
}

/// A cancel or a wake-up did not come through. `None`: the saga has ended, and its state says how.
pub(crate) fn verb(not_done: NotDone, missing: &'static Kind, at: &'static str) -> Option<Problem> {
    let error = match not_done {
        NotDone::Here(error) => error,
        NotDone::There(problem) => return Some(problem),
    };
    match error {
        VerbError::NotFound => Some(Problem::new(missing, missing.title).at(at)),
        VerbError::TooLate => Some(too_late("The capture of the payment has begun.")),
        VerbError::AlreadyFinal(_) => None,
        VerbError::ShuttingDown => Some(stopping()),
        VerbError::Elsewhere { .. } => Some(elsewhere()),
        error @ VerbError::Illegal(Illegal::Settling) => {
            Some(Problem::new(&kind::CONFLICT, sentence(&error.to_string())).retry_after(SOON))
        }
        error @ (VerbError::Illegal(_) | VerbError::MovedOn { .. }) => {
            Some(Problem::new(&kind::CONFLICT, format!("{error}.")))
        }
        error @ VerbError::Failed(_) => Some(Problem::new(&kind::INTERNAL, error.to_string())),
        VerbError::Read(error) => Some(read(error)),
    }
}

/// An operator's verb did not come through.
pub(crate) fn decision(not_done: NotDone) -> Problem {
    match not_done {
        NotDone::Here(VerbError::MovedOn { decided_on, now }) => {
            let detail = format!("It was decided on record {decided_on}; the saga's last record is {now}.");
            Problem::new(&kind::MOVED_ON, detail).with("decided_on", decided_on).with("seq", now)
        }
        NotDone::Here(VerbError::Illegal(Illegal::BeingMadeGood(by))) => {
            let detail = format!("Return {by} makes it good; nothing else is done about it meanwhile.");
            Problem::new(&kind::BEING_MADE_GOOD, detail).with("return_id", by.to_string())
        }
        NotDone::Here(VerbError::Illegal(Illegal::NoReturn)) => {
            Problem::new(&kind::NOTHING_TO_RETURN, "Only checkouts are made good by a return.")
        }
        NotDone::Here(VerbError::Illegal(Illegal::PivotNotDone)) => {
            Problem::new(&kind::NOTHING_TO_RETURN, "Its payment is not known to be captured.")
        }
        NotDone::Here(VerbError::Illegal(error @ Illegal::InFlight(_))) => {
            Problem::new(&kind::CONFLICT, sentence(&error.to_string())).retry_after(SOON)
        }
        NotDone::Here(VerbError::Illegal(Illegal::NotParked)) => {
            Problem::new(&kind::NOT_PARKED, "It is under way, and nothing of it waits for a person.")
        }
        not_done => verb(not_done, &kind::UNKNOWN_SAGA, "saga_id")
            .unwrap_or_else(|| Problem::new(&kind::NOT_PARKED, "It has ended.")),
    }
}

/// A note was not written.
pub(crate) fn note(not_done: NotDone) -> Problem {
    if let NotDone::Here(VerbError::Illegal(Illegal::FullOfNotes)) = not_done {
        let detail = format!("It has {MAX_NOTES} notes, and no more are kept.");
        return Problem::new(&kind::FULL_OF_NOTES, detail);
    }
    verb(not_done, &kind::UNKNOWN_SAGA, "saga_id")
        .unwrap_or_else(|| Problem::new(&kind::ENDED, "It has ended; nothing is written on it any more."))
}

/// A saga of a family was not started.
pub(crate) fn start_of_family(engine: &Engine, not_done: NotDone<StartError>) -> Problem {
    match not_done {
        NotDone::Here(error) => start(engine, error),
        NotDone::There(problem) => problem,
    }
}

/// A checkout can no longer be cancelled; `why` is a sentence.
pub(crate) fn too_late(why: &'static str) -> Problem {
    let detail =
        format!("{why} From then on it only goes forward; once it has ended, its order can be returned.");
    Problem::new(&kind::TOO_LATE_TO_CANCEL, detail)
}

/// The part that is missing where nobody answers for a saga.
pub(crate) const OWNER: &str = "owner";

/// The saga is another node's, and that one is not heard of.
pub(crate) fn elsewhere() -> Problem {
    let detail = "The node that has it does not answer; another one takes it over when its lease ends.";
    Problem::new(&kind::UNAVAILABLE, detail).with("part", OWNER).retry_after(SOON)
}

fn stopping() -> Problem {
    Problem::new(&kind::NOT_READY, "This node is stopping.").retry_after(SOON)
}

fn unavailable(detail: String) -> Problem {
    Problem::new(&kind::UNAVAILABLE, detail).with("part", "store").retry_after(SOON)
}
