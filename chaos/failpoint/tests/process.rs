//! What failpoints do to a process, and that a build without them does not look at the variable.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The example, built by cargo beside this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/<test>");
    profile.join("examples/three_steps")
}

fn run(program: &PathBuf, points: &str) -> Output {
    Command::new(program).env(backstitch_failpoint::VARIABLE, points).output().expect("the example runs")
}

fn lines(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stdout).lines().count()
}

#[test]
fn it_dies_at_the_place_and_the_time_that_were_named() {
    for (points, steps) in [("step:taken=abort", 0), ("step:taken@3=abort+5", 2), ("step:carried@2=abort", 1)]
    {
        let output = run(&example(), points);
        assert_eq!((output.status.signal(), lines(&output)), (Some(9), steps), "{points}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("failpoint step:"), "{output:?}");
    }
}

#[test]
fn other_names_change_nothing_and_nonsense_ends_it() {
    for points in ["", "step=abort", "step:taken@4=abort"] {
        let output = run(&example(), points);
        assert_eq!((output.status.code(), lines(&output)), (Some(0), 3), "{points}: {output:?}");
    }
    let output = run(&example(), "step:taken");
    assert_eq!((output.status.code(), lines(&output)), (Some(2), 0), "{output:?}");
}

#[test]
fn a_release_build_does_not_look_at_the_variable() {
    let target = tempfile::tempdir().expect("a directory of its own, so that nobody waits for a lock");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--example", "three_steps", "--target-dir"])
        .arg(target.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{built:?}");
    let output = run(&target.path().join("release/examples/three_steps"), "step:taken=abort,nonsense");
    assert_eq!((output.status.code(), lines(&output)), (Some(0), 3), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}
