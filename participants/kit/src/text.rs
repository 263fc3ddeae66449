//! Checks of values that arrive at doors. Each says what is wrong in words that go after a field's name.

use uuid::Uuid;

/// A field of a request that cannot be, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Invalid {
    /// Its path as the caller knows it, e.g. `items[3].quantity`.
    pub field: String,
    /// A sentence that goes on from the field's name.
    pub why: String,
}

impl Invalid {
    /// `field` cannot be, because it `why`.
    pub fn new(field: impl Into<String>, why: impl ToString) -> Self {
        Self { field: field.into(), why: why.to_string() }
    }
}

/// At least one and at most `max` characters, none of them a control character.
///
/// # Errors
/// What is wrong with `value`.
pub fn required(value: &str, max: usize) -> Result<&str, String> {
    if value.is_empty() {
        return Err("must not be empty".into());
    }
    optional(value, max)
}

/// Like [`required`], but may be empty.
///
/// # Errors
/// What is wrong with `value`.
pub fn optional(value: &str, max: usize) -> Result<&str, String> {
    if value.chars().any(char::is_control) {
        return Err("must not contain control characters".into());
    }
    let count = value.chars().count();
    if count > max {
        return Err(format!("must have at most {max} characters, not {count}"));
    }
    Ok(value)
}

/// A UUID in its hyphenated form; lower case is not required.
///
/// # Errors
/// That it is none.
pub fn uuid(value: &str) -> Result<Uuid, String> {
    if value.len() != 36 {
        return Err("must be a UUID such as 018f3f5e-0000-7000-8000-000000000000".into());
    }
    Uuid::try_parse(value).map_err(|e| format!("must be a UUID: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused_wherever_they_stand() {
        for bad in ["\0", "a\nb", "a\u{7f}", "\u{85}x", "tab\t"] {
            assert!(optional(bad, 100).is_err(), "{bad:?}");
            assert!(required(bad, 100).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        assert_eq!(optional("äöü", 3), Ok("äöü"));
        assert!(optional("äöüß", 3).is_err());
        assert_eq!(optional("", 0), Ok(""));
        assert!(required("", 3).is_err());
    }

    #[test]
    fn ids_have_their_form() {
        assert!(uuid("018f3f5e-0000-7000-8000-000000000000").is_ok());
        for bad in ["", "018f3f5e00007000800000000000000", "{018f3f5e-0000-7000-8000-00000000000}", "x"] {
            assert!(uuid(bad).is_err(), "{bad:?}");
        }
    }
}
