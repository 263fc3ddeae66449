//! The lines of the books that are compared: payments of our ledger, objects of the provider, orders, cases.

use backstitch_proto::money::{Money, MoneyError};
use backstitch_proto::{order, payment};

/// A payment as our ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Our id.
    pub id: String,
    /// The checkout that authorized it.
    pub saga: String,
    /// What it pays.
    pub order: String,
    /// The provider's id; empty until it is stored.
    pub object: String,
    /// The ledger's word for where it stands.
    pub status: String,
    /// What it is of.
    pub amount: Money,
    /// Ever held, in minor units.
    pub authorized: i64,
    /// Taken.
    pub captured: i64,
    /// Given back.
    pub refunded: i64,
    /// When it was written first, Unix milliseconds.
    pub created_ms: i64,
    /// When it changed last.
    pub updated_ms: i64,
    /// Every refund of it.
    pub refunds: Vec<Refund>,
    /// The provider was asked for its object by id: that it has none tells something, however old the payment is.
    pub is_asked_for: bool,
    /// It was made at another provider than the one that lists, whose list can tell nothing of it.
    pub is_elsewhere: bool,
}

/// A refund, ours or the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Our id; empty where the provider's metadata has none.
    pub id: String,
    /// The provider's id; empty until it is known.
    pub object: String,
    /// The saga that asked for it, as far as it is known.
    pub saga: String,
    /// Where it stands.
    pub state: RefundState,
    /// How much.
    pub amount: i64,
}

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// Not decided.
    Pending,
    /// The money went back.
    Done,
    /// It did not, and will not.
    Failed,
}

/// A payment object as the provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The provider's id.
    pub id: String,
    /// Our payment's id in its metadata; empty where somebody else made it.
    pub payment: String,
    /// Our saga's id in its metadata.
    pub saga: String,
    /// Our order's id in its metadata; may be empty.
    pub order: String,
    /// What it was made for.
    pub amount: Money,
    /// Where it stands.
    pub state: ObjectState,
    /// Ever held, in minor units.
    pub authorized: i64,
    /// Taken.
    pub captured: i64,
    /// Given back, by refunds that have not failed.
    pub refunded: i64,
    /// When it was made, Unix milliseconds.
    pub created_ms: i64,
    /// When its hold ends; 0 where nothing is held.
    pub capture_before_ms: i64,
    /// Every refund of it.
    pub refunds: Vec<Refund>,
    /// The cardholder has disputed what was taken.
    pub disputed: bool,
}

/// Where an object stands at the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectState {
    /// Holds nothing yet.
    Created,
    /// Waits for the customer.
    CustomerAction,
    /// The amount is held.
    Authorized,
    /// Money was taken.
    Captured,
    /// Ended without money.
    Cancelled,
    /// Declined, which ended it.
    Refused,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// For people.
    pub number: String,
    /// The checkout that made it.
    pub saga: String,
    /// The payment that it names.
    pub payment: String,
    /// pending | confirmed | shipped | cancelled
    pub status: String,
    /// What it came to.
    pub total: Money,
    /// What its completed returns are worth, in minor units.
    pub returned: i64,
    /// What returns have claimed that are not through.
    pub claims: Vec<Claim>,
    /// When it was made, Unix milliseconds.
    pub created_ms: i64,
    /// When it changed last, as far as it tells.
    pub changed_ms: i64,
}

/// What a return claims until it is completed or cancelled. What it is worth may be on its way back, or back already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The return's saga.
    pub saga: String,
    /// What it is worth, in minor units.
    pub amount: i64,
}

