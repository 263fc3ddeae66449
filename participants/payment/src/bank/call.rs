//! A call to the bank as data, and what is answered to it: what the ledger executes, stores under a key and replays.

use backstitch_proto::money::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Account;
use super::ruling::{Decline, RefundState, State};

/// What the bank can be asked; an account by its id. Does not print: a token is in it.
pub(crate) enum Call {
    /// Makes an account.
    Create(NewAccount),
    /// Asks the card with this token for the hold.
    Confirm(String, Box<str>),
    /// Takes from the hold.
    Capture(String, Money),
    /// Ends the account.
    Cancel(String),
    /// Gives back; with the merchant's id of the refund.
    Refund(String, Uuid, Money),
    /// Shows the account. Under no key; only the customer may come back in between.
    Read(String),
    /// Shows the account's refunds. Under no key.
    Refunds(String),
    /// The customer is through with the challenge. Under no key.
    FinishChallenge(String),
    /// Shows accounts made at or after a time, newest first, from before a place in that order. Under no key.
    List(i64, i64),
    /// Shows one account as a list does, if there is one. Under no key.
    Find(String),
}

impl Call {
    /// The call and its parameters as text, to compare what a key is used for. A token is not written down: a key whose
    /// confirm comes with another token is not noticed, and answered as before.
    pub(super) fn canonical(&self) -> String {
        match self {
            Call::Create(new) => format!("create {} {} {}", new.reference, new.amount, new.order_id),
            Call::Confirm(id, _) => format!("confirm {id}"),
            Call::Capture(id, amount) => format!("capture {id} {amount}"),
            Call::Cancel(id) => format!("cancel {id}"),
            Call::Refund(id, reference, amount) => format!("refund {id} {reference} {amount}"),
            Call::Read(id) => format!("read {id}"),
            Call::Refunds(id) => format!("refunds {id}"),
            Call::FinishChallenge(id) => format!("finish {id}"),
            Call::List(from_ms, before) => format!("list {from_ms} {before}"),
            Call::Find(id) => format!("find {id}"),
        }
    }
}

/// What an account is made from: the merchant's ids, all but the amount metadata.
pub(crate) struct NewAccount {
    /// The merchant's id of the payment.
    pub(crate) reference: Uuid,
    /// What will be held.
    pub(crate) amount: Money,
    pub(crate) saga: Uuid,
    pub(crate) root: Uuid,
    pub(crate) order_id: String,
}

/// An account as it is shown to the merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) id: String,
    pub(crate) reference: Uuid,
    #[serde(with = "sum")]
    pub(crate) amount: Money,
    pub(crate) state: State,
    /// Set when refused.
    pub(crate) decline: Option<Decline>,
    pub(crate) capture_before_ms: i64,
    pub(crate) authorized_minor: i64,
    pub(crate) captured_minor: i64,
    pub(crate) refunded_minor: i64,
}

impl From<&Account> for Shown {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.clone(),
            reference: account.reference,
            amount: account.amount,
            state: account.state,
            decline: account.decline.clone(),
            capture_before_ms: account.capture_before_ms,
            authorized_minor: account.authorized_minor,
            captured_minor: account.captured_minor,
            refunded_minor: account.refunded_minor,
        }
    }
}

/// A refund as it is shown to the merchant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownRefund {
    pub(crate) id: String,
    /// The merchant's id.
    pub(crate) reference: Uuid,
    #[serde(with = "sum")]
    pub(crate) amount: Money,
    pub(crate) state: RefundState,
    /// The bank's word; empty unless it failed.
    #[serde(default)]
    pub(crate) failure: String,
}

/// An account as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShownListed {
    pub(crate) account: Shown,
    pub(crate) saga: Uuid,
    pub(crate) order_id: String,
    pub(crate) created_at_ms: i64,
    pub(crate) refunds: Vec<ShownRefund>,
}

/// What a call was answered; what the same key is answered again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The account after the call.
    Payment(Shown),
    /// The refund.
    Refund(ShownRefund),
    /// Every refund.
    Refunds(Vec<ShownRefund>),
    /// A page of accounts, and before which place the next one begins.
    List(Vec<ShownListed>, Option<i64>),
    /// No.
    No(Decline),
}

/// Why a call was not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BankError {
    /// It had no effect, and used up no key.
    #[error("the sandbox bank is away: {0}")]
    Away(String),
    /// It may have been committed.
    #[error("the sandbox bank fell silent: {0}")]
    Silent(String),
    /// No call that the bank can execute: a key that another call has used, an account that is not there.
    #[error("the sandbox bank makes no sense of it: {0}")]
    Nonsense(String),
}

/// An amount in a stored answer.
mod sum {
    use backstitch_proto::money::{Currency, Money};
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

    #[derive(serde::Serialize, Deserialize)]
    struct Sum {
        minor: i64,
        currency: String,
    }

    pub(super) fn serialize<S: Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
        Sum { minor: money.minor, currency: money.currency.as_str().to_owned() }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Money, D::Error> {
        let Sum { minor, currency } = Sum::deserialize(from)?;
        Ok(Money::new(minor, Currency::parse(&currency).map_err(D::Error::custom)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as the first ledgers have them: a key is to be answered the same by any later bank.
    #[test]
    fn a_stored_answer_is_read_and_written_as_ever() {
        let stored = [
            r#"{"payment":{"id":"sbx_1","reference":"00000000-0000-0000-0000-000000000007","amount":{"minor":1000,"currency":"GBP"},"state":"refused","decline":{"reason":"card_declined","code":"generic_decline"},"capture_before_ms":0,"authorized_minor":0,"captured_minor":0,"refunded_minor":0}}"#,
            r#"{"refund":{"id":"sbx_1_r1","reference":"00000000-0000-0000-0000-000000000008","amount":{"minor":400,"currency":"GBP"},"state":"succeeded","failure":""}}"#,
            r#"{"no":{"reason":"wrong_state","code":"already_captured"}}"#,
        ];
        for text in stored {
            let answer: Answer = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        }
        let unknown = stored[0].replace("GBP", "XXX");
        assert!(serde_json::from_str::<Answer>(&unknown).is_err());
    }
}
