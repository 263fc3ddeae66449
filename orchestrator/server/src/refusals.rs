//! What a participant's refusal of a face's own call is called at our doors. The reasons are the participants' words.

use std::time::Duration;

use crate::clients::CallError;
use crate::document;
use crate::fields;
use crate::problem::{Kind, Problem, kind};

/// How soon to try again when somebody did not answer.
const SOON: Duration = Duration::from_secs(1);

/// The problem that a failed call is. `missing` and `at` say what it is if the thing itself is not there.
pub(crate) fn problem(error: CallError, missing: &'static Kind, at: &'static str) -> Problem {
    match error {
        CallError::Invalid { field, why } => {
            Problem::new(&kind::INVALID_FIELD, format!("It {why}.")).at(field)
        }
        CallError::NotFound => Problem::new(missing, missing.title).at(at),
        CallError::Precondition { reason, why, metadata } => {
            let why = sentence(&why);
            let fact = |name: &str| metadata.get(name).cloned();
            match reason.as_str() {
                "PRECONDITION_REQUIRED" => Problem::new(&kind::PRECONDITION_REQUIRED, why).at("If-Match"),
                "ETAG_MISMATCH" => {
                    let problem = Problem::new(&kind::PRECONDITION_FAILED, why).at("If-Match");
                    match fact("etag") {
                        Some(etag) => problem.with("etag", format!("\"{etag}\"")),
                        None => problem,
                    }
                }
                "CART_IN_CHECKOUT" => cart_in_checkout(&fact("holder").unwrap_or_default()),
                "CART_OF_ANOTHER_CUSTOMER" => Problem::new(&kind::CUSTOMER_MISMATCH, why).at("/customer_id"),
                _ => Problem::new(&kind::CONFLICT, why).with("reason", reason),
            }
        }
        CallError::Unavailable { part, why } => {
            Problem::new(&kind::UNAVAILABLE, format!("{part} does not answer: {why}."))
                .with("part", part)
                .retry_after(SOON)
        }
        CallError::Broken { part, why } => broken(part, &why),
    }
}

/// The cart is held by another checkout, which is named if its id is one.
pub(crate) fn cart_in_checkout(holder: &str) -> Problem {
    let problem =
        Problem::new(&kind::CART_IN_CHECKOUT, "Another checkout of this cart is under way.").at("/cart_id");
    match fields::id("holder", holder) {
        Ok(id) => problem.location(document::path(id)).with("checkout_id", id.to_string()),
        Err(_) => problem,
    }
}

/// A participant's words as the sentence that a problem's detail is.
pub(crate) fn sentence(why: &str) -> String {
    let why = if why.trim().is_empty() { "no reason was given" } else { why.trim() };
    let mut characters = why.chars();
    let first: String = characters.next().map(char::to_uppercase).into_iter().flatten().collect();
    let end = if why.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", characters.as_str())
}

/// `part` answered something that cannot be.
pub(crate) fn broken(part: &'static str, why: &str) -> Problem {
    Problem::new(&kind::PARTICIPANT_BROKEN, format!("{part} gave an answer that cannot be: {why}."))
        .with("part", part)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn precondition(reason: &str, facts: &[(&str, &str)]) -> Problem {
        let metadata: BTreeMap<_, _> =
            facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let error = CallError::Precondition { reason: reason.into(), why: "why".into(), metadata };
        problem(error, &kind::UNKNOWN_CART, "cart_id")
    }

    #[test]
    fn a_participant_s_reason_has_our_own_name_and_place() {
        let holder = "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90";
        let cases = [
            ("PRECONDITION_REQUIRED", "precondition-required", Some("If-Match")),
            ("ETAG_MISMATCH", "precondition-failed", Some("If-Match")),
            ("CART_IN_CHECKOUT", "cart-in-checkout", Some("/cart_id")),
            ("CART_OF_ANOTHER_CUSTOMER", "customer-mismatch", Some("/customer_id")),
            ("SOMETHING_NEW", "conflict", None),
        ];
        for (reason, slug, field) in cases {
            let problem = precondition(reason, &[("holder", holder), ("etag", "7")]);
            assert_eq!((problem.kind().slug, problem.field()), (slug, field));
        }
        let held = precondition("CART_IN_CHECKOUT", &[("holder", holder)]);
        assert_eq!(held.place(), Some("/api/v1/checkouts/01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90"));
        // A hostile holder does not become a header.
        assert_eq!(precondition("CART_IN_CHECKOUT", &[("holder", "x\r\ny")]).place(), None);
    }

    #[test]
    fn a_participant_s_words_become_a_sentence() {
        for (words, told) in [
            ("the cart is another customer's", "The cart is another customer's."),
            ("Held.", "Held."),
            ("émigré ", "Émigré."),
            ("", "No reason was given."),
        ] {
            assert_eq!(sentence(words), told);
        }
        assert_eq!(precondition("SOMETHING_NEW", &[]).detail(), "Why.");
    }

    #[test]
    fn silence_and_nonsense_are_not_the_client_s_fault() {
        let silence = CallError::Unavailable { part: "cart", why: "refused".into() };
        let silence = problem(silence, &kind::UNKNOWN_CART, "cart_id");
        assert_eq!((silence.kind().status, silence.after()), (503, Some(SOON)));
        let nonsense = CallError::Broken { part: "cart", why: "?".into() };
        assert_eq!(problem(nonsense, &kind::UNKNOWN_CART, "cart_id").kind().status, 502);
        let missing = problem(CallError::NotFound, &kind::UNKNOWN_CART, "cart_id");
        assert_eq!((missing.kind().slug, missing.field()), ("unknown-cart", Some("cart_id")));
    }
}
