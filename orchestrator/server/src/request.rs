//! A request to check a cart out, parsed and checked, whichever face it came through.
//!
//! Knows nothing of carts or products beyond their ids: what they are like now is admission's to find out.

use std::fmt;

use backstitch_proto::address::{EmailAddress, PostalAddress};
use backstitch_proto::cards;
use backstitch_proto::checkout::StartCheckoutRequest;
use backstitch_proto::money::Money;
use sha2::{Digest, Sha256};

use crate::problem::{Problem, kind};
use crate::{countries, fields};

/// A checkout as it was asked for, valid by itself. Empty texts are absent ones.
pub(crate) struct CheckoutRequest {
    pub(crate) cart_id: String,
    pub(crate) customer_id: String,
    pub(crate) email: EmailAddress,
    pub(crate) shipping_address: PostalAddress,
    pub(crate) shipping_method: String,
    pub(crate) payment_method: PaymentToken,
    pub(crate) expected_total: Option<Money>,
}

/// A provider's token for how to pay. Does not print.
pub(crate) struct PaymentToken(String);

impl PaymentToken {
    /// The token, for the saga's input and nothing else.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for PaymentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentToken(..)")
    }
}

impl CheckoutRequest {
    /// Checks everything that can be checked without asking anybody. The key and the wait are the face's.
    pub(crate) fn check(message: StartCheckoutRequest) -> Result<Self, Problem> {
        fields::words("/cart_id", &message.cart_id, 64)?;
        fields::optional_words("/customer_id", &message.customer_id, 64)?;
        let email = EmailAddress::parse(&message.email).map_err(|e| invalid("/email", &e))?;
        fields::no_card("/email", email.as_str())?;
        let shipping_address =
            PostalAddress::parse(message.shipping_address.as_ref()).map_err(|e| match e.field {
                "address" => Problem::new(&kind::MISSING_FIELD, "`shipping_address` is missing.")
                    .at("/shipping_address"),
                field => invalid(&format!("/shipping_address/{field}"), &e),
            })?;
        for (field, text) in shipping_address.parts() {
            fields::no_card(&format!("/shipping_address/{field}"), text)?;
        }
        if !countries::exists(shipping_address.country()) {
            let detail = "It must be an ISO 3166-1 alpha-2 code such as GB.";
            return Err(Problem::new(&kind::INVALID_FIELD, detail).at("/shipping_address/country"));
        }
        fields::words("/shipping_method", &message.shipping_method, 64)?;
        if cards::is_like_one(&message.payment_method) {
            let detail =
                "It must be a provider's token. Card numbers are not taken here, and this one was not kept.";
            return Err(Problem::new(&kind::INVALID_FIELD, detail).at("/payment_method"));
        }
        fields::words("/payment_method", &message.payment_method, 255)?;
        let expected_total = match &message.expected_total {
            None => None,
            Some(amount) => {
                fields::number("/expected_total/amount_minor", amount.amount_minor, 0, i64::MAX)?;
                Some(fields::money("/expected_total", amount)?)
            }
        };
        Ok(Self {
            cart_id: message.cart_id,
            customer_id: message.customer_id,
            email,
            shipping_address,
            shipping_method: message.shipping_method,
            payment_method: PaymentToken(message.payment_method),
            expected_total,
        })
    }

    /// What a key is compared by: the request as it was understood, defaults filled in, fields in this order. How
    /// it was spelt, in which format and through which face, makes no difference.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let address = self.shipping_address.fields();
        let mut hash = Canonical::new("checkout/1");
        hash.text(&self.cart_id);
        hash.text(&self.customer_id);
        hash.text(self.email.as_str());
        hash.text(&address.name);
        hash.text(&address.line1);
        hash.text(&address.line2);
        hash.text(&address.city);
        hash.text(&address.region);
        hash.text(&address.postal_code);
        hash.text(&address.country);
        hash.text(&self.shipping_method);
        hash.text(&self.payment_method.0);
        match &self.expected_total {
            None => hash.text(""),
            Some(total) => {
                hash.text(total.currency.as_str());
                hash.number(total.minor);
            }
        }
        hash.finish()
    }
}

fn invalid(at: &str, error: &backstitch_proto::address::AddressError) -> Problem {
    Problem::new(&kind::INVALID_FIELD, format!("It {}.", error.why)).at(at.to_owned())
}

