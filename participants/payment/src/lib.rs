//! The payment participant.
