//! The auditor shares no code with those it audits, though it shares a crate with the laws that do.

#![allow(clippy::unwrap_used)]

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Every source file below `directory` except the laws of definitions.
fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.file_name().unwrap().to_str().unwrap() {
            "definitions" => {}
            _ if path.is_dir() => sources(&path, into),
            _ => into.push(path),
        }
    }
}

#[test]
fn the_auditor_uses_no_code_of_those_it_audits() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = read_to_string(&file).unwrap();
        for audited in
            ["backstitch_core", "participant_kit", "outbox_relay", "crate::definitions", "super::definitions"]
        {
            assert!(!text.contains(audited), "{} uses {audited}", file.display());
        }
    }
}
