//! Ports for servers.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};

/// Below what the kernel gives to outgoing connections (from 32768), so that a server which is down for a while finds its
/// port free when it comes back.
const RANGE: std::ops::Range<u16> = 15_000..32_000;

/// A port that nobody listens on and no other instance of this crate will take.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    /// Locked for as long as the port is ours. Between choosing a port and listening on it another process may choose
    /// the same one, and its server would then answer in the place of ours.
    _claim: File,
}

/// A free one.
pub(crate) fn free() -> Port {
    // Not shared between users: a file of somebody else's could not be opened.
    let claims = std::env::temp_dir().join(format!("backstitch-ports-{}", nix::unistd::getuid()));
    std::fs::create_dir_all(&claims).unwrap_or_else(|e| panic!("{} cannot be made: {e}", claims.display()));
    for _ in 0..1000 {
        let number = rand::random_range(RANGE);
        let claim = File::create(claims.join(number.to_string()))
            .unwrap_or_else(|e| panic!("a port cannot be claimed in {}: {e}", claims.display()));
        if claim.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            return Port { number, _claim: claim };
        }
    }
    panic!("no port of 127.0.0.1 between {} and {} is free", RANGE.start, RANGE.end);
}
