//! Which amounts Stripe takes.

use crate::refusal::Refusal;

/// What can be charged in.
const ALL: &str = "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn \
    bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl \
    htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt \
    mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd \
    scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf \
    yer zar zmw";
/// Their amounts have three decimals, of which the last has to be 0.
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Eight digits.
pub(crate) const MOST: i64 = 99_999_999;

/// The least that can be charged, where it is not what 50 cents of a dollar are.
fn least(currency: &str) -> i64 {
    match currency {
        "gbp" => 30,
        "dkk" => 250,
        "nok" | "sek" => 300,
        "kwd" | "bhd" | "omr" => 100,
        "pln" | "aed" => 200,
        "mxn" => 1000,
        _ => 50,
    }
}

/// Whether an intent may be for this.
pub(crate) fn check(amount: i64, currency: &str) -> Result<(), Refusal> {
    if !ALL.split_whitespace().any(|known| known == currency) {
        let message =
            format!("Invalid currency: {currency}. Stripe currently supports these currencies: {ALL}");
        return Err(Refusal::invalid("currency", message));
    }
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::parameter("amount", "parameter_invalid_integer", message));
    }
    if amount > MOST {
        let message = format!("Amount must be no more than {MOST} {currency}");
        return Err(Refusal::parameter("amount", "amount_too_large", message));
    }
    if amount < least(currency) {
        let message = format!("Amount must be at least {} {currency}", least(currency));
        return Err(Refusal::parameter("amount", "amount_too_small", message));
    }
    if THREE_DECIMALS.contains(&currency) && amount % 10 != 0 {
        let message = format!("Invalid amount {amount}: the last digit has to be 0 in {currency}");
        return Err(Refusal::invalid("amount", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_taken_at_their_limits_and_not_one_past_them() {
        for (amount, currency) in [(50, "eur"), (MOST, "eur"), (50, "jpy"), (1000, "kwd"), (30, "gbp")] {
            assert!(check(amount, currency).is_ok(), "{amount} {currency}");
        }
        let too = |amount, currency| check(amount, currency).unwrap_err().code().map(str::to_owned);
        assert_eq!(too(49, "eur").as_deref(), Some("amount_too_small"));
        assert_eq!(too(MOST + 1, "eur").as_deref(), Some("amount_too_large"));
        assert_eq!(too(0, "eur").as_deref(), Some("parameter_invalid_integer"));
        assert_eq!(too(-1, "eur").as_deref(), Some("parameter_invalid_integer"));
        assert!(check(1001, "kwd").is_err() && check(100, "xxx").is_err());
    }
}
