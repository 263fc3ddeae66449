//! Wrong cells of the barrier's table.

use backstitch_proto::contract::Op;
use participant_kit::barrier::table::{self, Aim, Decision, Manner, RowState};

use super::Mutant;

/// The kit's table, perhaps with a wrong cell.
pub(crate) fn decide(mutant: Option<Mutant>, row: RowState, op: Op, manner: Manner, same: bool) -> Decision {
    use RowState as R;
    let wrong = mutant.and_then(|mutant| match (mutant, row, op) {
        (Mutant::UndoLeavesNoTombstone, R::Absent, Op::Undo) => Some(Decision::Success),
        (Mutant::CloseLeavesNoTombstone, R::Absent, Op::Close) => Some(Decision::NeverHappens),
        (Mutant::DoAfterClosed, R::Closed, Op::Do)
        | (Mutant::DoAfterUndone, R::Undone, Op::Do)
        | (Mutant::RepeatedDoHappensAgain, R::Done, Op::Do)
        | (Mutant::DoingRowIsMutatedAgain, R::Doing, Op::Do)
        | (Mutant::DoWhileClosing, R::Closing(_), Op::Do)
        | (Mutant::RefusedRowIsForgotten, R::Refused, Op::Do) => Some(Decision::Perform),
        (Mutant::UndoOfDoneDoesNothing, R::Done, Op::Undo)
        | (Mutant::UndoOfDoingDoesNotWait, R::Doing, Op::Undo) => Some(Decision::Success),
        (Mutant::CloseDeniesWhatIsDone, R::Done, Op::Close) => Some(Decision::NeverHappens),
        (Mutant::CloseOfDoingDoesNotLook, R::Doing, Op::Close) => Some(Decision::Bury),
        (Mutant::RepeatedUndoTakesBackAgain, R::Undone, Op::Undo) => Some(match manner {
            Manner::Local => Decision::TakeBack,
            Manner::Outside => Decision::Open(Aim::Undo),
        }),
        _ => None,
    });
    let same = same || mutant == Some(Mutant::KeyIsNotBoundToItsRequest);
    wrong.unwrap_or_else(|| table::decide(row, op, manner, same))
}
