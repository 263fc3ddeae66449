//! Somebody who asks the shop, at one door after the other, and relies on no answer that promises nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};

use crate::common::{Answer, PATIENCE};

/// Where the API is, the preferred one first; asked one after the other.
pub(crate) type Doors = Arc<Vec<String>>;

pub(crate) struct Asker {
    name: String,
    http: reqwest::Client,
    doors: Doors,
    door: usize,
    /// Was told something after which nothing is left to ask.
    lost: bool,
    /// Questions that had no answer, or none that promises anything.
    pub(crate) unanswered: usize,
    /// What must not be told.
    pub(crate) violations: Vec<String>,
}

impl Asker {
    /// `first`: the door where it begins.
    pub(crate) fn new(name: &str, doors: &Doors, first: usize) -> Self {
        // A frozen node answers nobody; whoever waits for it in vain asks the next.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().unwrap();
        Self {
            name: name.to_owned(),
            http,
            doors: doors.clone(),
            door: first,
            lost: false,
            unanswered: 0,
            violations: Vec::new(),
        }
    }

    /// Some want to hear at once that it is accepted, some how it ended.
    pub(crate) fn is_patient(&self) -> bool {
        self.door % 2 == 1
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.doors[self.door % self.doors.len()]))
    }

    /// One try. Anything but an answer that can be relied on is none.
    pub(crate) async fn ask(&mut self, request: RequestBuilder) -> Option<Answer> {
        self.ask_or(request, 503).await
    }

    /// The same, where `no` may be answered as well and promises nothing either.
    pub(crate) async fn ask_or(&mut self, request: RequestBuilder, no: u16) -> Option<Answer> {
        let answer = match request.send().await {
            Ok(response) => Answer::read(response).await.ok(),
            Err(_) => None,
        };
        match answer {
            Some(answer) if answer.status < 300 => Some(answer),
            // Stopping, not all there, or not the owner yet.
            Some(answer) if [503, no].contains(&answer.status) => self.unanswered(),
            Some(answer) => {
                self.violations.push(format!("{} was told {answer:?}", self.name));
                self.lost = true;
                None
            }
            None => self.unanswered(),
        }
    }

    fn unanswered(&mut self) -> Option<Answer> {
        self.unanswered += 1;
        self.door += 1;
        None
    }

    /// Whether it has taken too long; waits a moment otherwise.
    pub(crate) async fn gives_up(&mut self, begun: Instant, what: &str) -> bool {
        if self.lost {
            return true;
        }
        if begun.elapsed() > PATIENCE {
            self.violations.push(format!("{}: {what}: not within {PATIENCE:?}", self.name));
            return true;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
        false
    }
}

/// Whether somebody who saw `before` may see `now`.
pub(crate) fn may_follow(before: &str, now: &str) -> bool {
    let back = ["compensating", "compensated", "parked"];
    match before {
        "completed" | "compensated" => now == before,
        "compensating" => back.contains(&now),
        _ => true,
    }
}

/// Whether a saga with this status makes no move by itself.
pub(crate) fn rests(status: &str) -> bool {
    ["completed", "compensated", "parked"].contains(&status)
}
