//! Card numbers where none belongs: in a name, a note, a key, an id.
//!
//! Whoever holds card numbers has to guard them as such, so a text with one in it is refused at the door, and nothing
//! repeats it. What counts as one is what people and forms write: a number of a known brand's form and length, whose
//! check digit is right, in one piece or in groups as they are printed on cards. Barcodes of 8 to 13 digits and UUIDs are
//! none by their form. Of other numbers with 16 digits one in forty is taken for a card's by accident.

/// The longest group of digits in a number that is written in groups.
const GROUP: usize = 6;
/// The shortest number of any brand that still issues it.
const SHORTEST: usize = 14;
/// The longest number of all (ISO/IEC 7812-1).
const LONGEST: usize = 19;
/// The most characters between two groups.
const BETWEEN: usize = 2;

/// Whether there is a card number in a text.
pub fn is_one_in(text: &str) -> bool {
    if text.bytes().filter(u8::is_ascii_digit).count() < SHORTEST {
        return false;
    }
    let mut groups: Vec<&str> = Vec::new();
    let mut gap = String::new();
    let mut found = false;
    for word in words(text) {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            if !is_a_gap(&gap) {
                found |= is_one_among(&groups);
                groups.clear();
            }
            groups.push(word);
            gap.clear();
        } else {
            gap.push_str(word);
        }
    }
    found || is_one_among(&groups)
}

/// Whether a text looks like a card number of whatever brand and nothing else: 12 to 19 digits, perhaps in groups, whose
/// check digit is right. No provider's token does.
pub fn is_like_one(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !is_between(*c)).collect();
    let all = digits.bytes().all(|b| b.is_ascii_digit());
    all && (12..=LONGEST).contains(&digits.len()) && has_its_check_digit(&digits)
}

