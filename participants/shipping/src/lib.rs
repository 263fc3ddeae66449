//! The shipping participant.
