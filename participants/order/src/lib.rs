//! The order participant.
