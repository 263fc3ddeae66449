//! The Store trait told as guarantees, and the SQLite store.
