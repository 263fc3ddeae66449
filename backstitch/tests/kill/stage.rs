//! The processes of one run: participants in one, the orchestrator in one or two, each on ports that it keeps.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use backstitch_failpoint::VARIABLE;
use backstitch_proto::payment::ListWebhooksRequest;
use backstitch_proto::payment::payment_client::PaymentClient;
use serde_json::Value;
use tempfile::TempDir;

use crate::asker::Doors;
use crate::bank::Bank;
use crate::common::{
    Act, Answer, Asked, Call, Impostor, product, program, reconcile, reconciler, run, until,
};
use crate::dice::Dice;
use crate::engines::{Databases, Engines};
use crate::points::Who;
use crate::seat::{Seat, ports};
use crate::strangers::Stranger;

const NAMES: [&str; 6] = ["inventory", "shipping", "payment", "order", "cart", "notification"];

pub(crate) struct Stage {
    directory: TempDir,
    http: reqwest::Client,
    participants: Seat,
    relay: Seat,
    nodes: Vec<Seat>,
    /// Which orchestrator it is about.
    chosen: usize,
    pub(crate) doors: Doors,
    pub(crate) bank: Bank,
    /// Who has been at the bank besides.
    pub(crate) strangers: Vec<Stranger>,
    databases: Databases,
    /// Of the participants, one after the other; then come each orchestrator's for HTTP and gRPC.
    first_port: u16,
}

impl Stage {
    /// A fresh shop in which nobody is there yet.
    pub(crate) async fn new(engines: &Engines) -> Self {
        Self::with_bank(engines, Bank::Sandbox).await
    }

    /// The same with this bank.
    pub(crate) async fn with_bank(engines: &Engines, bank: Bank) -> Self {
        Self::over(engines, engines.fresh().await, bank)
    }

    /// One of its own with everything that this one has, which nobody is using. Not for a bank that is no file.
    pub(crate) async fn copy(&self, engines: &Engines) -> Self {
        assert!(matches!(self.bank, Bank::Sandbox), "Stripe's books cannot be copied");
        let mut copy = Self::over(engines, self.databases.copy().await, Bank::Sandbox);
        copy.strangers.clone_from(&self.strangers);
        copy_all(&self.data(), &copy.data());
        copy
    }

