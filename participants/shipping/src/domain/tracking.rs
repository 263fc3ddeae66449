//! Tracking numbers: derived from the shipment's id, so that a repeated call names the same parcel, and safe to read
//! out over the phone.

use std::fmt;

use uuid::Uuid;

/// No 0, 1, I, O or U: nothing here is mistaken for something else. A prime number of characters, see [`check`].
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKLMNPQRSTVWXYZ";
const BASE: u128 = 31;
/// 31^15 is about 2^74: among a thousand million shipments two numbers are alike with a chance of one in 50,000.
const DIGITS: usize = 15;

/// Such as `BS-7KQ2-M9RT-4XWA-H3CP`; the last character checks the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TrackingNumber([u8; DIGITS]);

impl TrackingNumber {
    /// The number of this shipment, always the same.
    pub(crate) fn of(shipment: Uuid) -> Self {
        let mut rest = shipment.as_u128();
        let mut digits = [0; DIGITS];
        for digit in &mut digits {
            *digit = u8::try_from(rest % BASE).unwrap_or_default();
            rest /= BASE;
        }
        Self(digits)
    }
}

/// As in an ISBN-10: the digits, weighted 16, 15, … 2, and the check digit add up to a multiple of 31. Because 31 is
/// prime and no two weights are alike modulo 31, one wrong character and any two swapped ones are always noticed.
fn check(digits: &[u8; DIGITS]) -> u8 {
    let weights = (2..=16_u32).rev();
    let sum: u32 = weights.zip(digits).map(|(weight, digit)| weight * u32::from(*digit)).sum();
    u8::try_from((31 - sum % 31) % 31).unwrap_or_default()
}

impl fmt::Display for TrackingNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BS")?;
        let check = check(&self.0);
        for (at, digit) in self.0.iter().chain([&check]).enumerate() {
            let group = if at % 4 == 0 { "-" } else { "" };
            write!(f, "{group}{}", char::from(ALPHABET[usize::from(*digit)]))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a carrier's till does with what a person typed.
    fn is_valid(number: &str) -> bool {
        let typed = number.strip_prefix("BS-").unwrap_or("").replace('-', "");
        let value = |b: u8| ALPHABET.iter().position(|a| *a == b).and_then(|p| u8::try_from(p).ok());
        let values: Option<Vec<u8>> = typed.bytes().map(value).collect();
        let Some((last, digits)) = values.as_deref().and_then(|v| v.split_last()) else { return false };
        <&[u8; DIGITS]>::try_from(digits).is_ok_and(|digits| check(digits) == *last)
    }

    #[test]
    fn a_shipment_s_number_never_changes() {
        // Printed on labels: another number for the same shipment would lose the parcel.
        let shipment = Uuid::from_u128(0x018f_3f5e_8a2b_8c3d_9e4f_5061_7283_94a5);
        assert_eq!(TrackingNumber::of(shipment).to_string(), "BS-5JW3-C7KA-E68Q-JVST");
        assert_eq!(TrackingNumber::of(Uuid::nil()).to_string(), "BS-2222-2222-2222-2222");
    }

    proptest! {
        #[test]
        fn one_wrong_character_or_two_swapped_ones_are_noticed(
            id in any::<u128>(), i in 0..16_usize, j in 0..16_usize, other in 0..31_usize,
        ) {
            let number = TrackingNumber::of(Uuid::from_u128(id)).to_string();
            prop_assert!(is_valid(&number), "{}", number);
            let place = |n: usize| 3 + n + n / 4;
            let (i, j) = (place(i), place(j));

            let mut wrong = number.clone().into_bytes();
            wrong[i] = ALPHABET[other];
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(is_valid(&wrong), wrong == number, "{} for {}", wrong, number);

            let mut swapped = number.clone().into_bytes();
            swapped.swap(i, j);
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert_eq!(is_valid(&swapped), swapped == number, "{} for {}", swapped, number);
        }

        #[test]
        fn shipments_that_differ_have_numbers_that_differ(id in any::<u128>(), bit in 0..128_u32) {
            let of = |id: u128| TrackingNumber::of(Uuid::from_u128(id)).to_string();
            prop_assert_ne!(of(id), of(id ^ (1 << bit)));
        }
    }
}
