//! What must hold in every state, each law one sentence.

/// A law. The first that is broken ends the path that broke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Law {
    Money,
    CaptureOrVoid,
    Stock,
    OnceOnly,
    OneSagaPerKey,
    KeyBindsBody,
    KeyBindsRequest,
    SameRequest,
    EndsOrParks,
    EndsWellUntroubled,
    NeverSilent,
    EventsLegal,
    JournalFolds,
    NoForwardAfterTurn,
    NoEffectAfterUndo,
    UndoOnlyMaybeRun,
    UndoOrder,
    DependencyOrder,
    EventsInOrder,
    EventsOfCommits,
    EventsAppear,
    NoLowerEpoch,
    AckedSurvives,
    ReportsStand,
    StartedBeforeAccept,
    StartedBeforeCall,
    OutputBeforeUse,
    PivotIntentBeforePivot,
    TurnedBackBeforeUndo,
    CloseIntentBeforeClose,
    NoDoAfterClose,
    TurnedBackBeforeCancelled,
}

impl Law {
    pub(crate) const ALL: [Law; 32] = [
        Law::Money,
        Law::CaptureOrVoid,
        Law::Stock,
        Law::OnceOnly,
        Law::OneSagaPerKey,
        Law::KeyBindsBody,
        Law::KeyBindsRequest,
        Law::SameRequest,
        Law::EndsOrParks,
        Law::EndsWellUntroubled,
        Law::NeverSilent,
        Law::EventsLegal,
        Law::JournalFolds,
        Law::NoForwardAfterTurn,
        Law::NoEffectAfterUndo,
        Law::UndoOnlyMaybeRun,
        Law::UndoOrder,
        Law::DependencyOrder,
        Law::EventsInOrder,
        Law::EventsOfCommits,
        Law::EventsAppear,
        Law::NoLowerEpoch,
        Law::AckedSurvives,
        Law::ReportsStand,
        Law::StartedBeforeAccept,
        Law::StartedBeforeCall,
        Law::OutputBeforeUse,
        Law::PivotIntentBeforePivot,
        Law::TurnedBackBeforeUndo,
        Law::CloseIntentBeforeClose,
        Law::NoDoAfterClose,
        Law::TurnedBackBeforeCancelled,
    ];

    /// The invariant or the row of the safety table, and what it says.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Law::Money => "I1 an ended saga left everything standing, or nothing",
            Law::CaptureOrVoid => "I4 never a capture after its void, nor a void after the capture",
            Law::Stock => "I2 stock is conserved and never negative",
            Law::OnceOnly => "I3 an effect happens once, and is taken back once",
            Law::OneSagaPerKey => "I3 at most one saga per idempotency key",
            Law::KeyBindsBody => "I3 the same idempotency key with another body is refused",
            Law::KeyBindsRequest => "I3 another request under a step's key is told so",
            Law::SameRequest => "I3 a step is always asked for the same",
            Law::EndsOrParks => "I5 at rest every accepted saga has ended or is parked",
            Law::EndsWellUntroubled => "I5 at rest and untroubled every saga has completed",
            Law::NeverSilent => "I5 nothing waits silently",
            Law::EventsLegal => "I5 the table takes every event that the shell makes",
            Law::JournalFolds => "I9 every prefix of a journal folds",
            Law::NoForwardAfterTurn => "I6 no forward call is sent after `turned_back`",
            Law::NoEffectAfterUndo => "I6 no effect after somebody was told that it is gone or never happens",
            Law::UndoOnlyMaybeRun => "I6 only what may have run is undone",
            Law::UndoOrder => "I6 undo goes in reverse dependency order",
            Law::DependencyOrder => "I6 a step is called after those that it depends on",
            Law::EventsInOrder => "I7 events appear first in the order of their commits",
            Law::EventsOfCommits => "I7 no event without its commit",
            Law::EventsAppear => "I7 at rest the events of every commit have appeared",
            Law::NoLowerEpoch => "I8 no commit by a lower epoch",
            Law::AckedSurvives => "I9 what was acknowledged as durable is in the journal",
            Law::ReportsStand => "I10 an end that is reported is durable",
            Law::StartedBeforeAccept => "safety table: `started` is durable before the saga is accepted",
            Law::StartedBeforeCall => "safety table: `started` is durable before the first call",
            Law::OutputBeforeUse => "safety table: an output that may differ is durable before it is used",
            Law::PivotIntentBeforePivot => {
                "safety table: `pivot_intent` is durable before the pivot is called"
            }
            Law::TurnedBackBeforeUndo => "safety table: `turned_back` is durable before the first undo",
            Law::CloseIntentBeforeClose => "safety table: `close_intent` is durable before the first close",
            Law::NoDoAfterClose => "safety table: no do of a step is sent after its `close_intent`",
            Law::TurnedBackBeforeCancelled => {
                "safety table: `turned_back` is durable before a cancel is accepted"
            }
        }
    }
}
