//! A provider in memory, its scripted moods, and the outside actions that reach it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use backstitch_proto::inventory::{ReleaseResponse, ReserveResponse};
use participant_kit::{
    CallMeta, Identity, LockKey, OpError, OutsideAction, OutsideUndo, Reached, Refusal, Tx, Undone,
};
use prost::Message as _;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::effect;

/// What the provider does with the next mutation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    /// Executes and says so.
    Fine,
    Declines,
    /// Waits for the customer.
    Waits,
    /// Executes, but the reply is lost.
    SilentExecuted,
    /// Does nothing, and says nothing.
    SilentNotExecuted,
    Garbage,
    /// The caller's task dies before the provider hears of it.
    Panics,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Object {
    Waiting,
    Executed,
    Declined,
    Cancelled,
    Refunded,
}

#[derive(Default)]
struct Books {
    objects: HashMap<Uuid, Object>,
    /// Mutations that asked for the effect, per saga: never more than one.
    mutations: HashMap<Uuid, u32>,
    down: bool,
}

/// Outlives every participant that talks to it.
#[derive(Clone)]
pub struct Provider {
    books: Arc<Mutex<Books>>,
    /// A mutation takes a permit to begin; a test that closes the gate holds it in flight.
    gate: Arc<Semaphore>,
    /// Counts the mutations that stand at the gate or have passed it.
    pub arrived: Arc<Semaphore>,
}

impl Provider {
    pub fn open() -> Self {
        Self { gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS >> 1)), ..Self::gated() }
    }

    /// Mutations wait until [`let_through`](Self::let_through).
    pub fn gated() -> Self {
        Self {
            books: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            arrived: Arc::new(Semaphore::new(0)),
        }
    }

    pub fn let_through(&self, count: usize) {
        self.gate.add_permits(count);
    }

    /// Waits until one more mutation has arrived.
    pub async fn arrival(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    pub fn object(&self, saga: Uuid) -> Option<Object> {
        self.books.lock().unwrap().objects.get(&saga).copied()
    }

    pub fn mutations(&self, saga: Uuid) -> u32 {
        self.books.lock().unwrap().mutations.get(&saga).copied().unwrap_or(0)
    }

    /// The customer does what was waited for.
    pub fn customer_pays(&self, saga: Uuid) {
        self.books.lock().unwrap().objects.insert(saga, Object::Executed);
    }

    pub fn goes_down(&self, down: bool) {
        self.books.lock().unwrap().down = down;
    }

    async fn mutate(&self, saga: Uuid, mood: Mood) -> Reached<ReserveResponse> {
        self.arrived.add_permits(1);
        self.gate.acquire().await.unwrap().forget();
        assert!(mood != Mood::Panics, "the task dies on its way to the provider");
        let mut books = self.books.lock().unwrap();
        *books.mutations.entry(saga).or_default() += 1;
        let object = match mood {
            Mood::Fine | Mood::SilentExecuted | Mood::Garbage => Some(Object::Executed),
            Mood::Declines => Some(Object::Declined),
            Mood::Waits => Some(Object::Waiting),
            Mood::SilentNotExecuted | Mood::Panics => None,
        };
        // A cancelled object takes no confirmation any more.
        if books.objects.get(&saga) == Some(&Object::Cancelled) {
            return Reached::Refused(Refusal::new("CANCELLED", "it was cancelled"));
        }
        if let Some(object) = object {
            books.objects.insert(saga, object);
        }
        match mood {
            Mood::SilentExecuted | Mood::SilentNotExecuted => Reached::unknown("no reply"),
            Mood::Garbage => Reached::Broken("a reply in another currency".into()),
            _ => standing(&books, saga),
        }
    }

    fn read(&self, saga: Uuid) -> Reached<ReserveResponse> {
        let books = self.books.lock().unwrap();
        if books.down { Reached::unknown("down") } else { standing(&books, saga) }
    }

    fn make_impossible(&self, saga: Uuid) -> Reached<ReserveResponse> {
        let mut books = self.books.lock().unwrap();
        if books.down {
            return Reached::unknown("down");
        }
        if !matches!(books.objects.get(&saga), Some(Object::Executed | Object::Declined)) {
            books.objects.insert(saga, Object::Cancelled);
        }
        standing(&books, saga)
    }

    fn take_back(&self, saga: Uuid) -> Undone {
        let mut books = self.books.lock().unwrap();
        if books.down {
            return Undone::NotYet { after: std::time::Duration::ZERO, why: "down".into() };
        }
        let taken_back = match books.objects.get(&saga) {
            Some(Object::Executed | Object::Refunded) => Object::Refunded,
            Some(Object::Declined) => Object::Declined,
            _ => Object::Cancelled,
        };
        books.objects.insert(saga, taken_back);
        Undone::Done
    }
}

