//! Profiles: those that are built in, and what is said of a wrong one.

#![allow(clippy::unwrap_used)]

use participant_conformance::{Profile, built_in_names};

const GOOD: &str = include_str!("liar/profile.toml");

fn error(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Profile::parse(&GOOD.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn every_built_in_profile_is_one() {
    for name in built_in_names() {
        assert_eq!(Profile::built_in(name).unwrap().participant, name);
    }
    let error = Profile::built_in("warehouse").unwrap_err().to_string();
    assert!(
        error.contains("`warehouse`") && error.contains("inventory") && error.contains("--profile"),
        "{error}"
    );
}

#[test]
fn a_mistake_names_the_key_and_the_way_out() {
    assert!(Profile::parse(GOOD).is_ok());
    let first = GOOD.find("[[setup]]").unwrap();
    let with = |lines: &str| {
        let (head, tail) = GOOD.split_at(first);
        Profile::parse(&format!("{head}{lines}\n{tail}")).unwrap_err().to_string()
    };
    let mistakes = [
        (error("outside = true", "outsied = true"), ["outsied", "outside"]),
        (error("undo = {", "redo = {"), ["redo", "undo"]),
        (
            error("never_pending = \"nobody is asked about stock\"\n", ""),
            ["action `reserve`", "never_pending"],
        ),
        (error("outside = true", "outside = false"), ["action `reserve`", "outside = true"]),
        (error("outside = true", "outside = true\nafter_pivot = true"), ["`refused`", "cannot refuse"]),
        (error("outside = true", "outside = true\nbefore = [\"pay\"]"), ["`before`", "`pay`"]),
        (error("outside = true", "outside = true\nno_undo = \"x\""), ["`no_undo`", "exclude"]),
        (error("expires_after_days = 45", ""), ["expires_after_days", "never_expires"]),
        (
            error("never_pending = \"nobody is asked about stock\"", "never_pending = \" \""),
            ["never_pending", "why not"],
        ),
        (with("[[not_applicable]]\ncase = \"do-afterundo\"\nwhy = \"x\""), ["do-afterundo", "do-after-undo"]),
        (with("[[not_applicable]]\ncase = \"health\"\nwhy = \"\""), ["`health`", "`why`"]),
        (with("[[not_applicable]]\ncase = \"health\"\naction = \"pay\"\nwhy = \"x\""), ["`health`", "`pay`"]),
    ];
    for (error, parts) in mistakes {
        for part in parts {
            assert!(error.contains(part), "{part} in: {error}");
        }
    }
}
