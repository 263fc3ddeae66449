//! What can be done to any server.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::Process;
use crate::process::LOOK;

/// How long a server may take until it answers. Kafka needs 4 s on an idle machine; this one may be busy.
const START: Duration = Duration::from_secs(120);

/// A server that a test has started, and may treat badly.
pub trait Service: Send + Sync {
    /// The process.
    fn process(&self) -> &Process;

    /// Whether it serves, asked in its own protocol; else what it said.
    fn answers(&self) -> Result<(), String>;

    /// The signal for an end in good order.
    #[doc(hidden)]
    fn end_in_order(&self) -> Signal {
        Signal::SIGTERM
    }

    /// The signal for an end at once, of its own doing.
    #[doc(hidden)]
    fn end_at_once(&self) -> Signal {
        Signal::SIGTERM
    }

    /// `kill -9` of the server and all its processes. It stays down until [`Service::start_again`].
    fn kill(&self) {
        self.process().kill();
    }

    /// Ends it in good order, clients or not.
    fn stop(&self) {
        self.process().end_with(self.end_in_order());
    }

    /// Ends it at once: Postgres does an immediate shutdown, which leaves recovery to the next start.
    fn stop_immediately(&self) {
        self.process().end_with(self.end_at_once());
    }

    /// Starts it after an end, on its old port with its old directory, and waits until it answers.
    fn start_again(&self) {
        self.process().start_again();
        if let Err(why) = self.wait_until_it_answers() {
            panic!("{why}");
        }
    }

    /// An end at once, and a start.
    fn restart(&self) {
        self.stop_immediately();
        self.start_again();
    }

    /// `SIGSTOP` to the server and all its processes: connections stay open, nothing answers.
    fn freeze(&self) {
        self.process().freeze();
    }

    /// `SIGCONT`: it goes on as if no time had passed.
    fn thaw(&self) {
        self.process().thaw();
    }

    /// Waits until it answers.
    #[doc(hidden)]
    fn wait_until_it_answers(&self) -> Result<(), String> {
        let (process, begun) = (self.process(), Instant::now());
        loop {
            let answer = self.answers();
            let Err(why) = answer else { return Ok(()) };
            let (name, words) = (process.name(), process.last_words());
            if let Some(status) = process.ended() {
                return Err(format!("{name} ended by itself ({status}); its last words:\n{words}"));
            }
            if begun.elapsed() > START {
                return Err(format!(
                    "{name} does not answer after {START:?}: {why}; its last words:\n{words}"
                ));
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Starts a server on a free port. Somebody else may take the port in the last moment, so there is a second chance.
pub(crate) fn start<S: Service>(mut start: impl FnMut() -> S) -> S {
    let mut last = String::new();
    for _ in 0..3 {
        let service = start();
        match service.wait_until_it_answers() {
            Ok(()) => return service,
            Err(why) => last = why,
        }
    }
    panic!("{last}");
}
