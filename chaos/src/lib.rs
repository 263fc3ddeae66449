//! The auditor of the invariants.
