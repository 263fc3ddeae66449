//! Order per key through failures, in one place.
//!
//! Rows are handed to the sink in waves: a wave has at most one row of each key, and a key's next row goes only
//! after its predecessor was acknowledged. Whatever the sink and the broker do with what is in flight together
//! (retry, reorder, time out one of two), no row can overtake an earlier one of its key. Pipelining one key
//! would be faster for that key alone, and needs a broker client that never drops a message in the middle.

use std::collections::{BTreeMap, VecDeque};

use crate::{PublishError, Row, RowId, Sink, Tenure};

/// What became of one batch.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Acknowledged rows, ascending.
    pub(crate) acked: Vec<RowId>,
    /// Rows that can never be published, with the reason; nothing later of their keys was sent.
    pub(crate) poisoned: Vec<(Row, String)>,
    /// Rows that stay for later: not acknowledged, or behind such a row, or behind a poisoned one.
    pub(crate) left: usize,
    /// The first reason why a row was not acknowledged.
    pub(crate) trouble: Option<String>,
}

/// Publishes a batch that is in ascending number, wave by wave while `tenure` is held.
pub(crate) async fn publish(sink: &dyn Sink, rows: Vec<Row>, tenure: &Tenure) -> Outcome {
    let mut keys: BTreeMap<String, VecDeque<Row>> = BTreeMap::new();
    for row in rows {
        keys.entry(row.event.key.clone()).or_default().push_back(row);
    }
    let mut outcome = Outcome::default();
    loop {
        let mut wave: Vec<Row> = keys.values_mut().filter_map(VecDeque::pop_front).collect();
        if wave.is_empty() {
            break;
        }
        if !tenure.holds() {
            outcome.left += wave.len() + keys.values().map(VecDeque::len).sum::<usize>();
            break;
        }
        wave.sort_unstable_by_key(|row| row.id);
        let mut answers = sink.publish(&wave).await.into_iter();
        for row in wave {
            let answer = answers.next().unwrap_or_else(|| Err(PublishError::Unavailable("no answer".into())));
            match answer {
                Ok(()) => outcome.acked.push(row.id),
                Err(PublishError::Unavailable(why)) => {
                    outcome.left += 1 + keys.remove(&row.event.key).map_or(0, |behind| behind.len());
                    outcome.trouble.get_or_insert(why);
                }
                Err(PublishError::Poison(why)) => {
                    outcome.left += keys.remove(&row.event.key).map_or(0, |behind| behind.len());
                    outcome.poisoned.push((row, why));
                }
            }
        }
    }
    outcome.acked.sort_unstable();
    outcome
}