/// A text in pieces: runs of letters and digits, and single characters between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let end = if end == 0 { rest.chars().next()?.len_utf8() } else { end };
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// What may stand between the groups of one number.
fn is_a_gap(text: &str) -> bool {
    text.chars().count() <= BETWEEN && text.chars().all(is_between)
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '_' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// Whether some groups in a row are a card number: other digits, a date say, may stand before and after it.
fn is_one_among(groups: &[&str]) -> bool {
    (0..groups.len()).any(|first| {
        let mut number = String::new();
        groups[first..].iter().enumerate().any(|(more, group)| {
            number.push_str(group);
            let printed = more == 0 || groups[first..=first + more].iter().all(|group| group.len() <= GROUP);
            printed && is_one(&number)
        })
    })
}

/// Whether these digits are the number of a card: a brand's first digits and length, and the check digit (Luhn).
fn is_one(digits: &str) -> bool {
    if !(SHORTEST..=LONGEST).contains(&digits.len()) {
        return false;
    }
    let first = |n: usize| digits[..n].parse::<u32>().unwrap_or(0);
    let of_a_brand = match (digits.len(), first(2), first(3), first(4)) {
        // Diners Club.
        (14, 36 | 38 | 39, ..) | (14, _, 300..=305, _) => true,
        // American Express.
        (15, 34 | 37, ..) => true,
        (14 | 15, ..) => false,
        // Visa; Mastercard.
        (16 | 19, 40..=49, ..) | (16, 51..=55, ..) | (16, _, _, 2221..=2720) => true,
        // UnionPay; Discover; JCB; Maestro.
        (16..=19, 62 | 65, ..) | (16..=19, _, 644..=649, _) | (16..=19, _, _, 6011 | 3528..=3589) => true,
        (16..=19, _, _, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) => true,
        _ => false,
    };
    of_a_brand && has_its_check_digit(digits)
}

/// The check digit of ISO/IEC 7812-1.
fn has_its_check_digit(digits: &str) -> bool {
    let value = |(i, byte): (usize, u8)| match (i % 2, u32::from(byte - b'0')) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    digits.bytes().rev().enumerate().map(value).sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A number of each brand, as their makers give them out for tests.
    const NUMBERS: [&str; 12] = [
        "4242424242424242",
        "4111111111111111",
        "5555555555554444",
        "2223003122003222",
        "5200828282828210",
        "378282246310005",
        "371449635398431",
        "6011111111111117",
        "30569309025904",
        "36227206271667",
        "3566002020360505",
        "6200000000000005",
    ];

    /// In groups of four.
    fn grouped(number: &str, between: &str) -> String {
        let groups: Vec<_> = number.as_bytes().chunks(4).map(|g| std::str::from_utf8(g).unwrap()).collect();
        groups.join(between)
    }

    #[test]
    fn a_number_is_found_however_it_is_written() {
        for number in NUMBERS {
            for between in ["", " ", "-", ".", "\u{a0}", " - ", "\u{2013}", "_", "/", "  "] {
                let written = grouped(number, between);
                // Three characters are no gap of a number.
                assert_eq!(is_one_in(&written), between != " - ", "{written}");
            }
            for around in ["My card is {}.", "({})", "{}@example.com", "{}\n12/27", "{} 12 27 123", "07 {}"] {
                for written in [number, &grouped(number, " ")] {
                    assert!(is_one_in(&around.replace("{}", written)), "{written} in {around}");
                }
            }
        }
        assert!(is_one_in("3782 822463 10005") && is_one_in("3056-930902-5904"));
        assert!(is_one_in("Straße 4242424242424242") && is_one_in("卡 4242 4242 4242 4242 号"));
        assert!(is_one_in("no 1234 5678, but 4242424242424242"));
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for none in [
            "",
            "tok_ok",
            // A wrong check digit, one digit more, one less.
            "4242424242424241",
            "42424242424242420",
            "424242424242424",
            "4242 4242 4242 4241",
            // No brand has it.
            "1234567812345670",
            "9999999999999995",
            // Barcodes: EAN-13 of Germany and of Britain, GTIN-14, EAN-8.
            "4006381333931",
            "5000157024671",
            "14006381333938",
            "96385074",
            // Telephones, dates, amounts.
            "+44 20 7946 0958",
            "+49 (0)30 901820",
            "2010-12-01 08:26:00",
            "1796133600000",
            "9223372036854775807",
            // Within a longer word: a token, a hash.
            "tok_x4242424242424242",
            "4242424242424242a",
            "a4242424242424242",
            // Too far apart to be one.
            "4242, 4242, 4242, 4242",
            "4242 and 4242 4242 4242",
            // A UUID, even if it has few letters.
            "42424242-4242-4242-8242-424242424242",
            "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90",
        ] {
            assert!(!is_one_in(none), "{none:?}");
        }
    }

    #[test]
    fn nothing_but_a_number_needs_no_brand() {
        for number in NUMBERS.into_iter().chain(["1234 5678 9015", "9999-9999-9999-9995", "4222222222222"]) {
            assert!(is_like_one(number), "{number}");
        }
        for none in
            ["", "tok_ok", "4242424242424241", "12345678903", "42424242424242424242", "tok_4242424242424242"]
        {
            assert!(!is_like_one(none), "{none}");
        }
    }

    #[test]
    fn a_number_within_a_number_is_none() {
        for number in NUMBERS {
            assert!(!is_one_in(&format!("00000{number}00000")), "{number}");
        }
    }

    proptest! {
        /// Keys and ids that clients draw must not be refused.
        #[test]
        fn no_uuid_is_taken_for_one(bytes in any::<[u8; 16]>(), decimal in any::<bool>()) {
            let hex = |b: u8| if decimal { format!("{:02}", b % 100) } else { format!("{b:02x}") };
            let text: String = bytes.iter().map(|b| hex(*b)).collect();
            let uuid = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-");
            prop_assert!(!is_one_in(&uuid), "{}", uuid);
        }

        #[test]
        fn every_text_is_answered(text in any::<String>()) {
            let _ = is_one_in(&text);
        }

        #[test]
        fn one_wrong_digit_is_noticed(at in 0..16usize, by in 1..10u8) {
            let mut digits = b"4242424242424242".to_vec();
            digits[at] = b'0' + (digits[at] - b'0' + by) % 10;
            let text = String::from_utf8(digits).unwrap();
            prop_assert!(!is_one_in(&text), "{}", text);
        }
    }
}
