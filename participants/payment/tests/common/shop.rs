//! A participant on a real database: started, killed and started again, one process or two.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstitch_proto::payment::payment_client::PaymentClient;
use backstitch_services::On;
use participant_kit::{Background, ManualClock};
use participant_payment::Settings;
use participant_payment::gateway::sandbox::{Patience, Sandbox};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

use super::hooks::{self, Told};
use super::standing::StandingStill;
use super::stripe::{self, Stripe};
use super::wire::{Fault, Lie, LieOfRefunds, Wire};

/// How long what another process has begun is left to it.
pub const GONE_AFTER_MS: i64 = 30_000;

/// A running process.
pub(super) struct Process {
    runtime: Runtime,
    pub(super) client: PaymentClient<Routes>,
    pub(super) background: Vec<Arc<dyn Background>>,
    pub(super) wire: Wire,
    /// Where it takes webhooks in.
    pub(super) door: SocketAddr,
}

/// One saga's payment, and the participant that it is made with.
pub struct Shop {
    on: On,
    two: bool,
    pub(super) payments: String,
    pub(super) directory: tempfile::TempDir,
    /// The bank, if it is not the sandbox.
    pub(super) stripe: Option<Stripe>,
    pub clock: ManualClock,
    pub(super) stands: StandingStill,
    pub(super) faults: Arc<Mutex<VecDeque<Fault>>>,
    pub(super) lie: Arc<Mutex<Option<Lie>>>,
    pub(super) lie_of_refunds: Arc<Mutex<Option<LieOfRefunds>>>,
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    pub(super) left: Arc<Mutex<Vec<(&'static str, i64)>>>,
    pub(super) after: Arc<Mutex<Duration>>,
    pub(super) facts: Mutex<BTreeMap<String, String>>,
    /// The orchestrator that is told.
    pub told: Told,
    process: Option<Process>,
    /// Another one on the same database and at the same bank.
    second: Option<Process>,
    pub saga: Uuid,
    pub payment: Uuid,
}

impl Shop {
    pub fn open(on: On) -> Self {
        Self::open_as(on, false)
    }

    /// One that has two processes on a Postgres database; see [`other`](Self::other).
    pub fn with_two_processes() -> Self {
        Self::open_as(On::Postgres, true)
    }

    fn open_as(on: On, two: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let payments = on.url(directory.path(), "payment");
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(participant_payment::SCHEMA.migrate(&payments)).unwrap();
        let clock = ManualClock::new(1_700_000_000_000);
        let mut shop = Self {
            on,
            two,
            payments,
            directory,
            stripe: stripe::CHOSEN.then(Stripe::start),
            stands: StandingStill::of(&clock),
            clock,
            faults: Arc::default(),
            lie: Arc::default(),
            lie_of_refunds: Arc::default(),
            asked: Arc::default(),
            left: Arc::default(),
            after: Arc::default(),
            facts: Mutex::default(),
            told: Told::default(),
            process: None,
            second: None,
            saga: Uuid::now_v7(),
            payment: Uuid::now_v7(),
        };
        shop.start();
        shop
    }

    pub fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.directory.path().join(name).display())
    }

    fn start(&mut self) {
        // One of two goes on while the other is called: a process that stood still would be a frozen one, and would keep
        // its locks.
        let mut runtime = if self.two { Builder::new_multi_thread() } else { Builder::new_current_thread() };
        let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
        let clock = Arc::new(self.stands.clone());
        let wire = runtime.block_on(async {
            let sandbox =
                Sandbox::open(&self.url("sandbox.db"), Patience::none(), clock.clone()).await.unwrap();
            Wire {
                gateway: match &self.stripe {
                    Some(stripe) => Arc::new(stripe.gateway()),
                    None => Arc::new(sandbox.clone()),
                },
                faults: self.faults.clone(),
                lie: self.lie.clone(),
                lie_of_refunds: self.lie_of_refunds.clone(),
                asked: self.asked.clone(),
                hung: Arc::default(),
                release: Arc::default(),
                clock: self.clock.clone(),
                left: self.left.clone(),
                sandbox,
            }
        });
        let gateway = Arc::new(wire.clone());
        let settings = Settings {
            orchestrator: Some(Arc::new(self.told.clone())),
            webhooks: Some(hooks::options()),
            ..Settings::new(clock)
        };
        let opened = participant_payment::open_with(&self.payments, gateway, settings);
        let mut participant = runtime.block_on(opened).unwrap();
        let door = participant.doors.remove(0);
        let address = door.address;
        runtime.spawn((door.serve)(CancellationToken::new()));
        let client = PaymentClient::new(participant.routes);
        let background = participant.background;
        self.process = Some(Process { runtime, client, background, wire, door: address });
    }

    /// Kills every process and starts one: a moment later where no other process works on the database, else when
    /// whatever it had begun is held to be nobody's.
    pub fn crash(&mut self) {
        drop((self.process.take(), self.second.take()));
        self.faults.lock().unwrap().clear();
        self.clock.advance(1);
        self.until_nobody_else_is_at_it();
        self.start();
    }

    /// Whatever another process may have begun is held to be nobody's from now on. Over a file there is no other.
    pub fn until_nobody_else_is_at_it(&self) {
        if self.on == On::Postgres {
            self.clock.advance(GONE_AFTER_MS + 1);
        }
    }

    /// What follows happens in the other one of two processes.
    pub fn other(&mut self) {
        std::mem::swap(&mut self.process, &mut self.second);
        if self.process.is_none() {
            self.start();
        }
    }

    /// Kills the other process. Nobody is told.
    pub fn kill_other(&mut self) {
        drop(self.second.take());
    }

    pub(super) fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub(super) fn second(&self) -> &Process {
        self.second.as_ref().unwrap()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.process().runtime.block_on(future)
    }
}
