//! Webhooks as the provider sends them, and the orchestrator that is told what came of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, Mac as _};
use participant_payment::{Orchestrator, Secrets, TOLERANCE, WebhookOptions};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use uuid::Uuid;

use super::Shop;

/// The secret that a provider signs with; another one is good too.
pub const SECRET: &str = "whsec_now";

pub fn options() -> WebhookOptions {
    WebhookOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        secrets: Secrets::parse("whsec_before\nwhsec_now").unwrap(),
        tolerance: TOLERANCE,
    }
}

/// The header that signs `body` at a time in seconds.
pub fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

/// What the orchestrator was told, and what it answers next; without a word it answers that it is done.
#[derive(Clone, Default)]
pub struct Told {
    heard: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<Code>>>,
}

impl Told {
    /// `kind id` of everything it was told since this was last asked.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }

    pub fn answers(&self, codes: &[Code]) {
        self.answers.lock().unwrap().extend(codes);
    }

    fn hear(&self, what: String) -> Result<(), Status> {
        self.heard.lock().unwrap().push(what);
        match self.answers.lock().unwrap().pop_front() {
            None => Ok(()),
            Some(code) => Err(Status::new(code, "as the test says")),
        }
    }
}

#[async_trait]
impl Orchestrator for Told {
    async fn wake(&self, saga: Uuid) -> Result<(), Status> {
        self.hear(format!("wake {saga}"))
    }

    async fn open_case(&self, case: Uuid, root: Uuid) -> Result<(), Status> {
        self.hear(format!("case {case} of {root}"))
    }
}

impl Shop {
    /// Sends a body to the door, with a header if there is one.
    pub fn knock(&self, header: Option<&str>, body: &[u8]) -> (u16, String) {
        let url = format!("http://{}/webhooks/stripe", self.process().door);
        self.block_on(async {
            let request = reqwest::Client::new().post(url).body(body.to_vec());
            let request = match header {
                Some(header) => request.header("Stripe-Signature", header),
                None => request,
            };
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    /// The same with a header; the status, and when the sender is to come again.
    pub fn knock_and_be_told_when(&self, header: &str, body: &[u8]) -> (u16, Option<String>) {
        let url = format!("http://{}/webhooks/stripe", self.process().door);
        self.block_on(async {
            let request = reqwest::Client::new().post(url).body(body.to_vec());
            let answer = request.header("Stripe-Signature", header).send().await.unwrap();
            let again = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            (answer.status().as_u16(), again)
        })
    }

    /// Sends a body but for its last byte. What is answered to that, and after how long; no time passes over it.
    pub fn knock_without_an_end(&self, header: &str, body: &[u8]) -> (String, Duration) {
        let (length, sent) = (body.len(), &body[..body.len() - 1]);
        let head = format!(
            "POST /webhooks/stripe HTTP/1.1\r\nHost: shop\r\nStripe-Signature: {header}\r\nContent-Length: {length}\r\n\r\n"
        );
        self.block_on(async {
            let mut stream = TcpStream::connect(self.process().door).await.unwrap();
            stream.write_all(&[head.as_bytes(), sent].concat()).await.unwrap();
            tokio::time::pause();
            let began = tokio::time::Instant::now();
            let mut answer = String::new();
            let end = tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut answer));
            end.await.ok();
            let waited = began.elapsed();
            tokio::time::resume();
            (answer, waited)
        })
    }

    /// The provider tells, properly signed, that something has happened to an object.
    pub fn webhook(&self, event: &str, object: &str) -> u16 {
        let at = participant_kit::Clock::now_ms(&self.clock) / 1_000;
        let body = format!(
            r#"{{"id":"{event}","type":"payment_intent.x","data":{{"object":{{"id":"{object}","object":"payment_intent"}}}}}}"#
        );
        self.knock(Some(&signature(SECRET, at, body.as_bytes())), body.as_bytes()).0
    }

    /// `id status` of every event that is kept.
    pub fn events_kept(&self) -> Vec<String> {
        self.rows("payment", "SELECT event_id || ' ' || status FROM webhooks ORDER BY event_id")
    }

    /// The bank's id of the only account.
    pub fn object(&self) -> String {
        self.rows("sandbox", "SELECT id FROM accounts").remove(0)
    }
}
