//! The crashes once more, with a bank that captures what was cancelled and gives back more than it took, as localstripe
//! does: that no money moves twice is our ledger's doing.

#[path = "crashes.rs"]
mod crashes;
