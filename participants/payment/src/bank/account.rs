//! One account as a pure state machine: what a call changes, what is booked, what is answered.
//!
//! Knows no database, no keys and no time but the value it is given. Created -> (challenged ->) authorized ->
//! captured | voided, or refused on the way to authorized. What is not in these functions cannot happen to money here,
//! whoever calls: a capture after a cancel, a cancel after a capture, a refund above what was captured.

use backstitch_proto::money::Money;
use uuid::Uuid;

use super::cards::Card;
use super::ruling::{Decline, Delivery, Entry, Kind, Reason, RefundState, Ruling, Said, State};

/// How long a hold lasts: 7 days, as with most card networks.
pub const HOLD_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Cancels of a hold that [`Card::VoidUnavailable`] lets fail.
const FAILING_VOIDS: i64 = 3;

/// The look at a refund at which what happens to it later has happened.
const REFUND_LOOKS: i64 = 2;

/// The read at which a customer who finishes a challenge at all has finished it.
const CHALLENGE_READS: i64 = 2;

/// What a merchant can hold, take and give back of one customer's money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The bank's id.
    pub(super) id: String,
    /// The merchant's id.
    pub(super) reference: Uuid,
    /// What it is for.
    pub(super) amount: Money,
    /// Known once confirmed.
    pub(super) card: Option<Card>,
    /// Where it stands.
    pub(super) state: State,
    /// Set when refused.
    pub(super) decline: Option<Decline>,
    /// Unix milliseconds; 0 until authorized.
    pub(super) capture_before_ms: i64,
    /// What was ever held.
    pub(super) authorized_minor: i64,
    /// What was taken.
    pub(super) captured_minor: i64,
    /// What was given back, or is about to be.
    pub(super) refunded_minor: i64,
    /// How often it was read while it waited for the customer.
    pub(super) challenge_reads: i64,
    /// How many cancels failed.
    pub(super) failed_voids: i64,
}

impl Account {
    /// Holds nothing yet.
    pub(super) fn new(id: String, reference: Uuid, amount: Money) -> Self {
        Self {
            id,
            reference,
            amount,
            card: None,
            state: State::Created,
            decline: None,
            capture_before_ms: 0,
            authorized_minor: 0,
            captured_minor: 0,
            refunded_minor: 0,
            challenge_reads: 0,
            failed_voids: 0,
        }
    }

    /// The customer's card is asked for the hold.
    pub(super) fn confirm(&mut self, token: &str, now_ms: i64) -> Ruling {
        if self.state != State::Created {
            return Ruling::no(Reason::WrongState, "payment_unexpected_state");
        }
        let Some(card) = Card::of(token) else {
            return self.refuse(Reason::UnknownPaymentMethod, "no_such_payment_method");
        };
        if card == Card::LostRequest {
            return Ruling::yes(Vec::new()).delivered(Delivery::Lost);
        }
        self.card = Some(card);
        match card {
            Card::Declined => self.refuse(Reason::CardDeclined, "generic_decline"),
            Card::InsufficientFunds => self.refuse(Reason::InsufficientFunds, "insufficient_funds"),
            Card::ChallengePassed | Card::ChallengeFailed | Card::ChallengeAbandoned => {
                self.state = State::Challenged;
                Ruling::yes(Vec::new())
            }
            Card::LostAnswer => self.hold(now_ms).delivered(Delivery::Lost),
            _ => self.hold(now_ms),
        }
    }

    /// The merchant reads the object. A customer who finishes a challenge at all has done so by the second read, as if
    /// they had used the page in between.
    pub(super) fn looked_at(&mut self, now_ms: i64) -> Ruling {
        if self.state != State::Challenged {
            return Ruling::yes(Vec::new());
        }
        self.challenge_reads = self.challenge_reads.saturating_add(1);
        if self.challenge_reads < CHALLENGE_READS {
            return Ruling::yes(Vec::new());
        }
        Ruling::yes(self.finish_challenge(now_ms).entries)
    }

    /// The customer is through with the challenge page. One who never comes cannot be.
    pub(super) fn finish_challenge(&mut self, now_ms: i64) -> Ruling {
        match (self.state, self.card) {
            (State::Challenged, Some(Card::ChallengePassed)) => self.hold(now_ms),
            (State::Challenged, Some(Card::ChallengeFailed)) => {
                self.refuse(Reason::AuthenticationFailed, "authentication_failed")
            }
            _ => Ruling::no(Reason::WrongState, "no_challenge_to_finish"),
        }
    }

