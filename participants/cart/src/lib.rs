//! The cart participant.
