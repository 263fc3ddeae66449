//! The bank's test cards: which token behaves how. Deterministic, so that a story can be told twice.

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Card {
    /// Everything succeeds.
    Good,
    /// The issuer declines the hold.
    Declined,
    /// The account is empty.
    InsufficientFunds,
    /// 3-D Secure; the customer proves to be the holder.
    ChallengePassed,
    /// 3-D Secure; the customer fails.
    ChallengeFailed,
    /// 3-D Secure; the customer never comes back.
    ChallengeAbandoned,
    /// The hold is made, the answer is lost.
    LostAnswer,
    /// The request is lost: no hold, no answer.
    LostRequest,
    /// Holds, but the capture is declined.
    CaptureDeclined,
    /// Holds; the capture is declined, and the provider is unavailable to the first three cancels of the hold.
    VoidUnavailable,
    /// Holds and captures; a refund is declined.
    RefundDeclined,
    /// Holds and captures; a refund is accepted, and decided by the second look at it.
    RefundPending,
    /// Holds and captures; a refund succeeds, and has failed by the second look at it.
    RefundFailsLater,
    /// Holds; the capture is booked at once and answered late.
    SlowCapture,
}

/// Tokens and what they stand for, in the order of the manual.
pub(super) const CARDS: [(&str, Card); 14] = [
    ("tok_ok", Card::Good),
    ("tok_declined", Card::Declined),
    ("tok_insufficient_funds", Card::InsufficientFunds),
    ("tok_3ds_ok", Card::ChallengePassed),
    ("tok_3ds_fail", Card::ChallengeFailed),
    ("tok_3ds_never", Card::ChallengeAbandoned),
    ("tok_timeout_executed", Card::LostAnswer),
    ("tok_timeout_not_executed", Card::LostRequest),
    ("tok_capture_fails", Card::CaptureDeclined),
    ("tok_void_fails_3", Card::VoidUnavailable),
    ("tok_refund_fails", Card::RefundDeclined),
    ("tok_refund_pending", Card::RefundPending),
    ("tok_refund_fails_later", Card::RefundFailsLater),
    ("tok_slow_capture", Card::SlowCapture),
];

impl Card {
    /// The card behind a token, if the bank issued it.
    pub(super) fn of(token: &str) -> Option<Self> {
        CARDS.iter().find(|(name, _)| *name == token).map(|(_, card)| *card)
    }

    /// The token; what the ledger stores.
    pub(super) fn token(self) -> &'static str {
        CARDS.iter().find(|(_, card)| *card == self).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_finds_its_card_and_back() {
        for (token, card) in CARDS {
            assert_eq!(Card::of(token), Some(card));
            assert_eq!(card.token(), token);
        }
        assert_eq!(Card::of("4242424242424242"), None);
    }
}
