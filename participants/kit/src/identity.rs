//! What makes two requests the same request: a hash over the fields that a participant names.
//!
//! Never wire bytes (an encoder may reorder them), times or metadata (a retry has others).

use backstitch_proto::address::PostalAddress;
use sha2::{Digest as _, Sha256};

/// Builds the canonical hash over identity fields, in the order in which they are given.
///
/// Every name and every value goes in behind a tag and its length, so no two different lists of fields feed the hash
/// the same bytes: `("a", "bc")` and `("ab", "c")` differ, and so do the text `"1"` and the number `1`.
#[derive(Clone, Debug)]
pub struct Identity(Sha256);

impl Identity {
    /// Starts with the name of the RPC, e.g. `Reserve`.
    #[must_use]
    pub fn new(rpc: &str) -> Self {
        Self(Sha256::new()).part(b'R', rpc.as_bytes())
    }

    /// A text, an id, a currency.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.part(b'N', name.as_bytes()).part(b'T', value.as_bytes())
    }

    /// A number: an amount in minor units, a quantity, a version.
    #[must_use]
    pub fn int(self, name: &str, value: i64) -> Self {
        self.part(b'N', name.as_bytes()).part(b'I', &value.to_be_bytes())
    }

    /// A postal address, all of it.
    #[must_use]
    pub fn address(self, address: &PostalAddress) -> Self {
        address.parts().into_iter().fold(self, |identity, (name, value)| identity.text(name, value))
    }

    /// Opaque bytes.
    #[must_use]
    pub fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.part(b'N', name.as_bytes()).part(b'B', value)
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn part(mut self, tag: u8, value: &[u8]) -> Self {
        self.0.update([tag]);
        // usize is at most 64 bits on every platform Rust knows; a length never truncates here.
        self.0.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Field {
        Text(String, String),
        Int(String, i64),
        Bytes(String, Vec<u8>),
    }

    fn hash(rpc: &str, fields: &[Field]) -> [u8; 32] {
        let start = Identity::new(rpc);
        let all = fields.iter().fold(start, |id, field| match field {
            Field::Text(name, value) => id.text(name, value),
            Field::Int(name, value) => id.int(name, *value),
            Field::Bytes(name, value) => id.bytes(name, value),
        });
        all.finish()
    }

    /// Few letters, short: equal concatenations with other borders are common.
    fn field() -> impl Strategy<Value = Field> {
        let name = "[ab]{0,2}";
        prop_oneof![
            (name, "[abTI]{0,3}").prop_map(|(n, v)| Field::Text(n, v)),
            (name, -2i64..3).prop_map(|(n, v)| Field::Int(n, v)),
            (name, prop::collection::vec(prop_oneof![Just(b'a'), Just(b'N'), Just(0u8)], 0..3))
                .prop_map(|(n, v)| Field::Bytes(n, v)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn two_lists_of_fields_have_one_hash_only_if_they_are_one_list(
            a in prop::collection::vec(field(), 0..5),
            b in prop::collection::vec(field(), 0..5),
        ) {
            prop_assert_eq!(hash("Do", &a) == hash("Do", &b), a == b);
        }

        #[test]
        fn moving_a_border_between_two_texts_changes_the_hash(text in "[a-c]{1,12}", at in 0usize..12, to in 0usize..12) {
            let (at, to) = (at % (text.len() + 1), to % (text.len() + 1));
            let split = |i: usize| Identity::new("Do").text("x", &text[..i]).text("x", &text[i..]).finish();
            prop_assert_eq!(split(at) == split(to), at == to);
            let across = |i: usize| Identity::new("Do").text(&text[..i], &text[i..]).finish();
            prop_assert_eq!(across(at) == across(to), at == to);
        }
    }

    #[test]
    fn the_rpc_and_the_order_of_fields_count() {
        let ab = Identity::new("A").text("x", "1").text("y", "2").finish();
        let ba = Identity::new("A").text("y", "2").text("x", "1").finish();
        let other = Identity::new("B").text("x", "1").text("y", "2").finish();
        assert!(ab != ba && ab != other && ba != other);
    }

    #[test]
    fn the_hash_of_a_known_request_never_changes() {
        // Stored with rows: a change of the canonical form would make every open saga's retry read as another body.
        let hash = Identity::new("Reserve").text("sku", "85123A").int("quantity", 6).finish();
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "cd6ec5616ccf95a9836af06c38b9a7d227ff28aa06f1b8a1226cbd5708de09cc");
    }
}
