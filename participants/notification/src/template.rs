//! Templates, and how a mail is made of one. A value that stands for a placeholder can say what it likes, but it
//! cannot add a line: neither a header to the mail nor a sentence of its own to the letter.

use std::collections::BTreeMap;

/// The texts that this build knows, by name. A first line with the subject, an empty line, the letter.
const TEMPLATES: [(&str, &str); 5] = [
    ("order_confirmed", include_str!("../templates/order_confirmed.txt")),
    ("order_shipped", include_str!("../templates/order_shipped.txt")),
    ("order_returned", include_str!("../templates/order_returned.txt")),
    ("order_made_good", include_str!("../templates/order_made_good.txt")),
    ("checkout_refused", include_str!("../templates/checkout_refused.txt")),
];

/// What a template has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// One line.
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// Why a template does not become a letter. The caller's bug, or ours; never the customer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// There is none of this name.
    #[error("there is no template {0:?}")]
    Unknown(String),
    /// A placeholder stands for nothing.
    #[error("template {template:?} needs the parameter {parameter:?}")]
    Missing {
        /// The template's name.
        template: String,
        /// The placeholder's name.
        parameter: String,
    },
    /// The template's own text is wrong.
    #[error("template {0:?} is malformed")]
    Malformed(String),
}

/// Renders the template called `name`. Parameters that it does not ask for are ignored.
pub(crate) fn render(name: &str, parameters: &BTreeMap<String, String>) -> Result<Letter, TemplateError> {
    let template = TEMPLATES.iter().find(|(known, _)| *known == name);
    let (_, text) = template.ok_or_else(|| TemplateError::Unknown(name.to_owned()))?;
    let parts = text.strip_prefix("Subject: ").and_then(|rest| rest.split_once("\n\n"));
    let (subject, body) = parts.ok_or_else(|| TemplateError::Malformed(name.to_owned()))?;
    Ok(Letter { subject: fill(name, subject, parameters)?, body: fill(name, body, parameters)? })
}

/// Replaces each `{{placeholder}}` once: what a value contains is never looked at again.
fn fill(name: &str, text: &str, parameters: &BTreeMap<String, String>) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let placeholder = after.split_once("}}");
        let (parameter, behind) = placeholder.ok_or_else(|| TemplateError::Malformed(name.to_owned()))?;
        let value = parameters.get(parameter).ok_or_else(|| TemplateError::Missing {
            template: name.to_owned(),
            parameter: parameter.to_owned(),
        })?;
        filled.push_str(before);
        filled.extend(value.chars().map(|c| if breaks_line(c) { ' ' } else { c }));
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Control characters (CR, LF, NUL, NEL, …) and Unicode's own line and paragraph separators.
fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 7] =
        ["name", "order_number", "total", "tracking_number", "refund", "credit_note_number", "reason"];

    fn all(value: &str) -> BTreeMap<String, String> {
        NAMES.iter().map(|name| ((*name).to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn every_template_becomes_a_letter_with_nothing_left_to_fill_in() {
        for (name, text) in TEMPLATES {
            let letter = render(name, &all("VALUE")).unwrap();
            assert!(!letter.subject.is_empty() && letter.body.contains("VALUE"), "{letter:?}");
            assert!(!format!("{letter:?}").contains("{{"), "{letter:?}");
            // Each asks for something, and says so when it does not get it.
            let error = render(name, &BTreeMap::new()).unwrap_err();
            assert!(matches!(error, TemplateError::Missing { .. }), "{error}");
            assert!(text.ends_with('\n'));
        }
        let unknown = render("order_eaten", &all("")).unwrap_err();
        assert_eq!(unknown, TemplateError::Unknown("order_eaten".into()));
    }

    #[test]
    fn a_confirmation_reads_well() {
        let parameters = [
            ("name", "Ada Lovelace"),
            ("order_number", "BS-000123"),
            ("total", "139.12 GBP"),
            ("tracking_number", "BS-5JW3-C7KA-E68Q-JVST"),
            ("not_asked_for", "ignored"),
        ];
        let letter = render(
            "order_confirmed",
            &parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        );
        assert_eq!(
            letter.unwrap(),
            Letter {
                subject: "Your order BS-000123".into(),
                body: "Dear Ada Lovelace,\n\n\
                    thank you for your order BS-000123 over 139.12 GBP. \
                    It is paid for and on its way to being packed.\n\n\
                    You can follow your parcel by its number BS-5JW3-C7KA-E68Q-JVST.\n"
                    .into(),
            }
        );
    }

    #[test]
    fn what_came_back_is_told_with_its_money_and_its_credit_note() {
        let parameters = [
            ("name", "Ada Lovelace"),
            ("order_number", "BS-000123"),
            ("refund", "15.30 GBP"),
            ("credit_note_number", "CN-000007"),
        ];
        let letter = render(
            "order_returned",
            &parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        );
        assert_eq!(
            letter.unwrap(),
            Letter {
                subject: "Your money back for order BS-000123".into(),
                body: "Dear Ada Lovelace,\n\n\
                    we have taken back goods of your order BS-000123. \
                    You get 15.30 GBP back the way you paid.\n\n\
                    The number of your credit note is CN-000007.\n"
                    .into(),
            }
        );
    }

    #[test]
    fn whose_order_was_made_good_is_not_thanked_for_goods_that_they_never_had() {
        let letter = render("order_made_good", &all("x")).unwrap();
        assert_eq!(letter.subject, "Your money back for order x");
        assert!(letter.body.contains("could not complete your order x"), "{}", letter.body);
        assert!(
            letter.body.contains("You get x back") && !letter.body.contains("taken back"),
            "{}",
            letter.body
        );
    }

    #[test]
    fn a_value_is_not_a_template() {
        let mut parameters = all("x");
        parameters.insert("order_number".into(), "{{total}} {{nothing}} {{".into());
        let letter = render("order_confirmed", &parameters).unwrap();
        assert_eq!(letter.subject, "Your order {{total}} {{nothing}} {{");
    }

    proptest! {
        #[test]
        fn no_value_adds_a_line(value in "(\\PC|[\r\n\u{0}\u{85}\u{2028}\u{2029}]){0,40}") {
            for (name, _) in TEMPLATES {
                let plain = render(name, &all("x")).unwrap();
                let letter = render(name, &all(&value)).unwrap();
                prop_assert!(!letter.subject.chars().any(breaks_line), "{:?}", letter.subject);
                prop_assert_eq!(letter.body.lines().count(), plain.body.lines().count());
                prop_assert!(!letter.body.chars().any(|c| c != '\n' && breaks_line(c)));
            }
        }
    }
}
