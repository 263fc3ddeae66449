//! Definitions, the transition table, records, retry and deadline arithmetic. Knows no clock, RNG, tokio, sqlx, tonic.
