//! Which configuration is the smallest that catches a mutant.

use crate::mutants::Mutant;
use crate::setup::Kind::{self, *};
use crate::setup::Setup;
use crate::stage;

fn two(name: &'static str) -> Setup {
    Setup::new(name, stage::two())
}

/// Two steps, and so much may go wrong; one attempt is all the budget.
fn at_once(name: &'static str, trouble: u8, kinds: &'static [Kind]) -> Setup {
    two(name).patience(1).trouble(trouble, kinds)
}

fn outside(name: &'static str, step: &str) -> Setup {
    Setup::new(name, stage::two().outside(&[step])).patience(1)
}

/// Three steps, of which one may be parked after the pivot and made good.
fn made_good(name: &'static str) -> Setup {
    Setup::new(name, stage::three()).patience(1).trouble(1, &[Timeout]).goods(1)
}

/// Where the mutant is sought.
pub(crate) fn of(mutant: Mutant) -> Setup {
    use Mutant as M;
    match mutant {
        M::CallsBeforeStartedIsDurable
        | M::PivotBeforeItsIntent
        | M::ReportsAnEndThatIsNotDurable
        | M::AcksBeforeItsCommit
        | M::AnswersAreMixedUp
        | M::CallsAreForgotten
        | M::DeadlineIsAlwaysOver
        | M::RecordsAfterTheEnd
        | M::WriterOvertakes => two("two steps"),
        M::RetryAsksForSomethingElse => two("two steps, a timeout, two attempts").trouble(1, &[Timeout]),
        M::AcceptsBeforeStartedIsDurable | M::KeyIsCheckedOutsideTheCommit => {
            two("one key twice").clients(&[1, 1])
        }
        M::KeyIsNotBoundToItsBody => two("one key with two bodies").clients(&[1, 2]),
        M::UsesAnOutputThatIsNotDurable => Setup::new("an output that may differ", stage::quoted()),
        M::SendsWhatIsNoLongerWanted => {
            Setup::new("an output that may differ, a refusal", stage::quoted()).trouble(1, &[Refuse])
        }
        M::UndoesBeforeTurnedBackIsDurable | M::UndoesThePivot | M::UndoOfDoneDoesNothing => {
            at_once("two steps, a refusal", 1, &[Refuse])
        }
        M::UndoesAllAtOnce => Setup::new("steps in a row, a refusal", stage::chain()).trouble(1, &[Refuse]),
        M::PassesAParkThatIsNotDurable => {
            Setup::new("steps in a row, a refusal and a timeout", stage::chain())
                .patience(1)
                .trouble(2, &[Refuse, Timeout])
        }
        M::ForgetsParkedUndos => at_once("two steps, a refusal and a timeout", 2, &[Refuse, Timeout]),
        M::ClosesBeforeItsIntent
        | M::DoesAfterCloseIntent
        | M::UnknownIsRefused
        | M::UnknownIsNotNow
        | M::ForgetsWhatMayHaveRun
        | M::TurnsBackOnADoubtfulPivot
        | M::CloseRefusedIsDone
        | M::UndoLeavesNoTombstone
        | M::CloseLeavesNoTombstone
        | M::DoAfterClosed
        | M::CloseDeniesWhatIsDone => at_once("two steps, a timeout", 1, &[Timeout]),
        M::CallsAheadOfItsTurn => Setup::new("steps in a row", stage::chain()),
        M::UndoesWhatNeverRan => Setup::new("steps in a row, a cancel", stage::chain()).trouble(1, &[Cancel]),
        M::AcceptsACancelThatIsNotDurable | M::LateDoneGoesForward | M::CancelsAfterThePivot => {
            at_once("two steps, a cancel", 1, &[Cancel])
        }
        M::DeadlineAfterThePivot => at_once("two steps, the deadline", 1, &[Deadline]),
        M::BrokenIsRefused => at_once("two steps, nonsense", 1, &[Garble]),
        M::NotNowClearsTheDoubt | M::NotNowIsRefused => {
            two("two steps, a timeout and a busy participant").trouble(2, &[Timeout, NotNow])
        }
        M::RetriesForwardAfterTheTurn => {
            two("two steps, a busy participant and a cancel").trouble(2, &[NotNow, Cancel])
        }
        M::UndoesOnlyWhatIsRecorded | M::RecoveryForgetsFormerOwners => {
            at_once("two steps, a crash and a cancel", 1, &[Cancel]).crashes(1)
        }
        M::SkipsRetriableSteps => Setup::new("three steps", stage::three()),
        M::RefusedAfterThePivotIsDone | M::RefusedAfterThePivotTurnsBack => {
            Setup::new("three steps, a refusal after the pivot", stage::three()).trouble(1, &[Misbehave])
        }
        M::RepeatedDoHappensAgain => at_once("two steps, a copy", 1, &[Duplicate]),
        M::DoAfterUndone => at_once("two steps, a copy and a refusal", 2, &[Duplicate, Refuse]),
        M::RefusedRowIsForgotten | M::RefusedRowIsNotStored | M::RepeatedUndoTakesBackAgain => {
            two("two steps, a refusal and a timeout, two attempts").trouble(2, &[Refuse, Timeout])
        }
        M::KeyIsNotBoundToItsRequest => two("two steps, another request").forgery(),
        M::WaitingIsDone => outside("an outside step, the customer", "hold").trouble(1, &[Wait]),
        M::PoisonedIsCalled => two("two steps, poison and a timeout").trouble(2, &[Poison, Timeout]),
        M::DoingRowIsMutatedAgain => outside("an outside step, a copy", "hold").trouble(1, &[Duplicate]),
        M::DoWhileClosing => {
            outside("an outside step, a copy and a timeout", "hold").trouble(2, &[Duplicate, Timeout])
        }
        M::UndoOfDoingDoesNotWait => outside("an outside step, a timeout", "hold").trouble(1, &[Timeout]),
        M::CloseOfDoingDoesNotLook => outside("an outside pivot, a timeout", "take").trouble(1, &[Timeout]),
        M::CloseAnswersWithoutAsking => outside("an outside pivot, a death", "take").deaths(1),
        M::SettlesWithoutCancelling => outside("an outside step, a death", "hold").deaths(1),
        M::ReachesItsProviderBeforeItsRow => {
            outside("an outside step, a death, two attempts", "hold").deaths(1).patience(2)
        }
        M::AnswersBeforeItsCommit | M::EffectRidesBesideTheRow => two("two steps, a death").deaths(1),
        M::SellsWhatIsGone => {
            Setup::new("two sagas and one unit", stage::two().taking_stock("hold")).sagas(2, 1)
        }
        M::NoEpochCheck | M::ReadsBeforeItsEpochIsCommitted => {
            two("two steps, the lease is stolen").thefts(1)
        }
        M::MadeGoodGoesOn | M::LateCallDelivers => made_good("three steps, a timeout, made good").resumes(1),
        M::StartsAReturnTooEarly => made_good("three steps, a timeout, made good, no person"),
        M::ForgetsTheReturn | M::DrawsAnotherReturn => {
            made_good("three steps, a timeout, made good, a crash").crashes(1)
        }
        M::CompletesByAnyEnd => {
            made_good("three steps, nonsense, a refused return").trouble(2, &[Garble, Unreturned])
        }
        M::EventsRideBesideTheCommit => two("events, a crash").relay(0).crashes(1),
        M::PublishesBeforeTheCommit | M::RelayPassesAGap => two("events").relay(0),
        M::MarksBeforeItPublishes => two("events, a crash of the relay").relay(1),
    }
}
