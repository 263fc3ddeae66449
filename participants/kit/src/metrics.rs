//! Names of the kit's metrics, once. Every one has the label `service`: the participant.

use metrics::{Unit, describe_counter, describe_histogram};

pub(crate) const CALLS: &str = "participant_calls_total";
pub(crate) const CALL_SECONDS: &str = "participant_call_seconds";
pub(crate) const COMMITS: &str = "participant_commits_total";
pub(crate) const COMMIT_OPERATIONS: &str = "participant_commit_operations";
pub(crate) const STATEMENTS: &str = "participant_statements_total";
pub(crate) const BACKGROUND_DONE: &str = "participant_background_done_total";

/// Describes every metric of this crate to the installed recorder.
pub fn describe() {
    describe_counter!(CALLS, "Calls of sagas that were answered, by service, op and outcome");
    describe_histogram!(CALL_SECONDS, Unit::Seconds, "How long answering a call took, by service and op");
    describe_counter!(COMMITS, "Transactions that a participant committed, by service");
    describe_histogram!(COMMIT_OPERATIONS, "Operations in one commit of a participant, by service");
    describe_counter!(STATEMENTS, "Statements that a participant sent to its database, by service");
    describe_counter!(
        BACKGROUND_DONE,
        "Things that a participant got done by itself, by service and name of the loop"
    );
}
