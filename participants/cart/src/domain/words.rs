//! Words that come from outside.

use std::fmt;

use participant_kit::text::{self, Invalid};

/// Names a cart: 1 to 64 characters, none of them a control character. The shop chooses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CartId(String);

/// Names a customer, in the same form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CustomerId(String);

impl CartId {
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        word(field, text).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CustomerId {
    /// None where the text is empty: a guest.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Option<Self>, Invalid> {
        if text.is_empty() { Ok(None) } else { word(field, text).map(|text| Some(Self(text))) }
    }

    /// As it is stored and sent: empty for a guest.
    pub(crate) fn text(of: Option<&Self>) -> &str {
        of.map_or("", |id| &id.0)
    }
}

fn word(field: &str, word: &str) -> Result<String, Invalid> {
    Ok(text::required(word, 64).map_err(|why| Invalid::new(field, why))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_1_to_64_characters_without_control_characters() {
        for good in ["7", "cart of Zoë", &"ß".repeat(64)] {
            assert_eq!(CartId::parse("cart_id", good).unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "\u{0}", &"x".repeat(65)] {
            assert_eq!(CartId::parse("cart_id", bad).unwrap_err().field, "cart_id", "{bad:?}");
        }
        assert_eq!(CustomerId::parse("customer_id", ""), Ok(None));
        assert!(CustomerId::parse("customer_id", &"x".repeat(65)).is_err());
    }
}
