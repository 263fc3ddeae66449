//! Laws for any saga definition.
//!
//! A definition is plain data and pure functions, and what goes wrong in production goes wrong between them: a request
//! that is built differently the second time, a guard that changes its mind after a crash, a step that leaves something
//! behind and says that it needs no undo, an edge that was forgotten. [`laws_of`] runs a definition over the
//! orchestrator's own transition table, with participants in memory that decide by the kit's own barrier table, through
//! *every* schedule of up to two faults: every [`Fault`] at every call of every step, every crash at every record, and
//! every pair of them. Each ends as it should, or the first [`Law`] that does not hold is reported with the schedule
//! that shows it.
//!
//! | goes wrong | law |
//! |---|---|
//! | any call arrives twice, again after the end, or only after the end | an effect happens once, and never after its undo |
//! | a refusal at any step that may refuse | unwinds clean, in reverse dependency order |
//! | an Unknown at any call, with and without the effect, once or until the budget is spent | completes or unwinds clean; the pivot is closed, never guessed |
//! | a crash at any call: before it is sent, after its effect, after its answer, before and after its commit | ends as if there had been none |
//! | a crash at any record: any prefix of the journal | the next owner goes on from it |
//! | the customer is waited for, and finishes or never does; a participant dies around its provider | completes or unwinds clean |
//! | a cancel, or the deadline, while any call is out or backs off | unwinds clean before the pivot, changes nothing after it |
//! | an answer that nobody can believe | parks, and goes on or unwinds clean when a person says so |
//! | two of these | the same |
//!
//! Whatever goes wrong: no forward call after the turn, nothing undone after the pivot, nothing sent before what has to
//! be durable is durable, no person needed without a reason, no silence. Each schedule is run in two rhythms, one in
//! which as much as possible is under way at once and nothing is durable before it must be, and one in which nothing is.
//!
//! Not held here: how long things take, what real participants do (that is their conformance), and sagas that compete
//! for the same goods.
//!
//! # Example
//!
//! A definition of two steps, and its samples: the input, what each step's participant answers, and what the business
//! has it that one step needs of another, said independently of the definition's edges.
//!
//! ```
//! use backstitch_chaos::definitions::{Law, Samples, laws_of};
//! use backstitch_core::{Definition, DefinitionBuilder, DefinitionError, Operation};
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct Trip {
//!     #[prost(string, tag = "1")]
//!     city: String,
//! }
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! struct Booked {
//!     #[prost(string, tag = "1")]
//!     number: String,
//! }
//!
//! fn trip(book_first: bool) -> Result<Definition, DefinitionError> {
//!     let mut d = DefinitionBuilder::<Trip>::new("trip", 1);
//!     let room = d
//!         .step("book_room", Operation::<Trip, Booked>::new("hotel", "Book"))
//!         .request(|c, ()| c.input.clone())
//!         .compensated_by(Operation::<Trip, Booked>::new("hotel", "Cancel"), |c| c.input.clone());
//!     let pay = d.step("pay", Operation::<Booked, Booked>::new("bank", "Pay")).reading(room);
//!     if book_first {
//!         pay.request(|_, room| room).pivot();
//!     } else {
//!         pay.request(|_, room| room).needs_no_undo("it is only money");
//!     }
//!     d.build()
//! }
//!
//! let samples = Samples::new(&Trip { city: "Graz".into() })
//!     .answer("book_room", &Booked { number: "17".into() })
//!     .needs("pay", "book_room");
//!
//! let tally = laws_of(&trip(true)?, &samples)?;
//! assert!(tally.schedules > 500);
//!
//! // Money is something: without a pivot, a cancelled trip leaves it behind.
//! let broken = laws_of(&trip(false)?, &samples).unwrap_err();
//! assert_eq!(broken.law, Law::UnwindsClean);
//! assert_eq!(broken.why, "it was compensated, but pay still stands");
//! assert_eq!(broken.schedule, ["pay do, call 1: takes effect, the answer makes no sense"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! As text, the report of the second goes on with everything that happened:
//!
//! ```text
//! trip v1 breaks a law: a compensated saga leaves nothing behind
//!   it was compensated, but pay still stands
//! schedule:
//!   1. pay do, call 1: takes effect, the answer makes no sense
//! what happened:
//!   the orchestrator begins
//!   book_room do #1 is sent
//!       book_room do arrives; its row is done
//!   book_room do #1 is answered: an answer
//!       + step_done book_room at 0 ms
//!     ! fault 1
//!   pay do #1 is sent
//!       pay do arrives; its row is done
//!   pay do #1 is answered: broken
//!       + step_parked pay at 0 ms
//!   somebody cancels
//!       + turned_back at 0 ms
//!   ...
//! ```

mod broken;
mod explore;
mod fault;
mod law;
mod participants;
mod samples;
mod sent;
mod story;
mod tally;
mod world;

pub use broken::Broken;
pub use fault::{Fault, Moment};
pub use law::Law;
pub use participant_kit::barrier::table as barrier;
pub use samples::{Barrier, SAGA, Samples};
pub use tally::Tally;

use backstitch_core::Definition;
use law::Violation;
use samples::Stage;

/// Holds a definition to every law, under every schedule of up to two faults. Uses all processors; a checkout of eleven
/// steps takes a few seconds.
///
/// # Errors
/// The first law that does not hold, with the shortest schedule that shows it.
pub fn laws_of(definition: &Definition, samples: &Samples) -> Result<Tally, Box<Broken>> {
    laws_under(definition, samples, 2)
}

/// The same, with up to so many faults. The third multiplies the time by some hundred.
///
/// # Errors
/// As [`laws_of`].
pub fn laws_under(definition: &Definition, samples: &Samples, faults: usize) -> Result<Tally, Box<Broken>> {
    let stage = Stage::new(definition, samples).map_err(|step| {
        let why = format!("the samples name the step `{step}`, which the definition does not have");
        Broken::at_once(definition, Violation { law: Law::SamplesFit, why })
    })?;
    explore::all(&stage, faults)
}
