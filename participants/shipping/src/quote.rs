//! Quote: prices the sending of a weight, and remembers the offer under its id.

use async_trait::async_trait;
use backstitch_proto::shipping::{QuoteRequest, QuoteResponse};
use participant_kit::{Action, Background, CallMeta, Identity, Kit, LockKey, OpError, Progress, Tx};

use crate::domain::geography::{self, Zone};
use crate::domain::tariff::{NoPrice, Tariff};
use crate::domain::{Invalid, QuoteAsked};
use crate::store;

/// An offer holds so long; the caller counts from when it sent the request.
const VALID_FOR_SECONDS: i64 = 30 * 60;

/// An offer that has ended is kept so much longer, for whoever asks how a price came about.
const KEPT_AFTER_END_MS: i64 = 30 * 24 * 3600 * 1000;

/// Makes the offer. Needs no undo: it expires by itself.
#[derive(Clone)]
pub(crate) struct Quote(QuoteAsked);

impl Quote {
    pub(crate) fn parse(request: &QuoteRequest) -> Result<Self, Invalid> {
        QuoteAsked::parse(request).map(Self)
    }
}

#[async_trait]
impl Action for Quote {
    type Answer = QuoteResponse;

    fn identity(&self) -> Identity {
        Identity::new("Quote")
            .text("quote_id", &self.0.id.to_string())
            .text("country", &self.0.country)
            .text("method", &self.0.method)
            .int("weight_grams", self.0.weight_grams)
            .text("currency", self.0.currency.as_str())
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![LockKey::new("quote", &self.0.id.to_string())]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let Quote(asked) = self;
        let zone = Zone::of(&asked.country)?;
        let tariff = Tariff::new(store::rates(tx.conn(), zone).await?);
        if tariff.is_empty() {
            // An operator has emptied this zone's rates.
            let detail = format!("nothing is sent to {} at present", asked.country);
            return Err(geography::unsupported(&asked.country, detail).into());
        }
        let price = tariff.price(&asked.method, asked.weight_grams, asked.currency);
        let price = price.map_err(|e| match e {
            NoPrice::Refused(refusal) => refusal.into(),
            wrong @ NoPrice::Rates(..) => OpError::broken(wrong.to_string()),
        })?;
        let now_ms = tx.now_ms();
        let until_ms = now_ms.saturating_add(VALID_FOR_SECONDS * 1000);
        if !store::insert_quote(tx.conn(), asked, zone, price, call.saga, now_ms, until_ms).await? {
            return Err(OpError::broken(format!("quote {} exists already", asked.id)));
        }
        Ok(QuoteResponse {
            quote_id: asked.id.to_string(),
            price: Some(price.to_proto()),
            method: asked.method.clone(),
            valid_for_seconds: VALID_FOR_SECONDS,
        })
    }
}

/// Removes quotes that ended long ago. What was answered stays with the barrier, so a late repetition is answered too.
pub(crate) struct RemoveOldQuotes {
    pub(crate) kit: Kit,
}

impl RemoveOldQuotes {
    const AT_ONCE: u64 = 500;

    async fn remove(&self, before_ms: i64) -> Result<u64, OpError> {
        // Looking first keeps an idle participant from committing, and flushing, for nothing.
        let mut conn = self.kit.reads().acquire().await?;
        if !store::has_quotes_ended_before(&mut conn, before_ms).await? {
            return Ok(0);
        }
        drop(conn);
        // Two processes that sweep at once would only get in each other's way.
        let remove = self.kit.run(vec![LockKey::new("quotes", "old")], move |tx| {
            Box::pin(async move { Ok(store::remove_quotes(tx.conn(), before_ms, Self::AT_ONCE).await?) })
        });
        remove.await
    }
}

#[async_trait]
impl Background for RemoveOldQuotes {
    fn name(&self) -> &'static str {
        "remove_old_quotes"
    }

    async fn tick(&self, now_ms: i64) -> Progress {
        match self.remove(now_ms.saturating_sub(KEPT_AFTER_END_MS)).await {
            Ok(removed) => {
                Progress::done(usize::try_from(removed).unwrap_or(usize::MAX), removed >= Self::AT_ONCE)
            }
            Err(e) => Progress::failed(e),
        }
    }
}
