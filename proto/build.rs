//! Compiles every .proto under `backstitch/` without an installed protoc.

use std::path::{Path, PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    collect(Path::new("backstitch"), &mut files)?;
    files.sort();
    println!("cargo::rerun-if-changed=backstitch");

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    tonic_prost_build::configure()
        .bytes(".")
        .btree_map(".")
        // Events and the words in them are published as JSON under the field names of the .proto files.
        .type_attribute(".backstitch.events.v1", "#[derive(serde::Serialize, serde::Deserialize)]")
        .type_attribute(".backstitch.common.v1", "#[derive(serde::Serialize, serde::Deserialize)]")
        // What carries a payment token, or lets somebody act as the customer, does not print it: src/secrets.rs.
        .skip_debug([
            ".backstitch.checkout.v1.CheckoutInput",
            ".backstitch.checkout.v1.NextAction",
            ".backstitch.checkout.v1.StartCheckoutRequest",
            ".backstitch.journal.v1.Started",
            ".backstitch.journal.v1.StepWaiting",
            ".backstitch.payment.v1.AuthorizeRequest",
            ".backstitch.payment.v1.CustomerAction",
        ])
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect(directory: &Path, into: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            into.push(path);
        }
    }
    Ok(())
}
