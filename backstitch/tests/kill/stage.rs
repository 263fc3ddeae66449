//! The processes of one run: participants in one, the orchestrator in one or two, each on ports that it keeps.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use backstitch_failpoint::VARIABLE;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Answer, PATIENCE, Process, product, program, run, until};
use crate::customers::Doors;
use crate::points::Who;

/// What the databases are.
#[derive(Clone, Debug)]
pub(crate) enum Engines {
    Sqlite,
}

impl Engines {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Engines::Sqlite => "SQLite",
        }
    }
}

/// A process that can be started again with the same command line.
pub(crate) struct Seat {
    name: String,
    args: Vec<String>,
    process: Option<Process>,
}

/// Free ports below those that the system gives out by itself, so that they are free again after a restart.
fn ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 12_000 + u16::try_from(std::process::id() % 160).unwrap() * 100;
    loop {
        let skip = NEXT.fetch_add(u16::try_from(N).unwrap(), Ordering::Relaxed);
        let base = 12_000 + (first - 12_000 + skip) % 18_000;
        let ports: [u16; N] = std::array::from_fn(|n| base + u16::try_from(n).unwrap());
        if ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            return ports;
        }
    }
}

pub(crate) struct Stage {
    directory: TempDir,
    http: reqwest::Client,
    participants: Seat,
    nodes: Vec<Seat>,
    pub(crate) doors: Doors,
}

impl Stage {
    /// A fresh shop that sells `A` and `B`; `armed` is told where to die.
    pub(crate) async fn open(engines: &Engines, armed: Who, points: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data").display().to_string();
        let [p, _, _, _, _, _, http, grpc] = ports::<8>();
        let participants =
            ["participants", "--threads", "2", "--data", &data, "--listen", &at(p)].map(str::to_owned);
        let mut node =
            ["orchestrator", "--threads", "2", "--data", &data, "--http", &at(http), "--grpc", &at(grpc)]
                .map(str::to_owned)
                .to_vec();
        for (name, port) in
            ["inventory", "shipping", "payment", "order", "cart", "notification"].iter().zip(p..)
        {
            node.extend(["--participant".into(), format!("{name}=http://{}", at(port))]);
        }
        let mut stage = Self {
            directory,
            http: reqwest::Client::new(),
            participants: Seat::new("participants", participants.into()),
            nodes: vec![Seat::new("orchestrator", node)],
            doors: Arc::new(vec![at(http)]),
        };
        match engines {
            Engines::Sqlite => {}
        }
        let for_whom = |who| if who == armed { points } else { "" };
        stage.start(Who::Participants, for_whom(Who::Participants)).await;
        stage.start(Who::Orchestrator, for_whom(Who::Orchestrator)).await;
        for (sku, price) in [("A", 500), ("B", 1250)] {
            let url = format!("http://{}/api/v1/products/{sku}", stage.doors[0]);
            stage
                .http
                .put(url)
                .json(&product(price, STOCK))
                .send()
                .await
                .unwrap()
                .error_for_status()
                .unwrap();
        }
        stage
    }

    fn seat(&mut self, who: Who) -> &mut Seat {
        match who {
            Who::Participants => &mut self.participants,
            Who::Orchestrator => &mut self.nodes[0],
        }
    }

    /// Starts it, told to die at `points`, and waits until it is ready.
    pub(crate) async fn start(&mut self, who: Who, points: &str) {
        let directory = self.directory.path().to_owned();
        let seat = self.seat(who);
        let args: Vec<&str> = seat.args.iter().map(String::as_str).collect();
        seat.process = Some(Process::start_with(&seat.name, &args, &[(VARIABLE, points)], &directory).await);
    }

    /// Starts it and waits for nothing: it may die before it is ready.
    pub(crate) fn spawn(&mut self, who: Who, points: &str) {
        let directory = self.directory.path().to_owned();
        let seat = self.seat(who);
        let args: Vec<&str> = seat.args.iter().map(String::as_str).collect();
        seat.process = Some(Process::spawn_with(&seat.name, &args, &[(VARIABLE, points)], &directory));
    }

    pub(crate) fn kill(&mut self, who: Who) {
        drop(self.seat(who).process.take());
    }

    /// Waits until it has died where it was told to; fails if it lives, or died of something else.
    pub(crate) async fn dies(&mut self, who: Who, name: &str) -> Result<(), String> {
        use std::os::unix::process::ExitStatusExt as _;

        let process = self.seat(who).process.as_mut().unwrap();
        let mut ended = None;
        let begun = std::time::Instant::now();
        while ended.is_none() && begun.elapsed() < PATIENCE / 3 {
            ended = process.has_ended();
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let said = process.said();
        match ended {
            None => Err(format!("{name} was not reached")),
            Some(status)
                if status.signal() == Some(9) && said.contains(&format!("failpoint {name}: abort")) =>
            {
                Ok(())
            }
            Some(status) => Err(format!("{name}: it ended with {status}:\n{said}")),
        }
    }

    /// Waits until a checkout is under way.
    pub(crate) async fn under_way(&self) {
        until("a checkout is under way", async || {
            let listed = self.get("/operator/v1/sagas?status=running").await;
            (!listed.text("/sagas/0/saga_id").is_empty()).then_some(())
        })
        .await;
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.doors[0]);
        until(&format!("{path} is answered"), async || {
            let response = self.http.get(&url).send().await.ok()?;
            Answer::read(response).await.ok().filter(|answer| answer.status < 300)
        })
        .await
    }

    /// SIGTERM to all, each of which has to end well.
    pub(crate) async fn close(&mut self) {
        for seat in self.nodes.iter_mut().chain([&mut self.participants]) {
            if let Some(process) = seat.process.take() {
                process.stop().await;
            }
        }
    }

    /// What the auditor says of the databases at rest.
    pub(crate) fn audit(&self) -> Value {
        let said = run(program(self.directory.path()).args(["audit", "--json", "--data"]).arg(self.data()));
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// What all processes said, for people.
    pub(crate) fn said(&self) -> String {
        let log = |seat: &Seat| {
            let path = self.directory.path().join(format!("{}.log", seat.name));
            format!("== {}\n{}", seat.name, std::fs::read_to_string(path).unwrap_or_default())
        };
        self.nodes.iter().chain([&self.participants]).map(log).collect()
    }
}

/// Of each product.
pub(crate) const STOCK: i64 = 1_000;

impl Seat {
    fn new(name: &str, args: Vec<String>) -> Self {
        Self { name: name.to_owned(), args, process: None }
    }
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
