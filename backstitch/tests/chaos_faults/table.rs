//! The table of `docs/chaos.md` that tells what was injected and what came of it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Where this table begins and ends in the document.
const BEGIN: &str = "<!-- faults: written by BLESS=1 cargo test -p backstitch --test chaos_faults -->\n";
const END: &str = "<!-- /faults -->\n";

/// One test's line.
pub(crate) struct Row<'a> {
    /// What was done to whom.
    pub(crate) what: &'a str,
    /// How much work was done meanwhile.
    pub(crate) work: String,
    /// What was injected, with counts.
    pub(crate) injected: String,
    /// What was found. Not empty is a failure.
    pub(crate) violations: &'a [String],
}

/// Prints a row and insists that it tells of no violation; writes it into the document with `BLESS=1`, or else insists
/// that the document has one for it.
#[track_caller]
pub(crate) fn row(row: &Row<'_>) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Row { what, work, injected, violations } = row;
    eprintln!("{what}: {work}; {injected}; {} violations", violations.len());
    assert!(violations.is_empty(), "{what}:\n{}", violations.join("\n"));
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/chaos.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/chaos.md has the table of faults");
    let (table, after) = rest.split_once(END).expect("the table of faults ends");
    let name = format!("| {what} |");
    if std::env::var_os("BLESS").is_none() {
        assert!(table.contains(&name), "docs/chaos.md has no row for {what:?}; BLESS=1 writes it");
        return;
    }
    let mut lines: Vec<String> =
        table.lines().filter(|line| !line.starts_with(&name)).map(str::to_owned).collect();
    lines.push(format!("{name} {work} | {injected} | {} |", violations.len()));
    // The heading stays on top.
    lines[2..].sort_unstable();
    std::fs::write(&path, format!("{before}{BEGIN}{}\n{END}{after}", lines.join("\n"))).unwrap();
}
