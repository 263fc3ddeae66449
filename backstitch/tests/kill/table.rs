//! The summary in docs/chaos.md.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

pub(crate) struct Row {
    pub(crate) who: String,
    pub(crate) engines: &'static str,
    pub(crate) places: usize,
    pub(crate) rounds: u64,
    pub(crate) kills: usize,
    pub(crate) sagas: usize,
    pub(crate) asked_again: usize,
    pub(crate) violations: usize,
}

impl Row {
    /// What it begins with, whatever was counted.
    fn head(&self) -> String {
        format!("| {} | {} | {} |", self.who, self.engines, self.places)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, kills, sagas, asked_again, violations, .. } = self;
        write!(f, "{} {rounds} | {kills} | {sagas} | {asked_again} | {violations} |", self.head())
    }
}

/// With `BLESS=1` writes the row in place of the one that begins alike, or below the table's head. Otherwise insists that
/// the document tells of this many places.
pub(crate) fn keep(row: &Row) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/chaos.md");
    let text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("BLESS").is_none() {
        assert!(
            text.contains(&row.head()),
            "docs/chaos.md does not tell of `{}`; BLESS=1 writes it",
            row.head()
        );
        return;
    }
    let begins = format!("| {} | {} |", row.who, row.engines);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match lines.iter().position(|line| line.starts_with(&begins)) {
        Some(at) => lines[at] = row.to_string(),
        None => {
            let head =
                lines.iter().position(|line| line.starts_with("| killed |")).expect("the table has a head");
            let end =
                lines[head..].iter().position(|line| !line.starts_with('|')).unwrap_or(lines.len() - head);
            lines.insert(head + end, row.to_string());
        }
    }
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}
