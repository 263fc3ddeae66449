//! Databases on a Postgres server: creating and migrating them, what every part says when one cannot be used, and that no
//! password is ever told.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use backstitch_services::{Postgres, fresh_database};
use common::{Process, Said, program, run};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;

const OWNERS: [&str; 7] =
    ["orchestrator", "inventory", "shipping", "payment", "order", "cart", "notification"];

/// A server, a directory, and the URL of a shop that has no database yet.
struct Place {
    directory: TempDir,
    url: String,
}

impl Place {
    fn new() -> Self {
        // Its own database stays empty; its name is nobody else's.
        Self { directory: TempDir::new().unwrap(), url: fresh_database("databases") }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The URL of an owner's database.
    fn of(&self, owner: &str) -> String {
        format!("{}_{owner}", self.url)
    }

    fn run(&self, args: &[&str]) -> Said {
        run(program(self.path()).args(args))
    }

    fn migrate(&self, more: &[&str]) -> Said {
        self.run(&[&["migrate", "--database-url", &self.url], more].concat())
    }

    async fn sql(&self, owner: &str, sql: &str) {
        let mut conn = PgConnection::connect(&self.of(owner)).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    }
}

/// A command that ends at once, with one line beside its log that says all of this and no password.
#[track_caller]
fn says(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(1), "{said:?}");
    // The shared server runs without fsync, and is warned of.
    let lines = said.err.lines().filter(|line| !line.contains("fsync is off"));
    assert_eq!(lines.count(), 1, "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "no {word:?} in {said:?}");
    }
    assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
}

#[tokio::test]
async fn migrate_creates_what_is_missing_says_what_it_did_and_does_it_once() {
    let place = Place::new();
    let before = place.migrate(&["--pending"]);
    assert_eq!((before.code, before.out.lines().count()), (Some(1), 7), "{before:?}");
    assert!(before.out.lines().all(|line| line.contains("lacks its database")), "{before:?}");

    let two = place.migrate(&["--only", "payment,orchestrator"]);
    assert_eq!((two.code, two.out.lines().count()), (Some(0), 2), "{two:?}");
    assert!(
        two.out.starts_with("payment: created database ") && two.out.contains(", applied 0001, "),
        "{two:?}"
    );

    // From three machines at once.
    let running: Vec<_> = (0..3)
        .map(|_| {
            let mut command = program(place.path());
            command.args(["migrate", "--database-url", &place.url]);
            std::thread::spawn(move || run(&mut command))
        })
        .collect();
    let said: Vec<Said> = running.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(said.iter().all(|said| said.code == Some(0)), "{said:?}");
    for owner in OWNERS {
        let expected = usize::from(owner != "payment" && owner != "orchestrator");
        for did in ["created database", "applied 0001"] {
            let times = said
                .iter()
                .flat_map(|said| said.out.lines())
                .filter(|line| line.starts_with(&format!("{owner}: ")) && line.contains(did));
            assert_eq!(times.count(), expected, "{owner} {did}: {said:?}");
        }
    }
    for again in [place.migrate(&[]), place.migrate(&["--pending"])] {
        assert_eq!(again.code, Some(0), "{again:?}");
        assert!(again.out.lines().all(|line| line.ends_with(": up to date")), "{again:?}");
    }
    let nobody = place.migrate(&["--only", "payments"]);
    assert!(nobody.code == Some(2) && nobody.err.contains("orchestrator, inventory"), "{nobody:?}");
}

#[tokio::test]
async fn a_role_says_what_its_database_lacks_and_a_newer_one_is_refused_by_everybody() {
    let place = Place::new();
    let role = |owner: &'static str| {
        let mut args = vec![owner.to_owned(), "--database-url".to_owned(), place.of(owner)];
        if owner == "orchestrator" {
            args.extend(["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"].map(str::to_owned));
            for participant in OWNERS.iter().filter(|owner| **owner != "orchestrator") {
                args.extend(["--participant".to_owned(), format!("{participant}=http://127.0.0.1:9")]);
            }
        } else {
            args.extend(["--listen", "127.0.0.1:0"].map(str::to_owned));
        }
        run(program(place.path()).args(args))
    };
    for owner in ["orchestrator", "inventory"] {
        says(&role(owner), &[&format!("_{owner}"), "does not exist"]);
    }
    assert_eq!(place.migrate(&[]).code, Some(0));
    for owner in ["orchestrator", "inventory"] {
        place.sql(owner, "DELETE FROM _sqlx_migrations WHERE version = 1").await;
        says(&role(owner), &["lacks migration 1", "`backstitch migrate --database-url", "--database-url"]);
        let pending = place.migrate(&["--pending", "--only", owner]);
        assert_eq!((pending.code, pending.out.trim()), (Some(1), format!("{owner}: lacks 0001").as_str()));
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'from the future', true, '', 0)";
        place.sql(owner, newer).await;
        let audit = place.run(&["audit", "--database-url", &place.url]);
        for said in [role(owner), place.migrate(&["--only", owner]), place.migrate(&["--pending"]), audit] {
            says(&said, &["newer", "this program", "9999"]);
        }
        place.sql(owner, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    }
}

