//! Databases on a Postgres server: creating them and bringing them up to what this program knows.
//!
//! A role alone does not: it says what its database lacks. Files are migrated by whoever opens them.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use backstitch_store::{PostgresOptions, PostgresStore};
use clap::Args;
use participant_kit::Schema;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::after_restore;
use crate::cli::say;
use crate::databases::{DatabaseUrl, Databases, ServerOfAll};
use crate::roles::name::Name;

/// Create databases on a Postgres server and bring them up to date. Safe from several machines at once.
#[derive(Clone, Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    server: ServerOfAll,
    /// Only the databases of these owners: orchestrator, inventory, shipping, payment, order, cart, notification.
    #[arg(long, value_name = "OWNER,…", value_delimiter = ',', value_parser = owner)]
    only: Vec<Owner>,
    /// List what is missing and change nothing; fails if anything is.
    #[arg(long)]
    pending: bool,
    /// After the orchestrator's database was restored from a backup, and before any orchestrator runs again: leave no
    /// right of a node from before, use no number of such a right again, and have every checkout that is under way in it
    /// ask its participants first how far it came.
    #[arg(long, conflicts_with_all = ["pending", "only"])]
    after_restore: bool,
    /// With --after-restore, where that database is a file: its data directory.
    #[arg(long, value_name = "DIR", requires = "after_restore", conflicts_with = "database_url")]
    data: Option<PathBuf>,
}

impl MigrateArgs {
    /// Whether it can be done as far as that can be told without doing it.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match &self.data {
            Some(directory) => after_restore::check(directory),
            None => self.url()?.check(),
        }
    }

    /// Of the server.
    fn url(&self) -> anyhow::Result<&DatabaseUrl> {
        let missing = "--database-url is missing: name the Postgres server, e.g. postgres://user:password@host/backstitch";
        self.server.database_url.as_ref().context(missing)
    }
}

/// Whose database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Orchestrator,
    Participant(Name),
}

impl Owner {
    fn all() -> Vec<Owner> {
        [Owner::Orchestrator].into_iter().chain(Name::ALL.map(Owner::Participant)).collect()
    }

    fn as_str(self) -> &'static str {
        match self {
            Owner::Orchestrator => "orchestrator",
            Owner::Participant(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn owner(text: &str) -> Result<Owner, String> {
    let all = Owner::all();
    let found = all.iter().copied().find(|owner| owner.as_str() == text);
    found.ok_or_else(|| {
        let known: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!("nobody is called so; there are {}", known.join(", "))
    })
}

fn schema(name: Name) -> &'static Schema {
    match name {
        Name::Inventory => &participant_inventory::SCHEMA,
        Name::Shipping => &participant_shipping::SCHEMA,
        Name::Payment => &participant_payment::SCHEMA,
        Name::Order => &participant_order::SCHEMA,
        Name::Cart => &participant_cart::SCHEMA,
        Name::Notification => &participant_notification::SCHEMA,
    }
}

/// Does as the options say; fails if something is missing and is only looked for.
pub(crate) async fn run(args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    args.check()?;
    if args.after_restore {
        say(&match &args.data {
            Some(directory) => after_restore::in_file(directory).await?,
            None => after_restore::on_server(&args.url()?.of("orchestrator")).await?,
        });
        return Ok(ExitCode::SUCCESS);
    }
    let url = args.url()?;
    let owners = if args.only.is_empty() { Owner::all() } else { args.only.clone() };
    let mut complete = true;
    for owner in owners {
        let url = url.of(owner.as_str());
        let done = if args.pending { pending(owner, &url).await? } else { migrate(owner, &url).await? };
        complete &= !args.pending || done.is_empty();
        say(&format!("{owner}: {}", if done.is_empty() { "up to date" } else { &done }));
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every owner's database on the server, if they are on one.
pub(crate) async fn all(databases: &Databases) -> anyhow::Result<()> {
    for owner in Owner::all() {
        if let Some(url) = databases.on_server(owner.as_str()) {
            let done = migrate(owner, &url).await?;
            if !done.is_empty() {
                tracing::info!(%owner, done, "migrated");
            }
        }
    }
    Ok(())
}

/// What was done, in words; nothing where nothing was to be done.
async fn migrate(owner: Owner, url: &str) -> anyhow::Result<String> {
    let mut done = Vec::new();
    if create(owner, url).await? {
        done.push(format!("created database {}", name_in(url)));
    }
    let applied = match owner {
        Owner::Orchestrator => PostgresStore::migrate(url, &PostgresOptions::default()).await?,
        Owner::Participant(name) => schema(name).migrate(url).await?,
    };
    if !applied.is_empty() {
        done.push(format!("applied {}", numbers(&applied)));
    }
    Ok(done.join(", "))
}

/// What is missing, in words.
async fn pending(owner: Owner, url: &str) -> anyhow::Result<String> {
    if !exists(url).await {
        return Ok(format!("lacks its database {}", name_in(url)));
    }
    let missing = match owner {
        Owner::Orchestrator => PostgresStore::missing(url, &PostgresOptions::default()).await?,
        Owner::Participant(name) => schema(name).missing(url).await?,
    };
    Ok(if missing.is_empty() { String::new() } else { format!("lacks {}", numbers(&missing)) })
}

fn numbers(versions: &[i64]) -> String {
    versions.iter().map(|version| format!("{version:04}")).collect::<Vec<_>>().join(", ")
}

/// How long the server may take to say whether there is a database.
const PATIENCE: Duration = Duration::from_secs(10);

/// The connection over which databases are created: to the one that every server has.
async fn maintenance(url: &str) -> Result<PgConnection, sqlx::Error> {
    let options = url.parse::<PgConnectOptions>()?.database("postgres");
    let connecting = PgConnection::connect_with(&options);
    tokio::time::timeout(PATIENCE, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Whether the database is there. Where that cannot be asked, because nobody answers or because the user may only use
/// its own database, opening it tells more than we could.
async fn exists(url: &str) -> bool {
    let asked = async {
        let mut conn = maintenance(url).await?;
        let row = sqlx::query("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(name_in(url))
            .fetch_one(&mut conn)
            .await?;
        row.try_get::<bool, _>(0)
    };
    asked.await.unwrap_or_else(|error: sqlx::Error| {
        tracing::debug!(%error, "whether there is a database cannot be asked");
        true
    })
}

/// Creates the database if it is missing; whether it did.
async fn create(owner: Owner, url: &str) -> anyhow::Result<bool> {
    if exists(url).await {
        return Ok(false);
    }
    let name = format!("\"{}\"", name_in(url).replace('"', "\"\""));
    let created = async {
        // Text in UTF-8 and in the order of its bytes, whatever the server's own is.
        let sql =
            format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut maintenance(url).await?).await
    };
    match created.await {
        Ok(_) => Ok(true),
        // Somebody else was faster.
        Err(error) if matches!(code(&error).as_deref(), Some("42P04" | "23505")) => Ok(false),
        Err(error) => Err(error).with_context(|| {
            format!(
                "{owner}: database {name} is missing and cannot be created; have it created by somebody who may, or \
                 name a user in --database-url who may"
            )
        }),
    }
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.to_string())
}

fn name_in(url: &str) -> String {
    let options = url.parse::<PgConnectOptions>();
    options.ok().and_then(|options| options.get_database().map(str::to_owned)).unwrap_or_default()
}
