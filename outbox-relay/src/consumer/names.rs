//! The metrics of consumers, named once. Every one has the labels `group` and `topic`.

/// Gauge, also by `partition`: messages that were not acted on yet.
pub const LAG: &str = "consumer_lag_events";
/// Counter: messages acted on, repetitions and dead letters included.
pub const HANDLED: &str = "consumer_handled_total";
/// Counter: attempts that failed and were repeated.
pub const RETRIES: &str = "consumer_retries_total";
/// Counter: messages set aside.
pub const DEAD_LETTERS: &str = "consumer_dead_letters_total";

/// Tells the installed recorder what each metric means; call once after installing it.
pub fn describe() {
    metrics::describe_gauge!(LAG, "Messages that were not acted on yet");
    metrics::describe_counter!(HANDLED, "Messages acted on or set aside");
    metrics::describe_counter!(RETRIES, "Attempts at a message that failed and were repeated");
    metrics::describe_counter!(DEAD_LETTERS, "Messages set aside in the topic's dead letters");
}

fn one(name: &'static str, group: &str, topic: &str) {
    metrics::counter!(name, "group" => group.to_owned(), "topic" => topic.to_owned()).increment(1);
}

pub(super) fn handled(group: &str, topic: &str) {
    one(HANDLED, group, topic);
}

pub(super) fn retried(group: &str, topic: &str) {
    one(RETRIES, group, topic);
}

pub(super) fn buried(group: &str, topic: &str) {
    one(DEAD_LETTERS, group, topic);
}

/// Gauges are floats by their nature; a lag stays far below where a float becomes inexact.
#[allow(clippy::cast_precision_loss)]
pub(super) fn lag(group: &str, topic: &str, partition: i32, lag: i64) {
    let (group, topic, partition) = (group.to_owned(), topic.to_owned(), partition.to_string());
    metrics::gauge!(LAG, "group" => group, "topic" => topic, "partition" => partition).set(lag as f64);
}
