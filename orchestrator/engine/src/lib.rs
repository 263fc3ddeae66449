//! The shell around the core: group commit, dispatch, timers, recovery. Decides nothing.
