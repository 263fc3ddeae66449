//! Other processes of this same program, for the demo and the benchmark.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::ready::Ready;

/// Settings of this process that are its children's too.
const INHERITED: [&str; 4] =
    ["BACKSTITCH_LOG", "BACKSTITCH_LOG_FORMAT", "BACKSTITCH_OTLP", "BACKSTITCH_THREADS"];

/// A child process of this program. Killed when dropped: nothing is left behind.
pub(crate) struct Process {
    child: Child,
    pub(crate) ready: Ready,
    name: String,
}

impl Process {
    /// Starts `backstitch <args>` with its log in `directory`, and waits until it says that it is ready.
    pub(crate) async fn start(name: &str, args: &[&str], directory: &Path) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("finding this program's own file")?;
        let ready_file = directory.join(format!("{name}.ready"));
        let log = directory.join(format!("{name}.log"));
        // A file of an earlier life would name addresses that nobody listens on.
        match std::fs::remove_file(&ready_file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = Command::new(program);
        // What is set for its parent is not meant for it: it has everything from its arguments, but how much is logged
        // and how many threads work.
        for (variable, _) in std::env::vars_os() {
            let variable = variable.to_string_lossy();
            if variable.starts_with("BACKSTITCH_") && !INHERITED.contains(&&*variable) {
                command.env_remove(&*variable);
            }
        }
        let child = command
            .args(args)
            .arg("--ready-file")
            .arg(&ready_file)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut process = Self { child, ready: Ready::new(), name: name.to_owned() };
        process.ready = process.wait_until_ready(&ready_file, &log).await?;
        Ok(process)
    }

    async fn wait_until_ready(&mut self, ready_file: &Path, log: &PathBuf) -> anyhow::Result<Ready> {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(ready) = Ready::read(ready_file) {
                return Ok(ready);
            }
            if let Some(status) = self.child.try_wait()? {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{} ended at once ({status}):\n{said}", self.name);
            }
            if Instant::now() > patience {
                bail!("{} was not ready within 30 s; see {}", self.name, log.display());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and waits until the process has come to rest.
    pub(crate) async fn terminate(&mut self) -> anyhow::Result<()> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        let patience = Instant::now() + Duration::from_secs(30);
        while self.child.try_wait()?.is_none() {
            if Instant::now() > patience {
                bail!("{} did not stop within 30 s of being asked", self.name);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is fine.
        let _ = self.kill();
    }
}
