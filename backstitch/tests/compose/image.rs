//! The Dockerfile: what it copies is there, what it builds is the program, and nobody is root.

use crate::file::Compose;
use crate::stock::between;
use crate::{Texts, root};

pub(crate) fn faults(texts: &Texts) -> Vec<String> {
    let mut faults = Vec::new();
    // One instruction a line.
    let whole = texts.dockerfile.replace("\\\n", " ");
    let lines: Vec<&str> =
        whole.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let stages: Vec<usize> = (0..lines.len()).filter(|n| lines[*n].starts_with("FROM ")).collect();
    let [build, last] = stages.as_slice() else {
        return vec!["Dockerfile: there must be a stage that builds and one that runs".to_owned()];
    };
    let (build, last) = (&lines[*build..*last], &lines[*last..]);

    let rust = between(&texts.cargo, "rust-version = \"", "\"");
    if !build[0].starts_with(&format!("FROM rust:{rust}-bookworm ")) {
        faults.push(format!("Dockerfile: it builds with another Rust than {rust}, or on another Debian"));
    }
    // README's command builds and runs the same program.
    let command = "cargo build --release";
    if !texts.readme.contains("cargo run --release -- up") || !build.iter().any(|line| line.contains(command))
    {
        faults.push(format!("Dockerfile: `{command}` is what README's `cargo run --release` builds"));
    }
    if !last[0].starts_with("FROM debian:bookworm-slim") {
        faults.push("Dockerfile: it runs on another Debian than it is built on".to_owned());
    }
    for line in build.iter().filter_map(|line| line.strip_prefix("COPY ")) {
        let from = line.split_whitespace().next().unwrap_or_default();
        if !root().join(from).exists() {
            faults.push(format!("Dockerfile: there is no {from} to copy"));
        }
    }
    let built =
        build.iter().find_map(|line| line.split("cp target/release/backstitch ").nth(1)).unwrap_or_default();
    let copied = last.iter().find_map(|line| line.strip_prefix("COPY --from=build ")).unwrap_or_default();
    // A name without a directory is looked for on the PATH.
    if copied.split_whitespace().next() != Some(built.trim())
        || !copied.ends_with("/usr/local/bin/backstitch")
    {
        faults.push(
            "Dockerfile: what is copied from the build is not what is built, or not on the PATH".to_owned(),
        );
    }
    let user = last.iter().find_map(|line| line.strip_prefix("USER ")).unwrap_or("root");
    if user.starts_with("root") || user.starts_with('0') {
        faults.push("Dockerfile: it runs as root".to_owned());
    }
    if !last.contains(&"ENTRYPOINT [\"backstitch\"]") {
        faults.push(
            "Dockerfile: compose's commands begin after `backstitch`, so that has to be its ENTRYPOINT"
                .to_owned(),
        );
    }
    if let Ok(compose) = Compose::parse(&texts.compose, &texts.passwords) {
        for (name, service) in &compose.services {
            let Some(build) = &service.build else { continue };
            let context = root().join("compose").join(&build.context);
            if context.canonicalize().ok() != root().canonicalize().ok()
                || !context.join(&build.dockerfile).is_file()
            {
                faults.push(format!("{name}: there is no {} in {}", build.dockerfile, build.context));
            }
            let writes: Vec<&str> =
                service.volumes.iter().filter_map(|volume| volume.split(':').nth(1)).collect();
            let made = |path: &str| {
                last.iter().any(|line| line.contains("install --directory") && line.ends_with(path))
            };
            if service.read_only && !writes.iter().all(|path| made(path)) {
                faults
                    .push(format!("{name}: the image has no directory of its user at {}", writes.join(", ")));
            }
        }
    }
    faults
}
