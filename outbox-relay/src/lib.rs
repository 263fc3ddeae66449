//! Transactional outbox: append with the effect, relay to Kafka afterwards.
