//! How mail leaves the house. Knows letters, not the log that they wait in.

mod directory;
mod smtp;

use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{Address, Message};
use uuid::Uuid;

use crate::template::Letter;

pub(crate) use directory::Directory;
pub(crate) use smtp::Smtp;

/// Takes mail to where it goes.
#[async_trait]
pub(crate) trait Post: Send + Sync {
    /// Hands one mail over. When this returns `Ok` it is somebody else's to deliver.
    async fn send(&self, mail: &Mail) -> Result<(), NotSent>;
}

/// Why a mail was not sent, as far as is known: it may have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSent {
    /// It may work later.
    #[error("{0}")]
    ForNow(String),
    /// It will never work: the address does not exist.
    #[error("{0}")]
    ForGood(String),
}

/// One mail, the same bytes at every attempt.
pub(crate) struct Mail {
    pub(crate) id: Uuid,
    pub(crate) message: Message,
}

impl Mail {
    /// Writes a mail. Its Message-ID and its date come from the notification, so that whoever receives it twice can see
    /// that it is one.
    pub(crate) fn write(
        id: Uuid,
        from: &Mailbox,
        to: &str,
        letter: &Letter,
        created_at_ms: i64,
    ) -> Result<Self, NotSent> {
        let never = |e: &dyn std::fmt::Display| NotSent::ForGood(format!("no mail to {to:?}: {e}"));
        let to: Address = to.parse().map_err(|e| never(&e))?;
        let age = Duration::from_millis(u64::try_from(created_at_ms).unwrap_or(0));
        let message = Message::builder()
            .message_id(Some(message_id(id)))
            .date(UNIX_EPOCH + age)
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(&letter.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.clone())
            .map_err(|e| never(&e))?;
        Ok(Self { id, message })
    }
}

/// The Message-ID of a notification's mail. Its right half is no host: it must not change when the sender's does.
pub(crate) fn message_id(notification: Uuid) -> String {
    format!("<{notification}@notification.backstitch>")
}

#[cfg(test)]
mod tests {
    use backstitch_proto::address::EmailAddress;
    use proptest::prelude::*;

    use super::*;

    fn mail(letter: &Letter) -> String {
        let from: Mailbox = "Backstitch <shop@example.com>".parse().unwrap();
        let mail = Mail::write(Uuid::from_u128(7), &from, "ada@example.com", letter, 1_700_000_000_000);
        String::from_utf8(mail.unwrap().message.formatted()).unwrap()
    }

    #[test]
    fn a_mail_is_the_same_bytes_every_time() {
        let letter = Letter { subject: "Grüße".into(), body: "Dear Ada,\n\nyes.\n".into() };
        assert_eq!(mail(&letter), mail(&letter));
        let (head, body) =
            mail(&letter).split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
        let id = "Message-ID: <00000000-0000-0000-0000-000000000007@notification.backstitch>";
        for line in [
            id,
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "To: ada@example.com",
            "Subject: =?utf-8?b?R3LDvMOfZQ==?=",
        ] {
            assert!(head.lines().any(|l| l == line), "{line:?} is not in\n{head}");
        }
        assert_eq!(body, "Dear Ada,\r\n\r\nyes.\r\n");
    }

    /// The template lets no line break through; this is the second lock on the same door.
    #[test]
    fn a_line_break_in_a_subject_makes_no_header() {
        let letter = Letter { subject: "Hello\r\nBcc: all@example.com".into(), body: String::new() };
        let text = mail(&letter);
        assert!(!text.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:")), "{text}");
    }

    proptest! {
        /// Otherwise a notification would be accepted that can never be sent.
        #[test]
        fn every_address_that_the_door_accepts_can_be_written_to(
            local in "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}",
            host in "[a-zA-Z0-9-]{1,63}([.][a-zA-Z0-9-]{1,63}){0,4}",
        ) {
            let to = format!("{local}@{host}");
            if EmailAddress::parse(&to).is_ok() {
                let letter = Letter { subject: "Hello".into(), body: String::new() };
                let from: Mailbox = "shop@example.com".parse().unwrap();
                let mail = Mail::write(Uuid::nil(), &from, &to, &letter, 0).unwrap();
                prop_assert_eq!(mail.message.envelope().to()[0].to_string(), to);
            }
        }
    }
}
