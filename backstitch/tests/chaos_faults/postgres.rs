//! Postgres that is restarted, hung up on, frozen and badly connected, under every database of the shop.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backstitch_faults::{Break, Dice, Tally, TcpProxy};
use backstitch_services::{Postgres, Service as _};

use crate::books::{self, Books};
use crate::common::{Shop, program, run, until};
use crate::customers::{Customer, all_have_ended};
use crate::outage::{blocking, has_lasted, meanwhile};
use crate::table::{self, Row};
use crate::{checkouts, seed, stage};

/// The longest spell of one weather.
const SPELL: Duration = Duration::from_millis(400);

/// A shop whose databases are on a server of its own.
pub(crate) struct OnPostgres {
    pub(crate) shop: Shop,
    server: Arc<Postgres>,
    /// The databases' URL without anything in between.
    url: String,
    /// Before the orchestrator's database, and before the participants'.
    pub(crate) between: [TcpProxy; 2],
}

impl OnPostgres {
    async fn open() -> Self {
        Self::open_with(&[], &[]).await
    }

    /// As [`Self::open`], with more arguments for the participants and for the orchestrator.
    pub(crate) async fn open_with(participants: &[&str], orchestrator: &[&str]) -> Self {
        let server = Arc::new(blocking(Postgres::start).await);
        let url = format!("{}/shop", server.url().rsplit_once('/').unwrap().0);
        let here = std::env::temp_dir();
        let migrated = run(program(&here).args(["migrate", "--database-url", &url]));
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        let address = format!("127.0.0.1:{}", server.port());
        let between = [TcpProxy::before(&address).await.unwrap(), TcpProxy::before(&address).await.unwrap()];
        let through = |proxy: &TcpProxy| url.replace(&address, &proxy.address().to_string());
        let sagas = format!("{}_orchestrator", through(&between[0]));
        let theirs = through(&between[1]);
        let shop = stage::open(
            &[&["--database-url", &theirs], participants].concat(),
            &[&["--database-url", &sagas], orchestrator].concat(),
        )
        .await;
        Self { shop, server, url, between }
    }

    /// Does something to the server that blocks.
    async fn server(&self, act: impl FnOnce(&Postgres) + Send + 'static) {
        let server = self.server.clone();
        blocking(move || act(&server)).await;
    }

    /// Every checkout ends, and all books agree.
    pub(crate) async fn close(self, what: &str, customers: &[Customer], injected: String) {
        let resumed = all_have_ended(&self.shop, customers).await;
        until("it is ready", async || (self.shop.get("/readyz").await.status == 200).then_some(())).await;
        let books = Books::of(&self.shop, customers).await;
        let (ends, found) = books::close_on(self.shop, customers, books, Some(&self.url)).await;
        table::row(&Row {
            what,
            work: format!("{} checkouts: {ends}; {resumed} resumed", customers.len()),
            injected,
            violations: &found,
        });
    }
}

#[tokio::test]
async fn restarts_and_ended_backends_lose_nothing() {
    let on = OnPostgres::open().await;
    let mut customers = Vec::new();
    let waves = checkouts(120) / 4;
    let mut restarts = 0;
    for _ in 0..3 {
        meanwhile(&on.shop, &mut customers, waves, on.server(|server| server.restart())).await;
        restarts += 1;
    }
    // In a loop, so that some of them are in the middle of a COMMIT.
    let (mut ended, begun) = (0, Instant::now());
    let server = on.server.clone();
    let hanging_up = blocking(move || {
        while begun.elapsed() < Duration::from_secs(5) {
            ended += server.terminate_backends();
        }
        ended
    });
    let ended = meanwhile(&on.shop, &mut customers, waves, hanging_up).await;
    assert!(ended > 20, "only {ended} backends were ended");
    let injected = format!("{restarts} immediate restarts, {ended} backends terminated");
    on.close("Postgres: restarts, terminated backends", &customers, injected).await;
}

#[tokio::test]
async fn a_frozen_server_is_told_of_and_waited_for() {
    let on = OnPostgres::open().await;
    let mut customers = Vec::new();
    meanwhile(&on.shop, &mut customers, checkouts(20), async {}).await;
    let begun = Instant::now();
    on.server(|server| server.freeze()).await;
    let trouble = async {
        until("readiness names the store", async || {
            let ready = on.shop.get("/readyz").await;
            (ready.status == 503 && ready.text("/detail").contains("store does not answer")).then_some(())
        })
        .await;
        assert_eq!(on.shop.get("/healthz").await.status, 200);
        has_lasted(begun).await;
        on.server(|server| server.thaw()).await;
    };
    meanwhile(&on.shop, &mut customers, checkouts(20), trouble).await;
    let injected = format!("frozen for {} s", begun.elapsed().as_secs());
    on.close("Postgres: frozen", &customers, injected).await;
}

#[tokio::test]
async fn bad_connections_to_the_databases_lose_nothing() {
    let seed = seed("postgres");
    let on = OnPostgres::open().await;
    let mut customers = Vec::new();
    let named = on.between.iter().zip(["orchestrator", "participants"]);
    let storms: Vec<_> = named.map(|(proxy, name)| proxy.storm(Dice::named(seed, name), SPELL)).collect();
    meanwhile(&on.shop, &mut customers, checkouts(60), async {}).await;
    for storm in storms {
        storm.stop().await;
    }
    // Whoever was reset in the last moment finds out now.
    on.between.iter().for_each(|proxy| proxy.break_all(Break::Reset));
    let tally = Tally::default();
    on.between.iter().for_each(|proxy| tally.add(proxy.tally()));
    assert!(tally.of("broken") > 10, "{tally}");
    on.close("connections to Postgres", &customers, tally.to_string()).await;
}