fn standing(books: &Books, saga: Uuid) -> Reached<ReserveResponse> {
    match books.objects.get(&saga) {
        Some(Object::Executed) => Reached::Done(answer("paid")),
        Some(Object::Waiting) => Reached::Pending(answer("waiting")),
        Some(Object::Declined) => Reached::Refused(Refusal::new("DECLINED", "the card was declined")),
        Some(Object::Cancelled) => Reached::Refused(Refusal::new("CANCELLED", "it was cancelled")),
        Some(Object::Refunded) => Reached::Broken("paid and refunded".into()),
        None => Reached::unknown("the provider knows nothing of it"),
    }
}

pub fn answer(what: &str) -> ReserveResponse {
    ReserveResponse { reservation_id: what.into() }
}

#[derive(Clone)]
pub struct Pay {
    pub provider: Provider,
    pub amount: i64,
    pub mood: Mood,
    pub record_fails: bool,
}

impl Pay {
    pub fn new(provider: &Provider, mood: Mood) -> Self {
        Self { provider: provider.clone(), amount: 5, mood, record_fails: false }
    }

    /// What the resolver is given: a provider's mood is not in the request, so the decoded action never needs one.
    pub fn decode(provider: &Provider, bytes: &[u8]) -> Result<Self, String> {
        let request = ReserveResponse::decode(bytes).map_err(|e| e.to_string())?;
        let amount = request.reservation_id.parse().map_err(|_| "no amount".to_owned())?;
        Ok(Self { amount, ..Self::new(provider, Mood::Panics) })
    }
}

#[async_trait]
impl OutsideAction for Pay {
    type Answer = ReserveResponse;

    fn kind(&self) -> &'static str {
        "pay"
    }

    fn encode(&self) -> Vec<u8> {
        answer(&self.amount.to_string()).encode_to_vec()
    }

    fn identity(&self) -> Identity {
        Identity::new("Pay").int("amount", self.amount)
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        effect(tx, call, "pay intended").await?;
        if self.amount < 0 {
            return Err(Refusal::new("NEGATIVE", "nobody pays less than nothing").into());
        }
        Ok(())
    }

    async fn reach(&self, call: &CallMeta) -> Reached<ReserveResponse> {
        self.provider.mutate(call.saga, self.mood).await
    }

    async fn read(&self, call: &CallMeta) -> Reached<ReserveResponse> {
        self.provider.read(call.saga)
    }

    async fn make_impossible(&self, call: &CallMeta) -> Reached<ReserveResponse> {
        self.provider.make_impossible(call.saga)
    }

    async fn record(
        &self,
        tx: &mut Tx<'_>,
        call: &CallMeta,
        reached: &Reached<ReserveResponse>,
    ) -> Result<(), OpError> {
        let what = match reached {
            Reached::Done(_) => "pay recorded done",
            Reached::Refused(_) => "pay recorded refused",
            Reached::Pending(_) => "pay recorded pending",
            Reached::Unknown { .. } | Reached::Broken(_) => "pay recorded nonsense",
        };
        effect(tx, call, what).await?;
        if self.record_fails {
            sqlx::query("INSERT INTO nowhere VALUES (1)").execute(tx.conn()).await?;
        }
        Ok(())
    }
}

#[derive(Clone)]
pub struct Void {
    pub provider: Provider,
}

impl Void {
    pub fn new(provider: &Provider) -> Self {
        Self { provider: provider.clone() }
    }
}

#[async_trait]
impl OutsideUndo for Void {
    type Answer = ReleaseResponse;

    fn kind(&self) -> &'static str {
        "void"
    }

    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![]
    }

    async fn intend(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        effect(tx, call, "void intended").await
    }

    async fn reach(&self, call: &CallMeta) -> Undone {
        self.provider.take_back(call.saga)
    }

    async fn record(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<(), OpError> {
        effect(tx, call, "void recorded").await
    }
}