    /// Takes money from the hold; what is left of the hold is let go.
    pub(super) fn capture(&mut self, amount: Money, now_ms: i64) -> Ruling {
        match self.state {
            State::Authorized => {}
            State::Captured => return Ruling::no(Reason::WrongState, "already_captured"),
            _ => return Ruling::no(Reason::WrongState, "payment_unexpected_state"),
        }
        if now_ms > self.capture_before_ms {
            let gone = self.void();
            return Ruling { entries: gone.entries, ..Ruling::no(Reason::Expired, "authorization_expired") };
        }
        if matches!(self.card, Some(Card::CaptureDeclined | Card::VoidUnavailable)) {
            return Ruling::no(Reason::CaptureDeclined, "capture_declined");
        }
        if amount.currency != self.amount.currency || !(1..=self.authorized_minor).contains(&amount.minor) {
            return Ruling::no(Reason::AmountNotAllowed, "amount_too_large");
        }
        self.state = State::Captured;
        self.captured_minor = amount.minor;
        let late = if self.card == Some(Card::SlowCapture) { Delivery::Late } else { Delivery::Prompt };
        Ruling::yes(vec![Entry { kind: Kind::Captured, amount_minor: amount.minor }]).delivered(late)
    }

    /// Ends the object, hold included. Ended already: so it is.
    pub(super) fn cancel(&mut self) -> Ruling {
        match self.state {
            State::Captured => Ruling::no(Reason::WrongState, "already_captured"),
            State::Voided | State::Refused => Ruling::yes(Vec::new()),
            State::Authorized
                if self.card == Some(Card::VoidUnavailable) && self.failed_voids < FAILING_VOIDS =>
            {
                self.failed_voids += 1;
                Ruling {
                    said: Said::Unavailable("this hold is not cancelled yet"),
                    entries: Vec::new(),
                    delivery: Delivery::Prompt,
                }
            }
            State::Created | State::Challenged | State::Authorized => self.void(),
        }
    }

    /// Gives money back. The state of the refund, or no.
    pub(super) fn refund(&mut self, amount: Money) -> (Ruling, RefundState) {
        if self.state != State::Captured {
            return (Ruling::no(Reason::WrongState, "nothing_captured"), RefundState::Failed);
        }
        let left = self.captured_minor.saturating_sub(self.refunded_minor);
        if amount.currency != self.amount.currency || !(1..=left).contains(&amount.minor) {
            let no = Ruling::no(Reason::AmountNotAllowed, "refund_exceeds_captured");
            return (no, RefundState::Failed);
        }
        if self.card == Some(Card::RefundDeclined) {
            return (Ruling::yes(Vec::new()), RefundState::Failed);
        }
        self.refunded_minor += amount.minor;
        let entry = Entry { kind: Kind::Refunded, amount_minor: amount.minor };
        let pending = self.card == Some(Card::RefundPending);
        let state = if pending { RefundState::Pending } else { RefundState::Succeeded };
        (Ruling::yes(vec![entry]), state)
    }

    /// The merchant looks at a refund for the `look`-th time: what has become of it by then.
    pub(super) fn refund_looked_at(
        &mut self,
        state: RefundState,
        amount_minor: i64,
        look: i64,
    ) -> (Vec<Entry>, RefundState) {
        match (self.card, state) {
            _ if look < REFUND_LOOKS => (Vec::new(), state),
            (Some(Card::RefundPending), RefundState::Pending) => (Vec::new(), RefundState::Succeeded),
            (Some(Card::RefundFailsLater), RefundState::Succeeded) => {
                self.refunded_minor -= amount_minor;
                (vec![Entry { kind: Kind::RefundFailed, amount_minor }], RefundState::Failed)
            }
            _ => (Vec::new(), state),
        }
    }

    fn hold(&mut self, now_ms: i64) -> Ruling {
        self.state = State::Authorized;
        self.authorized_minor = self.amount.minor;
        self.capture_before_ms = now_ms.saturating_add(HOLD_MS);
        Ruling::yes(vec![Entry { kind: Kind::Authorized, amount_minor: self.amount.minor }])
    }

    fn refuse(&mut self, reason: Reason, code: &str) -> Ruling {
        self.state = State::Refused;
        self.decline = Some(Decline::new(reason, code));
        Ruling::yes(Vec::new())
    }

    fn void(&mut self) -> Ruling {
        self.state = State::Voided;
        Ruling::yes(vec![Entry { kind: Kind::Voided, amount_minor: self.authorized_minor }])
    }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::money::Currency;
    use proptest::prelude::*;

    use super::super::cards::CARDS;
    use super::*;

    fn gbp(minor: i64) -> Money {
        Money::new(minor, Currency::parse("GBP").unwrap())
    }

