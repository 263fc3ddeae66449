//! The guards, broken one at a time. Nothing of this is in the product: a mutant rewrites what goes into a pure function
//! or what comes out of it, or it is a switch in the model's shell.

mod barrier;
mod table;

pub(crate) use barrier::decide;
pub(crate) use table::{next, waits_for};

/// Declares the mutants, each with what is wrong in a sentence.
macro_rules! mutants {
    ($($name:ident: $says:literal,)*) => {
        /// One guard is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Mutant {
            $(#[doc = $says] $name,)*
        }

        impl Mutant {
            pub(crate) const ALL: &[Mutant] = &[$(Mutant::$name),*];

            /// What is wrong.
            pub(crate) fn says(self) -> &'static str {
                match self {
                    $(Mutant::$name => $says,)*
                }
            }
        }
    };
}

mutants! {
    // The safety table.
    CallsBeforeStartedIsDurable: "the first call is sent before `started` is durable",
    AcceptsBeforeStartedIsDurable: "a saga is accepted before `started` is durable",
    UsesAnOutputThatIsNotDurable: "an output that may differ is used before it is durable",
    PivotBeforeItsIntent: "the pivot is called before `pivot_intent` is durable",
    UndoesBeforeTurnedBackIsDurable: "an undo is sent before `turned_back` is durable",
    PassesAParkThatIsNotDurable: "an undo passes a parked one before the record of the park is durable",
    ClosesBeforeItsIntent: "a close is sent before `close_intent` is durable",
    DoesAfterCloseIntent: "a do of a step is sent after its `close_intent`",
    ReportsAnEndThatIsNotDurable: "completed is answered before it is durable",
    AcceptsACancelThatIsNotDurable: "a cancel is accepted before `turned_back` is durable",
    SendsWhatIsNoLongerWanted: "a call that waited for its record is sent although the saga has moved on",
    // Outcomes.
    UnknownIsRefused: "a timeout is read as Refused",
    UnknownIsNotNow: "a timeout is read as NotNow",
    BrokenIsRefused: "a reply that makes no sense is read as Refused",
    NotNowClearsTheDoubt: "NotNow clears maybe-run",
    NotNowIsRefused: "NotNow is read as Refused",
    WaitingIsDone: "an answer that waits for the customer is taken for Done",
    AnswersAreMixedUp: "an answer is taken for that of another attempt",
    RetryAsksForSomethingElse: "a repeated call asks for something else",
    // Directions.
    CallsAheadOfItsTurn: "a step is called before those that it depends on",
    PoisonedIsCalled: "a saga that is parked as a whole goes on",
    CallsAreForgotten: "a call that the table asks for is never made",
    DeadlineIsAlwaysOver: "the deadline is taken for passed",
    RecordsAfterTheEnd: "a record follows the end",
    UndoesWhatNeverRan: "a step that was never called is undone",
    RetriesForwardAfterTheTurn: "a step that backs off is called again after the turn",
    LateDoneGoesForward: "a Done that comes after the turn sets the saga going forward again",
    UndoesAllAtOnce: "an undo does not wait for those of the steps that depend on it",
    UndoesThePivot: "turning back undoes the pivot too",
    ForgetsWhatMayHaveRun: "a step that may have run, and is not known to have, is not undone",
    UndoesOnlyWhatIsRecorded: "after a takeover only recorded steps are undone",
    RecoveryForgetsFormerOwners: "a new owner believes that nobody called before it",
    ForgetsParkedUndos: "a saga is compensated although the undo of a step is parked",
    // The pivot and after it.
    TurnsBackOnADoubtfulPivot: "a pivot without an answer turns back",
    CancelsAfterThePivot: "a cancel is accepted after the pivot has begun",
    DeadlineAfterThePivot: "the deadline turns back after the pivot has begun",
    CloseRefusedIsDone: "a close that found no effect is read as Done",
    SkipsRetriableSteps: "a step after the pivot is skipped",
    RefusedAfterThePivotIsDone: "a refusal after the pivot is rolled into success",
    RefusedAfterThePivotTurnsBack: "a refusal after the pivot turns back",
    // The barrier.
    UndoLeavesNoTombstone: "an undo before its do leaves no tombstone",
    CloseLeavesNoTombstone: "a close before its do leaves no tombstone",
    DoAfterClosed: "a do is accepted after the row is closed",
    DoAfterUndone: "a do is accepted after the row is undone",
    RepeatedDoHappensAgain: "a repeated do happens again",
    DoingRowIsMutatedAgain: "a repeated do of a doing row reaches its provider a second time",
    DoWhileClosing: "a do is accepted while the row is closing",
    RefusedRowIsForgotten: "a do is accepted after the row is refused",
    KeyIsNotBoundToItsRequest: "a do with another request under the same key is answered like the first",
    UndoOfDoneDoesNothing: "an undo of what is done says that it is, and is not",
    UndoOfDoingDoesNotWait: "an undo of a doing row does not wait for its provider",
    CloseDeniesWhatIsDone: "a close denies what is done",
    CloseOfDoingDoesNotLook: "a close of a doing row does not look at its provider",
    RepeatedUndoTakesBackAgain: "a repeated undo takes back again",
    // Participants.
    AnswersBeforeItsCommit: "a participant answers before its commit",
    EffectRidesBesideTheRow: "the effect and its row are two commits",
    RefusedRowIsNotStored: "a refusal stores no row",
    CloseAnswersWithoutAsking: "a closing row is answered Done without asking the provider",
    SettlesWithoutCancelling: "what is not found at the provider is settled without making it impossible",
    ReachesItsProviderBeforeItsRow: "the provider is reached before the doing row is committed",
    SellsWhatIsGone: "stock is taken without looking",
    // The store.
    NoEpochCheck: "the append of a former owner is accepted",
    ReadsBeforeItsEpochIsCommitted: "a takeover reads the journal before its epoch is committed",
    AcksBeforeItsCommit: "the writer acknowledges before it commits",
    WriterOvertakes: "the writer commits a record before an earlier one of the same saga",
    KeyIsCheckedOutsideTheCommit: "the idempotency key is checked outside the commit",
    KeyIsNotBoundToItsBody: "the idempotency key is not bound to the body",
    // Making good.
    MadeGoodGoesOn: "a saga that is made good goes on when a participant answers again",
    StartsAReturnTooEarly: "the return that makes a saga good is started before `made_good` is durable",
    ForgetsTheReturn: "a new owner does not see to the return of a saga that is made good",
    DrawsAnotherReturn: "a new owner starts a return of its own, and not the one that is on record",
    CompletesByAnyEnd: "a return that was taken back completes its saga",
    LateCallDelivers: "a call that comes after what it does was given back does it all the same",
    // Events.
    EventsRideBesideTheCommit: "events are written after the commit of their record",
    PublishesBeforeTheCommit: "events are written before the commit of their record",
    MarksBeforeItPublishes: "the relay marks a row before it publishes it",
    RelayPassesAGap: "the relay passes a gap",
}
