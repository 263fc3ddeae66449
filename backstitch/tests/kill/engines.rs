//! What the databases of a shop are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::common::{program, run};

const OWNERS: [&str; 7] =
    ["orchestrator", "inventory", "shipping", "payment", "order", "cart", "notification"];

#[derive(Clone, Debug)]
pub(crate) enum Engines {
    /// Files in the data directory; one orchestrator.
    Sqlite,
    /// A database for each owner on one server, copied from a migrated one; two orchestrators.
    Postgres(Arc<Server>),
}

#[derive(Debug)]
pub(crate) struct Server {
    /// Of the databases that others are copied from, without the owner.
    template: String,
    copies: AtomicUsize,
}

impl Engines {
    /// The tests' own server, or the one that DATABASE_URL names.
    pub(crate) fn postgres() -> Self {
        let template = backstitch_services::fresh_database("kill");
        let nowhere = TempDir::new().unwrap();
        let said = run(program(nowhere.path()).args(["migrate", "--database-url", &template]));
        assert_eq!(said.code, Some(0), "{said:?}");
        Self::Postgres(Arc::new(Server { template, copies: AtomicUsize::new(0) }))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Engines::Sqlite => "SQLite",
            Engines::Postgres(_) => "Postgres",
        }
    }

    /// How many orchestrators share the saga store.
    pub(crate) fn nodes(&self) -> usize {
        match self {
            Engines::Sqlite => 1,
            Engines::Postgres(_) => 2,
        }
    }

    /// What an orchestrator is told about sharing, if it shares.
    pub(crate) fn sharing(&self, name: &str) -> Vec<String> {
        match self {
            Engines::Sqlite => Vec::new(),
            Engines::Postgres(_) => ["--node", name, "--lease", "1s"].map(str::to_owned).to_vec(),
        }
    }

    /// Databases of one's own, empty but migrated.
    pub(crate) async fn fresh(&self) -> Databases {
        match self {
            Engines::Sqlite => Databases(None),
            Engines::Postgres(server) => {
                Databases(Some((server.clone(), server.copy(&server.template).await)))
            }
        }
    }
}

impl Server {
    /// Copies each owner's database, and answers what the copies are called without the owner.
    async fn copy(&self, template: &str) -> String {
        let copy = self.copies.fetch_add(1, Ordering::Relaxed);
        let url = longer(&self.template, &format!("_{copy}"));
        let mut admin = PgConnection::connect(&self.template).await.unwrap();
        for owner in OWNERS {
            let (from, to) = (name(template, owner), name(&url, owner));
            execute(&mut admin, format!("CREATE DATABASE {to} TEMPLATE {from}")).await;
        }
        url
    }
}

/// The databases of one shop.
pub(crate) struct Databases(Option<(Arc<Server>, String)>);

impl Databases {
    /// Others with the same in them.
    pub(crate) async fn copy(&self) -> Self {
        match &self.0 {
            None => Self(None),
            Some((server, url)) => Self(Some((server.clone(), server.copy(url).await))),
        }
    }

    /// For a command with several owners.
    pub(crate) fn of_all(&self) -> Vec<String> {
        self.0.iter().flat_map(|(_, url)| ["--database-url".to_owned(), url.clone()]).collect()
    }

    /// For the orchestrator.
    pub(crate) fn of_orchestrator(&self) -> Vec<String> {
        let own = |all: &str| longer(all, "_orchestrator");
        self.0.iter().flat_map(|(_, all)| ["--database-url".to_owned(), own(all)]).collect()
    }

    pub(crate) async fn remove(self) {
        let Some((server, url)) = self.0 else { return };
        let mut admin = PgConnection::connect(&server.template).await.unwrap();
        for owner in OWNERS {
            execute(&mut admin, format!("DROP DATABASE {} WITH (FORCE)", name(&url, owner))).await;
        }
    }
}

/// The name of an owner's database, as the program makes it.
fn name(url: &str, owner: &str) -> String {
    let address = url.split('?').next().unwrap_or_default();
    format!("{}_{owner}", address.rsplit('/').next().unwrap_or_default())
}

/// A URL whose database's name goes on like this.
fn longer(url: &str, end: &str) -> String {
    match url.split_once('?') {
        Some((address, options)) => format!("{address}{end}?{options}"),
        None => format!("{url}{end}"),
    }
}

async fn execute(admin: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await.unwrap();
}
