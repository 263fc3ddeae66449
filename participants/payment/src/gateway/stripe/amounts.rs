//! Amounts in Stripe's units and in ours.
//!
//! Ours are the minor units of ISO 4217. Stripe's are the same for most currencies; where they differ an amount is
//! converted exactly or not at all, because a sum that is off by a factor of a hundred is the dearest bug there is.

use backstitch_proto::money::{Currency, Money};

/// Have no minor unit for Stripe nor for ISO 4217.
const NO_DECIMALS: [&str; 14] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Have none by ISO 4217; Stripe counts hundredths of them, and takes whole hundreds only.
const WHOLE_HUNDREDS: [&str; 2] = ["ISK", "UGX"];

/// Has hundredths by ISO 4217; Stripe counts whole ones.
const WHOLE_FOR_STRIPE: &str = "MGA";

/// Have thousandths for both; Stripe takes whole tens only.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// Why an amount cannot be said in the other's units.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AmountError {
    /// What Stripe's unit of this currency would be is not known.
    #[error("{0} is no currency of Stripe's")]
    Currency(String),
    /// Would have to be rounded.
    #[error("Stripe takes {currency} in steps of {step} only, not {amount}")]
    Step {
        /// Which currency.
        currency: Currency,
        /// The smallest step, as an amount.
        step: Money,
        /// What was asked.
        amount: Money,
    },
    /// Would not fit.
    #[error("{0} is too large")]
    Large(Money),
    /// Stripe's own number is not a whole number of our units.
    #[error("Stripe says {units} of {currency}, which is no whole number of its minor unit")]
    Units {
        /// Which currency.
        currency: Currency,
        /// Stripe's number.
        units: i64,
    },
}

/// How a currency's unit differs.
enum Scale {
    /// Not at all.
    Same,
    /// Not at all, and only multiples of this many are taken.
    Steps(i64),
    /// Stripe counts this many for one of ours.
    Finer(i64),
    /// Stripe counts one for this many of ours.
    Coarser(i64),
}

fn scale(currency: Currency) -> Result<Scale, AmountError> {
    let code = currency.as_str();
    match currency.exponent() {
        2 if code == WHOLE_FOR_STRIPE => Ok(Scale::Coarser(100)),
        2 => Ok(Scale::Same),
        0 if NO_DECIMALS.contains(&code) => Ok(Scale::Same),
        0 if WHOLE_HUNDREDS.contains(&code) => Ok(Scale::Finer(100)),
        3 if THOUSANDTHS.contains(&code) => Ok(Scale::Steps(10)),
        _ => Err(AmountError::Currency(code.to_owned())),
    }
}

/// `money` as the number that Stripe is sent.
pub(super) fn to_stripe(money: Money) -> Result<i64, AmountError> {
    let stepped = |step: i64| {
        let whole = money.minor % step == 0;
        whole.then_some(()).ok_or(AmountError::Step {
            currency: money.currency,
            step: Money::new(step, money.currency),
            amount: money,
        })
    };
    match scale(money.currency)? {
        Scale::Same => Ok(money.minor),
        Scale::Steps(step) => stepped(step).map(|()| money.minor),
        Scale::Finer(by) => money.minor.checked_mul(by).ok_or(AmountError::Large(money)),
        Scale::Coarser(by) => stepped(by).map(|()| money.minor / by),
    }
}

/// Stripe's `units` of the currency with this code, in whatever letters Stripe writes it.
pub(super) fn from_stripe(units: i64, code: &str) -> Result<Money, AmountError> {
    let code = code.to_ascii_uppercase();
    let currency = Currency::parse(&code).map_err(|_| AmountError::Currency(code))?;
    let money = |minor| Ok(Money::new(minor, currency));
    match scale(currency)? {
        Scale::Same | Scale::Steps(_) => money(units),
        Scale::Finer(by) if units % by == 0 => money(units / by),
        Scale::Finer(_) => Err(AmountError::Units { currency, units }),
        Scale::Coarser(by) => {
            money(units.checked_mul(by).ok_or(AmountError::Large(Money::new(units, currency)))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).unwrap())
    }

    #[test]
    fn an_amount_is_sent_in_stripe_s_unit_of_its_currency() {
        for (minor, code, units) in [
            (1_000, "USD", 1_000),
            (1, "EUR", 1),
            (500, "JPY", 500),
            (500, "KRW", 500),
            (5, "ISK", 500),
            (5, "UGX", 500),
            (700, "MGA", 7),
            (5_120, "KWD", 5_120),
            (1_045, "HUF", 1_045),
            (99_999_999, "GBP", 99_999_999),
        ] {
            assert_eq!(to_stripe(money(minor, code)), Ok(units), "{minor} {code}");
            assert_eq!(from_stripe(units, &code.to_lowercase()), Ok(money(minor, code)), "{units} {code}");
        }
    }

    #[test]
    fn what_cannot_be_said_exactly_is_refused_and_never_rounded() {
        assert!(matches!(to_stripe(money(5_124, "KWD")), Err(AmountError::Step { .. })));
        assert!(matches!(to_stripe(money(101, "MGA")), Err(AmountError::Step { .. })));
        assert!(matches!(to_stripe(money(i64::MAX, "ISK")), Err(AmountError::Large(_))));
        assert!(matches!(from_stripe(550, "isk"), Err(AmountError::Units { .. })));
        assert!(matches!(from_stripe(i64::MAX, "mga"), Err(AmountError::Large(_))));
    }

    #[test]
    fn a_currency_whose_unit_at_stripe_is_not_known_is_refused() {
        for code in ["CLF", "UYW", "UYI", "IQD", "LYD"] {
            assert!(matches!(to_stripe(money(1_000, code)), Err(AmountError::Currency(_))), "{code}");
        }
        assert!(matches!(from_stripe(1, "xyz"), Err(AmountError::Currency(_))));
    }

    proptest! {
        #[test]
        fn what_was_sent_is_read_back_as_it_was(minor in any::<i64>(), which in 0_usize..8) {
            let code = ["USD", "JPY", "ISK", "UGX", "MGA", "KWD", "BHD", "TND"][which];
            if let Ok(units) = to_stripe(money(minor, code)) {
                prop_assert_eq!(from_stripe(units, code), Ok(money(minor, code)));
            }
        }
    }
}
