//! One server process: started, signalled, ended with everything that it has started.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// How long a process may take to end.
const END: Duration = Duration::from_secs(60);

/// What to run. The same again after every end.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Whom to run it as, if not as ourselves: user and group.
    pub(crate) user: Option<(u32, u32)>,
}

/// A server process and its directory; both are gone when this is.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    spec: Spec,
    server: Option<Child>,
    /// `None` when this is being dropped.
    to_watchdog: Option<ChildStdin>,
    watchdog: Child,
}

impl Process {
    /// Starts it in `dir`, which is removed in the end.
    pub(crate) fn start(name: &'static str, dir: PathBuf, spec: Spec) -> Self {
        let mut watchdog = Command::new("sh")
            .args(["-c", include_str!("watchdog.sh"), "watchdog"])
            .arg(&dir)
            .stdin(Stdio::piped())
            // Held open by nobody but the tests.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("`sh` is on every machine");
        let to_watchdog = watchdog.stdin.take();
        let state = State { spec, server: None, to_watchdog, watchdog };
        let process = Self { name, dir, state: Mutex::new(state) };
        process.start_again();
        process
    }

    /// Starts what was ended, as it was started before.
    pub(crate) fn start_again(&self) {
        let mut state = self.state();
        assert!(state.server.is_none(), "{} is running already", self.name);
        let log = File::options().create(true).append(true).open(self.log_file());
        let log = log.unwrap_or_else(|e| panic!("{} cannot be written: {e}", self.log_file().display()));
        let mut command = Command::new(&state.spec.program);
        command.args(&state.spec.args).current_dir(&self.dir).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        if let Some((user, group)) = state.spec.user {
            command.uid(user).gid(group);
        }
        let server = command.spawn().unwrap_or_else(|e| panic!("{} cannot be started: {e}", self.name));
        state.tell_watchdog(server.id());
        state.server = Some(server);
    }

    /// How it ended, if it did so by itself.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        let mut state = self.state();
        state.server.as_mut().and_then(|server| server.try_wait().expect("a child of ours can be asked"))
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.state().server.as_ref().map(Child::id)
    }

    /// Ends it and all that it has started with `SIGKILL`; returns when they are gone.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        let Some(mut server) = state.server.take() else { return };
        let all = stop_all(&server);
        for pid in &all {
            // Gone already is as good.
            let _ = kill(*pid, Signal::SIGKILL);
        }
        server.wait().expect("a child of ours can be waited for");
        wait_until("what the server has started is gone", END, || !all.iter().any(|pid| is_alive(*pid)));
        state.tell_watchdog(0);
    }

    /// Sends `signal` to it alone and waits until it has ended.
    pub(crate) fn end_with(&self, signal: Signal) {
        self.thaw();
        let mut state = self.state();
        let Some(mut server) = state.server.take() else { return };
        let children = children(&server);
        let _ = kill(pid(&server), signal);
        let name = self.name;
        wait_until(&format!("{name} ends after {signal}"), END, || {
            server.try_wait().expect("a child of ours can be asked").is_some()
        });
        wait_until("what the server has started is gone", END, || !children.iter().any(|pid| is_alive(*pid)));
        state.tell_watchdog(0);
    }

    /// Stops it and all that it has started where they are.
    pub(crate) fn freeze(&self) {
        if let Some(server) = &self.state().server {
            stop_all(server);
        }
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        if let Some(server) = &self.state().server {
            for pid in children(server).into_iter().chain([pid(server)]) {
                let _ = kill(pid, Signal::SIGCONT);
            }
        }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The last that it said.
    pub(crate) fn last_words(&self) -> String {
        let said = std::fs::read(self.log_file()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// A test that failed while it held this says so itself; the server still has to be ended.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let mut state = self.state();
        // Closes the pipe: the watchdog removes the directory and ends.
        state.to_watchdog = None;
        let _ = state.watchdog.wait();
    }
}

impl State {
    fn tell_watchdog(&mut self, server: u32) {
        let pipe = self.to_watchdog.as_mut().expect("open until the drop");
        writeln!(pipe, "{server}").expect("the watchdog reads until the pipe closes");
    }
}

/// Waits for a condition; a condition that does not come is a panic.
pub(crate) fn wait_until(what: &str, bound: Duration, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < bound, "waited {bound:?} in vain until {what}");
        std::thread::sleep(LOOK);
    }
}

/// Stops the server first, so that it starts nothing meanwhile, then all that it has started.
fn stop_all(server: &Child) -> Vec<Pid> {
    let server_id = pid(server);
    let _ = kill(server_id, Signal::SIGSTOP);
    wait_until("the server has stopped", END, || !is_alive(server_id) || state_of(server_id) == Some('T'));
    let children = children(server);
    for child in &children {
        let _ = kill(*child, Signal::SIGSTOP);
    }
    [vec![server_id], children].concat()
}

/// Postgres makes a group of its own of each backend, so a signal to the server's group would miss them.
fn children(server: &Child) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all = lists.collect::<Vec<_>>().join(" ");
    all.split_whitespace().filter_map(|id| id.parse().ok()).map(Pid::from_raw).collect()
}

fn pid(server: &Child) -> Pid {
    Pid::from_raw(i32::try_from(server.id()).expect("process ids are small"))
}

/// Whether it still does anything. What nobody has waited for yet is dead all the same.
fn is_alive(pid: Pid) -> bool {
    state_of(pid).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

fn state_of(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in the brackets may hold anything.
    stat.rsplit_once(") ")?.1.chars().next()
}
