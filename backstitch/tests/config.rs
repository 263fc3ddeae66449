//! A mistake in how it is started is told by the name of the thing, before anything is written.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use common::{Process, Said, Shop, order_of, program, run};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

/// An address for everybody, where nobody is.
const NOBODY: &str = "inventory=http://127.0.0.1:9,shipping=http://127.0.0.1:9,payment=http://127.0.0.1:9,\
                      order=http://127.0.0.1:9,cart=http://127.0.0.1:9,notification=http://127.0.0.1:9";

/// Everything under a directory, with lengths and times of change.
fn everything(directory: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            found.extend(everything(&entry.path()));
        }
        let told = entry.metadata().unwrap();
        let changed = if told.is_dir() { SystemTime::UNIX_EPOCH } else { told.modified().unwrap() };
        found.insert(entry.path().display().to_string(), (told.len(), changed));
    }
    found
}

/// Runs it with these arguments and environment in a fresh directory that holds `shop.toml` with this text. It must
/// fail, say all of `named` in one short message, and write nothing.
#[track_caller]
fn is_refused(args: &[&str], env: &[(&str, &str)], file: &str, named: &[&str]) -> Said {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("shop.toml"), file).unwrap();
    let before = everything(directory.path());
    let said = run(program(directory.path()).args(args).envs(env.iter().copied()));
    assert!(said.code.is_some_and(|code| code != 0), "{said:?}");
    for name in named {
        assert!(said.err.contains(name), "{name:?} in {}", said.err);
    }
    assert!(said.err.lines().count() <= 12 && !said.err.contains("panicked"), "{}", said.err);
    assert_eq!(said.out, "");
    assert_eq!(everything(directory.path()), before, "{said:?}");
    said
}

#[test]
fn a_flag_that_is_not_there() {
    is_refused(&["up", "--prot", "1"], &[], "", &["--prot"]);
    is_refused(&["upp"], &[], "", &["upp", "similar", "up"]);
    is_refused(&["orchestrator", "--listen", "127.0.0.1:0"], &[], "", &["--listen"]);
    is_refused(&["payment", "--max-live", "7"], &[], "", &["--max-live"]);
}

#[test]
fn a_value_that_cannot_be() {
    is_refused(&["up", "--http", "nonsense"], &[], "", &["nonsense", "--http"]);
    is_refused(&["up", "--http", "127.0.0.1:70000"], &[], "", &["70000", "--http"]);
    is_refused(&["up"], &[("BACKSTITCH_HTTP", "nonsense")], "", &["nonsense", "--http"]);
    is_refused(&["up", "--log", "x=y=z"], &[], "", &["--log", "x=y=z"]);
    is_refused(&["up", "--log-format", "xml"], &[], "", &["--log-format", "xml", "json"]);
    is_refused(&["up", "--kafka", "broker"], &[], "", &["--kafka", "HOST:PORT"]);
    is_refused(&["up", "--mail-from", "nobody"], &[], "", &["--mail-from", "shop@example.com"]);
    is_refused(&["payment", "--listen", "nonsense"], &[], "", &["nonsense", "--listen"]);
    is_refused(&["orchestrator", "--max-live", "0"], &[], "", &["--max-live", "0"]);
    is_refused(&["bench", "--in-flight", "0"], &[], "", &["--in-flight", "0"]);
    is_refused(&["up", "--ready-file", "nowhere/ready"], &[], "", &["--ready-file", "directory"]);
    is_refused(&["demo", "--invoices", "nowhere.csv"], &[], "", &["--invoices", "nowhere.csv"]);
    is_refused(&["audit", "--data", "nowhere"], &[], "", &["nowhere", "--data"]);
    // What is under a file is no directory.
    is_refused(&["up", "--data", "shop.toml/data", "--http", "127.0.0.1:0"], &[], "", &["shop.toml/data"]);
}

