//! What the outside may see of a saga: durable facts only.

use std::sync::Arc;

use backstitch_core::{CatalogError, Definition, Entry, FoldError, Saga};
use backstitch_store::StoreError;
use uuid::Uuid;

/// A saga's durable state.
#[derive(Clone, Debug)]
pub struct SagaView {
    /// The definition that it is pinned to.
    pub definition: Arc<Definition>,
    /// Its state; what is volatile in it means nothing to the outside.
    pub state: Saga,
}

impl SagaView {
    /// Fills in what is volatile from the state that a task works with. It is later than this one; what has changed
    /// since is left alone, because it may not be durable.
    pub(crate) fn fill(&mut self, working: Option<&Saga>) {
        let Some(working) = working else {
            self.state.recovered = self.state.end.is_none();
            return;
        };
        self.state.recovered = working.recovered;
        for (step, now) in self.state.steps.iter_mut().zip(&working.steps) {
            if (&step.settled, step.undone) == (&now.settled, now.undone) {
                step.activity.clone_from(&now.activity);
                step.maybe_run = now.maybe_run;
                (step.attempts, step.undo_attempts, step.since) =
                    (now.attempts, now.undo_attempts, now.since);
            }
        }
    }
}

/// A saga's durable state with every record.
#[derive(Clone, Debug)]
pub struct History {
    /// The state after the last record.
    pub view: SagaView,
    /// Record number n is at n - 1.
    pub records: Vec<Entry>,
}

/// Why a saga cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store did not answer; ask again.
    #[error("the saga store cannot be read")]
    Store(#[from] StoreError),
    /// This node lacks its definition; another node may have it.
    #[error("saga {saga} cannot be shown here")]
    Definition {
        /// Which saga.
        saga: Uuid,
        /// What is missing.
        #[source]
        source: CatalogError,
    },
    /// A record does not decode. The bytes are kept; a person has to look.
    #[error("record {seq} of saga {saga} does not decode: {why}")]
    Record {
        /// Which saga.
        saga: Uuid,
        /// Which record.
        seq: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The records do not follow from each other. A person has to look.
    #[error("the journal of saga {saga} does not fold")]
    Fold {
        /// Which saga.
        saga: Uuid,
        /// Where it breaks.
        #[source]
        source: FoldError,
    },
}
