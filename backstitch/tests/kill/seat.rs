//! A process that can be started again, on ports that stay its own.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use backstitch_failpoint::VARIABLE;

use crate::common::Process;

/// A process that can be started again with the same command line.
pub(crate) struct Seat {
    pub(crate) name: String,
    pub(crate) args: Vec<String>,
    pub(crate) process: Option<Process>,
}

impl Seat {
    pub(crate) fn new(name: &str, args: Vec<String>) -> Self {
        Self { name: name.to_owned(), args, process: None }
    }

    /// As a supervisor does it: what cannot reach its database at the start is started again.
    pub(crate) async fn start(&mut self, points: &str, directory: &Path) {
        let mut tries = 0;
        loop {
            tries += 1;
            self.spawn(points, directory);
            let process = self.process.as_mut().unwrap();
            let Err(status) = process.is_ready(&self.name, directory).await else { return };
            let said = process.said();
            assert!(was_too_slow(&said) && tries < 10, "{} ended with {status}:\n{said}", self.name);
        }
    }

    pub(crate) fn spawn(&mut self, points: &str, directory: &Path) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.process = Some(Process::spawn_with(&self.name, &args, &[(VARIABLE, points)], directory));
    }
}

/// The first of so many free ports in a row, below those that the system gives out by itself, so that they are free
/// again after a restart.
pub(crate) fn ports(many: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let (lowest, room) = (12_000, 18_000);
    let start = u16::try_from(std::process::id() % 180).unwrap() * 100;
    loop {
        let first = lowest + (start + NEXT.fetch_add(many, Ordering::Relaxed) % room) % room;
        if (first..first + many).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

/// Whether a process that ended says that its database was not there in time: with a lease of a second it waits for half
/// of one. It is started again.
pub(crate) fn was_too_slow(said: &str) -> bool {
    ["the store is unavailable, nothing was written", "does not answer: no answer within"]
        .iter()
        .any(|words| said.contains(words))
}
