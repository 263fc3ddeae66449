//! What happened, as webhooks tell it, and which of it is sent when.

use serde_json::Value;

use crate::clock::Clock;
use crate::control::{Delivered, Endpoint, Seen, Treatment};
use crate::courier::{Courier, Letter};
use crate::show;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) created: i64,
    pub(crate) object: Value,
    /// Of the call that caused it.
    pub(crate) key: Option<String>,
}

/// All events, and where they go.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) all: Vec<Event>,
    endpoint: Option<Endpoint>,
    treatments: Vec<Treatment>,
    courier: Courier,
    /// Events of two of these on one machine have different ids.
    run: u64,
}

impl Events {
    /// Needs a runtime.
    pub(crate) fn new(clock: Clock) -> Self {
        let courier = Courier::start(clock);
        Self { all: Vec::new(), endpoint: None, treatments: Vec::new(), courier, run: rand::random() }
    }

    pub(crate) fn send_to(&mut self, endpoint: Option<Endpoint>) {
        self.endpoint = endpoint;
    }

    pub(crate) fn treat(&mut self, treatment: Treatment) {
        self.treatments.push(treatment);
    }

    /// It happened: it is kept, and sent as the test says.
    pub(crate) fn add(&mut self, kind: &str, created: i64, object: Value, key: Option<String>) {
        let id = format!("evt_{:016x}{:06}", self.run, self.all.len());
        let event = Event { id, kind: kind.to_owned(), created, object, key };
        let (mut copies, mut delay) = (1, 0);
        if let Some(treatment) = self.treatments.iter_mut().find(|t| t.is_about(kind)) {
            (copies, delay) = (treatment.copies, treatment.delay_ms);
            treatment.times = treatment.times.saturating_sub(1);
        }
        self.treatments.retain(|treatment| treatment.times > 0);
        if let Some(endpoint) = self.endpoint.as_ref().filter(|endpoint| !endpoint.held) {
            for _ in 0..copies {
                self.courier.send(Letter::new(&event, endpoint, delay));
            }
        }
        self.all.push(event);
    }

    /// Sends these now, one after the other; what was answered to each.
    pub(crate) fn letters(&self, ids: &[String]) -> Result<Vec<Letter>, String> {
        let endpoint = self.endpoint.as_ref().ok_or("no endpoint for webhooks was named")?;
        let find = |id: &String| self.all.iter().find(|event| event.id == *id);
        ids.iter()
            .map(|id| find(id).map(|event| Letter::new(event, endpoint, 0)).ok_or(format!("no event `{id}`")))
            .collect()
    }

    pub(crate) fn courier(&self) -> &Courier {
        &self.courier
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.courier.delivered()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seen = |event: &Event| {
            let object = text(&event.object["id"]).unwrap_or_default();
            let intent = text(&event.object["payment_intent"]).unwrap_or_else(|| object.clone());
            Seen { id: event.id.clone(), kind: event.kind.clone(), object, intent, body: show::event(event) }
        };
        self.all.iter().map(seen).collect()
    }
}
