//! Where databases are: files in the data directory, or databases on a Postgres server, one for each owner.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::ensure;
use clap::Args;

/// The name of the databases where a URL has none.
const NAME: &str = "backstitch";

/// A URL of a Postgres server, which may hold a password: it does not print, and reading it never fails, because the
/// parser of options would repeat it. [`DatabaseUrl::check`] says what is wrong with it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl(String);

impl FromStr for DatabaseUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://…")
    }
}

impl DatabaseUrl {
    /// Refuses what is no URL of a Postgres server, before anything is opened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let postgres = self.0.starts_with("postgres://") || self.0.starts_with("postgresql://");
        ensure!(
            postgres && self.0.parse::<sqlx::postgres::PgConnectOptions>().is_ok(),
            "--database-url must be a Postgres URL, e.g. postgres://user:password@host:5432/backstitch"
        );
        Ok(())
    }

    /// The URL as it was given.
    pub(crate) fn whole(&self) -> &str {
        &self.0
    }

    /// The URL of an owner's database: `_<owner>` after the name of the one that was given.
    pub(crate) fn of(&self, owner: &str) -> String {
        let (place, query) =
            self.0.split_once('?').map_or((self.0.as_str(), ""), |(place, query)| (place, query));
        let host = place.find("://").map_or(0, |at| at + 3);
        let place = match place[host..].split_once('/') {
            Some((_, name)) if !name.is_empty() => format!("{place}_{owner}"),
            Some(_) => format!("{place}{NAME}_{owner}"),
            None => format!("{place}/{NAME}_{owner}"),
        };
        if query.is_empty() { place } else { format!("{place}?{query}") }
    }
}

/// How large databases may grow where they are files.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Room {
    /// The most pages of 4 KiB that each database may have; beyond it work is refused.
    // For whoever wants to see what a full disk does without filling one.
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) max_pages: Option<u32>,
}

/// Of a command with several owners.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerOfAll {
    /// Postgres to keep databases on instead of in files, e.g. postgres://user:password@host/backstitch. Each owner has
    /// one of its own: `_orchestrator`, `_inventory`, … after that name.
    #[arg(long, env = "BACKSTITCH_DATABASE_URL", value_name = "URL")]
    #[arg(hide_env_values = true, hide_default_value = true)]
    pub(crate) database_url: Option<DatabaseUrl>,
    #[command(flatten)]
    pub(crate) room: Room,
}

/// Of a command with one owner.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServerOfOne {
    /// Postgres database to use instead of a file, e.g. postgres://user:password@host/database. Taken as it is.
    #[arg(long, env = "BACKSTITCH_DATABASE_URL", value_name = "URL")]
    #[arg(hide_env_values = true, hide_default_value = true)]
    pub(crate) database_url: Option<DatabaseUrl>,
    #[command(flatten)]
    pub(crate) room: Room,
}

/// Where the databases of a process are.
#[derive(Clone, Debug)]
pub(crate) struct Databases {
    /// The data directory: of the files, and of what is a file in any case (mails, the sandbox bank's books).
    pub(crate) directory: PathBuf,
    server: Option<Server>,
    /// The most pages that each file may have.
    pub(crate) max_pages: Option<u32>,
}

#[derive(Clone, Debug)]
enum Server {
    /// One database for each owner.
    Each(DatabaseUrl),
    /// The one owner's.
    Whole(DatabaseUrl),
}

impl Databases {
    /// Those of several owners.
    pub(crate) fn of_all(directory: &Path, server: &ServerOfAll) -> anyhow::Result<Self> {
        Self::checked(directory, server.database_url.clone(), Server::Each, server.room)
    }

    /// That of one owner.
    pub(crate) fn of_one(directory: &Path, server: &ServerOfOne) -> anyhow::Result<Self> {
        Self::checked(directory, server.database_url.clone(), Server::Whole, server.room)
    }

    fn checked(
        directory: &Path,
        url: Option<DatabaseUrl>,
        server: impl Fn(DatabaseUrl) -> Server,
        room: Room,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &url {
            url.check()?;
        }
        Ok(Self { directory: directory.to_owned(), server: url.map(server), max_pages: room.max_pages })
    }

    /// The URL of an owner's database on the server, if there is one.
    pub(crate) fn on_server(&self, owner: &str) -> Option<String> {
        self.server.as_ref().map(|server| match server {
            Server::Each(url) => url.of(owner),
            Server::Whole(url) => url.whole().to_owned(),
        })
    }

    /// Whether they are files, which belong to one process at a time.
    pub(crate) fn are_files(&self) -> bool {
        self.server.is_none()
    }

    /// The URL of an owner's database, a file or not.
    pub(crate) fn url(&self, owner: &str) -> String {
        let file = || match self.max_pages {
            Some(pages) => format!("{}?max_page_count={pages}", self.file(owner)),
            None => self.file(owner),
        };
        self.on_server(owner).unwrap_or_else(file)
    }

    /// The URL of a file in the data directory.
    pub(crate) fn file(&self, name: &str) -> String {
        format!("sqlite:{}", self.directory.join(format!("{name}.db")).display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        text.parse().unwrap()
    }

    #[test]
    fn each_owner_has_a_database_of_its_own() {
        for (given, cart) in [
            ("postgres://a:b@h:1/shop", "postgres://a:b@h:1/shop_cart"),
            ("postgres://h/shop?sslmode=disable", "postgres://h/shop_cart?sslmode=disable"),
            ("postgres://h", "postgres://h/backstitch_cart"),
            ("postgres://h/", "postgres://h/backstitch_cart"),
            ("postgresql://h?host=/tmp", "postgresql://h/backstitch_cart?host=/tmp"),
        ] {
            assert_eq!(url(given).of("cart"), cart);
        }
    }

    #[test]
    fn one_owner_s_url_is_taken_as_it_is() {
        let server = ServerOfOne { database_url: Some(url("postgres://h/mine")), room: Room::default() };
        let one = Databases::of_one(Path::new("d"), &server).unwrap();
        assert_eq!((one.url("cart").as_str(), one.are_files()), ("postgres://h/mine", false));
        let none = Databases::of_all(Path::new("d"), &ServerOfAll::default()).unwrap();
        assert_eq!((none.url("cart").as_str(), none.are_files()), ("sqlite:d/cart.db", true));
        assert_eq!(none.on_server("cart"), None);
        let room = Room { max_pages: Some(90) };
        let small = Databases::of_all(Path::new("d"), &ServerOfAll { database_url: None, room }).unwrap();
        assert_eq!(small.url("cart"), "sqlite:d/cart.db?max_page_count=90");
    }

    #[test]
    fn what_is_no_url_of_a_server_is_told_without_repeating_it() {
        for wrong in
            ["", "sqlite:x", "mysql://u:hunter2@h/shop", "postgres://u:hunter2@h:port/shop", "hunter2"]
        {
            let error = url(wrong).check().unwrap_err().to_string();
            assert!(error.starts_with("--database-url must be") && !error.contains("hunter2"), "{error}");
        }
        url("postgres://u:hunter2@h:1/shop").check().unwrap();
        assert!(!format!("{:?}", url("postgres://u:hunter2@h:1/shop")).contains("hunter2"));
    }
}