#[test]
fn a_password_is_not_repeated() {
    let said = is_refused(&["up", "--smtp", "ftp://shop:secret@host"], &[], "", &["--smtp", "smtp://"]);
    assert!(!said.err.contains("secret"), "{}", said.err);
    let said = is_refused(&["up"], &[("BACKSTITCH_SMTP", "ftp://shop:secret@host")], "", &["--smtp"]);
    assert!(!said.err.contains("secret"), "{}", said.err);
}

#[test]
fn a_participant_that_cannot_be() {
    let refused = |at: &str, named: &[&str]| {
        is_refused(&["orchestrator", "--participant", at], &[], "", &[&["--participant"], named].concat())
    };
    refused("crat=http://127.0.0.1:1", &["cart, notification"]);
    refused("cart", &["NAME=URI"]);
    refused("cart=127.0.0.1:1", &["http://"]);
    refused("cart=http://", &["http://"]);
    refused("cart=http://a:1,cart=http://b:1", &["cart", "twice"]);
    is_refused(&["orchestrator"], &[("BACKSTITCH_PARTICIPANTS", "cart")], "", &["--participant", "NAME=URI"]);
}

#[test]
fn a_participant_that_is_called_and_not_named() {
    let named = ["--participant", "cart, inventory, notification, order, payment, shipping"];
    is_refused(&["orchestrator"], &[], "", &named);
    let one = ["orchestrator", "--participant", "cart=http://127.0.0.1:1", "--synthetic-steps", "7"];
    is_refused(&one, &[], "", &["--participant", "inventory, noop, notification"]);
    // The synthetic saga needs nobody else, but its own participant.
    let none = ["orchestrator", "--synthetic-steps", "7"];
    assert!(is_refused(&none, &[], "", &["missing for noop:"]).err.contains("--participant"));
}

#[test]
fn ports_that_there_are_not_enough_of() {
    is_refused(&["participants", "--listen", "127.0.0.1:65531"], &[], "", &["--listen", "65531", "6 part"]);
}

#[test]
fn mail_is_the_notifications_business() {
    is_refused(&["payment", "--smtp", "smtp://host"], &[], "", &["--smtp"]);
    is_refused(&["notification", "--mail-from", "nobody"], &[], "", &["--mail-from", "shop@example.com"]);
    is_refused(&["participants", "--mail-from", "nobody"], &[], "", &["--mail-from", "shop@example.com"]);
}

#[test]
fn a_configuration_file_that_cannot_be() {
    let refused = |file: &str, named: &[&str]| {
        is_refused(&["up", "--config", "shop.toml"], &[], file, &[&["shop.toml"], named].concat())
    };
    refused("[up]\nhtpp = \"127.0.0.1:0\"\n", &["`htpp`", "`up`", "http, grpc"]);
    refused("[upp]\nhttp = \"127.0.0.1:0\"\n", &["`upp`"]);
    refused("http = \"127.0.0.1:0\"\n", &["`http`"]);
    refused("[up]\nhttp = [1]\n", &["`http`"]);
    refused("[up\n", &["TOML", "line 1"]);
    // A section of another command is checked too: it would be wrong the next time.
    refused("[payment]\nlisen = \"127.0.0.1:0\"\n", &["`lisen`", "`payment`", "listen"]);
    // Values have the same parser as flags.
    is_refused(&["up", "--config", "shop.toml"], &[], "[up]\nhttp = 7\n", &["7", "--http"]);
    let from_environment = [("BACKSTITCH_CONFIG", "shop.toml")];
    is_refused(&["up"], &from_environment, "[up]\nhtpp = 1\n", &["`htpp`", "shop.toml"]);
    is_refused(&["up", "--config", "nowhere.toml"], &[], "", &["nowhere.toml"]);
}

