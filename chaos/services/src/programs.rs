//! Where the servers' programs are on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is said when one is missing.
const SETUP: &str = "`./test --setup` sets it up";

/// The directory of Postgres's programs: what `pg_config` says, or the newest of Debian's.
pub(crate) fn postgres() -> PathBuf {
    let told = Command::new("pg_config").arg("--bindir").output().ok().filter(|out| out.status.success());
    let told = told.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<(u32, PathBuf)> = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort();
    // `pg_config` may be of the client's package alone, without a server.
    let all = told.into_iter().chain(debian.into_iter().rev().map(|(_, bin)| bin));
    all.into_iter().find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file()).unwrap_or_else(
        || {
            panic!(
                "no PostgreSQL server is installed (no `pg_config`, nothing in /usr/lib/postgresql): {SETUP}, or name \
                 a server in DATABASE_URL"
            )
        },
    )
}

/// `redis-server`.
pub(crate) fn redis() -> PathBuf {
    on_path("redis-server")
        .unwrap_or_else(|| panic!("no `redis-server` is on the PATH: {SETUP}, or name a server in REDIS_URL"))
}

/// Java, and the directory of Kafka's jars.
pub(crate) fn kafka() -> (PathBuf, PathBuf) {
    let java = on_path("java").unwrap_or_else(|| {
        panic!("no `java` is on the PATH, which Kafka needs: {SETUP}, or name brokers in KAFKA_BROKERS")
    });
    let jars = tools().join(format!("kafka-{}", kafka_version()));
    // Written last, so that an interrupted setup is seen.
    if !jars.join(".complete").is_file() {
        panic!("Apache Kafka is not in {}: {SETUP}, or name brokers in KAFKA_BROKERS", jars.display());
    }
    (java, jars)
}

/// The version that `kafka/pom.xml` pins.
pub(crate) fn kafka_version() -> &'static str {
    let pom = include_str!("../kafka/pom.xml");
    let version = pom.split_once("<kafka.version>").and_then(|(_, rest)| rest.split_once("</kafka.version>"));
    version.expect("the pom pins Kafka's version").0
}

/// The Python that localstripe is installed for.
pub(crate) fn localstripe() -> PathBuf {
    let home = tools().join(format!("localstripe-{}", localstripe_version()));
    // Written last, so that an interrupted setup is seen.
    if !home.join(".complete").is_file() {
        panic!("localstripe is not in {}: {SETUP}", home.display());
    }
    home.join("bin/python")
}

/// The version that `localstripe/requirements.txt` pins.
pub(crate) fn localstripe_version() -> &'static str {
    let pins = include_str!("../localstripe/requirements.txt");
    let version = pins.lines().find_map(|line| line.strip_prefix("localstripe=="));
    version.expect("the requirements pin localstripe's version")
}

/// Where tools of the tests are kept between runs: beside what cargo builds.
pub(crate) fn tools() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        // Relative to where cargo was called, and that is the workspace.
        Some(told) if !told.is_empty() => workspace.join(told),
        _ => workspace.join("target"),
    };
    target.join("tools")
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}
