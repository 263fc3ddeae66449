//! The metrics of the outbox, named once. Every one has the label `source`.

use crate::Lag;

/// Gauge: rows that could be published now.
pub const LAG_EVENTS: &str = "outbox_lag_events";
/// Gauge: age of the oldest waiting row in seconds.
pub const OLDEST_SECONDS: &str = "outbox_oldest_seconds";
/// Gauge: rows held back behind a parked row of their key.
pub const HELD_EVENTS: &str = "outbox_held_events";
/// Gauge: rows that were set aside and wait for a person.
pub const PARKED_EVENTS: &str = "outbox_parked_events";
/// Counter: rows acknowledged by the sink and marked.
pub const PUBLISHED_TOTAL: &str = "outbox_published_total";
/// Counter: rows set aside as poison.
pub const PARKED_TOTAL: &str = "outbox_parked_total";
/// Counter: ticks that ended in trouble with the source or the sink.
pub const TROUBLE_TOTAL: &str = "outbox_trouble_total";

/// Tells the installed recorder what each metric means; call once after installing it.
pub fn describe() {
    metrics::describe_gauge!(LAG_EVENTS, "Events that wait to be published");
    metrics::describe_gauge!(OLDEST_SECONDS, metrics::Unit::Seconds, "Age of the oldest waiting event");
    metrics::describe_gauge!(HELD_EVENTS, "Events behind a parked event of their key");
    metrics::describe_gauge!(PARKED_EVENTS, "Events that wait for a person");
    metrics::describe_counter!(PUBLISHED_TOTAL, "Events acknowledged by the broker");
    metrics::describe_counter!(PARKED_TOTAL, "Events set aside as impossible to publish");
    metrics::describe_counter!(TROUBLE_TOTAL, "Relay ticks that met an unreachable broker or outbox");
}

pub(crate) fn published(source: &str, rows: usize) {
    let rows = u64::try_from(rows).unwrap_or(u64::MAX);
    metrics::counter!(PUBLISHED_TOTAL, "source" => source.to_owned()).increment(rows);
}

pub(crate) fn parked(source: &str) {
    metrics::counter!(PARKED_TOTAL, "source" => source.to_owned()).increment(1);
}

pub(crate) fn trouble(source: &str) {
    metrics::counter!(TROUBLE_TOTAL, "source" => source.to_owned()).increment(1);
}

/// Gauges are floats by their nature; these counts stay far below where a float becomes inexact.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn lag(source: &str, lag: &Lag) {
    metrics::gauge!(LAG_EVENTS, "source" => source.to_owned()).set(lag.waiting as f64);
    metrics::gauge!(OLDEST_SECONDS, "source" => source.to_owned()).set(lag.oldest_ms as f64 / 1000.0);
    metrics::gauge!(HELD_EVENTS, "source" => source.to_owned()).set(lag.held as f64);
    metrics::gauge!(PARKED_EVENTS, "source" => source.to_owned()).set(lag.parked as f64);
}
