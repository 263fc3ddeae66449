//! What a parcel costs: pure arithmetic over the rates of one zone, in whole minor units.

use std::collections::BTreeSet;

use backstitch_proto::money::{Currency, Money, MoneyError};
use participant_kit::Refusal;

/// One row of the rate table: a tier of a method, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) method: String,
    /// The heaviest parcel of this tier.
    pub(crate) max_weight_grams: i64,
    /// Covered by the base price.
    pub(crate) base_weight_grams: i64,
    pub(crate) base_price: Money,
    /// For each started kilogram beyond the base weight, in the base price's currency.
    pub(crate) extra_kg_minor: i64,
}

impl Rate {
    /// What a parcel of this tier costs.
    fn price(&self, weight_grams: i64) -> Result<Money, MoneyError> {
        let beyond = weight_grams.saturating_sub(self.base_weight_grams).max(0);
        let started_kg = beyond / 1000 + i64::from(beyond % 1000 > 0);
        let extra = Money::new(self.extra_kg_minor, self.base_price.currency).times(started_kg)?;
        self.base_price.plus(extra)
    }
}

/// Why there is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPrice {
    /// The business does not offer it.
    #[error("{}", .0.detail)]
    Refused(Refusal),
    /// The rate table is wrong.
    #[error("the rates for {0} make no price: {1}")]
    Rates(String, MoneyError),
}

/// The rates of one zone.
pub(crate) struct Tariff(Vec<Rate>);

impl Tariff {
    pub(crate) fn new(rates: Vec<Rate>) -> Self {
        Self(rates)
    }

    /// Whether nothing is sent to this zone at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The price of sending `weight_grams` by `method`, paid in `currency`.
    pub(crate) fn price(
        &self,
        method: &str,
        weight_grams: i64,
        currency: Currency,
    ) -> Result<Money, NoPrice> {
        let of_currency: Vec<&Rate> = self.0.iter().filter(|r| r.base_price.currency == currency).collect();
        if of_currency.is_empty() {
            let offered = list(self.0.iter().map(|rate| rate.base_price.currency.as_str()));
            let detail = format!("shipping is priced in {offered}, not in {currency}");
            let refusal = Refusal::new("UNSUPPORTED_CURRENCY", detail);
            return Err(NoPrice::Refused(refusal.with("currency", currency).with("currencies", offered)));
        }
        let tiers: Vec<&Rate> = of_currency.iter().copied().filter(|r| r.method == method).collect();
        let Some(limit) = tiers.iter().map(|rate| rate.max_weight_grams).max() else {
            let offered = list(of_currency.iter().map(|rate| rate.method.as_str()));
            let detail = format!("there is no method {method:?} to this address, only {offered}");
            let refusal = Refusal::new("UNKNOWN_METHOD", detail);
            return Err(NoPrice::Refused(refusal.with("method", method).with("methods", offered)));
        };
        let takes = tiers.into_iter().filter(|rate| weight_grams <= rate.max_weight_grams);
        let Some(tier) = takes.min_by_key(|rate| rate.max_weight_grams) else {
            let detail = format!("{method} takes at most {limit} g to this address, not {weight_grams} g");
            let refusal = Refusal::new("TOO_HEAVY", detail);
            return Err(NoPrice::Refused(
                refusal.with("limit_grams", limit).with("weight_grams", weight_grams),
            ));
        };
        tier.price(weight_grams).map_err(|e| NoPrice::Rates(method.to_owned(), e))
    }
}

/// Each once, in order, with commas.
fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    fn rate(method: &str, max: i64, code: &str, base_weight: i64, base: i64, extra: i64) -> Rate {
        Rate {
            method: method.into(),
            max_weight_grams: max,
            base_weight_grams: base_weight,
            base_price: Money::new(base, currency(code)),
            extra_kg_minor: extra,
        }
    }

    fn tariff() -> Tariff {
        Tariff::new(vec![
            rate("standard", 2_000_000, "GBP", 100_000, 4_900, 30),
            rate("standard", 30_000, "GBP", 2_000, 395, 50),
            rate("express", 25_000, "GBP", 2_000, 695, 95),
            rate("standard", 30_000, "EUR", 2_000, 465, 60),
        ])
    }

    fn pence(method: &str, grams: i64) -> i64 {
        tariff().price(method, grams, currency("GBP")).unwrap().minor
    }

    fn refusal(method: &str, grams: i64, code: &str) -> Refusal {
        match tariff().price(method, grams, currency(code)) {
            Err(NoPrice::Refused(refusal)) => refusal,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn the_price_steps_at_each_started_kilogram() {
        assert_eq!(pence("standard", 0), 395);
        assert_eq!(pence("standard", 2_000), 395);
        assert_eq!(pence("standard", 2_001), 445);
        assert_eq!(pence("standard", 3_000), 445);
        assert_eq!(pence("standard", 3_001), 495);
    }

    #[test]
    fn a_parcel_is_in_the_lightest_tier_that_takes_it() {
        assert_eq!(pence("standard", 30_000), 395 + 28 * 50);
        assert_eq!(pence("standard", 30_001), 4_900);
        assert_eq!(pence("standard", 500_000), 4_900 + 400 * 30);
        assert_eq!(pence("standard", 2_000_000), 4_900 + 1_900 * 30);
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_gram_past_it() {
        assert_eq!(pence("express", 25_000), 695 + 23 * 95);
        let heavy = refusal("express", 25_001, "GBP");
        assert_eq!((heavy.reason.as_str(), heavy.metadata["limit_grams"].as_str()), ("TOO_HEAVY", "25000"));
        let heavy = refusal("standard", 2_000_001, "GBP");
        assert_eq!((heavy.reason.as_str(), heavy.metadata["limit_grams"].as_str()), ("TOO_HEAVY", "2000000"));
        // The limit is the tariff's in that currency, where there is no freight tier here.
        assert_eq!(refusal("standard", 30_001, "EUR").metadata["limit_grams"], "30000");
    }

    #[test]
    fn what_is_not_offered_is_refused_with_what_is() {
        let unknown = refusal("pigeon", 1, "GBP");
        assert_eq!(
            (unknown.reason.as_str(), unknown.metadata["methods"].as_str()),
            ("UNKNOWN_METHOD", "express,standard")
        );
        assert_eq!(refusal("express", 1, "EUR").metadata["methods"], "standard");
        let money = refusal("standard", 1, "JPY");
        assert_eq!(
            (money.reason.as_str(), money.metadata["currencies"].as_str()),
            ("UNSUPPORTED_CURRENCY", "EUR,GBP")
        );
    }

    proptest! {
        #[test]
        fn any_weight_has_a_price_or_a_refusal_and_never_wraps(
            grams in 0_i64.., max in 1_i64.., base_weight in 1_i64.., base in 0_i64.., extra in 0_i64..,
        ) {
            let tariff = Tariff::new(vec![rate("standard", max, "GBP", base_weight, base, extra)]);
            match tariff.price("standard", grams, currency("GBP")) {
                Ok(price) => prop_assert!(price.minor >= base && grams <= max),
                Err(NoPrice::Refused(refusal)) => prop_assert!(refusal.reason == "TOO_HEAVY" && grams > max),
                Err(NoPrice::Rates(..)) => {
                    let kg = i128::from(grams - base_weight).div_euclid(1000) + 1;
                    prop_assert!(i128::from(base) + kg * i128::from(extra) > i128::from(i64::MAX));
                }
            }
        }
    }
}
