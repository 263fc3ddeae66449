//! The bank's statement: what moved, written when it moves and by nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What happened to money.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// Held on the customer's card.
    Held,
    /// Taken from the hold.
    Captured,
    /// The hold was given back whole: a void, or its end.
    Voided,
    /// What a partial capture left was given back.
    Remainder,
    /// Given back after the capture; may be on its way.
    Refunded,
    /// A refund came back to us.
    RefundFailed,
}

/// One movement.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Movement {
    /// What happened.
    pub what: Moved,
    /// Minor units.
    pub amount: i64,
    /// Seconds since 1970.
    pub at: i64,
    /// The refund that it belongs to.
    pub refund: Option<String>,
    /// The idempotency key of the call that did it.
    pub key: Option<String>,
}

/// What happened under one payment intent.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Account {
    /// The intent.
    pub intent: String,
    /// What it was created for.
    pub amount: i64,
    /// Lowercase.
    pub currency: String,
    /// What the one who created it wrote on it.
    pub metadata: BTreeMap<String, String>,
    /// In order.
    pub movements: Vec<Movement>,
}

impl Account {
    /// The sum of one kind of movement.
    pub fn sum(&self, what: Moved) -> i64 {
        self.movements.iter().filter(|m| m.what == what).map(|m| m.amount).sum()
    }

    /// What is held now.
    pub fn on_hold(&self) -> i64 {
        let taken = self.sum(Moved::Captured) + self.sum(Moved::Voided) + self.sum(Moved::Remainder);
        self.sum(Moved::Held) - taken
    }

    /// Captured minus refunded.
    pub fn kept(&self) -> i64 {
        self.sum(Moved::Captured) - self.sum(Moved::Refunded) + self.sum(Moved::RefundFailed)
    }

    fn has(&self, what: Moved) -> usize {
        self.movements.iter().filter(|m| m.what == what).count()
    }
}

/// All accounts, oldest first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Statement {
    /// One for each intent, moved or not.
    pub accounts: Vec<Account>,
}

impl Statement {
    /// What must never be: both a capture and a void, two captures, more captured than held, more refunded than
    /// captured. Each in words that name the intent.
    pub fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for account in &self.accounts {
            let mut tell =
                |what: &str| found.push(format!("{}: {what}: {:?}", account.intent, account.movements));
            if account.has(Moved::Captured) > 0 && account.has(Moved::Voided) > 0 {
                tell("captured and voided");
            }
            if account.has(Moved::Captured) > 1 {
                tell("captured more than once");
            }
            if account.has(Moved::Voided) > 1 {
                tell("voided more than once");
            }
            if account.on_hold() < 0 {
                tell("more captured or given back than was held");
            }
            if account.kept() < 0 {
                tell("more refunded than captured");
            }
        }
        found
    }

    /// The accounts on which `key` was written with `value`.
    pub fn with<'a>(&'a self, key: &'a str, value: &'a str) -> impl Iterator<Item = &'a Account> {
        self.accounts.iter().filter(move |a| a.metadata.get(key).is_some_and(|v| v == value))
    }

    pub(crate) fn open(
        &mut self,
        intent: &str,
        amount: i64,
        currency: &str,
        metadata: BTreeMap<String, String>,
    ) {
        let (intent, currency) = (intent.to_owned(), currency.to_owned());
        self.accounts.push(Account { intent, amount, currency, metadata, movements: Vec::new() });
    }

    pub(crate) fn write(&mut self, intent: &str, movement: Movement) {
        let account = self.accounts.iter_mut().find(|account| account.intent == intent);
        account.expect("an intent has an account since its creation").movements.push(movement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(movements: &[(Moved, i64)]) -> Statement {
        let mut statement = Statement::default();
        statement.open("pi_1", 900, "eur", BTreeMap::new());
        for (what, amount) in movements {
            statement
                .write("pi_1", Movement { what: *what, amount: *amount, at: 0, refund: None, key: None });
        }
        statement
    }

    #[test]
    fn what_must_never_be_is_found_and_nothing_else() {
        use Moved::{Captured, Held, RefundFailed, Refunded, Remainder, Voided};
        let good: [&[(Moved, i64)]; 4] = [
            &[],
            &[(Held, 900), (Voided, 900)],
            &[(Held, 900), (Captured, 800), (Remainder, 100), (Refunded, 300), (Refunded, 500)],
            &[(Held, 900), (Captured, 900), (Refunded, 900), (RefundFailed, 900), (Refunded, 900)],
        ];
        for movements in good {
            assert_eq!(statement(movements).violations(), Vec::<String>::new());
        }
        let bad: [&[(Moved, i64)]; 5] = [
            &[(Held, 900), (Captured, 300), (Voided, 600)],
            &[(Held, 900), (Captured, 300), (Captured, 300)],
            &[(Held, 900), (Voided, 300), (Voided, 300)],
            &[(Held, 900), (Captured, 901)],
            &[(Held, 900), (Captured, 900), (Refunded, 901)],
        ];
        for movements in bad {
            assert_eq!(statement(movements).violations().len(), 1, "{movements:?}");
        }
    }
}