/// The URL with another part.
fn with(url: &str, from: &str, to: &str) -> String {
    assert!(url.contains(from), "the server is at {url}");
    url.replacen(from, to, 1)
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_named_with_the_option_and_a_way_out() {
    let server = Postgres::start();
    let url = server.fresh_database("bad");
    let place = format!("127.0.0.1:{}", server.port());
    server.sql("CREATE ROLE guest LOGIN PASSWORD 'hunter2'");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let guest = with(&url, "backstitch:backstitch@", "guest:hunter2@");
    // A server of an older version, as far as we can ask it.
    let old = "CREATE SCHEMA old; \
        CREATE FUNCTION old.current_setting(of text) RETURNS text LANGUAGE sql AS $$ \
            SELECT CASE of WHEN 'server_version_num' THEN '120017' WHEN 'server_version' THEN '12.17' \
            ELSE pg_catalog.current_setting(of) END $$";
    let directory = TempDir::new().unwrap();
    let said = |args: &[&str]| run(program(directory.path()).args(args));
    assert_eq!(said(&["migrate", "--database-url", &url]).code, Some(0));
    for owner in ["orchestrator", "inventory"] {
        let mut conn = PgConnection::connect(&format!("{url}_{owner}")).await.unwrap();
        sqlx::raw_sql(old).execute(&mut conn).await.unwrap();
    }
    let old = format!("{url}?options=-csearch_path%3Dold,pg_catalog,public");

    let wrong_password = with(&url, ":backstitch@", ":hunter2@");
    let cases: [(String, &[&str]); 6] = [
        (with(&url, &place, &nobody), &["--database-url", &nobody]),
        (wrong_password, &["--database-url", &place, "user and password"]),
        (old, &["12.17", "13"]),
        ("mysql://root:hunter2@localhost/shop".to_owned(), &["--database-url must be a Postgres URL"]),
        ("hunter2".to_owned(), &["--database-url must be a Postgres URL"]),
        (with(&guest, "_bad_", "_new_"), &["cannot be created", "--database-url", "permission denied"]),
    ];
    for (url, words) in &cases {
        let of_all = ["--database-url", url.as_str(), "--data", "data"];
        let up = ["up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
        let mut commands =
            vec![said(&[&["migrate"], &of_all[..2]].concat()), said(&[&up[..], &of_all].concat())];
        if !words.contains(&"cannot be created") {
            commands.push(said(&[&["participants", "--listen", "127.0.0.1:0"], &of_all[..]].concat()));
        }
        for said in commands {
            says(&said, words);
        }
        // Nor is it told to whoever asks for everything.
        let aloud = said(&[&["migrate", "--log", "trace"], &of_all[..2]].concat());
        assert!(aloud.code == Some(1) && !format!("{aloud:?}").contains("hunter2"), "{aloud:?}");
    }
    let none = said(&["migrate"]);
    assert!(none.code == Some(1) && none.err.contains("--database-url is missing"), "{none:?}");
}

#[tokio::test]
async fn a_password_from_a_file_is_in_no_manual() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("settings.toml");
    let sections = ["up", "orchestrator", "participants", "payment", "audit", "migrate"];
    let text: String = sections
        .iter()
        .map(|section| format!("[{section}]\ndatabase-url = \"postgres://shop:hunter2@127.0.0.1:9/shop\"\n"))
        .collect();
    std::fs::write(&file, text).unwrap();
    for section in sections {
        let said = run(program(directory.path()).args([section, "--help", "--config"]).arg(&file));
        assert!(said.code == Some(0) && !said.out.contains("hunter2"), "{said:?}");
    }
    let used = run(program(directory.path()).args(["migrate", "--config"]).arg(&file));
    says(&used, &["127.0.0.1:9/shop_orchestrator"]);
}

#[tokio::test]
async fn after_a_restore_no_epoch_from_before_is_drawn_again() {
    let place = Place::new();
    let data = place.path().join("data").display().to_string();
    let args = ["up", "--database-url", &place.url, "--data", &data];
    let args = [&args[..], &["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]].concat();
    let epochs = async || {
        let mut conn = PgConnection::connect(&place.of("orchestrator")).await.unwrap();
        let epochs: Vec<i64> =
            sqlx::query_scalar("SELECT epoch FROM shards ORDER BY id").fetch_all(&mut conn).await.unwrap();
        epochs
    };
    Process::start("up", &args, place.path()).await.stop().await;
    let before = epochs().await;
    let said = place.run(&["migrate", "--after-restore", "--database-url", &place.url]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let voided = epochs().await;
    let far = i64::from(u32::MAX);
    assert!(voided.iter().all(|epoch| before.iter().all(|old| *epoch > old + far)), "{before:?} {voided:?}");
    let mut once = voided.clone();
    once.dedup();
    assert_eq!(once, voided);
    // It can be worked with, under yet other epochs.
    Process::start("up", &args, place.path()).await.stop().await;
    assert!(epochs().await.iter().zip(&voided).all(|(now, then)| now > then));
}