/// A refund that failed after it had been reported as done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The refund's id.
    pub refund: String,
    /// Whose.
    pub payment: String,
    /// The checkout that was paid.
    pub saga: String,
    /// What did not go back.
    pub amount: Money,
    /// The provider's word.
    pub why: String,
    /// Somebody has written down how the customer got it.
    pub is_resolved: bool,
    /// When it was opened, Unix milliseconds.
    pub opened_ms: i64,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{id}`: {why}")]
pub struct Unreadable {
    /// payment, object, order or case.
    pub what: &'static str,
    /// Whose.
    pub id: String,
    /// What is wrong with it.
    pub why: String,
}

fn unreadable(what: &'static str, id: &str) -> impl FnOnce(MoneyError) -> Unreadable {
    let id = id.to_owned();
    move |error| Unreadable { what, id, why: error.to_string() }
}

impl Payment {
    /// Kept of the customer's money, as the ledger has it.
    pub fn kept(&self) -> i64 {
        self.captured.saturating_sub(self.refunded)
    }

    /// Whether something on it is still to come: its own end, or a refund's.
    pub fn is_open(&self) -> bool {
        let has_ended = matches!(self.status.as_str(), "captured" | "voided" | "refused");
        !has_ended || self.refunds.iter().any(|refund| refund.state == RefundState::Pending)
    }

    /// Parses the message, beside the list of this provider; empty where that is not told.
    pub(crate) fn parse(message: payment::PaymentDocument, listed_by: &str) -> Result<Self, Unreadable> {
        let amount = Money::parse(message.amount.as_ref());
        let amount = amount.map_err(unreadable("payment", &message.payment_id))?;
        let refunds = refunds("payment", &message.payment_id, message.refunds)?;
        Ok(Self {
            id: message.payment_id,
            saga: message.saga_id,
            order: message.order_id,
            object: message.provider_id,
            status: message.status,
            amount,
            authorized: message.authorized_minor,
            captured: message.captured_minor,
            refunded: message.refunded_minor,
            created_ms: message.created_at_unix_ms,
            updated_ms: message.updated_at_unix_ms,
            refunds,
            is_asked_for: false,
            is_elsewhere: is_elsewhere(&message.provider, listed_by),
        })
    }
}

/// Whether a payment's provider is another one than the one that lists.
pub(crate) fn is_elsewhere(provider: &str, listed_by: &str) -> bool {
    !listed_by.is_empty() && provider != listed_by
}

fn refunds(
    what: &'static str,
    of: &str,
    messages: Vec<payment::RefundDocument>,
) -> Result<Vec<Refund>, Unreadable> {
    let parse = |message: payment::RefundDocument| {
        let state = match message.status.as_str() {
            "pending" => RefundState::Pending,
            "done" => RefundState::Done,
            "failed" => RefundState::Failed,
            other => {
                let why = format!("its refund {} is `{other}`", message.refund_id);
                return Err(Unreadable { what, id: of.to_owned(), why });
            }
        };
        Ok(Refund {
            id: message.refund_id,
            object: message.provider_id,
            saga: message.saga_id,
            state,
            amount: message.amount_minor,
        })
    };
    messages.into_iter().map(parse).collect()
}

impl Object {
    /// Kept of the customer's money, as the provider has it.
    pub fn kept(&self) -> i64 {
        self.captured.saturating_sub(self.refunded)
    }

    /// Whether money is held on it or was taken and kept.
    pub fn has_money(&self) -> bool {
        self.kept() > 0 || self.state == ObjectState::Authorized
    }

    /// Whether somebody else made it: it bears no id of ours.
    pub fn is_foreign(&self) -> bool {
        self.payment.is_empty() && self.saga.is_empty()
    }

    /// Parses the message.
    pub(crate) fn parse(message: payment::ProviderObject) -> Result<Self, Unreadable> {
        let id = message.provider_id;
        let amount = Money::parse(message.amount.as_ref()).map_err(unreadable("object", &id))?;
        let state = match message.state.as_str() {
            "created" => ObjectState::Created,
            "customer_action" => ObjectState::CustomerAction,
            "authorized" => ObjectState::Authorized,
            "captured" => ObjectState::Captured,
            "cancelled" => ObjectState::Cancelled,
            "refused" => ObjectState::Refused,
            other => return Err(Unreadable { what: "object", id, why: format!("it is `{other}`") }),
        };
        let refunds = refunds("object", &id, message.refunds)?;
        Ok(Self {
            id,
            payment: message.payment_id,
            saga: message.saga_id,
            order: message.order_id,
            amount,
            state,
            authorized: message.authorized_minor,
            captured: message.captured_minor,
            refunded: message.refunded_minor,
            created_ms: message.created_at_unix_ms,
            capture_before_ms: message.capture_before_unix_ms,
            refunds,
            disputed: message.disputed,
        })
    }
}

impl Order {
    /// Whether the customer may count on it.
    pub fn stands(&self) -> bool {
        matches!(self.status.as_str(), "confirmed" | "shipped")
    }

    /// Parses the message.
    pub(crate) fn parse(message: order::Order) -> Result<Self, Unreadable> {
        let id = message.order_id;
        let total = Money::parse(message.total.as_ref()).map_err(unreadable("order", &id))?;
        let (mut returned, mut claims) = (Money::zero(total.currency), Vec::new());
        for back in message.returns.iter().filter(|r| r.status != "cancelled") {
            let refund = Money::parse(back.refund.as_ref()).map_err(unreadable("order", &id))?;
            let with_it = returned.plus(refund).map_err(unreadable("order", &id))?;
            if back.status == "completed" {
                returned = with_it;
            } else {
                claims.push(Claim { saga: back.saga_id.clone(), amount: refund.minor });
            }
        }
        let statuses = message.history.iter().map(|change| change.at_unix_ms);
        let returns = message.returns.iter().map(|r| r.created_at_unix_ms);
        Ok(Self {
            id,
            number: message.order_number,
            saga: message.checkout_id,
            payment: message.payment_id,
            status: message.status,
            total,
            returned: returned.minor,
            claims,
            created_ms: statuses.clone().min().unwrap_or(0),
            changed_ms: statuses.chain(returns).max().unwrap_or(0),
        })
    }
}

impl Case {
    /// Parses the message.
    pub(crate) fn parse(message: payment::Case) -> Result<Self, Unreadable> {
        let amount = Money::parse(message.amount.as_ref());
        let amount = amount.map_err(unreadable("case", &message.case_id))?;
        Ok(Self {
            refund: message.case_id,
            payment: message.payment_id,
            saga: message.root_id,
            amount,
            why: message.why,
            is_resolved: !message.resolution.is_empty(),
            opened_ms: message.opened_at_unix_ms,
        })
    }
}
