//! PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use nix::unistd::{User, getuid};

use crate::port::{self, Port};
use crate::process::Spec;
use crate::{Process, Service, database, programs, service};

/// Name and password of the superuser. Passwords are asked for, so that a wrong one is refused.
const USER: &str = "backstitch";

/// A Postgres server of one's own.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: Port,
}

impl Postgres {
    /// Starts one with Postgres's defaults.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with other settings, e.g. `("max_connections", "20")`.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        service::start(|| Self::launch(settings))
    }

    /// Starts one for laws that are not about a machine that loses its power: without `fsync`, for many clients.
    pub fn start_thrown_away() -> Self {
        Self::start_with(&[
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("max_connections", "400"),
            // Its log is never read again, and grows to a gigabyte unless told.
            ("max_wal_size", "128MB"),
        ])
    }

    fn launch(settings: &[(&str, &str)]) -> Self {
        let bin = programs::postgres();
        let (dir, user) = (own_dir("postgres"), user());
        let data = dir.join("data");
        copy(&template(&bin, user), &data);
        give_to(user, &dir);
        let port = port::free();
        let always = [("listen_addresses", "127.0.0.1"), ("unix_socket_directories", "")];
        let number = port.number.to_string();
        let told = always.into_iter().chain([("port", number.as_str())]).chain(settings.iter().copied());
        let options = told.flat_map(|(key, value)| ["-c".to_owned(), format!("{key}={value}")]);
        let args = ["-D".to_owned(), data.display().to_string()].into_iter().chain(options).collect();
        let spec = Spec { program: bin.join("postgres"), args, user };
        Self { process: Process::start("Postgres", dir, spec), port }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The URL of its database `postgres`, as superuser.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{USER}@127.0.0.1:{}/postgres", self.port.number)
    }

    /// An empty database; its URL.
    pub fn fresh_database(&self, prefix: &str) -> String {
        database::create_database(&self.url(), prefix)
    }

    /// Runs a statement as superuser; the first column of its rows, which has to be text.
    pub fn sql(&self, statement: &str) -> Vec<String> {
        database::run(&self.url(), &[statement.to_owned()]).unwrap_or_else(|e| panic!("{statement}: {e}"))
    }

    /// Ends every client's connection from the server's side; how many there were.
    pub fn terminate_backends(&self) -> usize {
        let clients = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.sql(clients).iter().filter(|done| *done == "true").count()
    }
}

impl Service for Postgres {
    fn process(&self) -> &Process {
        &self.process
    }

    fn answers(&self) -> Result<(), String> {
        database::run(&self.url(), &["SELECT 'here'".to_owned()]).map(drop)
    }

    /// "Fast": clients are sent away.
    fn end_in_order(&self) -> Signal {
        Signal::SIGINT
    }

    /// "Immediate": nothing is written any more.
    fn end_at_once(&self) -> Signal {
        Signal::SIGQUIT
    }
}

/// Postgres refuses to run as root; then it is Debian's user for it, or nobody.
fn user() -> Option<(u32, u32)> {
    if !getuid().is_root() {
        return None;
    }
    let find = |name| User::from_name(name).ok().flatten();
    let user = find("postgres").or_else(|| find("nobody")).expect("a machine has a user `nobody`");
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

/// A data directory as `initdb` leaves it. That takes seconds, so it is done once and copied.
fn template(bin: &Path, user: Option<(u32, u32)>) -> PathBuf {
    let version = Command::new(bin.join("postgres")).arg("--version").output();
    let version = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let version = version.split_whitespace().nth(2).expect("`postgres --version` tells it").to_owned();
    let tools = programs::tools();
    std::fs::create_dir_all(&tools).unwrap_or_else(|e| panic!("{} cannot be made: {e}", tools.display()));
    let name = format!("postgres-{version}-{}", user.map_or(getuid().as_raw(), |(user, _)| user));
    let template = tools.join(&name);
    // Others of this machine may be at it too.
    let lock = std::fs::File::create(tools.join(format!("{name}.lock"))).expect("a lock file can be made");
    lock.lock().expect("a lock can be waited for");
    if !template.is_dir() {
        let dir = own_dir("initdb");
        give_to(user, &dir);
        let password = dir.join("password");
        std::fs::write(&password, USER).expect("a password file can be written");
        let mut initdb = Command::new(bin.join("initdb"));
        initdb.arg("-D").arg(dir.join("data")).arg("--pwfile").arg(&password).current_dir(&dir);
        initdb.args([
            "--username",
            USER,
            "--auth",
            "password",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]);
        if let Some((user, group)) = user {
            std::os::unix::process::CommandExt::uid(&mut initdb, user);
            std::os::unix::process::CommandExt::gid(&mut initdb, group);
        }
        let done = initdb.output().unwrap_or_else(|e| panic!("initdb cannot be started: {e}"));
        assert!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        // Under its name only when it is whole.
        let unfinished = tools.join(format!("{name}.unfinished"));
        let _ = std::fs::remove_dir_all(&unfinished);
        copy(&dir.join("data"), &unfinished);
        std::fs::rename(&unfinished, &template).expect("a rename in one directory");
        let _ = std::fs::remove_dir_all(&dir);
    }
    template
}

/// A directory that the server's user can reach, which is not so of every clone's `target`.
pub(crate) fn own_dir(what: &str) -> PathBuf {
    let dir = tempfile::Builder::new().prefix(&format!("backstitch-{what}-")).tempdir();
    dir.expect("a temporary directory can be made").keep()
}

fn give_to(user: Option<(u32, u32)>, dir: &Path) {
    if let Some((user, group)) = user {
        std::os::unix::fs::chown(dir, Some(user), Some(group)).expect("root may give a directory away");
    }
}

/// With owners and modes, which Postgres insists on.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).output().expect("`cp` is on every machine");
    let (from, to) = (from.display(), to.display());
    assert!(done.status.success(), "copy of {from} to {to}: {}", String::from_utf8_lossy(&done.stderr));
}
