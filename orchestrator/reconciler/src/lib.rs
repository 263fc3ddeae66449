//! The reconciler: compares the payment ledger with the provider's list (holds, captures, refunds) and with the orders, and
//! says what money is at risk.
//!
//! [`compare`] is the heart and pure. `books` reads what is judged in bounded memory, `whole` what it names beside that, `looks` reads again what looks wrong,
//! `act` leaves notes and starts repairs, [`Reconciler`] does all that now and then. Knows the wire (`proto`) and nothing
//! else of the house; changes nothing but by the orchestrator's verbs.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod act;
mod books;
mod compare;
mod finding;
mod judge;
mod kind;
mod lines;
mod looks;
mod metrics;
mod report;
mod run;
mod sagas;
mod shop;
mod sort;
mod strangers;
mod tick;
mod whole;

pub use self::compare::{Terms, compare};
pub use self::finding::{About, Because, Finding, Move};
pub use self::judge::{NotJudged, Word, acknowledge, take_back};
pub use self::kind::{Kind, Remedy};
pub use self::lines::{Case, Claim, Object, ObjectState, Order, Payment, Refund, RefundState, Unreadable};
pub use self::metrics::describe as describe_metrics;
pub use self::report::{Counts, Done, Report, Told};
pub use self::run::{Options, reconcile};
pub use self::sagas::{Saga, Sagas, Standing};
pub use self::shop::{At, Failed, Shop};
pub use self::tick::{Progress, Reconciler};