    fn over(engines: &Engines, databases: Databases, bank: Bank) -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data").display().to_string();
        let first = ports(6 + 2 * u16::try_from(engines.nodes()).unwrap());
        let mut all = ["participants", "--threads", "2", "--data", &data, "--listen", &at(first)]
            .map(str::to_owned)
            .to_vec();
        all.extend(databases.of_all());
        all.extend(bank.args(&format!("http://{}", at(first + 7))));
        let uris = NAMES.iter().zip(first..).map(|(name, port)| format!("{name}=http://{}", at(port)));
        let uris: Vec<_> = uris.flat_map(|uri| ["--participant".to_owned(), uri]).collect();
        let doors = (first + 6..).step_by(2).take(engines.nodes());
        let nodes = doors.clone().enumerate().map(|(number, http)| {
            let name = format!("orchestrator-{number}");
            let mut args = ["orchestrator", "--threads", "2", "--data", &data].map(str::to_owned).to_vec();
            args.extend(["--http".into(), at(http), "--grpc".into(), at(http + 1)]);
            args.extend(databases.of_orchestrator());
            args.extend(engines.sharing(&name));
            args.extend(uris.clone());
            Seat::new(&name, args)
        });
        Self {
            nodes: nodes.collect(),
            http: reqwest::Client::new(),
            participants: Seat::new("participants", all),
            relay: Seat::new("relay", Vec::new()),
            doors: Arc::new(doors.map(at).collect()),
            bank,
            strangers: Vec::new(),
            databases,
            directory,
            chosen: 0,
            first_port: first,
        }
    }

    /// Has witnesses of every call that the first orchestrator makes.
    pub(crate) async fn watch(&mut self) -> Vec<Impostor> {
        let mut witnesses = Vec::new();
        for arg in &mut self.nodes[0].args {
            let Some((name, honest)) = arg.split_once("=http://") else { continue };
            let witness = Impostor::before(honest, |_| Act::PassOn).await;
            *arg = format!("{name}={}", witness.uri());
            witnesses.push(witness);
        }
        witnesses
    }

    /// Has somebody else stand between the first orchestrator and a participant.
    pub(crate) async fn put_before(
        &mut self,
        name: &str,
        script: impl Fn(&Call) -> Act + Send + Sync + 'static,
    ) {
        let honest = self.address(name);
        let impostor = Impostor::before(&honest, script).await;
        let at = format!("{name}=http://{honest}");
        let arg = self.nodes[0].args.iter_mut().find(|arg| **arg == at).expect("it is called by name");
        *arg = format!("{name}={}", impostor.uri());
    }

    /// Makes a relay possible, on databases that everybody else has left.
    pub(crate) fn employ_relay(&mut self, brokers: &str, partitions: i32) {
        let (data, partitions) = (self.data().display().to_string(), partitions.to_string());
        let args = ["relay", "--http", "127.0.0.1:0", "--lease", "1s", "--data", &data, "--kafka", brokers];
        let mut args = [&args[..], &["--kafka-partitions", &partitions]].concat();
        let databases = self.databases.of_all();
        args.extend(databases.iter().map(String::as_str));
        self.relay = Seat::new("relay", args.into_iter().map(str::to_owned).collect());
    }

    /// Opens: it sells `A` and `B`. Participants and the first orchestrator are there; `armed` is told where to die.
    pub(crate) async fn open(&mut self, armed: Who, points: &str) {
        self.open_again(armed, points).await;
        for (sku, price) in [("A", 500), ("B", 1250)] {
            let url = format!("http://{}/api/v1/products/{sku}", self.doors[0]);
            let put = self.http.put(url).json(&product(price, STOCK)).send().await.unwrap();
            put.error_for_status().unwrap();
        }
    }

    /// Participants and the first orchestrator are there again; `armed` is told where to die.
    pub(crate) async fn open_again(&mut self, armed: Who, points: &str) {
        let for_whom = |who| if who == armed { points } else { "" };
        self.start(Who::Participants, for_whom(Who::Participants)).await;
        self.start(Who::Orchestrator, for_whom(Who::Orchestrator)).await;
    }

    fn seat(&mut self, who: Who) -> &mut Seat {
        match who {
            Who::Participants => &mut self.participants,
            Who::Relay => &mut self.relay,
            Who::Orchestrator => &mut self.nodes[self.chosen],
            Who::Reconciler => panic!("it comes and goes by itself"),
        }
    }

    /// Whoever is to die is dead, if it was not. Taken over by the other, where there is one that was not there before, or
    /// its own successor comes beside it.
    pub(crate) async fn goes_on(&mut self, who: Who, dice: &mut Dice) {
        self.kill(who);
        if who == Who::Orchestrator && self.nodes.len() > 1 && dice.roll(2) == 0 {
            self.choose_the_other();
            self.start(Who::Orchestrator, "").await;
        } else {
            self.start_all().await;
        }
    }

    /// From now on it is about the last orchestrator; the only one stays it.
    pub(crate) fn choose_the_other(&mut self) {
        self.chosen = self.nodes.len() - 1;
    }

    /// Starts whoever is not there.
    pub(crate) async fn start_all(&mut self) {
        for seat in self.nodes.iter_mut().chain([&mut self.participants]) {
            if seat.process.is_none() {
                seat.start("", self.directory.path()).await;
            }
        }
    }

    /// Starts it, told to die at `points`, and waits until it is ready.
    pub(crate) async fn start(&mut self, who: Who, points: &str) {
        let directory = self.directory.path().to_owned();
        self.seat(who).start(points, &directory).await;
    }

    /// Starts it and waits for nothing: it may die before it is ready.
    pub(crate) fn spawn(&mut self, who: Who, points: &str) {
        let directory = self.directory.path().to_owned();
        self.seat(who).spawn(points, &directory);
    }

    pub(crate) fn kill(&mut self, who: Who) {
        drop(self.seat(who).process.take());
    }

    /// Whether it has died where it was told to, or of something else.
    pub(crate) fn has_died(&mut self, who: Who, name: &str) -> Option<Result<(), String>> {
        let process = self.seat(who).process.as_mut().unwrap();
        let status = process.has_ended()?;
        let said = process.said();
        let as_told = status.signal() == Some(9) && said.contains(&format!("failpoint {name}"));
        Some(if as_told { Ok(()) } else { Err(format!("{name}: it ended with {status}:\n{said}")) })
    }

    /// Waits until a checkout is under way.
    pub(crate) async fn under_way(&self) {
        until("a checkout is under way", async || {
            let listed = self.get("/operator/v1/sagas?status=running").await;
            (!listed.text("/sagas/0/saga_id").is_empty()).then_some(())
        })
        .await;
    }

    /// Whether it stands still where it was told to.
    pub(crate) fn has_frozen(&mut self, who: Who, name: &str) -> Option<()> {
        let process = self.seat(who).process.as_ref().unwrap();
        (process.is_frozen() && process.said().contains(&format!("failpoint {name}: freeze"))).then_some(())
    }

    pub(crate) fn thaw(&mut self, who: Who) {
        self.seat(who).process.as_ref().unwrap().thaw();
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// The first orchestrator that is there.
    fn here(&self) -> usize {
        self.nodes.iter().position(|seat| seat.process.is_some()).unwrap_or_default()
    }

    /// Asks whoever is there.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.doors[self.here()]);
        until(&format!("{path} is answered"), async || {
            let response = self.http.get(&url).send().await.ok()?;
            Answer::read(response).await.ok().filter(|answer| answer.status < 300)
        })
        .await
    }

    /// Has something written down by whoever is there.
    pub(crate) async fn post(&self, path: &str, body: &Value) {
        until(&format!("{path} is taken"), async || {
            let sent =
                self.http.post(format!("http://{}{path}", self.doors[0])).json(body).send().await.ok()?;
            sent.status().is_success().then_some(())
        })
        .await;
    }

    /// SIGTERM to all, each of which has to end well.
    pub(crate) async fn close(&mut self) {
        for seat in self.nodes.iter_mut().chain([&mut self.participants, &mut self.relay]) {
            if let Some(process) = seat.process.take() {
                process.stop().await;
            }
        }
    }

    /// Where somebody listens by gRPC.
    fn address(&self, name: &str) -> String {
        let participant = NAMES.iter().zip(self.first_port..).find(|(participant, _)| **participant == name);
        at(participant.map_or(self.first_port + 7, |(_, port)| port))
    }

    /// Waits until the bank has told of everything, and the payment service has acted on it.
    pub(crate) async fn all_webhooks_are_done(&self) {
        let payment = format!("http://{}", self.address("payment"));
        let mut payment = PaymentClient::connect(payment).await.unwrap();
        until("every webhook is acted on", async || {
            let told = self.bank.has_told_all().await;
            let open = payment.list_webhooks(ListWebhooksRequest {}).await.ok()?.into_inner().webhooks;
            (told && open.is_empty()).then_some(())
        })
        .await;
    }

    /// What `backstitch reconcile` finds while everybody is up, and nothing is to settle by itself any more.
    pub(crate) async fn reconcile(&self) -> Vec<Value> {
        let (directory, asked) = (self.directory.path().to_owned(), self.asked());
        // The bank may be in this very thread, and has to be able to answer.
        tokio::task::spawn_blocking(move || reconcile(&directory, &asked, &[])).await.unwrap()
    }

    /// How `backstitch reconcile --repair` ends, told to die at `points`.
    pub(crate) async fn repair(&self, points: &str) -> Output {
        let mut reconciler = reconciler(self.directory.path(), &self.asked(), &["--json", "--repair"]);
        reconciler.env(VARIABLE, points);
        tokio::task::spawn_blocking(move || reconciler.output().unwrap()).await.unwrap()
    }

    /// Who is asked about the money.
    fn asked(&self) -> Asked {
        let grpc = usize::from(self.first_port) + 7 + 2 * self.here();
        let grpc = at(u16::try_from(grpc).unwrap());
        Asked::at(|name| if name == "grpc" { grpc.clone() } else { self.address(name) })
    }

    /// What the auditor says of the databases at rest.
    pub(crate) fn audit(&self) -> Value {
        let mut audit = program(self.directory.path());
        let audit = audit.args(["audit", "--json", "--data"]).arg(self.data()).args(self.databases.of_all());
        let said = run(audit);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Leaves nothing behind.
    pub(crate) async fn remove(self) {
        self.databases.remove().await;
    }

    /// What all processes said, for people.
    pub(crate) fn said(&self) -> String {
        let log = |seat: &Seat| {
            let path = self.directory.path().join(format!("{}.log", seat.name));
            format!("== {}\n{}", seat.name, std::fs::read_to_string(path).unwrap_or_default())
        };
        self.nodes.iter().chain([&self.participants, &self.relay]).map(log).collect()
    }
}

/// Of each product.
pub(crate) const STOCK: i64 = 1_000;

/// A directory with all that is in it.
fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_all(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
