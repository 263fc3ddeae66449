//! A producer that outlives its fatal errors.

use std::sync::{PoisonError, RwLock};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, Producer as _};

use crate::{KafkaOptions, KafkaOptionsError};

/// An idempotent producer that met a fatal error stays dead; what is sent after that goes through a new one.
pub(crate) struct Producer {
    options: KafkaOptions,
    /// With a number that tells which one a failed call had used.
    held: RwLock<(u64, FutureProducer)>,
}

impl Producer {
    pub(crate) fn new(options: KafkaOptions) -> Result<Self, KafkaOptionsError> {
        let first = options.producer()?;
        Ok(Self { options, held: RwLock::new((0, first)) })
    }

    /// The one to send with, and its number.
    pub(crate) fn current(&self) -> (u64, FutureProducer) {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        (held.0, held.1.clone())
    }

    /// Makes a new one if these errors, met by the one with this number, say that it is dead.
    pub(crate) fn heed<'a>(&self, used: u64, mut errors: impl Iterator<Item = &'a KafkaError>) {
        if !errors.any(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal)) {
            return;
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.0 != used {
            return;
        }
        tracing::error!(fatal = ?held.1.client().fatal_error(), "kafka producer replaced");
        match self.options.producer() {
            Ok(producer) => *held = (used + 1, producer),
            Err(error) => tracing::error!(%error, "the kafka producer cannot be made anew"),
        }
    }
}
