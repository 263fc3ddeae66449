//! A Stripe for tests, as a process: says its URL in one line, and serves until it is ended or its standard input closes.

use std::io::Write as _;

use backstitch_stripe_double::Stripe;
use clap::Parser;
use tokio::io::AsyncReadExt as _;

/// A Stripe for tests.
#[derive(Debug, Parser)]
struct Cli {
    /// The port of 127.0.0.1 to listen on; any, if 0.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let stripe = Stripe::start_apart(Cli::parse().port).await;
    let mut out = std::io::stdout();
    writeln!(out, "{}", stripe.url())?;
    out.flush()?;
    // Whoever started it holds the other end, however it ends.
    let mut input = tokio::io::stdin();
    let mut rest = [0; 64];
    while input.read(&mut rest).await? > 0 {}
    Ok(())
}
