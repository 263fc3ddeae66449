//! Webhooks on their way.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::control::{Delivered, Endpoint};
use crate::events::Event;
use crate::show;

/// How often a webhook that was not answered with 2xx is sent.
const ATTEMPTS: u32 = 8;
/// The pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an endpoint may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event on its way to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    event: String,
    kind: String,
    body: String,
    url: String,
    secrets: Vec<String>,
    delay: Duration,
}

impl Letter {
    pub(crate) fn new(event: &Event, endpoint: &Endpoint, delay_ms: u64) -> Self {
        Self {
            event: event.id.clone(),
            kind: event.kind.clone(),
            body: show::event(event).to_string(),
            url: endpoint.url.clone(),
            secrets: endpoint.secrets.clone(),
            delay: Duration::from_millis(delay_ms),
        }
    }
}

/// Sends letters in the order in which it gets them, and again what was not answered.
#[derive(Clone, Debug)]
pub(crate) struct Courier {
    queue: mpsc::UnboundedSender<Letter>,
    round: Round,
}

#[derive(Clone, Debug)]
struct Round {
    http: reqwest::Client,
    clock: Clock,
    delivered: Arc<Mutex<Vec<Delivered>>>,
}

impl Courier {
    pub(crate) fn start(clock: Clock) -> Self {
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("a client can be made");
        let round = Round { http, clock, delivered: Arc::default() };
        let (queue, mut letters) = mpsc::unbounded_channel::<Letter>();
        let walker = round.clone();
        tokio::spawn(async move {
            while let Some(letter) = letters.recv().await {
                let late = !letter.delay.is_zero();
                // In order, but for what is delayed or not answered: that comes when it comes.
                if late || !(200..300).contains(&walker.deliver(&letter).await) {
                    tokio::spawn(walker.clone().insist(letter, late));
                }
            }
        });
        Self { queue, round }
    }

    pub(crate) fn send(&self, letter: Letter) {
        // The walker ends with the runtime only.
        let _ = self.queue.send(letter);
    }

    /// Now, once; the status that came back, 0 for none.
    pub(crate) async fn deliver(&self, letter: &Letter) -> u16 {
        self.round.deliver(letter).await
    }

    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        self.round.delivered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Round {
    async fn insist(self, letter: Letter, first: bool) {
        if first {
            tokio::time::sleep(letter.delay).await;
            if (200..300).contains(&self.deliver(&letter).await) {
                return;
            }
        }
        for attempt in 1..ATTEMPTS {
            tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
            if (200..300).contains(&self.deliver(&letter).await) {
                return;
            }
        }
    }

    async fn deliver(&self, letter: &Letter) -> u16 {
        let signature = signature(&letter.body, self.clock.now(), &letter.secrets);
        let request = self.http.post(&letter.url).header("content-type", "application/json; charset=utf-8");
        let sent = request.header("stripe-signature", signature).body(letter.body.clone()).send().await;
        let status = sent.map_or(0, |answer| answer.status().as_u16());
        let delivered = Delivered { id: letter.event.clone(), kind: letter.kind.clone(), status };
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner).push(delivered);
        status
    }
}

/// The header that signs a webhook at a time in seconds: `t=…,v1=…`, with one `v1` for each secret, as during the exchange
/// of one for another.
pub fn signature(body: &str, at: i64, secrets: &[String]) -> String {
    let sign = |secret: &String| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
        mac.update(format!("{at}.{body}").as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!(",v1={hex}")
    };
    format!("t={at}{}", secrets.iter().map(sign).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_openssl_makes_of_it() {
        let secrets = ["whsec_one".to_owned()];
        let signed = signature("{\"id\":\"evt_1\"}", 1_700_000_000, &secrets);
        assert_eq!(
            signed,
            "t=1700000000,v1=401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058"
        );
    }
}
