//! The laws, one sentence each.

use std::fmt;

/// What must hold of every saga of a definition, whatever goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Law {
    /// The samples name steps of the definition, and without a fault the saga ends as they expect.
    SamplesFit,
    /// A repeated call carries the same request, whoever builds it.
    SameRequest,
    /// However often an action is asked for, its effect happens once.
    OnceOnly,
    /// However often an undo is asked for, the effect is taken back once.
    UndoneOnce,
    /// What was taken back or settled against does not happen any more.
    NeverAfterUndo,
    /// An effect stands only while what it needs stands.
    NeedsStand,
    /// Undo goes in reverse dependency order.
    UndoOrder,
    /// Only what may have run is undone.
    UndoOfWhatMayHaveRun,
    /// No forward call is sent after the saga has turned back.
    NoForwardAfterTurn,
    /// Nothing is undone once the pivot has happened.
    NothingUndoneAfterPivot,
    /// What the safety table wants durable before a call is durable.
    DurableFirst,
    /// A duplicate, a slow answer or a crash does not change how the saga ends.
    SameEnd,
    /// A completed saga has every effect.
    CompletedWhole,
    /// A compensated saga has none left.
    UnwindsClean,
    /// A saga needs a person only where something needs one, and goes on when it is resumed.
    EndsByItself,
    /// Whatever part of the journal is durable, the next owner goes on from it.
    EveryPrefixResumes,
    /// A saga that has not ended has something under way, or is parked.
    NeverSilent,
    /// What the orchestrator brings about itself is never an event that its table refuses.
    EventsLegal,
    /// No function of the definition panics.
    NeverPanics,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Law::SamplesFit => "without a fault, the saga ends as its samples expect",
            Law::SameRequest => "a repeated call carries the same request",
            Law::OnceOnly => "an action that is asked for twice happens once",
            Law::UndoneOnce => "an effect that is undone twice is taken back once",
            Law::NeverAfterUndo => "what was undone does not happen afterwards",
            Law::NeedsStand => "an effect stands only while what it needs stands",
            Law::UndoOrder => "undo goes in reverse dependency order",
            Law::UndoOfWhatMayHaveRun => "only what may have run is undone",
            Law::NoForwardAfterTurn => "no forward call is sent after the turn",
            Law::NothingUndoneAfterPivot => "nothing is undone once the pivot has happened",
            Law::DurableFirst => "what has to be durable before a call is durable",
            Law::SameEnd => "a duplicate, a slow answer or a crash changes no ending",
            Law::CompletedWhole => "a completed saga has every effect",
            Law::UnwindsClean => "a compensated saga leaves nothing behind",
            Law::EndsByItself => "a saga waits for a person only where one is needed",
            Law::EveryPrefixResumes => "any prefix of the journal resumes",
            Law::NeverSilent => "a saga that has not ended does something, or is parked",
            Law::EventsLegal => "no event of the orchestrator's own is illegal",
            Law::NeverPanics => "no function of the definition panics",
        })
    }
}

/// A law that does not hold, and why.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) law: Law,
    pub(super) why: String,
}

pub(super) type Checked<T = ()> = Result<T, Violation>;

/// The law holds, or it does not and this is why.
pub(super) fn hold(law: Law, holds: bool, why: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(Violation { law, why: why() }) }
}
