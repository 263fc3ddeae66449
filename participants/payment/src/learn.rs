//! The table of what may be learned about a payment from the provider's object.
//!
//! Pure. Whatever is not listed in [`learn`] is nonsense with a name; nothing is recorded from it.

use backstitch_proto::money::Money;
use uuid::Uuid;

use crate::gateway::{ProviderId, ProviderPayment, ProviderState};
use crate::payment::{Kind, Payment, Status};

/// What an object of the provider teaches us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lesson {
    /// Where the payment stands now.
    pub(crate) status: Status,
    /// What happened that we had not booked yet, in order, with the amount in minor units.
    pub(crate) entries: Vec<(Kind, i64)>,
    /// When the hold ends, Unix milliseconds.
    pub(crate) capture_before_ms: i64,
}

/// Why an object cannot be what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Nonsense {
    #[error("the provider answered with the object {found}, ours is {ours}")]
    OtherObject { ours: ProviderId, found: ProviderId },
    #[error("the provider answered about payment {}, ours is {ours}", found.map_or("nobody's".to_owned(), |id| id.to_string()))]
    OtherPayment { ours: Uuid, found: Option<Uuid> },
    #[error("the provider answered with {found}, ours is {ours}")]
    OtherAmount { ours: Money, found: Money },
    #[error(
        "the provider's sums cannot be: {authorized} authorized, {captured} captured, {refunded} refunded of {amount}"
    )]
    Sums { amount: Money, authorized: i64, captured: i64, refunded: i64 },
    #[error("the payment is {ours} here, but the provider shows {found}")]
    Impossible { ours: &'static str, found: &'static str },
}

/// Whether `seen` can be the provider's object of `payment` at all.
pub(crate) fn verify(payment: &Payment, seen: &ProviderPayment) -> Result<(), Nonsense> {
    if let Some(ours) = payment.provider_id.as_ref().filter(|ours| **ours != seen.id) {
        return Err(Nonsense::OtherObject { ours: ours.clone(), found: seen.id.clone() });
    }
    if seen.reference != Some(payment.id) {
        return Err(Nonsense::OtherPayment { ours: payment.id, found: seen.reference });
    }
    if seen.amount != payment.amount {
        return Err(Nonsense::OtherAmount { ours: payment.amount, found: seen.amount });
    }
    let amount = payment.amount.minor;
    // A hold is of the whole amount; a capture may be of a part, of which part is for its step to say.
    let (held, taken) = match seen.state {
        ProviderState::Created
        | ProviderState::CustomerAction(_)
        | ProviderState::Declined(_)
        | ProviderState::Refused(_) => (seen.authorized_minor == 0, seen.captured_minor == 0),
        ProviderState::Authorized { .. } => (seen.authorized_minor == amount, seen.captured_minor == 0),
        ProviderState::Captured => {
            (seen.authorized_minor == amount, (1..=amount).contains(&seen.captured_minor))
        }
        ProviderState::Cancelled => {
            (seen.authorized_minor == 0 || seen.authorized_minor == amount, seen.captured_minor == 0)
        }
    };
    if held && taken && (0..=seen.captured_minor).contains(&seen.refunded_minor) {
        return Ok(());
    }
    Err(Nonsense::Sums {
        amount: payment.amount,
        authorized: seen.authorized_minor,
        captured: seen.captured_minor,
        refunded: seen.refunded_minor,
    })
}

