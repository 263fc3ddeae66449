//! A shop in a directory of its own, in one process or in several, and the API as a gateway calls it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backstitch_services::On;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Answer, Asked, Process, Said, differences, program, run, until, until_within};

/// A shop. After [`Shop::kill`] or [`Shop::stop`] its directory is still there, to start again on or to audit.
pub(crate) struct Shop {
    directory: TempDir,
    /// Where its databases are if they are no files.
    database_url: Option<String>,
    /// What else `up` is told.
    more: Vec<String>,
    /// Whoever has the API.
    up: Option<Process>,
    /// Participants in processes of their own.
    beside: Vec<Process>,
    http: reqwest::Client,
}

impl Shop {
    /// A fresh, empty shop that is up.
    pub(crate) async fn open() -> Self {
        let mut shop = Self::closed();
        shop.start().await;
        shop
    }

    /// A fresh directory with nothing running on it.
    pub(crate) fn closed() -> Self {
        Self {
            directory: TempDir::new().unwrap(),
            database_url: None,
            more: Vec::new(),
            up: None,
            beside: Vec::new(),
            http: reqwest::Client::new(),
        }
    }

    /// A fresh shop that sells `A` at 5.00 GBP, and `B` at 12.50 GBP, and has a hundred of each.
    pub(crate) async fn stocked() -> Self {
        Self::stocked_on(On::Sqlite).await
    }

    /// The same with its databases there.
    pub(crate) async fn stocked_on(on: On) -> Self {
        let mut shop = Self::closed();
        shop.database_url = (on == On::Postgres).then(|| backstitch_services::fresh_database("shop"));
        shop.start().await;
        shop.put_a_and_b().await;
        shop
    }

    /// The same, and `up` is told more.
    pub(crate) async fn stocked_with(more: &[&str]) -> Self {
        let mut shop = Self::closed();
        shop.more = more.iter().map(|arg| (*arg).to_owned()).collect();
        shop.start().await;
        shop.put_a_and_b().await;
        shop
    }

    /// What [`Shop::stocked`] sells.
    pub(crate) async fn put_a_and_b(&self) {
        self.put_product("A", 500, 100).await.ok();
        self.put_product("B", 1250, 100).await.ok();
    }

    /// Starts all participants in one process beside, or these roles in one each, and answers where they are.
    pub(crate) async fn start_beside(&mut self, roles: &[(&str, &[&str])]) -> BTreeMap<String, String> {
        let data = self.data().display().to_string();
        let mut addresses = BTreeMap::new();
        for (role, args) in roles {
            let args = [&[role, "--data", &data], *args].concat();
            let process = Process::start(role, &args, self.directory.path()).await;
            addresses.extend(process.addresses().clone());
            self.beside.push(process);
        }
        addresses
    }

    /// Starts the orchestrator alone, with participants at these URIs.
    pub(crate) async fn start_orchestrator(&mut self, participants: &BTreeMap<String, String>) {
        self.start_orchestrator_with(participants, &[]).await;
    }

