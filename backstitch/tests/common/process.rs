//! A role that runs until it is stopped, one way or the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{program, until};

/// A running process. Killed when dropped, so that a failed test leaves nothing behind.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    addresses: BTreeMap<String, String>,
}

impl Process {
    /// Starts `backstitch <args>` in `directory`, under `name`, and does not wait for anything.
    pub(crate) fn spawn(name: &str, args: &[&str], directory: &Path) -> Self {
        Self::spawn_with(name, args, &[], directory)
    }

    /// As [`Process::spawn`], with these variables in its environment.
    pub(crate) fn spawn_with(name: &str, args: &[&str], env: &[(&str, &str)], directory: &Path) -> Self {
        let (ready, log) = (ready_file(name, directory), directory.join(format!("{name}.log")));
        // A file of an earlier life would name addresses that nobody listens on.
        let _ = std::fs::remove_file(&ready);
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let mut command = program(directory);
        command.args(args).arg("--ready-file").arg(&ready).envs(env.iter().copied());
        let child = command.stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap();
        Self { child, log, addresses: BTreeMap::new() }
    }

    /// Starts `backstitch <args>` and waits until it says that it is ready.
    pub(crate) async fn start(name: &str, args: &[&str], directory: &Path) -> Self {
        Self::start_with(name, args, &[], directory).await
    }

    /// As [`Process::start`], with these variables in its environment.
    pub(crate) async fn start_with(
        name: &str,
        args: &[&str],
        env: &[(&str, &str)],
        directory: &Path,
    ) -> Self {
        let mut process = Self::spawn_with(name, args, env, directory);
        if let Err(status) = process.is_ready(name, directory).await {
            panic!("{name} ended at once ({status}):\n{}", process.said());
        }
        process
    }

    /// Waits until it says that it is ready; how it ended, if it does that instead.
    pub(crate) async fn is_ready(&mut self, name: &str, directory: &Path) -> Result<(), ExitStatus> {
        let ready = ready_file(name, directory);
        let said: Result<Value, ExitStatus> = until(&format!("{name} is ready"), async || {
            if let Some(status) = self.has_ended() {
                return Some(Err(status));
            }
            serde_json::from_slice(&std::fs::read(&ready).ok()?).ok().map(Ok)
        })
        .await;
        let said = said?;
        let addresses = said["addresses"].as_object().unwrap().iter();
        self.addresses =
            addresses.map(|(name, at)| (name.clone(), at.as_str().unwrap().to_owned())).collect();
        Ok(())
    }

    /// Where it listens, by name.
    pub(crate) fn addresses(&self) -> &BTreeMap<String, String> {
        &self.addresses
    }

    pub(crate) fn address(&self, name: &str) -> &str {
        &self.addresses[name]
    }

    /// Everything that it and its predecessors of the same name printed.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// kill -9: no handler runs, nothing is flushed.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM without waiting for anything.
    pub(crate) fn ask_to_stop(&self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
    }

    /// How it ended, if it has.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self) {
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    /// Whether it stands still by SIGSTOP.
    pub(crate) fn is_frozen(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // After the name, which may hold anything, in parentheses.
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("the process ends", async || self.has_ended()).await
    }

    /// SIGTERM, and insists on a clean end.
    pub(crate) async fn stop(mut self) {
        self.ask_to_stop();
        let status = self.ended().await;
        assert!(status.success(), "stopped with {status}:\n{}", self.said());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn ready_file(name: &str, directory: &Path) -> PathBuf {
    directory.join(format!("{name}.ready"))
}