/// SHA-256 over a sequence of values, each with its length, so that no two sequences are one stream of bytes.
pub(crate) struct Canonical(Sha256);

impl Canonical {
    /// Begins with what is hashed and the version of its order.
    pub(crate) fn new(what: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(what);
        hash
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_be_bytes());
    }

    /// Appends a value.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// The hash of what was appended.
    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use backstitch_proto::common;

    use super::*;

    type Edit = fn(&mut StartCheckoutRequest);

    const CARD: &str = "4242 4242 4242 4242";

    fn message() -> StartCheckoutRequest {
        StartCheckoutRequest {
            cart_id: "cart-1".into(),
            email: "ada@example.com".into(),
            shipping_address: Some(common::Address {
                name: "Ada Lovelace".into(),
                line1: "12 St James's Square".into(),
                city: "London".into(),
                postal_code: "SW1Y 4JH".into(),
                country: "GB".into(),
                ..Default::default()
            }),
            shipping_method: "standard".into(),
            payment_method: "tok_ok".into(),
            ..Default::default()
        }
    }

    fn edited(edit: Edit) -> StartCheckoutRequest {
        let mut message = message();
        edit(&mut message);
        message
    }

    fn address(message: &mut StartCheckoutRequest) -> &mut common::Address {
        message.shipping_address.as_mut().unwrap()
    }

    fn total(amount_minor: i64, currency: &str) -> Option<common::Money> {
        Some(common::Money { amount_minor, currency: currency.into() })
    }

    #[test]
    fn a_field_that_cannot_be_is_named() {
        let cases: [(&str, &str, Edit); 41] = [
            ("invalid-field", "/cart_id", |m| m.cart_id.clear()),
            ("invalid-field", "/cart_id", |m| m.cart_id = "x".repeat(65)),
            ("invalid-field", "/cart_id", |m| m.cart_id = "a\u{0}b".into()),
            ("invalid-field", "/customer_id", |m| m.customer_id = "x".repeat(65)),
            ("invalid-field", "/customer_id", |m| m.customer_id = "a\nb".into()),
            ("invalid-field", "/email", |m| m.email.clear()),
            ("invalid-field", "/email", |m| m.email = "ada".into()),
            ("invalid-field", "/email", |m| m.email = "ada@example.com\r\nBcc: all@example.com".into()),
            ("missing-field", "/shipping_address", |m| m.shipping_address = None),
            ("invalid-field", "/shipping_address/name", |m| address(m).name.clear()),
            ("invalid-field", "/shipping_address/name", |m| address(m).name = "x".repeat(201)),
            ("invalid-field", "/shipping_address/line1", |m| address(m).line1 = "a\u{7}".into()),
            ("invalid-field", "/shipping_address/line2", |m| address(m).line2 = "x".repeat(201)),
            ("invalid-field", "/shipping_address/city", |m| address(m).city = " ".into()),
            ("invalid-field", "/shipping_address/region", |m| address(m).region = "x".repeat(101)),
            ("invalid-field", "/shipping_address/postal_code", |m| address(m).postal_code = "x".repeat(21)),
            ("invalid-field", "/shipping_address/country", |m| address(m).country.clear()),
            ("invalid-field", "/shipping_address/country", |m| address(m).country = "UK".into()),
            ("invalid-field", "/shipping_address/country", |m| address(m).country = "gb".into()),
            ("invalid-field", "/shipping_method", |m| m.shipping_method.clear()),
            ("invalid-field", "/shipping_method", |m| m.shipping_method = "x".repeat(65)),
            ("invalid-field", "/payment_method", |m| m.payment_method.clear()),
            ("invalid-field", "/payment_method", |m| m.payment_method = "4242424242424242".into()),
            ("invalid-field", "/payment_method", |m| m.payment_method = "4242 4242-4242 4242".into()),
            ("invalid-field", "/payment_method", |m| m.payment_method = "x".repeat(256)),
            ("invalid-field", "/cart_id", |m| m.cart_id = CARD.into()),
            ("invalid-field", "/customer_id", |m| m.customer_id = CARD.into()),
            ("invalid-field", "/shipping_method", |m| m.shipping_method = CARD.into()),
            ("invalid-field", "/shipping_address/name", |m| address(m).name = CARD.into()),
            ("invalid-field", "/shipping_address/line1", |m| address(m).line1 = CARD.into()),
            ("invalid-field", "/shipping_address/line2", |m| address(m).line2 = CARD.into()),
            ("invalid-field", "/shipping_address/city", |m| address(m).city = CARD.into()),
            ("invalid-field", "/shipping_address/region", |m| address(m).region = CARD.into()),
            ("invalid-field", "/shipping_address/postal_code", |m| {
                address(m).postal_code = "4242424242424242".into()
            }),
            ("invalid-field", "/email", |m| m.email = "4242-4242-4242-4242@example.com".into()),
            ("invalid-field", "/payment_method", |m| m.payment_method = CARD.into()),
            ("invalid-field", "/payment_method", |m| m.payment_method = format!("tok_{CARD}")),
            ("invalid-field", "/payment_method", |m| m.payment_method = "1234 5678 9015".into()),
            ("invalid-field", "/expected_total/amount_minor", |m| m.expected_total = total(-1, "GBP")),
            ("invalid-field", "/expected_total/currency", |m| m.expected_total = total(1, "gbp")),
            ("invalid-field", "/expected_total/currency", |m| m.expected_total = total(1, "")),
        ];
        for (slug, field, edit) in cases {
            let problem = CheckoutRequest::check(edited(edit)).err().expect(field);
            assert_eq!((problem.kind().slug, problem.field()), (slug, Some(field)));
            assert!(!problem.detail().contains("4242"), "{}", problem.detail());
        }
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let cases: [Edit; 8] = [
            |m| m.cart_id = "x".repeat(64),
            |m| m.customer_id = "ß".repeat(64),
            |m| address(m).name = "x".repeat(200),
            |m| address(m).postal_code.clear(),
            |m| m.shipping_method = "x".repeat(64),
            |m| m.payment_method = "x".repeat(255),
            |m| m.expected_total = total(0, "GBP"),
            |m| m.expected_total = total(i64::MAX, "GBP"),
        ];
        for edit in cases {
            if let Err(problem) = CheckoutRequest::check(edited(edit)) {
                panic!("{:?}: {}", problem.field(), problem.detail());
            }
        }
    }

    #[test]
    fn each_field_counts_in_the_hash_and_the_key_and_the_wait_do_not() {
        let hash = |m| CheckoutRequest::check(m).ok().unwrap().hash();
        let different: [Edit; 16] = [
            |_| {},
            |m| m.cart_id = "cart-2".into(),
            |m| m.customer_id = "17850".into(),
            |m| m.email = "bob@example.com".into(),
            |m| address(m).name = "Bob".into(),
            |m| address(m).line1 = "13 St James's Square".into(),
            |m| address(m).line2 = "Flat 2".into(),
            |m| address(m).city = "Leeds".into(),
            |m| address(m).region = "Flat 2".into(),
            |m| address(m).postal_code = "LS1 1AA".into(),
            |m| address(m).country = "IE".into(),
            |m| m.shipping_method = "express".into(),
            |m| m.payment_method = "tok_declined".into(),
            |m| m.expected_total = total(0, "GBP"),
            |m| m.expected_total = total(1, "GBP"),
            |m| m.expected_total = total(1, "EUR"),
        ];
        let hashes: BTreeSet<_> = different.iter().map(|edit| hash(edited(*edit))).collect();
        assert_eq!(hashes.len(), different.len());

        let same: [Edit; 2] = [|m| m.idempotency_key = "k".into(), |m| m.wait_seconds = 30];
        for edit in same {
            assert_eq!(hash(edited(edit)), hash(message()));
        }
    }

    #[test]
    fn a_value_cannot_move_into_its_neighbour() {
        let split = |a: &str, b: &str| {
            let mut hash = Canonical::new("t");
            hash.text(a);
            hash.text(b);
            hash.finish()
        };
        assert_ne!(split("ab", "c"), split("a", "bc"));
        assert_ne!(split("ab", ""), split("", "ab"));
    }

    #[test]
    fn a_payment_token_does_not_print() {
        let token = PaymentToken("tok_secret".into());
        assert!(!format!("{token:?}").contains("secret"));
    }
}
