//! Money as the domain sees it: checked, in one currency at a time.
//!
//! No floats, no silent overflow, no silent mixing of currencies. `common::Money` is what travels; parse it into
//! [`Money`] at the door.

use std::fmt;

use crate::common;
use crate::currencies::CURRENCIES;

/// A currency of ISO 4217, by its code of three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency with this code, if there is one with a minor unit.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        let known = code.as_bytes().try_into().ok().filter(|letters| place(letters).is_some());
        known.map(Self).ok_or_else(|| MoneyError::Currency(code.to_owned()))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Decimal places between the minor and the major unit (2 for most, 0 for yen, 3 for dinars).
    pub fn exponent(&self) -> usize {
        place(&self.0).map_or(2, |at| usize::from(CURRENCIES[at].1))
    }
}

/// Where the table has this code.
fn place(code: &[u8; 3]) -> Option<usize> {
    CURRENCIES.binary_search_by_key(&code, |(code, _)| code).ok()
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units of one currency. May be negative (a correction); most doors refuse that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units (cents, pence).
    pub minor: i64,
    /// What of.
    pub currency: Currency,
}

/// Why an amount cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not in the list, or not in capital letters.
    #[error("`{0}` is no currency of ISO 4217, such as GBP")]
    Currency(String),
    /// The message had no amount at all.
    #[error("the amount is missing")]
    Missing,
    /// Two currencies in one sum.
    #[error("{0} and {1} cannot be added")]
    Mixed(Currency, Currency),
    /// Beyond 64 bits of minor units.
    #[error("the amount is too large")]
    Overflow,
}

impl Money {
    /// `minor` units of `currency`.
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The sum, if both are of one currency and it fits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// So many times the amount, if it fits.
    pub fn times(self, n: i64) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(n).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    /// The message that travels.
    pub fn to_proto(self) -> common::Money {
        common::Money { amount_minor: self.minor, currency: self.currency.as_str().to_owned() }
    }

    /// Parses a message's optional amount.
    pub fn parse(message: Option<&common::Money>) -> Result<Self, MoneyError> {
        let message = message.ok_or(MoneyError::Missing)?;
        Ok(Self { minor: message.amount_minor, currency: Currency::parse(&message.currency)? })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent();
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = exponent + 1);
        let (whole, part) = digits.split_at(digits.len() - exponent);
        if exponent == 0 {
            write!(f, "{sign}{whole} {}", self.currency)
        } else {
            write!(f, "{sign}{whole}.{part} {}", self.currency)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::parse(code).unwrap())
    }

    #[test]
    fn prints_by_the_currency_s_own_decimals() {
        assert_eq!(money(123_456, "GBP").to_string(), "1234.56 GBP");
        assert_eq!(money(5, "GBP").to_string(), "0.05 GBP");
        assert_eq!(money(-5, "GBP").to_string(), "-0.05 GBP");
        assert_eq!(money(500, "JPY").to_string(), "500 JPY");
        assert_eq!(money(1_234, "KWD").to_string(), "1.234 KWD");
        assert_eq!(money(i64::MIN, "GBP").to_string(), "-92233720368547758.08 GBP");
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(money(i64::MAX, "GBP").plus(money(1, "GBP")), Err(MoneyError::Overflow));
        assert_eq!(money(i64::MAX, "GBP").times(2), Err(MoneyError::Overflow));
        assert!(matches!(money(1, "GBP").plus(money(1, "EUR")), Err(MoneyError::Mixed(..))));
        assert_eq!(money(1, "GBP").plus(money(2, "GBP")), Ok(money(3, "GBP")));
    }

    #[test]
    fn every_listed_currency_is_read_and_nothing_else_is() {
        assert!(CURRENCIES.is_sorted_by(|(a, _), (b, _)| a < b), "found by binary search");
        let mut read = 0;
        for n in 0..26u32.pow(3) {
            let letter = |n| char::from_u32(u32::from(b'A') + n % 26).unwrap();
            let code: String = [letter(n / 676), letter(n / 26), letter(n)].into_iter().collect();
            if let Ok(currency) = Currency::parse(&code) {
                assert_eq!(currency.as_str(), code);
                read += 1;
            }
        }
        assert_eq!(read, CURRENCIES.len());
        for bad in ["", "gbp", "GB", "GBPX", "G1P", "£££", "ABC", "XXX", "XTS", "XAU", "DEM", "HRK"] {
            let error = Currency::parse(bad).unwrap_err();
            assert_eq!(error.to_string(), format!("`{bad}` is no currency of ISO 4217, such as GBP"));
        }
    }

    #[test]
    fn decimals_are_the_list_s() {
        for (code, decimals) in [("GBP", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("UYI", 0), ("XOF", 0)] {
            assert_eq!(Currency::parse(code).unwrap().exponent(), decimals, "{code}");
        }
    }
}
