//! The business: the checkout saga and the synthetic saga of the benchmark. Names no transport.
