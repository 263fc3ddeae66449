//! Opening a participant's database: one URL, the settings that durability needs, the migrations of everybody who has
//! tables in it.
//!
//! Knows the two dialects, so that nobody else has to: everything above speaks one SQL text through sqlx's `Any`.

mod error;
pub(crate) mod postgres;
mod schema;
mod sqlite;

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection as _};

pub use self::error::OpenError;
pub use self::schema::Schema;

/// Connections for reading; the transactor has its own.
const READERS: u32 = 4;

/// How long a reader waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// A setting that is not as durability needs it.
struct Setting {
    name: &'static str,
    found: String,
    wanted: &'static str,
}

/// Which words a database understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Where a database is and how to connect to it. Not printable: the URL may hold a password.
#[derive(Clone)]
pub(crate) struct Database {
    service: &'static str,
    url: String,
    dialect: Dialect,
    /// The most pages that a file may have.
    max_pages: Option<u32>,
}

impl Database {
    pub(crate) fn new(service: &'static str, url: &str) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let config = |why: &str| OpenError::Config { option: "database-url", why: why.to_owned() };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            postgres::place(url).map_err(|why| config(&why))?;
            return Ok(Self { service, url: url.to_owned(), dialect: Dialect::Postgres, max_pages: None });
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            return Err(config("must begin with sqlite: or postgres://"));
        };
        let sqlite::Place { url, max_pages } = sqlite::place(url, rest).map_err(config)?;
        Ok(Self { service, url, dialect: Dialect::Sqlite, max_pages })
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A connection with every setting made and read back.
    pub(crate) async fn connect(&self) -> Result<AnyConnection, OpenError> {
        let connecting = async {
            let mut conn = AnyConnection::connect(&self.url).await?;
            let wrong = self.settle(&mut conn).await?;
            Ok((conn, wrong))
        };
        let connected = match self.dialect {
            Dialect::Sqlite => connecting.await,
            Dialect::Postgres => tokio::time::timeout(postgres::CONNECT, connecting)
                .await
                .unwrap_or(Err(sqlx::Error::PoolTimedOut)),
        };
        match connected.map_err(|error| self.refused(error))? {
            (conn, None) => Ok(conn),
            (_, Some(Setting { name: setting, found, wanted })) => {
                Err(OpenError::Unsafe { service: self.service, setting, found, wanted })
            }
        }
    }

    /// The pool for reading, each connection with the same settings.
    pub(crate) async fn readers(&self) -> Result<AnyPool, OpenError> {
        let this = self.clone();
        let options = AnyPoolOptions::new().max_connections(READERS).acquire_timeout(ACQUIRE);
        let options = options.after_connect(move |conn, _| {
            let this = this.clone();
            Box::pin(async move {
                match this.settle(conn).await? {
                    None => Ok(()),
                    Some(Setting { name, wanted, found }) => {
                        Err(sqlx::Error::Configuration(format!("{name} = {found}, needs {wanted}").into()))
                    }
                }
            })
        });
        options.connect(&self.url).await.map_err(|error| self.refused(error))
    }

    /// Makes the settings and reads them back; the first one that did not take.
    async fn settle(&self, conn: &mut AnyConnection) -> Result<Option<Setting>, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => sqlite::settle(conn, self.max_pages).await,
            Dialect::Postgres => postgres::settle(conn, self.service).await,
        }
    }

    /// Why there is no connection.
    pub(crate) fn refused(&self, source: sqlx::Error) -> OpenError {
        match self.dialect {
            Dialect::Sqlite => OpenError::Unreachable { service: self.service, source },
            Dialect::Postgres => postgres::refused(self.service, &self.url, source),
        }
    }
}
