//! A sink in memory that fails as it is told, for the tests of everybody who publishes.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::{PublishError, Row, Sink};

/// What happens to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Taken and acknowledged.
    None,
    /// Not taken, and said so.
    Unavailable,
    /// Taken, but the acknowledgement was lost.
    LostAck,
    /// Refused for good.
    Poison,
}

type Script = Box<dyn FnMut(&Row) -> Fault + Send>;

/// Keeps every row it took, repetitions included, in the order it took them.
pub struct MemorySink {
    state: Mutex<State>,
}

struct State {
    taken: Vec<Row>,
    script: Script,
}

impl std::fmt::Debug for MemorySink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemorySink").field("taken", &self.lock().taken.len()).finish()
    }
}

impl Default for MemorySink {
    fn default() -> Self {
        Self::scripted(|_| Fault::None)
    }
}

impl MemorySink {
    /// A sink that asks `script` about every row it is handed.
    pub fn scripted(script: impl FnMut(&Row) -> Fault + Send + 'static) -> Self {
        Self { state: Mutex::new(State { taken: Vec::new(), script: Box::new(script) }) }
    }

    /// From now on asks this script.
    pub fn script(&self, script: impl FnMut(&Row) -> Fault + Send + 'static) {
        self.lock().script = Box::new(script);
    }

    /// Everything taken so far, repetitions included.
    #[must_use]
    pub fn taken(&self) -> Vec<Row> {
        self.lock().taken.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn publish(&self, rows: &[Row]) -> Vec<Result<(), PublishError>> {
        let mut state = self.lock();
        let mut answers = Vec::with_capacity(rows.len());
        for row in rows {
            let fault = (state.script)(row);
            if matches!(fault, Fault::None | Fault::LostAck) {
                state.taken.push(row.clone());
            }
            answers.push(match fault {
                Fault::None => Ok(()),
                Fault::Unavailable => Err(PublishError::Unavailable("scripted".into())),
                Fault::LostAck => Err(PublishError::Unavailable("acknowledgement lost".into())),
                Fault::Poison => Err(PublishError::Poison("scripted".into())),
            });
        }
        answers
    }
}
