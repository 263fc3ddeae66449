//! A mail server.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Mail, NotSent, Post};

/// For each answer of the server, not for the whole mail.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// Connects to nothing yet. The error does not repeat the URL, which may hold a password.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|e| explain(&e))?;
        Ok(Self(builder.timeout(Some(TIMEOUT)).build()))
    }
}

#[async_trait]
impl Post for Smtp {
    async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        let sent = self.0.send_raw(mail.message.envelope(), &mail.message.formatted()).await;
        sent.map(drop).map_err(|e| match e.status().map(|code| code.to_string()).as_deref() {
            // No such mailbox. Everything else, a wrong password included, is something that a person may put right.
            Some("550" | "551" | "553") => NotSent::ForGood(explain(&e)),
            _ => NotSent::ForNow(explain(&e)),
        })
    }
}

/// The error with its causes: lettre's own text leaves them out.
fn explain(error: &smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
