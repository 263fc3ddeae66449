//! Several orchestrators in processes of their own on one Postgres database.

use std::collections::BTreeMap;
use std::time::Duration;

use backstitch_services::fresh_database;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Asked, Process, Shop, differences, order_of, product, program, run, until, until_within,
};

/// Participants on a Postgres server, and orchestrators that come and go.
pub(crate) struct Fleet {
    pub(crate) shop: Shop,
    database: String,
    /// Where the participants are.
    participants: BTreeMap<String, String>,
    http: reqwest::Client,
}

impl Fleet {
    pub(crate) async fn open() -> Self {
        let mut shop = Shop::closed();
        let database = fresh_database("nodes");
        let directory = shop.data().parent().unwrap().to_owned();
        let migrated = run(program(&directory).args(["migrate", "--database-url", &database]));
        assert_eq!(migrated.code, Some(0), "{migrated:?}");
        let args = ["--listen", "127.0.0.1:0", "--no-relay", "--database-url", &database];
        let participants = shop.start_beside(&[("participants", &args)]).await;
        Self { shop, database, participants, http: reqwest::Client::new() }
    }

    /// The same with two of them, both there, which have something to sell.
    pub(crate) async fn of_two(lease: &str, more: &[&str]) -> (Self, Process, Process) {
        let fleet = Self::open().await;
        let (a, b) = (fleet.node_with("a", lease, more).await, fleet.node_with("b", lease, more).await);
        fleet.ready(&a).await;
        fleet.ready(&b).await;
        fleet.stock(&a).await;
        (fleet, a, b)
    }

    fn args(&self, name: &str, lease: &str) -> Vec<String> {
        let database = match self.database.split_once('?') {
            Some((address, options)) => format!("{address}_orchestrator?{options}"),
            None => format!("{}_orchestrator", self.database),
        };
        let args = ["orchestrator", "--node", name, "--lease", lease, "--http", "127.0.0.1:0", "--grpc"];
        let args = args.into_iter().chain(["127.0.0.1:0", "--database-url", &database]).map(str::to_owned);
        let at = |(name, at): (&String, &String)| ["--participant".to_owned(), format!("{name}=http://{at}")];
        args.chain(self.participants.iter().flat_map(at)).collect()
    }

    pub(crate) async fn node(&self, name: &str, lease: &str) -> Process {
        self.node_with(name, lease, &[]).await
    }

    /// As [`Fleet::node`], with more arguments.
    pub(crate) async fn node_with(&self, name: &str, lease: &str, more: &[&str]) -> Process {
        let args = self.args(name, lease);
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Process::start(name, &args, self.shop.directory()).await
    }

    /// The participants, and this node about sagas.
    pub(crate) fn asked(&self, node: &Process) -> Asked {
        Asked::at(|name| {
            self.participants.get(name).map_or_else(|| node.address(name), String::as_str).to_owned()
        })
    }

    pub(crate) async fn send(
        &self,
        node: &Process,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("http://{}{path}", node.address("http")));
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, node: &Process, path: &str) -> Answer {
        self.send(node, Method::GET, path, None).await
    }

    /// Puts a cart and starts its checkout, again while the node says that it is not ready for it. Answers its id.
    pub(crate) async fn begin(&self, node: &Process, key: &str, token: &str) -> String {
        let at = format!("http://{}", node.address("http"));
        let cart = json!({"items": [{"sku": "A", "quantity": 1}]});
        let put = self.http.put(format!("{at}/api/v1/carts/{key}")).json(&cart).send().await.unwrap();
        put.error_for_status().unwrap();
        until("the checkout is accepted", async || {
            let post = self.http.post(format!("{at}/api/v1/checkouts")).header("Idempotency-Key", key);
            let answer = post.json(&order_of(key, token)).send().await.unwrap();
            let answer = Answer::read(answer).await.unwrap();
            assert!([200, 202, 503].contains(&answer.status), "{answer:?}");
            (answer.status < 300).then(|| answer.text("/checkout_id").to_owned())
        })
        .await
    }

    /// A checkout at `node` that waits for its customer, as `other` knows too; its id.
    pub(crate) async fn waiting(&self, node: &Process, other: &Process) -> String {
        let id = self.begin(node, "slow", "tok_3ds_never").await;
        let path = format!("/api/v1/checkouts/{id}");
        until("the customer has to act", async || {
            (self.get(other, &path).await.text("/status") == "waiting").then_some(())
        })
        .await;
        id
    }

    pub(crate) async fn stock(&self, node: &Process) {
        self.send(node, Method::PUT, "/api/v1/products/A", Some(product(500, 100_000))).await.ok();
    }

    /// Waits until a node is ready and takes its share.
    pub(crate) async fn ready(&self, node: &Process) {
        until("the node is ready", async || (self.get(node, "/readyz").await.status == 200).then_some(()))
            .await;
    }

    /// Waits until the checkout has come to rest, as this node tells it.
    pub(crate) async fn rested(&self, node: &Process, id: &str, patience: Duration) -> String {
        let path = format!("/api/v1/checkouts/{id}");
        until_within(patience, &format!("checkout {id} comes to rest"), async || {
            let status = self.get(node, &path).await.ok().text("/status").to_owned();
            ["completed", "compensated", "parked"].contains(&status.as_str()).then_some(status)
        })
        .await
    }

    /// Stops what still runs, and insists that every invariant holds, that the books agree whichever node is asked about
    /// the sagas, and that nothing is left to do.
    pub(crate) async fn close(mut self, nodes: Vec<Process>) {
        for node in &nodes {
            let found = differences(self.shop.directory(), self.asked(node)).await;
            assert_eq!(found, Vec::<Value>::new());
        }
        for node in nodes {
            node.stop().await;
        }
        self.shop.stop_beside().await;
        let directory = self.shop.data().parent().unwrap().to_owned();
        let data = self.shop.data().display().to_string();
        let args = ["audit", "--json", "--data", &data, "--database-url", &self.database];
        let said = run(program(&directory).args(args));
        let report: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
        assert_eq!(
            (&report["counts"]["in_flight"], &report["parked"]),
            (&json!(0), &json!([])),
            "{report:#}"
        );
    }
}
