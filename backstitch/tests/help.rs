//! The manual, word by word: a change of the command line is a change of these files, which a person reads.
//!
//! `BLESS=1` writes them anew.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use common::{program, run};

/// Each manual and the arguments that print it.
const MANUALS: [(&str, &[&str]); 17] = [
    ("backstitch", &["--help"]),
    ("up", &["up", "--help"]),
    ("demo", &["demo", "--help"]),
    ("bench", &["bench", "--help"]),
    ("audit", &["audit", "--help"]),
    ("reconcile", &["reconcile", "--help"]),
    ("conformance", &["conformance", "--help"]),
    ("definitions", &["definitions", "--help"]),
    ("definitions-switch-on", &["definitions", "switch-on", "--help"]),
    ("migrate", &["migrate", "--help"]),
    ("ping", &["ping", "--help"]),
    ("orchestrator", &["orchestrator", "--help"]),
    ("relay", &["relay", "--help"]),
    ("participants", &["participants", "--help"]),
    ("payment", &["payment", "--help"]),
    ("cart", &["cart", "--help"]),
    ("notification", &["notification", "--help"]),
];

/// What is printed, without the blanks at the ends of lines that no editor keeps.
fn printed(args: &[&str]) -> String {
    let said = run(program(Path::new(env!("CARGO_MANIFEST_DIR"))).args(args));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    said.out.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_manuals_are_what_they_were() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    for (name, args) in MANUALS {
        let (file, help) = (directory.join(format!("{name}.txt")), printed(args));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &help).unwrap();
        }
        let told = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(told == help, "{} is not what is printed; BLESS=1 writes it anew:\n{help}", file.display());
    }
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for (name, args) in MANUALS {
        for (n, line) in printed(args).lines().enumerate() {
            assert!(line.chars().count() <= 100, "{name}.txt:{}", n + 1);
        }
    }
}

#[test]
fn no_command_at_all_prints_the_manual_too() {
    let said = run(&mut program(Path::new(env!("CARGO_MANIFEST_DIR"))));
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    for command in ["up", "demo", "bench", "audit", "orchestrator", "payment"] {
        assert!(said.err.contains(&format!("\n  {command} ")), "{command} in {}", said.err);
    }
}
