//! The barrier: one row per (saga, step) that decides whether an effect happens, is answered again, or comes too late.
//!
//! [`table`] is the whole decision, pure. `row` and `rows` are the database's side of it, `local` and `outside` carry
//! decisions out, `open` is what survives a crash between an outside call and its record, `forget` is how rows end.

pub(crate) mod forget;
pub(crate) mod local;
pub(crate) mod open;
pub(crate) mod outside;
pub(crate) mod row;
pub(crate) mod rows;
pub mod table;

use backstitch_proto::contract::{CallMeta, Refusal};

use crate::outcome::Fault;

/// The refusal of a close that found no effect and made sure that there will be none.
fn never_happens() -> Refusal {
    Refusal::new("CLOSED", "the step was closed before it happened")
}

/// A do that comes too late.
fn superseded(row: table::RowState) -> Fault {
    Fault::Superseded(match row {
        table::RowState::Undone => "the step was undone".into(),
        table::RowState::Closing(_) => "the step is being closed".into(),
        _ => "the step was closed".into(),
    })
}

/// Another request under the same key is somebody's bug, and a dangerous one.
fn other_request(call: &CallMeta) -> Fault {
    tracing::error!(saga = %call.saga, step = call.step, op = %call.op, "another request under the same key");
    Fault::Broken("the same key came with another request".into())
}

/// Local and outside RPCs were mixed up for one step.
fn misfit(call: &CallMeta) -> Fault {
    tracing::error!(saga = %call.saga, step = call.step, op = %call.op, "a local call to a step that is in an outside call");
    Fault::Broken("a local call to a step that is in an outside call".into())
}
