//! What localstripe does not remember of an intent, a charge, a refund.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::cards::Card;

/// An intent.
#[derive(Debug)]
pub(crate) struct Intent {
    /// The object, as localstripe said it last. The status is its word alone.
    pub(crate) upstream: Value,
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) description: Option<String>,
    /// Payment method types that were named; none where Stripe chooses by itself.
    pub(crate) types: Vec<String>,
    /// Whether a payment method that leads the customer elsewhere may be chosen.
    pub(crate) may_redirect: bool,
    pub(crate) return_url: Option<String>,
    /// Where the customer proves who it is.
    pub(crate) page: String,
    pub(crate) card: Option<&'static Card>,
    pub(crate) charge: Option<Charge>,
    pub(crate) last_error: Option<Value>,
    pub(crate) canceled: Option<(String, i64)>,
}

/// What came of a confirmation.
#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) failure: Option<Value>,
    pub(crate) captured: i64,
    /// When the hold ends.
    pub(crate) capture_before: i64,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    Pending,
    Succeeded,
    Failed,
}

impl Progress {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// A refund.
#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) intent: String,
    pub(crate) charge: String,
    pub(crate) amount: i64,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) progress: Progress,
    /// How it goes on by itself, and when.
    pub(crate) later: Option<(i64, Progress)>,
}

impl Intent {
    pub(crate) fn status(&self) -> &str {
        self.upstream["status"].as_str().unwrap_or_default()
    }

    /// What was captured.
    pub(crate) fn captured(&self) -> i64 {
        self.charge.as_ref().map_or(0, |charge| charge.captured)
    }
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) intents: Vec<Intent>,
    pub(crate) refunds: Vec<Refund>,
    /// The cards of localstripe's payment methods.
    pub(crate) methods: HashMap<String, &'static Card>,
}

impl Book {
    pub(crate) fn intent(&self, id: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.id == id)
    }

    pub(crate) fn intent_mut(&mut self, id: &str) -> Option<&mut Intent> {
        self.intents.iter_mut().find(|intent| intent.id == id)
    }

    pub(crate) fn intent_of_charge(&self, charge: &str) -> Option<&Intent> {
        self.intents.iter().find(|intent| intent.charge.as_ref().is_some_and(|c| c.id == charge))
    }

    pub(crate) fn refund_mut(&mut self, id: &str) -> Option<&mut Refund> {
        self.refunds.iter_mut().find(|refund| refund.id == id)
    }

    /// What of an intent was refunded or is on its way.
    pub(crate) fn refunded(&self, intent: &str) -> i64 {
        let counts = |refund: &&Refund| refund.intent == intent && refund.progress != Progress::Failed;
        self.refunds.iter().filter(counts).map(|refund| refund.amount).sum()
    }
}
