//! The notification participant: messages to customers.
//!
//! A saga is done with a notification when its row is committed; sending it is this participant's own business, at least
//! once and always under the same Message-ID. What is no step of a saga (an order has been sent) it reads from events. Knows the kit and the wire; no other participant and no orchestrator.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod mailer;
mod notify;
mod post;
mod service;
mod shipped;
mod store;
mod template;

use std::path::PathBuf;
use std::sync::Arc;

use backstitch_proto::notification::notifications_server::NotificationsServer;
use lettre::message::Mailbox;
use participant_kit::{Clock, Kit, MAX_MESSAGE_BYTES, OpenError, Participant, Schema};
use sqlx::migrate::Migrator;
use tonic::service::Routes;

use crate::mailer::Mailer;
use crate::post::{Directory, Post, Smtp};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/notification/any");

/// What is in the database.
pub static SCHEMA: Schema = Schema::new("notification", &[&MIGRATIONS]);

/// What the notification participant needs.
#[derive(Clone)]
pub struct Options {
    /// `sqlite:/path/file.db` or `postgres://…`.
    pub database_url: String,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Who the mails are from: `shop@example.com` or `The shop <shop@example.com>`.
    pub mail_from: String,
    /// Where the mails go.
    pub mail_to: Transport,
}

/// Where mails are handed over. Does not print: an SMTP URL may hold a password.
#[derive(Clone)]
pub enum Transport {
    /// Into a directory of .eml files, created if it is not there.
    Directory(PathBuf),
    /// To a mail server: `smtp://host:25`, `smtps://user:password@host`, `smtp://…?tls=required`.
    Smtp(String),
}

/// Checks the mail options, which [`open`] checks too, without opening or writing anything.
///
/// # Errors
/// [`OpenError::Config`], which names the option.
pub fn check(mail_from: &str, smtp: Option<&str>) -> Result<(), OpenError> {
    sender(mail_from)?;
    smtp.map_or(Ok(()), |url| server(url).map(drop))
}

fn sender(mail_from: &str) -> Result<Mailbox, OpenError> {
    mail_from.parse().map_err(|_| OpenError::Config {
        option: "mail_from",
        why: "it must be an address such as shop@example.com or The shop <shop@example.com>".to_owned(),
    })
}

fn server(url: &str) -> Result<Smtp, OpenError> {
    Smtp::new(url).map_err(|why| OpenError::Config {
        option: "smtp",
        why: format!("it must be such as smtp://host:25 or smtps://user:password@host: {why}"),
    })
}

/// Opens the database (a file is migrated, one on a server has to be); the participant is then ready to be served. Connects to no mail server yet: one that
/// is away delays mail and nothing else.
///
/// # Errors
/// That the database does not open or belongs to a newer version, or that a mail option is wrong.
pub async fn open(options: Options) -> Result<Participant, OpenError> {
    let from = sender(&options.mail_from)?;
    let post: Arc<dyn Post> = match &options.mail_to {
        Transport::Directory(path) => Arc::new(Directory::open(path).map_err(|e| OpenError::Other {
            what: format!("the mail directory {}", path.display()),
            why: e.to_string(),
        })?),
        Transport::Smtp(url) => Arc::new(server(url)?),
    };
    let kit = Kit::open(&SCHEMA, &options.database_url, options.clock).await?;
    let service = NotificationsServer::new(service::Service { kit: kit.clone() })
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let participant =
        Participant::new(&kit, Routes::new(service)).consuming(&kit, shipped::subscription(&kit));
    Ok(participant.beside(Mailer { kit, from, post }))
}
