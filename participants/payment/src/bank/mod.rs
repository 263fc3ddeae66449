//! The bank in miniature: the other side of the counter, with its own ledger file and its own commits, made before the
//! answer.
//!
//! Deterministic by token, like a PSP's test cards (`cards`). Refuses by itself what a bank refuses: a capture after a
//! cancel, a cancel after a capture, a refund above what was captured. Knows nothing of the participant and its gateways,
//! and of sagas only the ids that it is given as metadata; `gateway::sandbox` alone knows it.
//! Its file is what an auditor reads as the bank's statement (the `statement` view).

mod account;
mod books;
mod call;
mod cards;
mod ledger;
mod ruling;

pub use self::account::HOLD_MS;
pub(crate) use self::call::{Answer, BankError, Call, NewAccount, Shown, ShownListed, ShownRefund};
pub(crate) use self::ledger::Bank;
pub(crate) use self::ruling::{Decline, Delivery, Reason, RefundState, State};
