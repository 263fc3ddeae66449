//! The table, row by row and law by law. How to read a case: see [`script`].

mod back;
mod doubt;
mod hostile;
mod late;
mod recovery;
mod rows;
mod safety;
mod script;
mod shop;
mod waiting;
