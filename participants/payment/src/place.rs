//! A place in a list that goes by time: what a page begins behind.

/// Behind the row of this id, which was made at this time; behind no row, where the id is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) at_ms: i64,
    pub(crate) id: String,
}

impl Place {
    /// Before everything that was made at this time or later.
    pub(crate) fn before(at_ms: i64) -> Self {
        Self { at_ms, id: String::new() }
    }
}