    /// As [`Shop::start_orchestrator`], with more arguments.
    pub(crate) async fn start_orchestrator_with(
        &mut self,
        participants: &BTreeMap<String, String>,
        more: &[&str],
    ) {
        let data = self.data().display().to_string();
        let at: Vec<String> = participants.iter().map(|(name, uri)| format!("{name}={uri}")).collect();
        let mut args =
            vec!["orchestrator", "--data", &data, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"];
        args.extend(at.iter().flat_map(|at| ["--participant", at]));
        args.extend(more);
        self.up = Some(Process::start("orchestrator", &args, self.directory.path()).await);
    }

    /// Where it runs, and where its logs are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn args(&self) -> Vec<String> {
        let mut args = ["up", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"].map(str::to_owned).to_vec();
        args.extend(self.databases());
        args.extend(self.more.iter().cloned());
        args
    }

    /// The URL of a database of it.
    pub(crate) fn database(&self, name: &str) -> String {
        match &self.database_url {
            None => format!("sqlite://{}", self.data().join(format!("{name}.db")).display()),
            Some(url) => match url.split_once('?') {
                Some((address, options)) => format!("{address}_{name}?{options}"),
                None => format!("{url}_{name}"),
            },
        }
    }

    /// The options that say where the databases are.
    fn databases(&self) -> Vec<String> {
        let mut args = vec!["--data".to_owned(), self.data().display().to_string()];
        args.extend(self.database_url.iter().flat_map(|url| ["--database-url".to_owned(), url.clone()]));
        args
    }

    /// Starts on whatever is in the directory, and waits until it is ready.
    pub(crate) async fn start(&mut self) {
        self.start_with(&[]).await;
    }

    /// As [`Shop::start`], with more arguments.
    pub(crate) async fn start_with(&mut self, more: &[&str]) {
        let args = self.args();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        self.up = Some(Process::start("up", &args, self.directory.path()).await);
    }

    /// Starts and does not wait for anything.
    pub(crate) fn spawn(&self) -> Process {
        self.spawn_with(&[], &[])
    }

    /// As [`Shop::spawn`], with more arguments, and with these variables in its environment.
    pub(crate) fn spawn_with(&self, more: &[&str], env: &[(&str, &str)]) -> Process {
        let args = self.args();
        let args: Vec<&str> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Process::spawn_with("up", &args, env, self.directory.path())
    }

    pub(crate) fn up(&self) -> &Process {
        self.up.as_ref().expect("the shop is up")
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        drop(self.up.take());
    }

    /// Where a part of it listens, in whichever process that is.
    pub(crate) fn address(&self, name: &str) -> &str {
        let processes = [self.up()].into_iter().chain(&self.beside);
        let mut all = processes.filter_map(|process| process.addresses().get(name));
        all.next().unwrap_or_else(|| panic!("nobody of this shop is {name}"))
    }

    /// Hands the process over, for a test that ends it in its own way.
    pub(crate) fn take(&mut self) -> Process {
        self.up.take().expect("the shop is up")
    }

    /// SIGTERM; insists on a clean end.
    pub(crate) async fn stop(&mut self) {
        self.take().stop().await;
        self.stop_beside().await;
    }

    /// As [`Shop::stop`], of the participants alone.
    pub(crate) async fn stop_beside(&mut self) {
        for process in self.beside.drain(..) {
            process.stop().await;
        }
    }

    /// `backstitch audit --json` over the directory at rest: exit code and report.
    pub(crate) fn audit(&self) -> (Said, Value) {
        let said = run(program(self.directory.path()).args(["audit", "--json"]).args(self.databases()));
        let report = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        (said, report)
    }

    /// What the books of the shop differ in, which is up and at rest.
    pub(crate) async fn differences(&self) -> Vec<Value> {
        differences(self.directory(), Asked::of(self)).await
    }

    /// Stops, and insists that every invariant holds, that the books agree and that nothing is left to do. Answers the
    /// auditor's report.
    pub(crate) async fn close(mut self) -> Value {
        assert_eq!(self.differences().await, Vec::<Value>::new());
        self.stop().await;
        let (said, report) = self.audit();
        assert_eq!((said.code, &report["violations"]), (Some(0), &json!([])), "{report:#}");
        assert_eq!(
            (&report["counts"]["in_flight"], &report["parked"]),
            (&json!(0), &json!([])),
            "{report:#}"
        );
        report
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.up().address("http"))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn put_product(&self, sku: &str, minor: i64, stock: i64) -> Answer {
        self.put(&format!("/api/v1/products/{sku}"), &product(minor, stock)).await
    }

    /// Puts so many of each into a cart.
    pub(crate) async fn fill(&self, cart: &str, lines: &[(&str, i64)]) -> Answer {
        let items: Vec<_> = lines.iter().map(|(sku, quantity)| item(sku, *quantity)).collect();
        self.put(&format!("/api/v1/carts/{cart}"), &json!({ "items": items })).await.ok()
    }

    pub(crate) fn checkout_request(&self, key: &str, body: &Value) -> reqwest::RequestBuilder {
        self.request(Method::POST, "/api/v1/checkouts").header("Idempotency-Key", key).json(body)
    }

    /// Starts a checkout and does not wait for its end.
    pub(crate) async fn begin(&self, key: &str, body: &Value) -> Answer {
        self.send(self.checkout_request(key, body)).await
    }

    /// Checks out, waiting for the end, which is insisted on although the customer may have to act first.
    pub(crate) async fn check_out(&self, key: &str, body: &Value) -> Answer {
        let answer = self.send(self.checkout_request(key, body).header("Prefer", "wait=30")).await.ok();
        self.rested(answer.text("/checkout_id")).await
    }

    /// The document of a checkout once it has come to rest: completed, compensated or parked.
    pub(crate) async fn rested(&self, id: &str) -> Answer {
        self.reaches(id, &["completed", "compensated", "parked"]).await
    }

    /// As [`Shop::rested`], with another patience than the usual.
    pub(crate) async fn rested_within(&self, id: &str, patience: Duration) -> Answer {
        let path = format!("/api/v1/checkouts/{id}");
        until_within(patience, &format!("checkout {id} comes to rest"), async || {
            let answer = self.get(&path).await.ok();
            ["completed", "compensated", "parked"].contains(&answer.text("/status")).then_some(answer)
        })
        .await
    }

    /// The document of a checkout once it has one of these states.
    pub(crate) async fn reaches(&self, id: &str, states: &[&str]) -> Answer {
        let path = format!("/api/v1/checkouts/{id}");
        until(&format!("checkout {id} is one of {states:?}"), async || {
            let answer = self.get(&path).await.ok();
            states.contains(&answer.text("/status")).then_some(answer)
        })
        .await
    }

    /// On hand, reserved and sold.
    pub(crate) async fn stock(&self, sku: &str) -> (i64, i64, i64) {
        let product = self.get(&format!("/api/v1/products/{sku}")).await.ok();
        (product.int("/on_hand"), product.int("/reserved"), product.int("/sold"))
    }

    /// Everything about a saga, as an operator sees it.
    pub(crate) async fn saga(&self, id: &str) -> Answer {
        self.get(&format!("/operator/v1/sagas/{id}")).await.ok()
    }

    /// How many sagas there are.
    pub(crate) async fn sagas(&self) -> usize {
        let listed = self.get("/operator/v1/sagas?page_size=500").await.ok();
        assert_eq!(listed.text("/next_cursor"), "", "more than one page");
        listed.body["sagas"].as_array().unwrap().len()
    }
}

/// A product body.
pub(crate) fn product(minor: i64, stock: i64) -> Value {
    json!({"name": "Something", "price": gbp(minor), "stock": stock, "weight_grams": 100})
}

pub(crate) fn gbp(minor: i64) -> Value {
    json!({"amount_minor": minor, "currency": "GBP"})
}

pub(crate) fn item(sku: &str, quantity: i64) -> Value {
    json!({"sku": sku, "quantity": quantity})
}

pub(crate) fn address_in(country: &str) -> Value {
    json!({
        "name": "Ada Lovelace", "line1": "12 St James's Square", "city": "London", "postal_code": "SW1Y 4JH",
        "country": country,
    })
}

/// A checkout of `cart`, paid with `token`.
pub(crate) fn order_of(cart: &str, token: &str) -> Value {
    json!({
        "cart_id": cart,
        "email": "ada@example.com",
        "shipping_address": address_in("GB"),
        "shipping_method": "standard",
        "payment_method": token,
    })
}

/// `body` with another value at a JSON pointer whose parent is there.
pub(crate) fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[name] = value;
    body
}
