//! Names of this crate's metrics, once.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

pub(crate) const LIVE: &str = "saga_live_count";
pub(crate) const STARTED: &str = "saga_started_total";
pub(crate) const ENDED: &str = "saga_ended_total";
pub(crate) const PARKED: &str = "saga_parked_total";
pub(crate) const REFUSED_BUSY: &str = "saga_busy_refused_total";
pub(crate) const CALLS: &str = "saga_calls_total";
pub(crate) const CALLS_IN_FLIGHT: &str = "saga_calls_in_flight";
pub(crate) const CALLS_QUEUED: &str = "saga_calls_queued";
pub(crate) const CALL_QUEUE_SECONDS: &str = "saga_call_queue_seconds";
pub(crate) const CALLS_HELD_BACK: &str = "saga_calls_held_back_total";
pub(crate) const RETRIES_DELAYED: &str = "saga_retries_delayed_total";
pub(crate) const BREAKER_STATE: &str = "saga_breaker_state";
pub(crate) const BREAKER_TRANSITIONS: &str = "saga_breaker_transitions_total";
pub(crate) const REFUSED_TROUBLE: &str = "saga_unavailable_refused_total";
pub(crate) const PARKED_RETRIED: &str = "saga_parked_retried_total";
pub(crate) const COMMITS: &str = "store_commits_total";
pub(crate) const RECORDS: &str = "store_records_total";
pub(crate) const RECORD_BYTES: &str = "store_record_bytes_total";
pub(crate) const BATCH: &str = "store_batch_appends";
pub(crate) const COMMIT_SECONDS: &str = "store_commit_seconds";
pub(crate) const STORE_ERRORS: &str = "store_errors_total";
pub(crate) const RECOVERED: &str = "saga_recovered_total";
pub(crate) const OLDEST_SECONDS: &str = "saga_oldest_unfinished_seconds";
pub(crate) const STRANDED: &str = "saga_without_definition_count";
pub(crate) const SHARDS: &str = "saga_shards_count";
pub(crate) const SHARDS_CLAIMED: &str = "saga_shards_claimed_total";
pub(crate) const SHARDS_LOST: &str = "saga_shards_lost_total";

/// Describes every metric of this crate to the installed recorder.
pub fn describe() {
    describe_gauge!(LIVE, "Sagas in memory");
    describe_counter!(STARTED, "Sagas accepted, by definition");
    describe_counter!(ENDED, "Sagas ended, by definition and status");
    describe_counter!(PARKED, "Times that a saga came to rest parked, by definition");
    describe_counter!(REFUSED_BUSY, "Sagas refused because too many are live");
    describe_counter!(CALLS, "Calls that sagas made, by participant, op and outcome");
    describe_gauge!(CALLS_IN_FLIGHT, "Calls of sagas that wait for an answer, by participant");
    describe_gauge!(CALLS_QUEUED, "Calls of sagas that wait to be made, by participant");
    describe_histogram!(
        CALL_QUEUE_SECONDS,
        Unit::Seconds,
        "How long calls that had to wait waited to be made, by participant"
    );
    describe_counter!(CALLS_HELD_BACK, "Calls answered NotNow by an open breaker, by participant");
    describe_counter!(RETRIES_DELAYED, "Retries that had to wait to be made, by participant");
    describe_gauge!(BREAKER_STATE, "0 closed, 1 half-open, 2 open, by participant");
    describe_counter!(BREAKER_TRANSITIONS, "Changes of a breaker, by participant and new state");
    describe_counter!(
        REFUSED_TROUBLE,
        "Sagas refused because the breaker of a participant they need is open, by participant"
    );
    describe_counter!(
        PARKED_RETRIED,
        "Times that a parked saga was tried again because a participant answers, by participant"
    );
    describe_counter!(COMMITS, "Commits of the saga store");
    describe_counter!(RECORDS, "Journal records committed");
    describe_counter!(RECORD_BYTES, Unit::Bytes, "Bytes of journal records committed");
    describe_histogram!(BATCH, "Appends per commit");
    describe_histogram!(COMMIT_SECONDS, Unit::Seconds, "Duration of a commit");
    describe_counter!(STORE_ERRORS, "Failed commits, by kind");
    describe_counter!(RECOVERED, "Sagas taken up from the journal");
    describe_gauge!(SHARDS, "Shards that this node has, where it shares the store");
    describe_counter!(SHARDS_CLAIMED, "Shards that this node took, where it shares the store");
    describe_counter!(SHARDS_LOST, "Shards that were found to be another node's, or nobody's");
    describe_gauge!(
        OLDEST_SECONDS,
        Unit::Seconds,
        "Age of the oldest saga of all nodes that has not ended, parked or not; nothing of it is forgotten"
    );
    describe_gauge!(STRANDED, "Unfinished sagas whose definition this node does not have");
}
