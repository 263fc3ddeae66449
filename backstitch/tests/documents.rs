//! The documents say nothing of checks that are not there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use backstitch_reconciler::{Kind, Remedy};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The links of a document: text and target.
fn links(text: &str) -> Vec<(&str, &str)> {
    let targets = text.match_indices("](").filter_map(|(at, _)| {
        let from = text[..at].rfind('[')?;
        let to = at + text[at..].find(')')?;
        Some((&text[from + 1..at], &text[at + 2..to]))
    });
    targets.collect()
}

/// What is wrong with a link of a document in `folder`, if anything.
fn wrong(folder: &Path, (text, target): (&str, &str)) -> Option<String> {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || target.contains("://") {
        return None;
    }
    let name = text.trim_matches('`');
    let path = folder.join(file);
    if !path.exists() {
        return Some(format!("`{text}` leads to {file}, which is not there"));
    }
    let is_check = text.starts_with('`') && file.ends_with(".rs") && !name.contains(['/', '.', ' ']);
    if is_check && !fs::read_to_string(&path).unwrap().contains(&format!("fn {name}(")) {
        return Some(format!("{file} has no check called {name}"));
    }
    None
}

#[test]
fn every_check_that_the_documents_name_is_there() {
    let (root, docs) = (root(), root().join("docs"));
    let pages = fs::read_dir(&docs).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.chain(["README.md", "ARCHITECTURE.md"].map(|name| root.join(name)));
    let mut checks = 0;
    for page in pages.filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(&page).unwrap();
        let found = links(&text);
        checks += found.iter().filter(|(text, _)| text.starts_with('`')).count();
        let broken: Vec<_> =
            found.into_iter().filter_map(|link| wrong(page.parent().unwrap(), link)).collect();
        assert!(broken.is_empty(), "{}:\n{}", page.display(), broken.join("\n"));
    }
    assert!(checks > 40, "only {checks} checks are named");
}

/// The rows of the table under this heading, without its head.
fn rows<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let section = text.split(heading).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| ")).skip(1).collect()
}

#[test]
fn every_situation_of_a_payment_names_the_test_that_shows_it() {
    let text = fs::read_to_string(root().join("docs/payments.md")).unwrap();
    let rows = rows(&text, "\n## Situations\n");
    assert!(rows.len() >= 40, "only {} situations are told", rows.len());
    let is_shown = |row: &str| {
        let last = row.trim_end_matches(['|', ' ']).rsplit(" | ").next().unwrap_or_default();
        links(last).iter().any(|(name, file)| name.starts_with('`') && file.ends_with(".rs"))
    };
    let untested: Vec<_> = rows.iter().copied().filter(|row| !is_shown(row)).collect();
    assert!(untested.is_empty(), "no test is named for:\n{}", untested.join("\n"));
    let mut situations: Vec<_> = rows.iter().map(|row| row.split(" | ").next()).collect();
    situations.sort_unstable();
    situations.dedup();
    assert_eq!(situations.len(), rows.len(), "a situation is told twice");
}

/// Its row says what is done about it, and names a test.
#[test]
fn every_kind_of_finding_is_told_with_what_is_done_about_it_and_its_test() {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows: Vec<Vec<&str>> = rows(&text, "\n### Kinds\n")
        .iter()
        .map(|row| row.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    let told: Vec<_> = rows.iter().filter_map(|row| row[0].strip_prefix('`')?.strip_suffix('`')).collect();
    assert_eq!(told, Kind::ALL.map(Kind::as_str));
    for (kind, row) in Kind::ALL.iter().zip(&rows) {
        assert_eq!(row.len(), 5, "{row:?}");
        assert_eq!(row[2].starts_with("repairs: "), kind.remedy() != Remedy::Person, "{row:?}");
        let tests = links(row[4]);
        assert!(tests.iter().any(|(name, file)| name.starts_with('`') && file.ends_with(".rs")), "{row:?}");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let docs = root().join("docs");
    let here = "../backstitch/tests/documents.rs";
    assert_eq!(wrong(&docs, ("`a_link_that_leads_nowhere_is_found`", here)), None);
    assert!(wrong(&docs, ("`no_such_check`", here)).is_some());
    assert!(wrong(&docs, ("anything", "nowhere.md")).is_some());
    assert_eq!(wrong(&docs, ("anything", "https://example.org/nowhere.md")), None);
}
