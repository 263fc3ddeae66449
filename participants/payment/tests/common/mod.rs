//! A payment participant that can be killed: a runtime of its own on a real database and a real bank's file, with a wire to the sandbox that
//! can be cut at any call.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub, unused_imports)]

mod hooks;
mod standing;
mod stripe;
mod wire;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstitch_proto::contract::{CallMeta, Op, Verdict};
use backstitch_proto::money::{Currency, Money};
use backstitch_proto::payment::payment_client::PaymentClient;
use backstitch_proto::payment::{
    AuthorizeRequest, CaptureRequest, Case, GetPaymentRequest, ListCasesRequest, ListCasesResponse,
    ListPaymentsRequest, ListPaymentsResponse, ListProviderObjectsRequest, ListProviderObjectsResponse,
    ListWebhooksRequest, PaymentDocument, RefundRequest, ResolveCaseRequest, SettleCaseRequest,
    TakeBackObjectRequest, VoidRequest, Webhook, authorize_response,
};
use backstitch_services::On;
use participant_kit::{Background, ManualClock};
use participant_payment::Settings;
use participant_payment::gateway::ProviderId;
use participant_payment::gateway::sandbox::{Patience, Sandbox};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Connection as _, Row as _};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub use self::hooks::{SECRET, Told, signature};
use self::standing::StandingStill;
pub use self::stripe::Stripe;
pub use self::wire::{Fault, Lie, LieOfRefunds, Wire};

pub const AMOUNT: i64 = 1_000;

/// How long what another process has begun is left to it.
pub const GONE_AFTER_MS: i64 = 30_000;

pub fn gbp(minor: i64) -> Money {
    Money::new(minor, Currency::parse("GBP").unwrap())
}

/// What a call came to, by the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Done,
    Pending(String),
    Refused(String),
    NotNow,
    Unknown,
    Broken(String),
    Superseded,
}

impl Said {
    pub fn refused(reason: &str) -> Self {
        Said::Refused(reason.to_owned())
    }

    pub fn is_broken(&self) -> bool {
        matches!(self, Said::Broken(_))
    }
}

/// A running process.
struct Process {
    runtime: Runtime,
    client: PaymentClient<Routes>,
    background: Vec<Arc<dyn Background>>,
    wire: Wire,
    /// Where it takes webhooks in.
    door: SocketAddr,
}

