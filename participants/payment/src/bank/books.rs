//! Executes one call on the ledger's tables, inside the writer's transaction: key, account, entries, answer.

use backstitch_proto::ids;
use backstitch_proto::money::{Currency, Money};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use uuid::Uuid;

use super::account::Account;
use super::call::{Answer, BankError, Call, NewAccount, Shown, ShownListed, ShownRefund};
use super::cards::Card;
use super::ruling::{Decline, Delivery, Entry, Kind, Reason, RefundState, Ruling, Said, State};

/// How many accounts a list shows at once.
pub(super) const PAGE: i64 = 100;

/// Why a call was not executed.
pub(super) enum BooksError {
    /// An answer to this call; it wrote nothing that must not be committed.
    Said(BankError),
    /// The transaction is lost, for every call in it.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for BooksError {
    fn from(error: sqlx::Error) -> Self {
        BooksError::Database(error)
    }
}

fn nonsense(why: impl Into<String>) -> BooksError {
    BooksError::Said(BankError::Nonsense(why.into()))
}

/// The ledger inside a transaction.
pub(super) struct Books<'c> {
    pub(super) conn: &'c mut SqliteConnection,
    pub(super) now_ms: i64,
}

impl Books<'_> {
    /// Replays the key's answer, or executes the call and stores its answer under the key.
    pub(super) async fn execute(
        &mut self,
        key: Option<&str>,
        call: &Call,
    ) -> Result<(Answer, Delivery), BooksError> {
        let Some(key) = key else { return self.answer("", call).await };
        let canonical = call.canonical();
        if let Some((stored, answer)) = self.answered(key).await? {
            if stored != canonical {
                return Err(nonsense(format!("the key `{key}` was used for another call: {stored}")));
            }
            return Ok((answer, Delivery::Prompt));
        }
        let (answer, delivery) = self.answer(key, call).await?;
        // A request that was lost on its way used no key.
        let lost = matches!(call, Call::Confirm(..)) && delivery == Delivery::Lost && !holds(&answer);
        if !lost {
            self.remember(key, &canonical, &answer).await?;
        }
        Ok((answer, delivery))
    }

    async fn answer(&mut self, key: &str, call: &Call) -> Result<(Answer, Delivery), BooksError> {
        let now_ms = self.now_ms;
        match call {
            Call::Create(new) => self.create(key, new).await,
            Call::Confirm(id, token) => self.change(id, |a| a.confirm(token, now_ms)).await,
            Call::Capture(id, amount) => self.change(id, |a| a.capture(*amount, now_ms)).await,
            Call::Cancel(id) => self.change(id, Account::cancel).await,
            Call::Refund(id, reference, amount) => self.refund(id, *reference, *amount).await,
            Call::Read(id) => self.change(id, |a| a.looked_at(now_ms)).await,
            Call::FinishChallenge(id) => self.change(id, |a| a.finish_challenge(now_ms)).await,
            Call::Refunds(id) => Ok((Answer::Refunds(self.refunds(id).await?), Delivery::Prompt)),
            Call::List(from_ms, before) => Ok((self.list(*from_ms, *before).await?, Delivery::Prompt)),
            Call::Find(id) => Ok((self.find(id).await?, Delivery::Prompt)),
        }
    }

    async fn create(&mut self, key: &str, new: &NewAccount) -> Result<(Answer, Delivery), BooksError> {
        if new.amount.minor <= 0 {
            return Err(nonsense(format!("{} is no amount to hold", new.amount)));
        }
        // One object per key, whatever else is the same.
        let id = format!("sbx_{}", ids::derived(new.reference, key).simple());
        let account = Account::new(id, new.reference, new.amount);
        sqlx::query(include_str!("sql/create_account.sql"))
            .bind(&account.id)
            .bind(new.reference.to_string())
            .bind(new.saga.to_string())
            .bind(new.root.to_string())
            .bind(&new.order_id)
            .bind(new.amount.minor)
            .bind(new.amount.currency.as_str())
            .bind(account.state.as_str())
            .bind(self.now_ms)
            .execute(&mut *self.conn)
            .await?;
        self.book(&account.id, &[Entry { kind: Kind::Created, amount_minor: new.amount.minor }]).await?;
        Ok((Answer::Payment(Shown::from(&account)), Delivery::Prompt))
    }

    /// Loads an account, lets `rule` decide, and writes what it decided.
    async fn change(
        &mut self,
        id: &str,
        rule: impl FnOnce(&mut Account) -> Ruling,
    ) -> Result<(Answer, Delivery), BooksError> {
        let before = self.account(id).await?;
        let mut account = before.clone();
        let ruling = rule(&mut account);
        if account != before {
            self.store(&account).await?;
        }
        self.book(&account.id, &ruling.entries).await?;
        let answer = match ruling.said {
            Said::Yes => Answer::Payment(Shown::from(&account)),
            Said::No(decline) => Answer::No(decline),
            Said::Unavailable(why) => return Err(BooksError::Said(BankError::Away(why.to_owned()))),
        };
        Ok((answer, ruling.delivery))
    }

    async fn refund(
        &mut self,
        id: &str,
        reference: Uuid,
        amount: Money,
    ) -> Result<(Answer, Delivery), BooksError> {
        let mut account = self.account(id).await?;
        let (ruling, state) = account.refund(amount);
        if let Said::No(decline) = ruling.said {
            return Ok((Answer::No(decline), ruling.delivery));
        }
        self.store(&account).await?;
        self.book(&account.id, &ruling.entries).await?;
        let number: i64 = sqlx::query_scalar(include_str!("sql/next_refund.sql"))
            .bind(&account.id)
            .fetch_one(&mut *self.conn)
            .await?;
        let refund = format!("{}_r{number}", account.id);
        let failure = if state == RefundState::Failed { "declined" } else { "" };
        sqlx::query(include_str!("sql/create_refund.sql"))
            .bind(&refund)
            .bind(&account.id)
            .bind(number)
            .bind(reference.to_string())
            .bind(amount.minor)
            .bind(amount.currency.as_str())
            .bind(word(state))
            .bind(failure)
            .execute(&mut *self.conn)
            .await?;
        let shown = ShownRefund { id: refund, reference, amount, state, failure: failure.to_owned() };
        Ok((Answer::Refund(shown), ruling.delivery))
    }

    async fn account(&mut self, id: &str) -> Result<Account, BooksError> {
        let row = sqlx::query(include_str!("sql/load_account.sql"))
            .bind(id)
            .fetch_optional(&mut *self.conn)
            .await?;
        account(&row.ok_or_else(|| nonsense(format!("the bank has no account `{id}`")))?)
    }

    async fn store(&mut self, account: &Account) -> Result<(), BooksError> {
        let decline = match &account.decline {
            Some(decline) => json(decline)?,
            None => String::new(),
        };
        sqlx::query(include_str!("sql/store_account.sql"))
            .bind(&account.id)
            .bind(account.card.map_or("", Card::token))
            .bind(account.state.as_str())
            .bind(decline)
            .bind(account.capture_before_ms)
            .bind(account.authorized_minor)
            .bind(account.captured_minor)
            .bind(account.refunded_minor)
            .bind(account.challenge_reads)
            .bind(account.failed_voids)
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }

    async fn book(&mut self, account: &str, entries: &[Entry]) -> Result<(), BooksError> {
        for entry in entries {
            sqlx::query(include_str!("sql/book_entry.sql"))
                .bind(account)
                .bind(entry.kind.as_str())
                .bind(entry.amount_minor)
                .bind(self.now_ms)
                .execute(&mut *self.conn)
                .await?;
        }
        Ok(())
    }

    /// Shows every refund of an account; what happens to one by being looked at happens first.
    async fn refunds(&mut self, id: &str) -> Result<Vec<ShownRefund>, BooksError> {
        let rows =
            sqlx::query(include_str!("sql/load_refunds.sql")).bind(id).fetch_all(&mut *self.conn).await?;
        let mut shown = Vec::with_capacity(rows.len());
        for row in rows {
            let mut refund = refund(&row)?;
            let mut account = self.account(id).await?;
            let (entries, state) =
                account.refund_looked_at(refund.state, refund.amount.minor, refund.looks.saturating_add(1));
            if state != refund.state && state == RefundState::Failed {
                refund.failure = "expired_or_canceled_card".into();
            }
            sqlx::query(include_str!("sql/show_refund.sql"))
                .bind(&refund.id)
                .bind(word(state))
                .bind(&refund.failure)
                .execute(&mut *self.conn)
                .await?;
            if !entries.is_empty() {
                self.store(&account).await?;
                self.book(&account.id, &entries).await?;
            }
            let Refund { id, reference, amount, failure, .. } = refund;
            shown.push(ShownRefund { id, reference, amount, state, failure });
        }
        Ok(shown)
    }

    async fn list(&mut self, from_ms: i64, before: i64) -> Result<Answer, BooksError> {
        let rows = sqlx::query(include_str!("sql/list_accounts.sql"))
            .bind(from_ms)
            .bind(before)
            .bind(PAGE)
            .fetch_all(&mut *self.conn)
            .await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            page.push(self.listed(row).await?);
        }
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == PAGE);
        let last = rows.last().filter(|_| full).map(|row| row.try_get("place")).transpose()?;
        Ok(Answer::List(page, last))
    }

    async fn find(&mut self, id: &str) -> Result<Answer, BooksError> {
        let query = sqlx::query(include_str!("sql/find_account.sql")).bind(id);
        let row = query.fetch_optional(&mut *self.conn).await?;
        let mut found = Vec::new();
        if let Some(row) = row {
            found.push(self.listed(&row).await?);
        }
        Ok(Answer::List(found, None))
    }

    async fn listed(&mut self, row: &SqliteRow) -> Result<ShownListed, BooksError> {
        let id: &str = row.try_get("id")?;
        let refunds = self.refunds(id).await?;
        Ok(ShownListed {
            account: Shown::from(&self.account(id).await?),
            saga: uuid(row, "saga_id")?,
            order_id: row.try_get("order_id")?,
            created_at_ms: row.try_get("created_at_ms")?,
            refunds,
        })
    }

    async fn answered(&mut self, key: &str) -> Result<Option<(String, Answer)>, BooksError> {
        let row: Option<(String, String)> = sqlx::query_as("SELECT call, answer FROM answers WHERE key = $1")
            .bind(key)
            .fetch_optional(&mut *self.conn)
            .await?;
        let Some((call, answer)) = row else { return Ok(None) };
        let answer = serde_json::from_str(&answer).map_err(|e| nonsense(format!("a stored answer: {e}")))?;
        Ok(Some((call, answer)))
    }

    async fn remember(&mut self, key: &str, call: &str, answer: &Answer) -> Result<(), BooksError> {
        sqlx::query("INSERT INTO answers (key, call, answer) VALUES ($1, $2, $3)")
            .bind(key)
            .bind(call)
            .bind(json(answer)?)
            .execute(&mut *self.conn)
            .await?;
        Ok(())
    }
}

