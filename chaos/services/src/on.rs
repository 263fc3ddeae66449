//! A law that is tested on every database.

use std::path::Path;

use crate::fresh_database;

/// A database that a law is tested on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// A file.
    Sqlite,
    /// A database on the shared server.
    Postgres,
}

impl On {
    /// The URL of an empty database: the file `name.db` in `directory`, or a database of its own.
    pub fn url(self, directory: &Path, name: &str) -> String {
        match self {
            On::Sqlite => format!("sqlite:{}", directory.join(format!("{name}.db")).display()),
            On::Postgres => fresh_database(name),
        }
    }
}

/// Tests each of these laws, `async fn(on: On)`, on every database. `2 threads:` before them gives each a runtime of
/// two threads; `blocking:` is for laws that are no async functions.
#[macro_export]
macro_rules! each_database {
    ($threads:literal threads: $($law:ident),+ $(,)?) => { $(
        mod $law {
            #[tokio::test(flavor = "multi_thread", worker_threads = $threads)]
            async fn on_sqlite() {
                super::$law($crate::On::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = $threads)]
            async fn on_postgres() {
                super::$law($crate::On::Postgres).await;
            }
        }
    )+ };
    (blocking: $($law:ident),+ $(,)?) => { $(
        mod $law {
            #[test]
            fn on_sqlite() {
                super::$law($crate::On::Sqlite);
            }

            #[test]
            fn on_postgres() {
                super::$law($crate::On::Postgres);
            }
        }
    )+ };
    ($($law:ident),+ $(,)?) => { $(
        mod $law {
            #[tokio::test]
            async fn on_sqlite() {
                super::$law($crate::On::Sqlite).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                super::$law($crate::On::Postgres).await;
            }
        }
    )+ };
}