    fn account() -> Account {
        Account::new("sbx_1".into(), Uuid::from_u128(1), gbp(1_000))
    }

    #[derive(Clone, Debug)]
    enum Call {
        Confirm(usize),
        Look,
        Finish,
        Capture(i64),
        Cancel,
        Refund(i64),
        LookAtRefund(i64),
        Later,
    }

    fn call() -> impl Strategy<Value = Call> {
        prop_oneof![
            (0..=CARDS.len()).prop_map(Call::Confirm),
            Just(Call::Look),
            Just(Call::Finish),
            (-1..1_100_i64).prop_map(Call::Capture),
            Just(Call::Capture(1_000)),
            Just(Call::Cancel),
            (-1..1_100_i64).prop_map(Call::Refund),
            (1..4_i64).prop_map(Call::LookAtRefund),
            Just(Call::Later),
        ]
    }

    proptest! {
        #[test]
        fn no_calls_in_any_order_break_the_bank(calls in prop::collection::vec(call(), 1..12)) {
            let mut account = account();
            let mut now = 0;
            let mut booked: Vec<Entry> = Vec::new();
            let mut refund: Option<(RefundState, i64)> = None;
            for call in calls {
                let before = account.clone();
                let ruling = match call {
                    Call::Confirm(n) => {
                        account.confirm(CARDS.get(n).map_or("tok_nobody_s", |c| c.0), now)
                    }
                    Call::Look => account.looked_at(now),
                    Call::Finish => account.finish_challenge(now),
                    Call::Capture(n) => account.capture(gbp(n), now),
                    Call::Cancel => account.cancel(),
                    Call::Refund(n) => {
                        let (ruling, state) = account.refund(gbp(n));
                        if ruling.said == Said::Yes && refund.is_none() {
                            refund = Some((state, n));
                        }
                        ruling
                    }
                    Call::LookAtRefund(look) => match &mut refund {
                        Some((state, n)) => {
                            let (entries, now) = account.refund_looked_at(*state, *n, look);
                            *state = now;
                            Ruling::yes(entries)
                        }
                        None => Ruling::yes(Vec::new()),
                    },
                    Call::Later => {
                        now += HOLD_MS + 1;
                        Ruling::yes(Vec::new())
                    }
                };
                if matches!(ruling.said, Said::No(_)) && account != before {
                    // The one no that changes something: a hold that has run out is let go when that is noticed.
                    prop_assert_eq!(before.state, State::Authorized);
                    prop_assert_eq!(account.state, State::Voided);
                }
                booked.extend(ruling.entries);
            }
            let sum = |kind| booked.iter().filter(|e| e.kind == kind).map(|e| e.amount_minor).sum::<i64>();
            let count = |kind| booked.iter().filter(|e| e.kind == kind).count();
            prop_assert_eq!(sum(Kind::Authorized), account.authorized_minor);
            prop_assert_eq!(sum(Kind::Captured), account.captured_minor);
            prop_assert_eq!(sum(Kind::Refunded) - sum(Kind::RefundFailed), account.refunded_minor);
            prop_assert!(account.refunded_minor >= 0);
            prop_assert!(account.refunded_minor <= account.captured_minor);
            prop_assert!(account.captured_minor <= account.authorized_minor);
            prop_assert!(count(Kind::Authorized) <= 1);
            prop_assert!(count(Kind::Captured) + count(Kind::Voided) <= 1, "both captured and voided");
            if account.state == State::Voided {
                prop_assert_eq!(sum(Kind::Voided), account.authorized_minor);
            }
        }
    }

    #[test]
    fn a_lost_request_changes_nothing() {
        let mut account = account();
        let before = account.clone();
        assert_eq!(account.confirm("tok_timeout_not_executed", 0).delivery, Delivery::Lost);
        assert_eq!(account, before);
    }

    #[test]
    fn a_hold_past_its_life_is_let_go_and_not_captured() {
        let mut account = account();
        account.confirm("tok_ok", 0);
        let ruling = account.capture(gbp(1_000), HOLD_MS + 1);
        assert!(matches!(ruling.said, Said::No(Decline { reason: Reason::Expired, .. })));
        assert_eq!(ruling.entries, [Entry { kind: Kind::Voided, amount_minor: 1_000 }]);
    }

    #[test]
    fn three_voids_fail_and_the_fourth_ends_the_hold() {
        let mut account = account();
        account.confirm("tok_void_fails_3", 0);
        for _ in 0..3 {
            assert!(matches!(account.cancel().said, Said::Unavailable(_)));
            assert_eq!(account.state, State::Authorized);
        }
        assert_eq!(account.cancel().said, Said::Yes);
        assert_eq!(account.state, State::Voided);
    }
}