fn holds(answer: &Answer) -> bool {
    matches!(answer, Answer::Payment(shown) if shown.state == State::Authorized)
}

fn json(value: &impl serde::Serialize) -> Result<String, BooksError> {
    serde_json::to_string(value).map_err(|e| nonsense(format!("cannot be stored: {e}")))
}

fn word(state: RefundState) -> &'static str {
    match state {
        RefundState::Pending => "pending",
        RefundState::Succeeded => "succeeded",
        RefundState::Failed => "failed",
    }
}

fn money(row: &SqliteRow) -> Result<Money, BooksError> {
    let currency = Currency::parse(row.try_get("currency")?).map_err(|e| nonsense(e.to_string()))?;
    Ok(Money::new(row.try_get("amount_minor")?, currency))
}

fn uuid(row: &SqliteRow, column: &'static str) -> Result<Uuid, BooksError> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|_| nonsense(format!("`{text}` is no id")))
}

fn account(row: &SqliteRow) -> Result<Account, BooksError> {
    let state: &str = row.try_get("state")?;
    let decline: &str = row.try_get("decline")?;
    let decline: Option<Decline> = match decline {
        "" => None,
        json => Some(serde_json::from_str(json).unwrap_or_else(|_| {
            // The row says refused; which word it was refused with decides nothing about money.
            Decline::new(Reason::CardDeclined, "unreadable")
        })),
    };
    Ok(Account {
        id: row.try_get("id")?,
        reference: uuid(row, "reference")?,
        amount: money(row)?,
        card: Card::of(row.try_get("card")?),
        state: State::of(state).ok_or_else(|| nonsense(format!("unknown account state `{state}`")))?,
        decline,
        capture_before_ms: row.try_get("capture_before_ms")?,
        authorized_minor: row.try_get("authorized_minor")?,
        captured_minor: row.try_get("captured_minor")?,
        refunded_minor: row.try_get("refunded_minor")?,
        challenge_reads: row.try_get("challenge_reads")?,
        failed_voids: row.try_get("failed_voids")?,
    })
}

/// A refund's row.
struct Refund {
    id: String,
    reference: Uuid,
    amount: Money,
    state: RefundState,
    failure: String,
    looks: i64,
}

fn refund(row: &SqliteRow) -> Result<Refund, BooksError> {
    let state = match row.try_get("state")? {
        "pending" => RefundState::Pending,
        "succeeded" => RefundState::Succeeded,
        "failed" => RefundState::Failed,
        other => return Err(nonsense(format!("unknown refund state `{other}`"))),
    };
    Ok(Refund {
        id: row.try_get("id")?,
        reference: uuid(row, "reference")?,
        amount: money(row)?,
        state,
        failure: row.try_get("failure")?,
        looks: row.try_get("looks")?,
    })
}