#[tokio::test]
async fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("shop.toml");
    std::fs::write(&file, "[payment]\ndata = \"of-the-file\"\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let config = file.display().to_string();
    for (args, env, data) in [
        (vec!["--listen", "127.0.0.1:0"], vec![], "backstitch-data"),
        (vec!["--config", &config], vec![], "of-the-file"),
        (vec!["--config", &config], vec![("BACKSTITCH_DATA", "of-the-environment")], "of-the-environment"),
        (
            vec!["--config", &config, "--data", "of-the-flag"],
            vec![("BACKSTITCH_DATA", "of-the-environment")],
            "of-the-flag",
        ),
    ] {
        let args = [&["payment"], args.as_slice()].concat();
        let process = Process::start_with("payment", &args, &env, directory.path()).await;
        assert!(directory.path().join(data).join("payment.db").exists(), "{data}");
        process.stop().await;
        std::fs::remove_dir_all(directory.path().join(data)).unwrap();
        let left: Vec<_> = everything(directory.path()).into_keys().filter(|k| k.contains(".db")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_port_that_somebody_has() {
    let somebody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap().to_string();
    let free = "127.0.0.1:0";
    is_refused(
        &["up", "--http", &taken, "--grpc", free],
        &[],
        "",
        &["--http", &taken, "in use", "--http 127.0.0.1:0"],
    );
    is_refused(
        &["up", "--http", free, "--grpc", &taken],
        &[],
        "",
        &["--grpc", &taken, "in use", "--grpc 127.0.0.1:0"],
    );
    let orchestrator = ["orchestrator", "--participant", NOBODY, "--http", &taken, "--grpc", free];
    is_refused(&orchestrator, &[], "", &["--http", &taken]);
    is_refused(&["participants", "--listen", &taken], &[], "", &["--listen", &taken, "inventory"]);
    is_refused(&["payment", "--listen", &taken], &[], "", &["--listen", &taken]);
}

#[tokio::test]
async fn a_data_directory_that_somebody_uses() {
    let shop = Shop::stocked().await;
    let data = shop.data().display().to_string();
    let (http, grpc) = (shop.up().address("http").to_owned(), shop.up().address("grpc").to_owned());
    let ports = ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
    let taken = ["--http", &http, "--grpc", &grpc];
    let listen = ["--listen", "127.0.0.1:0"];
    for args in [
        [&["up"], &ports[..]].concat(),
        // Even where the ports are taken as well: that is only what follows from it.
        [&["up"], &taken[..]].concat(),
        [&["orchestrator", "--participant", NOBODY], &ports[..]].concat(),
        [&["participants"], &listen[..]].concat(),
        [&["payment"], &listen[..]].concat(),
        [&["cart"], &listen[..]].concat(),
        vec!["audit"],
    ] {
        is_refused(&[&args[..], &["--data", &data]].concat(), &[], "", &[&data, "in use by another process"]);
    }
    // It did not notice.
    shop.fill("cart", &[("A", 1)]).await;
    let done = shop.check_out("k", &order_of("cart", "tok_ok")).await;
    assert_eq!(done.text("/status"), "completed");
    shop.close().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    for name in ["orchestrator", "payment", "cart", "sandbox"] {
        let mut shop = Shop::open().await;
        shop.stop().await;
        let file = shop.data().join(format!("{name}.db"));
        let mut database = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'from the future', TRUE, x'00', 0)";
        sqlx::query(newer).execute(&mut database).await.unwrap();
        database.close().await.unwrap();

        let data = shop.data().display().to_string();
        let args = ["up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--data", &data];
        is_refused(&args, &[], "", &[name, "newer", "9999"]);
        is_refused(&["audit", "--data", &data], &[], "", &[name, "newer", "9999", "known"]);
        // It can be used again as soon as the version that knows it is back.
        let mut database = SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        sqlx::query("DELETE FROM _sqlx_migrations WHERE version = 9999")
            .execute(&mut database)
            .await
            .unwrap();
        database.close().await.unwrap();
        shop.start().await;
        assert_eq!(shop.get("/readyz").await.body, json!({"status": "ready"}));
        shop.close().await;
    }
}

#[test]
fn a_directory_without_databases_is_not_audited() {
    let said = is_refused(&["audit", "--data", "."], &[], "", &["orchestrator.db"]);
    assert_eq!(said.code, Some(1));
}
