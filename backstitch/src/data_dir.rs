//! A data directory: each database in it belongs to one process at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::Context as _;

use crate::databases::Databases;

/// Holds databases for this process alone; the locks go with the process, however it ends.
#[must_use = "the databases are free again when this is dropped"]
pub(crate) struct Held {
    _files: Vec<File>,
}

/// Creates the data directory if it is missing and takes the lock of each of these databases in it. One that is on a
/// server may be several processes'.
pub(crate) fn hold(databases: &Databases, names: &[&str]) -> anyhow::Result<Held> {
    let directory = &databases.directory;
    std::fs::create_dir_all(directory)
        .with_context(|| format!("creating the data directory {}", directory.display()))?;
    let names = if databases.are_files() { names } else { &[] };
    lock(directory, names, File::options().create(true))
}

/// As [`hold`], but writes nothing: a lock that is not there is nobody's.
pub(crate) fn hold_existing(directory: &Path, names: &[&str]) -> anyhow::Result<Held> {
    lock(directory, names, &mut File::options())
}

fn lock(directory: &Path, names: &[&str], how: &mut OpenOptions) -> anyhow::Result<Held> {
    let mut files = Vec::new();
    for name in names {
        let path = directory.join(format!("{name}.lock"));
        let file = match how.write(true).open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            file => file.with_context(|| format!("opening {}", path.display()))?,
        };
        match file.try_lock() {
            Ok(()) => files.push(file),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "the data directory {} is in use by another process; stop that one, or choose another with --data",
                directory.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
    Ok(Held { _files: files })
}
