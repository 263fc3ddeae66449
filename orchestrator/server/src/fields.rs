//! Checks that several requests share: texts, ids, quantities, amounts.
//!
//! Each takes the place of the value (a JSON pointer, a header's or a parameter's name) and names it when it refuses.

use std::borrow::Cow;

use backstitch_proto::money::{Currency, Money};
use backstitch_proto::{cards, common};
use uuid::Uuid;

use crate::problem::{Kind, Problem, kind};

/// The most lines a cart may have. The longest paper invoice seen has 592.
pub(crate) const MAX_LINES: usize = 1000;
/// The most of one product in one line.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;

/// What is wrong with a text that has a card number in it, as the end of a sentence.
const CARD: &str = "must not have a card number in it; this one was not kept";

/// What is wrong with a text of 1 to `most` characters without control characters, as the end of a sentence.
fn flaw(text: &str, most: usize) -> Option<String> {
    if text.is_empty() {
        Some("must not be empty".to_owned())
    } else if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        Some("must not have control characters".to_owned())
    // Bytes are an upper bound of characters, and counted already.
    } else if text.len() > most && text.chars().count() > most {
        Some(format!("must have at most {most} characters"))
    } else if cards::is_one_in(text) {
        Some(CARD.to_owned())
    } else {
        None
    }
}

/// Refuses a text whose form somebody else has checked if it has a card number in it.
pub(crate) fn no_card(at: &str, text: &str) -> Result<(), Problem> {
    match cards::is_one_in(text) {
        true => Err(Problem::new(&kind::INVALID_FIELD, format!("It {CARD}.")).at(at.to_owned())),
        false => Ok(()),
    }
}

/// A name that nobody knows here, as far as it can be repeated: it may be anything, and a card number is not repeated.
pub(crate) fn unknown(name: &str) -> String {
    if cards::is_one_in(name) {
        return "…".to_owned();
    }
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Refuses as `kind` a text that is empty, longer than `most` characters, or has control characters or a card number.
pub(crate) fn text(kind: &'static Kind, at: &str, text: &str, most: usize) -> Result<(), Problem> {
    match flaw(text, most) {
        None => Ok(()),
        Some(why) => Err(Problem::new(kind, format!("It {why}.")).at(at.to_owned())),
    }
}

/// A text field of a body.
pub(crate) fn words(at: &str, value: &str, most: usize) -> Result<(), Problem> {
    text(&kind::INVALID_FIELD, at, value, most)
}

/// A text field of a body that may be empty.
pub(crate) fn optional_words(at: &str, value: &str, most: usize) -> Result<(), Problem> {
    if value.is_empty() { Ok(()) } else { words(at, value, most) }
}

/// An idempotency key, wherever it came from.
pub(crate) fn key(kind: &'static Kind, at: &str, value: &str) -> Result<(), Problem> {
    text(kind, at, value, 255)
}

/// A UUID in its hyphenated form; no other spelling, so that one thing has one address.
pub(crate) fn id(at: impl Into<Cow<'static, str>>, value: &str) -> Result<Uuid, Problem> {
    let parsed = if value.len() == 36 { Uuid::try_parse(value).ok() } else { None };
    parsed.ok_or_else(|| {
        Problem::new(&kind::INVALID_ID, "It must be a UUID such as 01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90.")
            .at(at)
    })
}

/// A whole number between two bounds, both included.
pub(crate) fn number(at: &str, value: i64, least: i64, most: i64) -> Result<(), Problem> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let detail = format!("It must be {}.", range(least, most));
    Err(Problem::new(&kind::INVALID_FIELD, detail).at(at.to_owned()))
}

/// A range for people: a bound that is only the machine's is not told.
pub(crate) fn range(least: i64, most: i64) -> String {
    match (least, most) {
        (i64::MIN, i64::MAX) => "of at most 64 bits".to_owned(),
        (least, i64::MAX) => format!("at least {least}"),
        (i64::MIN, most) => format!("at most {most}"),
        (least, most) => format!("from {least} to {most}"),
    }
}

/// An amount whose object is at pointer `at`; its currency must be one.
pub(crate) fn money(at: &str, value: &common::Money) -> Result<Money, Problem> {
    let currency = Currency::parse(&value.currency).map_err(|_| {
        let detail = "It must be a currency of ISO 4217 in three capital letters, such as GBP.";
        Problem::new(&kind::INVALID_FIELD, detail).at(format!("{at}/currency"))
    })?;
    Ok(Money::new(value.amount_minor, currency))
}

