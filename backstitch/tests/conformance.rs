//! Every participant keeps the contract, through crashes too; and what the command says when it cannot ask.

#![allow(clippy::unwrap_used)]

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use common::{Said, program, run, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A participant in a process of its own, which a shell script kills and starts again. Killed when dropped.
struct Subject {
    directory: tempfile::TempDir,
    address: String,
}

impl Subject {
    async fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let backstitch = env!("CARGO_BIN_EXE_backstitch");
        // A process that nobody waits for stays a zombie; it has let go of everything when its last thread has ended.
        let script = format!(
            r#"if [ -f pid ]; then
  old=$(cat pid)
  kill -9 "$old"
  while kill -0 "$old" 2>/dev/null; do
    if grep -q zombie "/proc/$old/status" 2>/dev/null && [ "$(ls "/proc/$old/task" | wc -l)" -le 1 ]; then break; fi
    sleep 0.01
  done
fi
'{backstitch}' {name} --data data --listen {listen} >>log 2>&1 &
echo $! >pid
"#
        );
        std::fs::write(directory.path().join("restart.sh"), script).unwrap();
        let subject = Self { directory, address: format!("http://{listen}") };
        let started = subject.shell().status().unwrap();
        assert!(started.success());
        until(&format!("{name} listens"), async || tokio::net::TcpStream::connect(listen).await.ok()).await;
        subject
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The restart script, run with nothing of the environment that could configure the program.
    fn shell(&self) -> std::process::Command {
        let mut shell = std::process::Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BACKSTITCH_") {
                shell.env_remove(name);
            }
        }
        shell.arg("restart.sh").current_dir(self.path());
        shell
    }

    async fn conformance(&self, args: &[&str]) -> Said {
        let mut command = program(self.path());
        command.arg("conformance").args(args).args(["--address", &self.address]);
        tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let pid =
            std::fs::read_to_string(self.path().join("pid")).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// Runs every case, crashes included.
async fn keeps_the_contract(name: &str) {
    let subject = Subject::start(name).await;
    let said = subject.conformance(&[name, "--json", "--restart-command", "sh restart.sh"]).await;
    let log = subject.log();
    assert_eq!(said.code, Some(0), "{}\n{}\n{log}", said.out, said.err);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let count = |word: &str| report["counts"][word].as_u64().unwrap();
    assert_eq!((count("failed"), count("not_run")), (0, 0), "{}", said.out);
    assert!(count("passed") >= 30, "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cart_keeps_the_contract() {
    keeps_the_contract("cart").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inventory_keeps_the_contract() {
    keeps_the_contract("inventory").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_notification_keeps_the_contract() {
    keeps_the_contract("notification").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_keeps_the_contract() {
    keeps_the_contract("order").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_payment_keeps_the_contract() {
    keeps_the_contract("payment").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipping_keeps_the_contract() {
    keeps_the_contract("shipping").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_that_was_not_run_is_never_passed() {
    let subject = Subject::start("shipping").await;
    let crash =
        subject.conformance(&["shipping", "--only", "duplicate-do", "--only", "crash-during-do"]).await;
    assert_eq!(crash.code, Some(0), "{crash:?}");
    for part in [
        "pass     duplicate-do",
        "not run  crash-during-do",
        "the effect of quote is not looked at",
        "1 passed, 0 failed, 0 not applicable, 1 not run: needs --restart-command",
    ] {
        assert!(crash.out.contains(part), "{part} in {}", crash.out);
    }
    // Nothing failed, but nothing was shown either.
    for only in ["crash-during-do", "pending-again"] {
        let nothing = subject.conformance(&["shipping", "--only", only]).await;
        assert_eq!(nothing.code, Some(1), "{nothing:?}");
    }
    let failing = subject
        .conformance(&["shipping", "--only", "restart-keeps-done", "--restart-command", "exit 3"])
        .await;
    assert_eq!(failing.code, Some(1), "{failing:?}");
    assert!(failing.out.contains("--restart-command ended with exit status: 3"), "{failing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said_with_its_name_and_the_way_out() {
    let subject = Subject::start("notification").await;
    let file = |name: &str, text: &str| -> PathBuf {
        let path = subject.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let profile = include_str!("../../participants/conformance/profiles/notification.toml");
    let field = file("field.toml", &profile.replace("template =", "tempalte ="));
    let method = file("method.toml", &profile.replace("read = \"List\"", "read = \"Lists\""));
    let placeholder = file("placeholder.toml", &profile.replace("{unique}@", "{uniq}@"));
    let syntax = file("syntax.toml", "participant = ");
    let with = |path: &Path| vec!["--profile".to_owned(), path.to_str().unwrap().to_owned()];
    let plain = |args: &[&str]| args.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mistakes = [
        (plain(&["warehouse"]), ["`warehouse`", "--profile FILE"]),
        (plain(&["notification", "--only", "do-twice"]), ["`do-twice`", "duplicate-do"]),
        (
            plain(&["inventory"]),
            ["does not serve `backstitch.inventory.v1.Inventory`", "it serves backstitch.notification"],
        ),
        (with(Path::new("nowhere.toml")), ["--profile nowhere.toml", "No such file"]),
        (with(&field), ["action `notify`, `request`", "tempalte"]),
        (with(&method), ["action `notify`, `effect`", "it has Notify, List"]),
        (with(&placeholder), ["{uniq}", "{unique}"]),
        (with(&syntax), ["syntax.toml", "cannot be read"]),
    ];
    for (args, parts) in mistakes {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = subject.conformance(&args).await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part} in {}", said.err);
        }
    }
}

#[test]
fn an_address_where_nobody_is_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://{nobody}");
    let mistakes = [
        (vec!["cart", "--address", &address], [address.as_str(), "another --address"]),
        (vec!["cart", "--address", "127.0.0.1:1"], ["`127.0.0.1:1`", "http://"]),
        (vec!["cart"], ["--address", "conformance"]),
        (vec!["--address", &address], ["<PARTICIPANT>", "required"]),
    ];
    for (args, parts) in mistakes {
        let said = run(program(directory.path()).arg("conformance").args(&args));
        assert_ne!(said.code, Some(0), "{said:?}");
        for part in parts {
            assert!(said.err.contains(part), "{part} in {}", said.err);
        }
    }
}