/// One saga's payment, and the participant that it is made with.
pub struct Shop {
    on: On,
    two: bool,
    payments: String,
    directory: tempfile::TempDir,
    /// The bank, if it is not the sandbox.
    stripe: Option<Stripe>,
    pub clock: ManualClock,
    stands: StandingStill,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    lie: Arc<Mutex<Option<Lie>>>,
    lie_of_refunds: Arc<Mutex<Option<LieOfRefunds>>>,
    asked: Arc<Mutex<Vec<String>>>,
    left: Arc<Mutex<Vec<(&'static str, i64)>>>,
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

    /// What the wire does to the next calls, in order.
    pub fn faults(&self, faults: &[Fault]) {
        *self.faults.lock().unwrap() = faults.iter().copied().collect();
    }

    /// Lets every call that hangs go on, and their tasks run until they end or hang again.
    pub fn release(&self) {
        self.block_on(async {
            self.process().wire.release.notify_waiters();
            // The tasks go through the databases' threads, so turns alone are not enough to wait for: a step that
            // somebody is still at the provider for answers an undo or a close with NotNow, and the caller repeats.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        });
    }

    pub fn lie(&self, lie: Lie) {
        *self.lie.lock().unwrap() = Some(lie);
    }

    pub fn lie_of_refunds(&self, lie: Option<LieOfRefunds>) {
        *self.lie_of_refunds.lock().unwrap() = lie;
    }

    /// `verb:outcome` of every call that reached the provider since this was last asked.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// The process stands still for `ms`, once it has read its clock so many times more.
    pub fn stands_still_after(&self, readings: u32, ms: i64) {
        self.stands.after(readings, ms);
    }

    /// Which calls have left for the provider, and when.
    pub fn left(&self) -> Vec<(&'static str, i64)> {
        std::mem::take(&mut *self.left.lock().unwrap())
    }

    fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.process().runtime.block_on(future)
    }

    pub fn meta(&self, step: &str, op: Op) -> CallMeta {
        CallMeta {
            saga: self.saga,
            root: self.saga,
            name: "checkout".into(),
            step: step.into(),
            op,
            attempt: 1,
            traceparent: String::new(),
        }
    }

    /// Makes a call, until it is answered or hangs at the provider. None: it hangs there; the caller has gone away.
    fn call<M, T, F>(
        &self,
        meta: &CallMeta,
        message: M,
        rpc: impl FnOnce(PaymentClient<Routes>, Request<M>) -> F,
    ) -> Option<Result<T, Said>>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let mut request = Request::new(message);
        meta.write(request.metadata_mut());
        let process = self.process();
        let key = meta.key();
        self.block_on(async {
            tokio::select! {
                biased;
                answer = rpc(process.client.clone(), request) => {
                    Some(answer.map(Response::into_inner).map_err(|status| said(&status, &key)))
                }
                () = process.wire.hung.notified() => None,
            }
        })
    }

    pub fn try_authorize(&self, op: Op, token: &str) -> Option<Said> {
        self.try_authorize_as("authorize_payment", self.payment, op, token, gbp(AMOUNT))
    }

    pub fn try_authorize_as(
        &self,
        step: &str,
        payment: Uuid,
        op: Op,
        token: &str,
        amount: Money,
    ) -> Option<Said> {
        let request = AuthorizeRequest {
            payment_id: payment.to_string(),
            amount: Some(amount.to_proto()),
            payment_method: self.token(token).into(),
            order_id: "an order".into(),
        };
        let meta = self.meta(step, op);
        let answer = self.call(&meta, request, |mut c, r| async move { c.authorize(r).await })?;
        Some(match answer {
            Ok(response) => match response.result.unwrap() {
                authorize_response::Result::Authorized(authorized) => {
                    assert_eq!(authorized.amount, Some(amount.to_proto()));
                    assert!(authorized.capturable_for_seconds > 0);
                    Said::Done
                }
                authorize_response::Result::Pending(action) => Said::Pending(action.url),
            },
            Err(said) => said,
        })
    }

    /// Stripe, where it is the bank.
    pub fn stripe(&self) -> &Stripe {
        self.stripe.as_ref().unwrap()
    }

    /// The token with which this bank does what the sandbox does with `token`.
    fn token<'a>(&self, token: &'a str) -> &'a str {
        if self.stripe.is_some() { Stripe::token(token) } else { token }
    }

    pub fn try_void(&self) -> Option<Said> {
        let meta = self.meta("authorize_payment", Op::Undo);
        let request = VoidRequest { payment_id: self.payment.to_string() };
        let answer = self.call(&meta, request, |mut c, r| async move { c.void(r).await })?;
        Some(answer.map_or_else(|said| said, |_| Said::Done))
    }

    pub fn try_capture(&self, op: Op, amount: Money) -> Option<Said> {
        self.try_capture_as("capture_payment", op, amount)
    }

    pub fn try_capture_as(&self, step: &str, op: Op, amount: Money) -> Option<Said> {
        let meta = self.meta(step, op);
        let request =
            CaptureRequest { payment_id: self.payment.to_string(), amount: Some(amount.to_proto()) };
        let answer = self.call(&meta, request, |mut c, r| async move { c.capture(r).await })?;
        Some(answer.map_or_else(
            |said| said,
            |response| {
                assert_eq!(response.captured, Some(amount.to_proto()));
                Said::Done
            },
        ))
    }

    pub fn try_refund(&self, op: Op, number: u8, amount: Money) -> Option<Said> {
        let meta = self.meta(&format!("refund_{number}"), op);
        let request = RefundRequest {
            refund_id: self.refund_id(number).to_string(),
            payment_id: self.payment.to_string(),
            amount: Some(amount.to_proto()),
        };
        let answer = self.call(&meta, request, |mut c, r| async move { c.refund(r).await })?;
        Some(answer.map_or_else(
            |said| said,
            |response| {
                assert_eq!(response.refunded, Some(amount.to_proto()));
                Said::Done
            },
        ))
    }

    /// A repair by another saga, under a step of its own.
    pub fn take_back(&self, op: Op, number: u8, object: &str, state: &str) -> Result<(String, i64), Said> {
        self.try_take_back(op, number, object, state).unwrap()
    }

    pub fn try_take_back(
        &self,
        op: Op,
        number: u8,
        object: &str,
        state: &str,
    ) -> Option<Result<(String, i64), Said>> {
        self.ask_back(&self.meta(&format!("repair_{number}"), op), number, object, state)
    }

    /// A repair in the family of another root.
    pub fn take_back_of(
        &self,
        root: Uuid,
        number: u8,
        object: &str,
        state: &str,
    ) -> Result<(String, i64), Said> {
        let meta = CallMeta { root, ..self.meta(&format!("repair_{number}"), Op::Do) };
        self.ask_back(&meta, number, object, state).unwrap()
    }

    fn ask_back(
        &self,
        meta: &CallMeta,
        number: u8,
        object: &str,
        state: &str,
    ) -> Option<Result<(String, i64), Said>> {
        let request = TakeBackObjectRequest {
            provider_id: object.into(),
            state: state.into(),
            refund_id: self.refund_id(number).to_string(),
        };
        let answer = self.call(meta, request, |mut c, r| async move { c.take_back_object(r).await })?;
        Some(answer.map(|answer| (answer.outcome, answer.amount.unwrap().amount_minor)))
    }

    pub fn settle_case(&self, case: Uuid) -> Result<String, Said> {
        let request = SettleCaseRequest { case_id: case.to_string() };
        let meta = self.meta("settle_case", Op::Do);
        let answer = self.call(&meta, request, |mut c, r| async move { c.settle_case(r).await });
        answer.unwrap().map(|answer| answer.resolution)
    }

    pub fn resolve_case(&self, case: &str, resolution: &str) -> Result<Case, Status> {
        let request = ResolveCaseRequest { case_id: case.into(), resolution: resolution.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.resolve_case(request).await }).map(Response::into_inner)
    }

    pub fn cases(&self, open: bool) -> Vec<Case> {
        self.case_page(open, 0, "").unwrap().cases
    }

    pub fn case_page(&self, open: bool, size: i32, token: &str) -> Result<ListCasesResponse, Status> {
        let request = ListCasesRequest { open, page_size: size, page_token: token.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_cases(request).await }).map(Response::into_inner)
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        let mut client = self.process().client.clone();
        let listed = self.block_on(async move { client.list_webhooks(ListWebhooksRequest {}).await });
        listed.unwrap().into_inner().webhooks
    }

    pub fn payments(&self, page_size: i32, page_token: &str) -> Result<ListPaymentsResponse, Status> {
        let request = ListPaymentsRequest { page_size, page_token: page_token.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_payments(request).await }).map(Response::into_inner)
    }

    pub fn objects(&self, page_token: &str) -> Result<ListProviderObjectsResponse, Status> {
        let request = ListProviderObjectsRequest { created_from_unix_ms: 0, page_token: page_token.into() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.list_provider_objects(request).await }).map(Response::into_inner)
    }

    /// The customer is through with the provider's page.
    pub fn customer_finishes(&self) {
        let object = ProviderId::new(self.object());
        let wire = self.process().wire.clone();
        self.block_on(async move { wire.sandbox.finish_challenge(&object).await }).unwrap();
    }

    /// Something happens to the only object that nobody here asked for.
    pub fn at_the_bank<T>(&self, act: impl AsyncFnOnce(Sandbox, ProviderId) -> T) -> T {
        let (object, sandbox) = (ProviderId::new(self.object()), self.process().wire.sandbox.clone());
        self.block_on(act(sandbox, object))
    }

    /// A call of `refund` that runs beside others.
    pub async fn refunding(&self, number: u8, minor: i64) -> Said {
        let meta = self.meta(&format!("refund_{number}"), Op::Do);
        let mut request = Request::new(RefundRequest {
            refund_id: self.refund_id(number).to_string(),
            payment_id: self.payment.to_string(),
            amount: Some(gbp(minor).to_proto()),
        });
        meta.write(request.metadata_mut());
        let answer = self.process().client.clone().refund(request).await;
        answer.map_or_else(|status| said(&status, &meta.key()), |_| Said::Done)
    }

    pub fn refund_id(&self, number: u8) -> Uuid {
        backstitch_proto::ids::derived(self.saga, &format!("refund-{number}"))
    }

    pub fn authorize(&self, op: Op, token: &str) -> Said {
        self.try_authorize(op, token).unwrap()
    }

    pub fn void(&self) -> Said {
        self.try_void().unwrap()
    }

    pub fn capture(&self, op: Op) -> Said {
        self.try_capture(op, gbp(AMOUNT)).unwrap()
    }

    pub fn refund(&self, op: Op, number: u8, minor: i64) -> Said {
        self.try_refund(op, number, gbp(minor)).unwrap()
    }

    pub fn get(&self) -> Result<PaymentDocument, Status> {
        self.get_by(&self.payment.to_string())
    }

    pub fn get_by(&self, id: &str) -> Result<PaymentDocument, Status> {
        let request = GetPaymentRequest { payment_id: id.to_owned() };
        let mut client = self.process().client.clone();
        self.block_on(async move { client.get_payment(request).await }).map(Response::into_inner)
    }

    pub fn status(&self) -> String {
        self.get().map_or_else(|status| format!("{:?}", status.code()), |document| document.status)
    }

    /// Lets the participant's own loops take up what is due in `after`.
    pub fn tick(&self, after: Duration) {
        self.clock.advance(i64::try_from(after.as_millis()).unwrap());
        let now_ms = participant_kit::Clock::now_ms(&self.clock);
        for background in &self.process().background {
            self.block_on(background.tick(now_ms));
        }
    }

    /// Lets one of the participant's loops take up what is due in `after`.
    pub fn tick_only(&self, name: &str, after: Duration) {
        self.clock.advance(i64::try_from(after.as_millis()).unwrap());
        let now_ms = participant_kit::Clock::now_ms(&self.clock);
        for background in self.process().background.iter().filter(|background| background.name() == name) {
            self.block_on(background.tick(now_ms));
        }
    }

    /// The bank, without the wire.
    pub fn bank_itself(&self) -> Sandbox {
        self.process().wire.sandbox.clone()
    }

    /// Time passes until nothing is open any more, or nothing changes any more.
    pub fn settle(&self) {
        for _ in 0..8 {
            if self.rows("payment", "SELECT saga_id FROM barrier_open").is_empty() {
                return;
            }
            self.tick(Duration::from_secs(61));
        }
    }

    /// Rows of our database (`payment`) or the bank's (`sandbox`), each as its columns joined by `:`.
    pub fn rows(&self, owner: &str, sql: &'static str) -> Vec<String> {
        let url = if owner == "payment" { self.payments.clone() } else { self.url("sandbox.db") };
        self.block_on(async {
            let mut conn = AnyConnection::connect(&url).await.unwrap();
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            let text = |row: &AnyRow, column: usize| {
                row.try_get::<String, _>(column).unwrap_or_else(|_| row.get::<i64, _>(column).to_string())
            };
            let rows = rows.iter().map(|row| {
                let columns: Vec<_> = (0..row.len()).map(|column| text(row, column)).collect();
                columns.join(":")
            });
            rows.collect()
        })
    }

    /// `kind:amount` in our ledger.
    pub fn ours(&self) -> Vec<String> {
        self.rows("payment", "SELECT kind, amount_minor FROM entries ORDER BY payment_id, number")
    }

    /// `kind:amount` in the bank's ledger: what moved.
    pub fn bank(&self) -> Vec<String> {
        if let Some(stripe) = &self.stripe {
            return stripe.moved();
        }
        self.rows(
            "sandbox",
            "SELECT kind, amount_minor FROM entries WHERE kind <> 'created' AND amount_minor > 0
             ORDER BY account_id, number",
        )
    }

    /// `kind` of what waits in the outbox, without the prefix all kinds have.
    pub fn events(&self) -> Vec<String> {
        self.rows("payment", "SELECT kind FROM outbox ORDER BY number")
            .iter()
            .map(|kind| kind.trim_start_matches("com.backstitch.payment.").trim_end_matches(".v1").to_owned())
            .collect()
    }

    /// The bytes of a database, as text.
    pub fn bytes(&self, file: &str) -> String {
        let parts = [file.to_owned(), format!("{file}-wal")];
        let read = |name| std::fs::read(self.directory.path().join(name)).unwrap_or_default();
        parts.into_iter().map(|name| String::from_utf8_lossy(&read(name)).into_owned()).collect()
    }
}

fn said(status: &Status, key: &str) -> Said {
    match Verdict::from_status(status, "payment", key) {
        Some(Verdict::Refused(refusal)) => Said::Refused(refusal.reason),
        Some(Verdict::NotNow { .. }) => Said::NotNow,
        Some(Verdict::Broken(why)) => Said::Broken(why),
        Some(Verdict::Superseded(_)) => Said::Superseded,
        None => Said::Unknown,
    }
}
