//! What is to happen where.

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;

use crate::VARIABLE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// After a pause of this thread alone: whatever should have waited for it has the time not to.
    Abort(Duration),
    Freeze,
}

#[derive(Debug)]
struct Point {
    name: String,
    act: Act,
    /// How often it is still to be reached.
    left: AtomicU32,
}

#[derive(Debug)]
pub(crate) struct Plan(Vec<Point>);

impl Plan {
    /// Ends the process when it cannot be read: a fault that does not happen must not look like one that was survived.
    pub(crate) fn from_environment() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())?;
        match Self::parse(&text) {
            Ok(plan) => Some(plan),
            Err(why) => {
                say(&format!("{VARIABLE}: {why}"));
                std::process::exit(2);
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(point).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|point| point.name == name)
    }

    pub(crate) fn hit(&self, name: &str) {
        for point in self.0.iter().filter(|point| point.name == name) {
            let before =
                point.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if before == Ok(1) {
                act(name, point.act);
            }
        }
    }
}

fn point(text: &str) -> Result<Point, String> {
    let wanted = "give each as NAME[@N]=abort, NAME[@N]=abort+MILLISECONDS or NAME[@N]=freeze";
    let (name, act) = text.trim().rsplit_once('=').ok_or_else(|| format!("`{text}`: {wanted}"))?;
    let act = match act {
        "abort" => Act::Abort(Duration::ZERO),
        "freeze" => Act::Freeze,
        other => match other.strip_prefix("abort+").map(str::parse) {
            Some(Ok(ms)) => Act::Abort(Duration::from_millis(ms)),
            _ => return Err(format!("`{other}` is nothing that can happen; {wanted}")),
        },
    };
    let (name, times) = match name.rsplit_once('@') {
        None => (name, 1),
        Some((name, times)) => {
            (name, times.parse().map_err(|_| format!("`{times}` is no number; {wanted}"))?)
        }
    };
    if name.is_empty() || times == 0 {
        return Err(format!("`{text}`: {wanted}"));
    }
    Ok(Point { name: name.to_owned(), act, left: AtomicU32::new(times) })
}

fn act(name: &str, act: Act) {
    let done = match act {
        Act::Abort(pause) => {
            say(&format!("failpoint {name}: abort"));
            std::thread::sleep(pause);
            kill(Pid::this(), Signal::SIGKILL)
        }
        Act::Freeze => {
            say(&format!("failpoint {name}: freeze"));
            // To this thread, which stops before its next line; the others stop with it.
            raise(Signal::SIGSTOP)
        }
    };
    if let Err(error) = done {
        say(&format!("failpoint {name}: {error}"));
        std::process::exit(2);
    }
    if act != Act::Freeze {
        // The signal is on its way; nothing more may happen here.
        loop {
            std::thread::park();
        }
    }
}

/// Unbuffered, since nothing is flushed afterwards. Whether anybody hears it changes nothing.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_a_name_a_count_and_an_act() {
        let plan = Plan::parse("writer.before_commit:capture_payment/do@3=abort, reply=freeze")
            .expect("both are fine");
        let told: Vec<_> =
            plan.0.iter().map(|p| (p.name.as_str(), p.act, p.left.load(Ordering::SeqCst))).collect();
        assert_eq!(
            told,
            [
                ("writer.before_commit:capture_payment/do", Act::Abort(Duration::ZERO), 3),
                ("reply", Act::Freeze, 1)
            ]
        );
        assert!(plan.names("reply") && !plan.names("repl"));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for bad in [
            "x",
            "x=die",
            "=abort",
            "x@0=abort",
            "x@y=abort",
            "x=abort+",
            "x=abort+soon",
            "a=abort,,b=abort",
            "x@=freeze",
        ] {
            assert!(Plan::parse(bad).is_err(), "{bad}");
        }
    }
}
