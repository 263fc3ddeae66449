//! Returns: CreateReturn claims what comes back, CancelReturn frees it again, CompleteReturn writes the credit note.

mod complete;
mod create;

pub(crate) use complete::{CancelReturn, CompleteReturn};
pub(crate) use create::CreateReturn;
