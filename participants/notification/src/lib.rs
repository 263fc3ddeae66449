//! The notification participant.
