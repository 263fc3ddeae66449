//! Objects at the bank that bear the ids of a checkout of ours and that nobody here asked for.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::bank::Bank;
use crate::common::{at_the_sandbox, capture_at_stripe, hold_at_stripe};
use crate::customers::Told;

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    id: String,
}

impl Stranger {
    /// One for each of these checkouts, as large: the first one holds, the next one has taken, and so on.
    pub(crate) async fn come(bank: &Bank, data: &Path, told: &[Told]) -> Vec<Self> {
        let (mut all, mut told) = (Vec::new(), told.iter().collect::<Vec<_>>());
        told.sort_by_key(|told| &told.key);
        for (number, told) in told.into_iter().enumerate() {
            let (saga, is_captured) = (told.id.as_deref().unwrap(), number % 2 == 1);
            let id = match bank.url() {
                Some(url) => {
                    let id = hold_at_stripe(url, Some(saga), &told.total.to_string(), "gbp").await;
                    if is_captured {
                        capture_at_stripe(url, &id).await;
                    }
                    id
                }
                None => {
                    let mut books = sandbox(data).await;
                    let id = format!("stranger-{number}");
                    at_the_sandbox(&mut books, saga, &id, is_captured).await;
                    books.close().await.unwrap();
                    id
                }
            };
            all.push(Self { id });
        }
        all
    }

    pub(crate) fn among<'a>(all: &'a [Self], id: &str) -> Option<&'a Self> {
        all.iter().find(|stranger| stranger.id == id)
    }

    /// What is wrong with what it still has.
    pub(crate) fn is_left(&self, kept_minor: i64, held_minor: i64) -> Option<String> {
        let is_nothing = (kept_minor, held_minor) == (0, 0);
        (!is_nothing)
            .then(|| format!("{}: nobody's, and {kept_minor} is kept and {held_minor} held", self.id))
    }

    /// Takes them out of the sandbox's books: the auditor rightly holds against us what nobody here asked for.
    pub(crate) async fn go(all: &[Self], bank: &Bank, data: &Path) {
        if bank.url().is_some() || all.is_empty() {
            return;
        }
        let mut books = sandbox(data).await;
        for stranger in all {
            for delete in [
                "DELETE FROM refunds WHERE account_id = ?",
                "DELETE FROM entries WHERE account_id = ?",
                "DELETE FROM accounts WHERE id = ?",
            ] {
                sqlx::query(delete).bind(&stranger.id).execute(&mut books).await.unwrap();
            }
        }
        books.close().await.unwrap();
    }
}

async fn sandbox(data: &Path) -> SqliteConnection {
    let file = SqliteConnectOptions::new().filename(data.join("sandbox.db")).foreign_keys(false);
    file.pragma("ignore_check_constraints", "ON").connect().await.unwrap()
}
