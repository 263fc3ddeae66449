//! The counter's other side, as a test holds it.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::words::{Ask, Delivered, Done, Endpoint, Seen, Settle, Treatment, Turn};
use crate::faults::{Fault, Storm};
use crate::statement::Statement;

/// Tells and asks a [`crate::Stripe`], or a process of it. What cannot be told is a panic.
#[derive(Clone, Debug)]
pub struct Control {
    http: reqwest::Client,
    url: String,
}

impl Control {
    /// Of the one at this base URL.
    pub fn at(url: &str) -> Self {
        Self { http: reqwest::Client::new(), url: url.trim_end_matches('/').to_owned() }
    }

    /// A call to come goes wrong.
    pub async fn fault(&self, fault: Fault) {
        self.told(Ask::Fault(fault)).await;
    }

    /// Calls go wrong by chance.
    pub async fn storm(&self, storm: Storm) {
        self.told(Ask::Storm(storm)).await;
    }

    /// Nothing goes wrong any more.
    pub async fn calm(&self) {
        self.told(Ask::Calm).await;
    }

    /// The customer of an intent proves who it is, or fails to; an error if the intent does not wait for it.
    pub async fn customer(&self, intent: &str, succeeds: bool) -> Result<(), String> {
        self.ask(&Ask::Customer(Settle { id: intent.to_owned(), succeeds })).await
    }

    /// A refund succeeds or fails; an error if it is past that.
    pub async fn refund(&self, refund: &str, succeeds: bool) -> Result<(), String> {
        self.ask(&Ask::Refund(Settle { id: refund.to_owned(), succeeds })).await
    }

    /// Turns the clock on, in whole seconds: keys are forgotten, holds end, refunds go on.
    pub async fn turn(&self, by: Duration) {
        let seconds = u32::try_from(by.as_secs()).expect("a clock is turned by years at most");
        self.told(Ask::Turn(Turn { seconds })).await;
    }

    /// Whether what Stripe refuses for the state of things goes through to localstripe.
    pub async fn lax(&self, lax: bool) {
        self.told(Ask::Lax(lax)).await;
    }

    /// Where webhooks of what happens from now on are sent.
    pub async fn webhooks(&self, to: Option<Endpoint>) {
        self.told(Ask::Webhooks(to)).await;
    }

    /// How the next webhooks are sent.
    pub async fn treat(&self, treatment: Treatment) {
        self.told(Ask::Treat(treatment)).await;
    }

    /// Sends these events now, each once and in this order; what the endpoint answered to each, 0 for nothing.
    pub async fn deliver(&self, events: &[&str]) -> Vec<u16> {
        let events = events.iter().map(|id| (*id).to_owned()).collect();
        self.ask(&Ask::Deliver(events)).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Every event so far, oldest first.
    pub async fn events(&self) -> Vec<Seen> {
        self.ask(&Ask::Events).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Every attempt to deliver a webhook so far.
    pub async fn delivered(&self) -> Vec<Delivered> {
        self.ask(&Ask::Delivered).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Every call so far that was let in.
    pub async fn calls(&self) -> Vec<Done> {
        self.ask(&Ask::Calls).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// The bank's statement.
    pub async fn statement(&self) -> Statement {
        self.ask(&Ask::Statement).await.unwrap_or_else(|why| panic!("{why}"))
    }

    async fn told(&self, ask: Ask) {
        self.ask::<()>(&ask).await.unwrap_or_else(|why| panic!("{ask:?}: {why}"));
    }

    async fn ask<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, String> {
        let url = format!("{}/_control", self.url);
        let answer = self.http.post(url).json(ask).send().await.map_err(|e| e.to_string())?;
        let good = answer.status().is_success();
        let body = answer.text().await.map_err(|e| e.to_string())?;
        if good { serde_json::from_str(&body).map_err(|e| format!("{e}: {body}")) } else { Err(body) }
    }
}
