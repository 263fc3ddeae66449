//! Who holds which cart, by the carts themselves and by the barrier rows of those who asked.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Row as _;
use uuid::Uuid;

use super::born_at_ms;
use super::outbox::Outbox;
use super::reader::{Reader, id, wrong};
use crate::AuditError;

/// The steps of a checkout that take and end a hold.
const HOLD: &str = "hold_cart";
const CLEAR: &str = "clear_cart";

/// What the barrier says of a saga's hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Hold {
    /// It took the hold and did not give it back.
    pub(crate) taken: bool,
    /// It cleared the cart, which ends the hold.
    pub(crate) cleared: bool,
}

/// All carts.
#[derive(Debug)]
pub(crate) struct Carts {
    /// The holder by cart; carts that nobody holds are left out.
    pub(crate) held_by: BTreeMap<String, Uuid>,
    pub(crate) count: usize,
    /// By saga.
    pub(crate) holds: BTreeMap<Uuid, Hold>,
    /// The checkouts that were made good, which ended their holds.
    pub(crate) let_go: BTreeSet<Uuid>,
    /// What concerns sagas born before this moment may be gone; none when nothing was ever forgotten.
    forgotten_before_ms: Option<i64>,
    pub(crate) outbox: Outbox,
}

impl Carts {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, AuditError> {
        let carts = reader
            .rows("SELECT cart_id, held_by FROM carts", |row| {
                let held_by = match row.try_get::<Option<String>, _>("held_by")? {
                    Some(saga) => Some(saga.parse::<Uuid>().map_err(|error| wrong("held_by", error))?),
                    None => None,
                };
                Ok((row.try_get::<String, _>("cart_id")?, held_by))
            })
            .await?;
        let barrier = reader
            .rows("SELECT saga_id, step FROM barrier WHERE state = 'done'", |row| {
                Ok((id(row, "saga_id")?, row.try_get::<String, _>("step")?))
            })
            .await?;
        let mut holds: BTreeMap<Uuid, Hold> = BTreeMap::new();
        for (saga, step) in barrier {
            let hold = holds.entry(saga).or_default();
            hold.taken |= step == HOLD;
            hold.cleared |= step == CLEAR;
        }
        let let_go =
            reader.rows("SELECT checkout_id FROM carts_let_go", |row| id(row, "checkout_id")).await?;
        let forgotten = reader.rows("SELECT before_ms FROM barrier_forgotten", |row| row.try_get(0)).await?;
        let count = carts.len();
        let held_by = carts.into_iter().filter_map(|(cart, saga)| Some((cart, saga?))).collect();
        Ok(Self {
            held_by,
            count,
            holds,
            let_go: let_go.into_iter().collect(),
            forgotten_before_ms: forgotten.into_iter().max(),
            outbox: Outbox::read(reader).await?,
        })
    }

    /// Whether what was known of a saga may be forgotten.
    pub(crate) fn may_have_forgotten(&self, saga: Uuid) -> bool {
        let born = born_at_ms(saga);
        born.zip(self.forgotten_before_ms).is_some_and(|(born, before)| born < before)
    }
}
