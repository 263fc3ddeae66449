//! Postal and mail addresses as the domain sees them: parsed once, at the door.
//!
//! Every door that takes an address parses it here, so that what admission accepts no participant finds malformed
//! later, when money may have been captured. Knows which form an address has, not whether it exists or is served.

use std::fmt;

use crate::common;

/// Why an address cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {why}")]
pub struct AddressError {
    /// The field at fault, by its name in the message (`postal_code`).
    pub field: &'static str,
    /// What is wrong with it, to be read after the field's name.
    pub why: &'static str,
}

/// A postal address: no control characters, bounded fields, a country code of two capital letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PostalAddress(common::Address);

impl PostalAddress {
    /// Parses a message's address. Name, first line, city and country are required; the rest may be empty (not
    /// every country has regions or postal codes).
    pub fn parse(message: Option<&common::Address>) -> Result<Self, AddressError> {
        let message = message.ok_or(AddressError { field: "address", why: "is missing" })?;
        let required = true;
        line("name", &message.name, 200, required)?;
        line("line1", &message.line1, 200, required)?;
        line("line2", &message.line2, 200, !required)?;
        line("city", &message.city, 100, required)?;
        line("region", &message.region, 100, !required)?;
        line("postal_code", &message.postal_code, 20, !required)?;
        match message.country.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Ok(Self(message.clone())),
            _ => Err(AddressError {
                field: "country",
                why: "is no ISO 3166-1 code of two capital letters such as GB",
            }),
        }
    }

    /// Two capital letters; whether they name a country is for whoever sends there to know.
    pub fn country(&self) -> &str {
        &self.0.country
    }

    /// The fields.
    pub fn fields(&self) -> &common::Address {
        &self.0
    }

    /// Every field with its name, in an order that never changes.
    pub fn parts(&self) -> [(&'static str, &str); 7] {
        let Self(common::Address { name, line1, line2, city, region, postal_code, country }) = self;
        [
            ("name", name),
            ("line1", line1),
            ("line2", line2),
            ("city", city),
            ("region", region),
            ("postal_code", postal_code),
            ("country", country),
        ]
    }

    /// The message that travels.
    pub fn to_proto(&self) -> common::Address {
        self.0.clone()
    }
}

/// One line of text of at most `limit` characters.
fn line(field: &'static str, text: &str, limit: usize, required: bool) -> Result<(), AddressError> {
    let broken = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if text.contains(broken) {
        Err(AddressError { field, why: "has control characters" })
    } else if text.chars().count() > limit {
        Err(AddressError { field, why: "is too long" })
    } else if required && text.trim().is_empty() {
        Err(AddressError { field, why: "is missing" })
    } else {
        Ok(())
    }
}

/// A mail address of the form that browsers accept (letters, digits and `!#$%&'*+/=?^_{|}~.-` before one `@`, a
/// host name after it), without leading, trailing or doubled dots. Quoted local parts, address literals and
/// non-ASCII are not accepted: nothing in it needs escaping in a mail header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses a mail address, at most 254 characters long.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let no = |why| Err(AddressError { field: "email", why });
        let Some((local, host)) = text.split_once('@') else {
            return no("has no @");
        };
        if text.len() > 254 || local.len() > 64 {
            return no("is too long");
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom_byte)) {
            return no("has a malformed part before its @");
        }
        if !host.split('.').all(is_label) {
            return no("has a malformed host after its @");
        }
        Ok(Self(text.to_owned()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_atom_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> common::Address {
        common::Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country: "GB".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_good_address_is_kept_as_typed() {
        let parsed = PostalAddress::parse(Some(&address())).unwrap();
        assert_eq!(parsed.to_proto(), address());
        assert_eq!(parsed.country(), "GB");
    }

    #[test]
    fn a_bad_address_names_its_field() {
        type Edit = fn(&mut common::Address);
        let cases: [(&str, Edit); 8] = [
            ("name", |a| a.name.clear()),
            ("name", |a| a.name = "Ada\r\nBcc: all@example.com".into()),
            ("line1", |a| a.line1 = "   ".into()),
            ("line2", |a| a.line2 = "x".repeat(201)),
            ("city", |a| a.city = "Lon\u{2028}don".into()),
            ("postal_code", |a| a.postal_code = "1".repeat(21)),
            ("country", |a| a.country = "gb".into()),
            ("country", |a| a.country = "GBR".into()),
        ];
        for (field, edit) in cases {
            let mut bad = address();
            edit(&mut bad);
            assert_eq!(PostalAddress::parse(Some(&bad)).unwrap_err().field, field, "{bad:?}");
        }
        assert_eq!(PostalAddress::parse(None).unwrap_err().field, "address");
    }

    #[test]
    fn limits_count_characters_and_hold_at_the_limit() {
        let edge = common::Address { line1: "ü".repeat(200), ..address() };
        assert!(PostalAddress::parse(Some(&edge)).is_ok());
        let past = common::Address { line1: "ü".repeat(201), ..address() };
        assert!(PostalAddress::parse(Some(&past)).is_err());
    }

    #[test]
    fn mail_addresses() {
        for good in [
            "a@b",
            "ada@example.com",
            "o'neil+shop@mail.example.co.uk",
            "a.b-c_d@1.example",
            "x!#$%&*@y-z.de",
        ] {
            assert_eq!(EmailAddress::parse(good).unwrap().as_str(), good);
        }
        let long = format!("{}@example.com", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "ada@example..com",
            "ada@-example.com",
            "ada@example.com.",
            "a b@example.com",
            "\"a b\"@example.com",
            "ada@[127.0.0.1]",
            "ada@example.com\r\nBcc: all@example.com",
            "ada@example.com, bob@example.com",
            "Ada <ada@example.com>",
            "ädä@example.com",
            &long,
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }
}