/// The lines of a cart: 1 to [`MAX_LINES`].
pub(crate) fn items(items: &[common::Item]) -> Result<(), Problem> {
    if items.is_empty() {
        let detail = "A cart needs at least one line; delete it to empty it.";
        return Err(Problem::new(&kind::INVALID_FIELD, detail).at("/items"));
    }
    if items.len() > MAX_LINES {
        let detail = format!("A cart may have {MAX_LINES} lines; this one has {}.", items.len());
        return Err(Problem::new(&kind::INVALID_FIELD, detail).at("/items"));
    }
    for (i, item) in items.iter().enumerate() {
        if let Some(why) = flaw(&item.sku, 64) {
            let problem = Problem::new(&kind::INVALID_FIELD, format!("It {why}."));
            return Err(problem.at(format!("/items/{i}/sku")));
        }
        if !(1..=MAX_QUANTITY).contains(&item.quantity) {
            let problem = Problem::new(&kind::INVALID_FIELD, format!("It must be from 1 to {MAX_QUANTITY}."));
            return Err(problem.at(format!("/items/{i}/quantity")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<T>(result: Result<T, Problem>) -> Option<String> {
        result.err().map(|p| p.field().unwrap_or_default().to_owned())
    }

    #[test]
    fn a_text_counts_characters_and_has_no_control_characters() {
        for good in ["a", &"x".repeat(255), &"ß".repeat(255), "two words", "\u{1f9f5}"] {
            assert!(key(&kind::INVALID_HEADER, "Idempotency-Key", good).is_ok(), "{good:?}");
        }
        for bad in
            ["", &"x".repeat(256), &"ß".repeat(256), "a\tb", "a\u{0}", "\u{85}", "a\u{2028}b", "\u{7f}"]
        {
            let refused = key(&kind::INVALID_HEADER, "Idempotency-Key", bad);
            assert_eq!(field(refused).as_deref(), Some("Idempotency-Key"), "{bad:?}");
        }
        assert!(optional_words("/note", "", 1).is_ok());
        assert!(optional_words("/note", "ab", 1).is_err());
    }

    #[test]
    fn a_card_number_is_refused_and_not_repeated() {
        for number in ["4242424242424242", "paid with 3782 822463 10005", "5555-5555-5555-4444"] {
            for refused in [words("/note", number, 200), no_card("/note", number)] {
                let problem = refused.unwrap_err();
                assert_eq!((problem.kind().slug, problem.field()), ("invalid-field", Some("/note")));
                assert!(!problem.detail().contains(number), "{}", problem.detail());
            }
            assert_eq!(
                field(items(&[common::Item { sku: number.into(), quantity: 1 }])).as_deref(),
                Some("/items/0/sku")
            );
            assert_eq!(unknown(number), "…");
        }
        assert_eq!(unknown("a\u{7}b"), "ab");
        assert_eq!(unknown(&"x".repeat(65)), "x".repeat(64));
    }

    #[test]
    fn an_id_is_a_hyphenated_uuid_and_no_other_spelling() {
        let good = "01978A3E-5f2d-7c41-9b7a-0f6d3c2b1a90";
        assert_eq!(id("checkout_id", good).unwrap().to_string(), good.to_lowercase());
        for bad in [
            "",
            "7",
            "01978a3e5f2d7c419b7a0f6d3c2b1a90",
            "{01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90}",
            "urn:uuid:01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90",
            "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a9g",
            "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a900",
        ] {
            let problem = id("checkout_id", bad).unwrap_err();
            assert_eq!((problem.kind().slug, problem.field()), ("invalid-id", Some("checkout_id")), "{bad}");
        }
    }

    #[test]
    fn lines_and_quantities_hold_at_the_limit_and_not_one_past_it() {
        let line = |quantity| common::Item { sku: "A".into(), quantity };
        for good in [1, 2, MAX_QUANTITY] {
            assert!(items(&[line(good)]).is_ok());
        }
        for bad in [0, -1, MAX_QUANTITY + 1, 1 << 31, i64::MIN, i64::MAX] {
            assert_eq!(field(items(&[line(1), line(bad)])).as_deref(), Some("/items/1/quantity"), "{bad}");
        }
        assert!(items(&vec![line(1); MAX_LINES]).is_ok());
        assert_eq!(field(items(&vec![line(1); MAX_LINES + 1])).as_deref(), Some("/items"));
        assert_eq!(field(items(&[])).as_deref(), Some("/items"));
        let no_sku = common::Item { sku: String::new(), quantity: 1 };
        assert_eq!(field(items(&[no_sku])).as_deref(), Some("/items/0/sku"));
    }

    #[test]
    fn a_range_is_told_without_bounds_that_are_only_the_machine_s() {
        let told = |least, most| number("/n", 0, least, most).map_err(|p| p.detail().to_owned()).unwrap_err();
        assert_eq!(told(1, 9), "It must be from 1 to 9.");
        assert_eq!(told(1, i64::MAX), "It must be at least 1.");
        assert_eq!(told(i64::MIN, -1), "It must be at most -1.");
        assert_eq!(range(i64::MIN, i64::MAX), "of at most 64 bits");
    }

    #[test]
    fn a_currency_has_three_capital_letters() {
        let amount = |currency: &str| common::Money { amount_minor: 1, currency: currency.into() };
        assert!(money("/price", &amount("GBP")).is_ok());
        for bad in ["", "gbp", "GBPX", "€€€"] {
            assert_eq!(field(money("/price", &amount(bad))).as_deref(), Some("/price/currency"), "{bad}");
        }
    }
}
