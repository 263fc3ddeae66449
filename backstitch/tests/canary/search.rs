//! Looking for a text in everything that was written or said, in the forms that programs write bytes in.

use std::collections::BTreeMap;

/// What was looked at, by where.
#[derive(Default)]
pub(crate) struct Found(BTreeMap<String, String>);

impl Found {
    /// Keeps what was written or said somewhere.
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8]) {
        let all = self.0.entry(place.to_owned()).or_default();
        // The forms that are looked for are ASCII.
        all.push_str(&String::from_utf8_lossy(bytes));
        all.push('\n');
    }

    /// Where a text is.
    fn places_of(&self, text: &str) -> Vec<&str> {
        let forms = forms(text);
        let here = |said: &str| forms.iter().any(|form| said.contains(form.as_str()));
        self.0.iter().filter(|(_, said)| here(said)).map(|(place, _)| place.as_str()).collect()
    }

    /// Insists that a text is in places of these names.
    pub(crate) fn has(&self, text: &str, names: &[&str]) {
        let places = self.places_of(text);
        for name in names {
            assert!(
                places.iter().any(|place| place.contains(name)),
                "{text} is not in {name}, but in {places:?}"
            );
        }
    }

    /// Insists that none of these texts is anywhere.
    pub(crate) fn has_no(&self, texts: &[String]) {
        for text in texts {
            let places = self.places_of(text);
            let lines: Vec<_> = places.iter().map(|place| self.line(place, text)).collect();
            assert!(places.is_empty(), "{text} is in {lines:#?}");
        }
    }

    /// The first line in a place that has the text.
    fn line(&self, place: &str, text: &str) -> String {
        let here = |line: &&str| forms(text).iter().any(|form| line.contains(form.as_str()));
        let line = self.0[place].lines().find(here).unwrap_or_default();
        format!("{place}: {}", line.chars().take(2000).collect::<String>())
    }
}

/// A text as itself, as it stands in a URL, and its bytes as `Debug` and as hexadecimal digits print them.
fn forms(text: &str) -> [String; 5] {
    let list: Vec<_> = text.bytes().map(|byte| byte.to_string()).collect();
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    [text.to_owned(), text.replace(' ', "%20"), text.replace(' ', "+"), list.join(", "), hex]
}

#[test]
fn a_text_is_found_in_each_form() {
    let mut found = Found::default();
    for (n, said) in
        ["x 4 2-x", "/x?y=4%202-x", "y=4+2-x", "[7, 52, 32, 50, 45, 120]", "0x3420322d78"].iter().enumerate()
    {
        found.look(&n.to_string(), said.as_bytes());
    }
    found.look("elsewhere", b"4 2 -x");
    assert_eq!(found.places_of("4 2-x"), ["0", "1", "2", "3", "4"]);
    assert!(found.places_of("nowhere").is_empty());
}
