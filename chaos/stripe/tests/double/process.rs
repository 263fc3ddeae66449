//! The double as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use backstitch_stripe_double::Control;

#[tokio::test]
async fn it_says_where_it_is_and_ends_with_whoever_started_it() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stripe-double"));
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let control = Control::at(url.trim());
    assert_eq!(control.statement().await.accounts, []);
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
}