/// The table: what `seen` means for `payment`. Idempotent; refunds are not learned here but settled one by one.
pub(crate) fn learn(payment: &Payment, seen: &ProviderPayment) -> Result<Lesson, Nonsense> {
    use ProviderState as P;
    use Status as S;

    verify(payment, seen)?;
    let status = match (payment.status, &seen.state) {
        (S::Authorizing, P::Created | P::Declined(_)) => S::Authorizing,
        (S::Waiting, P::Declined(_)) => S::Waiting,
        (S::Authorizing | S::Waiting, P::CustomerAction(_)) => S::Waiting,
        (S::Authorizing | S::Waiting, P::Authorized { .. }) => S::Authorized,
        (S::Authorizing | S::Waiting, P::Cancelled) => S::Voided,
        (S::Authorizing | S::Waiting, P::Refused(_)) => S::Refused,

        (S::Authorized, P::Authorized { .. }) => S::Authorized,
        (S::Capturing, P::Authorized { .. }) => S::Capturing,
        (S::Authorized | S::Capturing, P::Captured) => S::Captured,
        // Run out, or ended to settle a doubt.
        (S::Authorized | S::Capturing, P::Cancelled) => S::Voided,

        (S::Voiding, P::Created | P::CustomerAction(_) | P::Declined(_) | P::Authorized { .. }) => S::Voiding,
        (S::Voiding, P::Cancelled) => S::Voided,
        (S::Voiding, P::Refused(_)) => S::Refused,
        // Nothing was voided, so money that was taken nevertheless is known as taken, and given back.
        (S::Voiding, P::Captured) => S::Captured,

        (S::Captured, P::Captured) => S::Captured,
        (S::Voided, P::Cancelled) => S::Voided,
        (S::Refused, P::Refused(_) | P::Cancelled) => S::Refused,

        (ours, found) => {
            return Err(Nonsense::Impossible { ours: ours.as_str(), found: word(found) });
        }
    };

    let mut entries = Vec::new();
    if seen.authorized_minor > payment.authorized_minor {
        entries.push((Kind::Authorized, seen.authorized_minor));
    }
    if seen.captured_minor > payment.captured_minor {
        entries.push((Kind::Captured, seen.captured_minor));
        let rest = seen.authorized_minor.saturating_sub(seen.captured_minor);
        if rest > 0 {
            entries.push((Kind::Released, rest));
        }
    }
    if status == S::Voided && seen.authorized_minor > payment.voided_minor {
        entries.push((Kind::Voided, seen.authorized_minor));
    }
    // What was seen once was seen, and nothing is added to what has ended.
    let forgot = seen.authorized_minor < payment.authorized_minor
        || seen.captured_minor < payment.captured_minor
        || (payment.captured_minor > 0 && seen.captured_minor > payment.captured_minor);
    if forgot || (payment.status.is_final() && !entries.is_empty()) {
        return Err(Nonsense::Impossible { ours: payment.status.as_str(), found: "other sums than before" });
    }
    let capture_before_ms = match seen.state {
        P::Authorized { capture_before_ms } => capture_before_ms,
        _ => payment.capture_before_ms,
    };
    Ok(Lesson { status, entries, capture_before_ms })
}

