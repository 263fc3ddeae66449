//! The table, row by row and law by law. How to read a case: see [`script`].

mod back;
mod doubt;
mod expiry;
mod good;
mod hostile;
mod late;
mod parked;
mod recovery;
mod restored;
mod rows;
mod safety;
mod script;
mod shop;
mod waiting;
