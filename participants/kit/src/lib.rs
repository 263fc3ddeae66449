//! What every participant shares: barrier, call metadata, transactor, server bootstrap.
