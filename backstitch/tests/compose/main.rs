//! The compose file and the image, held against the program and against each other, so that they stay true where no
//! Docker engine runs.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod file;
mod image;
mod ping;
mod planted;
mod roles;
mod stock;
mod wiring;

use std::path::{Path, PathBuf};

use file::Compose;
use roles::Asked;

/// The texts that are checked; a planted error is in a copy of them.
#[derive(Clone)]
struct Texts {
    compose: String,
    passwords: String,
    dockerfile: String,
    cargo: String,
    kafka: String,
    readme: String,
}

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

impl Texts {
    fn read() -> Self {
        let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
        Self {
            compose: read("compose/compose.yaml"),
            passwords: read("compose/.env"),
            dockerfile: read("compose/Dockerfile"),
            cargo: read("Cargo.toml"),
            kafka: read("chaos/services/kafka/pom.xml"),
            readme: read("README.md"),
        }
    }

    /// Everything that is wrong with them.
    fn faults(&self, asked: &Asked) -> Vec<String> {
        let mut faults = image::faults(self);
        match Compose::parse(&self.compose, &self.passwords) {
            Ok(compose) => {
                let roles = roles::of(&compose, asked, &mut faults);
                wiring::check(&compose, &roles, &mut faults);
                stock::check(&compose, &roles, self, &mut faults);
            }
            Err(why) => faults.push(why),
        }
        faults
    }
}

#[test]
fn the_compose_file_and_the_image_are_true() {
    let faults = Texts::read().faults(&Asked::default());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_planted_error_is_found() {
    let (whole, asked) = (Texts::read(), Asked::default());
    for planted in planted::ALL {
        let faults = planted.plant(&whole).faults(&asked);
        assert!(
            faults.iter().any(|fault| planted.told.iter().all(|word| fault.contains(word))),
            "`{}` for `{}` is not told with {:?}, but:\n{}",
            planted.new,
            planted.old,
            planted.told,
            faults.join("\n")
        );
    }
}

/// What the image needs of the machine is in its last stage.
#[test]
fn the_program_needs_no_library_that_the_image_lacks() {
    let asked = std::process::Command::new("ldd").arg(env!("CARGO_BIN_EXE_backstitch")).output().unwrap();
    let listed = String::from_utf8(asked.stdout).unwrap();
    let needed: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(needed.len() > 1, "{listed}");
    // What Debian calls "required", and therefore has in its slimmest image, and what the kernel brings.
    let there = [
        "linux-vdso",
        "linux-gate",
        "ld-linux",
        "/lib",
        "libc.",
        "libm.",
        "libgcc_s.",
        "libz.",
        "libdl.",
        "libpthread.",
    ];
    for library in needed {
        assert!(
            there.iter().any(|start| library.starts_with(start)),
            "{library} is not in debian:bookworm-slim"
        );
    }
}
