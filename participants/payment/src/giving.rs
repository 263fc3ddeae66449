//! Asking the provider for a refund so that it is made once, however often it is asked for.
//!
//! A refund cannot be made impossible and its absence proves nothing, so a doubt is settled by asking again under the same
//! key. A key lasts only for a while: past that time it is asked again only after every refund of the object has been
//! listed and ours is not among them, and not before a request that was sent at the last moment is either there or gone.

use backstitch_failpoint::hit;
use backstitch_proto::ids::born_ms;
use backstitch_proto::money::Money;
use participant_kit::{CallMeta, patiently};
use uuid::Uuid;

use crate::attempts::Verb;
use crate::desk::{Desk, Trouble, key};
use crate::gateway::{Decline, GatewayError, ProviderId, ProviderRefund};
use crate::refunds::{self, Refund};

/// How long before and after the end of a key's time nothing is asked under it. Longer than a request is under way.
pub(crate) const QUIET_MS: i64 = 5 * 60 * 1_000;

/// What is to be given back.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) object: &'a ProviderId,
    /// Ours, for the record; empty where the object is of no payment in the ledger.
    pub(crate) payment: String,
    pub(crate) refund: Uuid,
    pub(crate) amount: Money,
    /// Since when the provider knows the key, at the latest.
    pub(crate) key_from_ms: i64,
    /// The intent is of this very call: nobody can have asked before.
    pub(crate) first: bool,
}

/// What the provider made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// The refund as it shows it.
    Shown(ProviderRefund),
    /// A no to the call: there is no refund and will be none.
    Declined(Decline),
}

/// What may be done under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// The provider answers what it answered before.
    Lasts,
    /// It may or may not know it: nothing is asked.
    Ending,
    /// Forgotten; whatever was asked under it can be seen by now.
    Gone,
}

fn standing(key_from_ms: i64, window_ms: i64, now_ms: i64) -> Key {
    let age_ms = now_ms.saturating_sub(key_from_ms);
    match age_ms {
        _ if age_ms < window_ms.saturating_sub(QUIET_MS) => Key::Lasts,
        _ if age_ms < window_ms.saturating_add(QUIET_MS) => Key::Ending,
        _ => Key::Gone,
    }
}

/// Whether nobody can have used a key for this saga so long ago that the provider forgets it.
fn is_younger(saga: Uuid, window_ms: i64, now_ms: i64) -> bool {
    born_ms(saga).is_some_and(|born| now_ms.saturating_sub(born) < window_ms.saturating_sub(QUIET_MS))
}

impl Desk {
    /// The refund as it is committed now.
    pub(crate) async fn refund(&self, id: Uuid) -> Result<Refund, Trouble> {
        let refund = patiently(|| async {
            let mut conn = self.kit.reads().acquire().await?;
            refunds::load(&mut conn, id).await
        });
        refund.await?.ok_or_else(|| Trouble::Broken(format!("there is no refund {id}")))
    }

    /// Writes that the key of a refund is used anew. False: somebody else has.
    pub(crate) async fn renew_key(&self, refund: Refund) -> Result<bool, Trouble> {
        self.write(refund.payment, move |tx| {
            let refund = refund.clone();
            Box::pin(async move { refunds::renew_key(tx, &refund).await })
        })
        .await
    }

    /// The provider's refund: found, or asked for. `renew` writes that the key is used anew, and says whether nobody else did.
    pub(crate) async fn give(
        &self,
        call: &CallMeta,
        ask: &Ask<'_>,
        renew: impl AsyncFnOnce() -> Result<bool, Trouble>,
    ) -> Result<Given, Trouble> {
        // That nobody has asked before is read off our database, which may be a restored one. While the key of whoever
        // asked first would still last, that does not matter.
        if !ask.first || !is_younger(call.saga, self.key_window_ms, self.kit.clock().now_ms()) {
            self.not_early(Some(ask.object))?;
            let refunds = self.gateway.refunds(ask.object).await?;
            if let Some(found) = refunds.into_iter().find(|refund| refund.reference == Some(ask.refund)) {
                return ask.checked(found);
            }
            match standing(ask.key_from_ms, self.key_window_ms, self.kit.clock().now_ms()) {
                Key::Lasts => {}
                Key::Ending => {
                    let why = "the provider shows no such refund and may just have forgotten its key; that proves nothing";
                    return Err(Trouble::Later(why.into()));
                }
                Key::Gone if renew().await? => {}
                Key::Gone => return Err(Trouble::Later("somebody else asks for the refund".into())),
            }
        }
        let key = key(call, Verb::Refund);
        let (payment, refund) = (ask.payment.as_str(), ask.refund.to_string());
        let asked = self.gateway.refund(&key, ask.object, ask.refund, ask.amount);
        hit("payment.before_refund");
        let given = self.attempt(call, Verb::Refund, (payment, &refund), asked).await;
        hit("payment.after_refund");
        match given {
            Ok(shown) => ask.checked(shown),
            Err(GatewayError::Refused(decline)) => Ok(Given::Declined(decline)),
            Err(error) => Err(error.into()),
        }
    }
}

impl Ask<'_> {
    /// Another refund than was asked for is nonsense, whatever its state.
    fn checked(&self, shown: ProviderRefund) -> Result<Given, Trouble> {
        if shown.reference == Some(self.refund) && shown.amount == self.amount {
            return Ok(Given::Shown(shown));
        }
        let (id, amount) = (&shown.id, shown.amount);
        let why = format!(
            "the provider answered with the refund {id} of {amount}, ours is {} of {}",
            self.refund, self.amount
        );
        Err(Trouble::Broken(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saga_is_younger_than_a_key_until_shortly_before_its_time_is_over() {
        let day = 24 * 60 * 60 * 1_000;
        let saga = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 0));
        let born = 1_700_000_000_000;
        assert!(is_younger(saga, day, born) && is_younger(saga, day, born + day - QUIET_MS - 1));
        assert!(!is_younger(saga, day, born + day - QUIET_MS) && !is_younger(Uuid::from_u128(7), day, born));
    }

    #[test]
    fn around_the_end_of_its_time_nothing_is_asked_under_a_key() {
        let day = 24 * 60 * 60 * 1_000;
        for (age, expected) in [
            (0, Key::Lasts),
            (day - QUIET_MS - 1, Key::Lasts),
            (day - QUIET_MS, Key::Ending),
            (day, Key::Ending),
            (day + QUIET_MS - 1, Key::Ending),
            (day + QUIET_MS, Key::Gone),
            (i64::MAX, Key::Gone),
        ] {
            assert_eq!(standing(0, day, age), expected, "{age}");
        }
    }
}
