//! The barrier's table as one pure function: what a row's state and a call's op come to.
//!
//! Knows no database, no message and no clock, so that the product, its tests and a model checker ask the same code.

use backstitch_proto::contract::Op;

/// What a closing row is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aim {
    /// To settle a doubt: find the effect or make it impossible.
    Close,
    /// To take the effect back or make it impossible.
    Undo,
}

/// The state of the row of a (saga, step).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowState {
    /// There is none.
    Absent,
    /// An outside call may be under way or over.
    Doing,
    /// The effect is here.
    Done,
    /// No effect, for good: the business said no.
    Refused,
    /// No do may begin any more; the provider is being asked.
    Closing(Aim),
    /// No effect, for good: somebody made sure of it first.
    Closed,
    /// The effect was here and is taken back.
    Undone,
}

/// Where the called RPC has its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Manner {
    /// In the participant's own database, in the transaction of the row.
    Local,
    /// At a provider, outside any transaction.
    Outside,
}

/// What is to be done about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Decision {
    /// Have the effect. Local: the row becomes done or refused with it. Outside: the row is committed as doing first.
    Perform,
    /// Answer what is stored: Done or Refused.
    Replay,
    /// Answer what the customer is waited for with, or ask the provider how it stands; never a second mutation.
    InProgress,
    /// Take the local effect back; the row becomes undone with it.
    TakeBack,
    /// Commit the row as closing with this aim, then settle it; NotNow until it is.
    Open(Aim),
    /// Somebody's closing goes on: help to settle it; NotNow until it is.
    Settle(Aim),
    /// Commit the row as closed. An undo then succeeds, a close is Refused.
    Bury,
    /// An undo has nothing left to do.
    Success,
    /// A close is Refused: there is no effect and never will be.
    NeverHappens,
    /// A do comes too late.
    Superseded,
    /// The same key with another request: Broken, loudly.
    OtherRequest,
    /// A local RPC meets a row that is in an outside call: the participant mixes its RPCs up. Broken.
    Misfit,
}

/// The table. `same_request` says whether the row's hash is the call's; an undo carries no identity, so for it and for
/// rows without a hash it says nothing and is not looked at.
pub fn decide(row: RowState, op: Op, manner: Manner, same_request: bool) -> Decision {
    use Manner::{Local, Outside};
    use RowState::{Absent, Closed, Closing, Doing, Done, Refused, Undone};

    match (row, op, manner) {
        (Absent, Op::Do, _) => Decision::Perform,
        (Absent, Op::Undo | Op::Close, _) => Decision::Bury,

        (Doing | Done | Refused, Op::Do | Op::Close, _) if !same_request => Decision::OtherRequest,
        (Closing(_), Op::Close, _) if !same_request => Decision::OtherRequest,

        (Doing, _, Local) => Decision::Misfit,
        (Doing, Op::Do, Outside) => Decision::InProgress,
        (Doing, Op::Undo, Outside) => Decision::Open(Aim::Undo),
        (Doing, Op::Close, Outside) => Decision::Open(Aim::Close),

        (Done | Refused, Op::Do | Op::Close, _) => Decision::Replay,
        (Done, Op::Undo, Local) => Decision::TakeBack,
        (Done, Op::Undo, Outside) => Decision::Open(Aim::Undo),
        (Refused, Op::Undo, _) => Decision::Success,

        (Closing(_) | Closed | Undone, Op::Do, _) => Decision::Superseded,
        (Closing(_), Op::Undo | Op::Close, Local) => Decision::Misfit,
        (Closing(Aim::Close), Op::Undo, Outside) => Decision::Open(Aim::Undo),
        (Closing(aim), Op::Undo | Op::Close, Outside) => Decision::Settle(aim),

        (Closed | Undone, Op::Undo, _) => Decision::Success,
        (Closed | Undone, Op::Close, _) => Decision::NeverHappens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [RowState; 8] = [
        RowState::Absent,
        RowState::Doing,
        RowState::Done,
        RowState::Refused,
        RowState::Closing(Aim::Close),
        RowState::Closing(Aim::Undo),
        RowState::Closed,
        RowState::Undone,
    ];

    /// Every cell, as it is told in the design: do | undo | close, each local then outside, for the same request.
    #[test]
    fn every_cell_of_the_table_says_what_the_design_says() {
        use Decision as D;
        let closing = [D::Superseded, D::Superseded, D::Misfit];
        let (c, u) = (Aim::Close, Aim::Undo);
        #[rustfmt::skip]
        let expected = [
            //                    do local      do outside     undo local    undo outside  close local      close outside
            (ROWS[0], [D::Perform,    D::Perform,    D::Bury,     D::Bury,      D::Bury,         D::Bury]),
            (ROWS[1], [D::Misfit,     D::InProgress, D::Misfit,   D::Open(u),   D::Misfit,       D::Open(c)]),
            (ROWS[2], [D::Replay,     D::Replay,     D::TakeBack, D::Open(u),   D::Replay,       D::Replay]),
            (ROWS[3], [D::Replay,     D::Replay,     D::Success,  D::Success,   D::Replay,       D::Replay]),
            (ROWS[4], [closing[0],    closing[1],    closing[2],  D::Open(u),   D::Misfit,       D::Settle(c)]),
            (ROWS[5], [closing[0],    closing[1],    closing[2],  D::Settle(u), D::Misfit,       D::Settle(u)]),
            (ROWS[6], [D::Superseded, D::Superseded, D::Success,  D::Success,   D::NeverHappens, D::NeverHappens]),
            (ROWS[7], [D::Superseded, D::Superseded, D::Success,  D::Success,   D::NeverHappens, D::NeverHappens]),
        ];
        for (row, cells) in expected {
            let mut cell = cells.into_iter();
            for op in [Op::Do, Op::Undo, Op::Close] {
                for manner in [Manner::Local, Manner::Outside] {
                    assert_eq!(Some(decide(row, op, manner, true)), cell.next(), "{row:?} {op:?} {manner:?}");
                }
            }
        }
    }

    #[test]
    fn another_request_is_broken_wherever_a_request_is_stored_and_changes_nothing_elsewhere() {
        for row in ROWS {
            for op in [Op::Do, Op::Undo, Op::Close] {
                for manner in [Manner::Local, Manner::Outside] {
                    let other = decide(row, op, manner, false);
                    let stored = matches!(row, RowState::Doing | RowState::Done | RowState::Refused)
                        && op != Op::Undo
                        || matches!(row, RowState::Closing(_)) && op == Op::Close;
                    let expected =
                        if stored { Decision::OtherRequest } else { decide(row, op, manner, true) };
                    assert_eq!(other, expected, "{row:?} {op:?} {manner:?}");
                }
            }
        }
    }

    /// The clause behind I6: once somebody decided against the effect, nothing lets it happen.
    #[test]
    fn only_an_absent_row_lets_an_effect_happen() {
        for row in ROWS {
            for op in [Op::Do, Op::Undo, Op::Close] {
                for manner in [Manner::Local, Manner::Outside] {
                    for same in [true, false] {
                        let performs = decide(row, op, manner, same) == Decision::Perform;
                        assert_eq!(performs, row == RowState::Absent && op == Op::Do);
                    }
                }
            }
        }
    }
}
