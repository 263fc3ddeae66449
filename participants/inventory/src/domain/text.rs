//! Words that come from outside.

use std::fmt;

use participant_kit::text::{self, Invalid};

/// A stock keeping unit: 1 to 64 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sku(String);

impl Sku {
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, Invalid> {
        words(field, text, 64).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 1 to `most` characters, none of them a control character.
pub(crate) fn words(field: &str, text: &str, most: usize) -> Result<String, Invalid> {
    let text = text::required(text, most).map_err(|why| Invalid::new(field, why))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sku_is_1_to_64_characters_without_control_characters() {
        for good in ["A", "85123A", "Übergröße 12/b", &"x".repeat(64), &"ß".repeat(64)] {
            assert_eq!(Sku::parse("sku", good).unwrap().as_str(), good);
        }
        for bad in ["", "a\nb", "a\u{0}b", "a\u{7f}", "\u{85}", &"x".repeat(65)] {
            assert_eq!(Sku::parse("items[3].sku", bad).unwrap_err().field, "items[3].sku", "{bad:?}");
        }
    }
}