fn word(state: &ProviderState) -> &'static str {
    match state {
        ProviderState::Created => "created",
        ProviderState::CustomerAction(_) => "waiting for the customer",
        ProviderState::Declined(_) => "declined",
        ProviderState::Authorized { .. } => "authorized",
        ProviderState::Captured => "captured",
        ProviderState::Cancelled => "cancelled",
        ProviderState::Refused(_) => "refused",
    }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::money::Currency;

    use super::*;
    use crate::gateway::{CustomerAction, Decline, DeclineReason};

    fn gbp(minor: i64) -> Money {
        Money::new(minor, Currency::parse("GBP").unwrap())
    }

    /// A payment in `status` whose entries are what that status implies.
    fn payment(status: Status) -> Payment {
        let held =
            matches!(status, Status::Authorized | Status::Capturing | Status::Captured | Status::Voided);
        Payment {
            id: Uuid::from_u128(1),
            saga: Uuid::from_u128(2),
            step: "authorize_payment".into(),
            root: Uuid::from_u128(2),
            order_id: String::new(),
            provider: "sandbox".into(),
            amount: gbp(1_000),
            status,
            provider_id: Some(ProviderId::new("p")),
            capture_before_ms: 0,
            authorized_minor: if held { 1_000 } else { 0 },
            captured_minor: if status == Status::Captured { 1_000 } else { 0 },
            voided_minor: if status == Status::Voided { 1_000 } else { 0 },
            refunded_minor: 0,
            released_minor: 0,
            created_at_ms: 0,
            updated_at_ms: 0,
        }
    }

    fn seen(state: ProviderState, authorized_minor: i64) -> ProviderPayment {
        let captured_minor = if state == ProviderState::Captured { 1_000 } else { 0 };
        ProviderPayment {
            id: ProviderId::new("p"),
            reference: Some(Uuid::from_u128(1)),
            amount: gbp(1_000),
            state,
            authorized_minor,
            captured_minor,
            refunded_minor: 0,
        }
    }

    fn sights() -> Vec<ProviderPayment> {
        vec![
            seen(ProviderState::Created, 0),
            seen(ProviderState::CustomerAction(CustomerAction::Redirect("https://x".into())), 0),
            seen(ProviderState::Declined(Decline::new(DeclineReason::CardDeclined, "x")), 0),
            seen(ProviderState::Authorized { capture_before_ms: 9 }, 1_000),
            seen(ProviderState::Captured, 1_000),
            ProviderPayment { captured_minor: 600, ..seen(ProviderState::Captured, 1_000) },
            seen(ProviderState::Cancelled, 0),
            seen(ProviderState::Cancelled, 1_000),
            seen(ProviderState::Refused(Decline::new(DeclineReason::CardDeclined, "x")), 0),
        ]
    }

    fn apply(payment: &Payment, lesson: &Lesson) -> Payment {
        let mut after =
            Payment { status: lesson.status, capture_before_ms: lesson.capture_before_ms, ..payment.clone() };
        for (kind, amount) in &lesson.entries {
            match kind {
                Kind::Authorized => after.authorized_minor += amount,
                Kind::Captured => after.captured_minor += amount,
                Kind::Released => after.released_minor += amount,
                Kind::Voided => after.voided_minor += amount,
                Kind::Refunded => after.refunded_minor += amount,
                Kind::Reversed => after.refunded_minor -= amount,
            }
        }
        after
    }

    #[test]
    fn nothing_is_learned_that_leaves_a_final_status_or_both_captures_and_voids() {
        let mut learned = 0;
        for status in Status::ALL {
            for seen in sights() {
                let before = payment(status);
                let Ok(lesson) = learn(&before, &seen) else { continue };
                learned += 1;
                if status.is_final() {
                    assert_eq!(lesson.status, status, "{seen:?}");
                    assert_eq!(lesson.entries, [], "{seen:?}");
                }
                let after = apply(&before, &lesson);
                assert!(after.captured_minor == 0 || after.voided_minor == 0, "{status:?} {seen:?}");
                assert_eq!(after.status == Status::Captured, after.captured_minor > 0, "{status:?} {seen:?}");
                if after.status.is_final() {
                    let gone = after.captured_minor + after.released_minor + after.voided_minor;
                    assert_eq!(gone, after.authorized_minor, "{status:?} {seen:?}");
                }
            }
        }
        assert!(learned > 15, "what makes sense is learned: {learned}");
    }

    #[test]
    fn what_was_learned_teaches_nothing_new_the_second_time() {
        for status in Status::ALL {
            for seen in sights() {
                let before = payment(status);
                let Ok(lesson) = learn(&before, &seen) else { continue };
                let after = apply(&before, &lesson);
                let again = learn(&after, &seen).unwrap();
                assert_eq!(again, Lesson { entries: Vec::new(), ..lesson }, "{status:?} {seen:?}");
            }
        }
    }

    #[test]
    fn money_that_moved_after_the_end_is_nonsense_with_a_name() {
        for (status, state, authorized) in [
            (Status::Voided, ProviderState::Captured, 1_000),
            (Status::Captured, ProviderState::Cancelled, 1_000),
            (Status::Refused, ProviderState::Captured, 1_000),
            (Status::Refused, ProviderState::Authorized { capture_before_ms: 1 }, 1_000),
            (Status::Voided, ProviderState::Authorized { capture_before_ms: 1 }, 1_000),
            (Status::Authorizing, ProviderState::Captured, 1_000),
        ] {
            let result = learn(&payment(status), &seen(state, authorized));
            assert!(matches!(result, Err(Nonsense::Impossible { .. })), "{status:?}: {result:?}");
        }
    }

    #[test]
    fn another_id_amount_currency_or_sum_is_nonsense_whatever_the_state() {
        let authorized = seen(ProviderState::Authorized { capture_before_ms: 9 }, 1_000);
        let eur = Money::new(1_000, Currency::parse("EUR").unwrap());
        for wrong in [
            ProviderPayment { id: ProviderId::new("q"), ..authorized.clone() },
            ProviderPayment { reference: Some(Uuid::from_u128(9)), ..authorized.clone() },
            ProviderPayment { reference: None, ..authorized.clone() },
            ProviderPayment { amount: gbp(999), ..authorized.clone() },
            ProviderPayment { amount: eur, ..authorized.clone() },
            ProviderPayment { authorized_minor: 999, ..authorized.clone() },
            ProviderPayment { captured_minor: 1, ..authorized.clone() },
            ProviderPayment { refunded_minor: 1, ..authorized.clone() },
        ] {
            assert!(learn(&payment(Status::Authorizing), &wrong).is_err(), "{wrong:?}");
        }
        assert!(learn(&payment(Status::Authorizing), &authorized).is_ok());
    }

    #[test]
    fn a_capture_of_a_part_lets_go_of_the_rest() {
        let part = ProviderPayment { captured_minor: 600, ..seen(ProviderState::Captured, 1_000) };
        let lesson = learn(&payment(Status::Capturing), &part).unwrap();
        assert_eq!(lesson.entries, [(Kind::Captured, 600), (Kind::Released, 400)]);
        for captured_minor in [0, 1_001, -1] {
            let wrong = ProviderPayment { captured_minor, ..part.clone() };
            assert!(learn(&payment(Status::Capturing), &wrong).is_err(), "{captured_minor}");
        }
        let other = ProviderPayment { captured_minor: 999, ..part };
        assert!(learn(&payment(Status::Captured), &other).is_err(), "what was taken does not change");
    }

    #[test]
    fn a_hold_that_was_ended_before_we_saw_it_is_booked_with_its_end() {
        let lesson = learn(&payment(Status::Voiding), &seen(ProviderState::Cancelled, 1_000)).unwrap();
        assert_eq!(lesson.status, Status::Voided);
        assert_eq!(lesson.entries, [(Kind::Authorized, 1_000), (Kind::Voided, 1_000)]);
    }
}
