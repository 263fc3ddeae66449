//! The inventory participant.
