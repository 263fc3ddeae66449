//! How messages with a payment token in them print: without it.
//!
//! Whoever has the token can pay with it, and what derives `Debug` ends in a log sooner or later. build.rs leaves the
//! derived one out for exactly these messages.

use std::fmt;

use crate::checkout::{CheckoutInput, StartCheckoutRequest};
use crate::journal::Started;
use crate::payment::AuthorizeRequest;

/// What is printed instead.
const HIDDEN: fmt::Arguments<'static> = format_args!("***");

impl fmt::Debug for AuthorizeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { payment_id, amount, payment_method: _, order_id } = self;
        f.debug_struct("AuthorizeRequest")
            .field("payment_id", payment_id)
            .field("amount", amount)
            .field("payment_method", &HIDDEN)
            .field("order_id", order_id)
            .finish()
    }
}

impl fmt::Debug for StartCheckoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            idempotency_key,
            cart_id,
            customer_id,
            email,
            shipping_address,
            shipping_method,
            payment_method: _,
            expected_total,
            wait_seconds,
        } = self;
        f.debug_struct("StartCheckoutRequest")
            .field("idempotency_key", idempotency_key)
            .field("cart_id", cart_id)
            .field("customer_id", customer_id)
            .field("email", email)
            .field("shipping_address", shipping_address)
            .field("shipping_method", shipping_method)
            .field("payment_method", &HIDDEN)
            .field("expected_total", expected_total)
            .field("wait_seconds", wait_seconds)
            .finish()
    }
}

impl fmt::Debug for CheckoutInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cart_id,
            cart_version,
            customer_id,
            email,
            shipping_address,
            shipping_method,
            payment_method: _,
            expected_total,
            items,
            subtotal,
            weight_grams,
        } = self;
        f.debug_struct("CheckoutInput")
            .field("cart_id", cart_id)
            .field("cart_version", cart_version)
            .field("customer_id", customer_id)
            .field("email", email)
            .field("shipping_address", shipping_address)
            .field("shipping_method", shipping_method)
            .field("payment_method", &HIDDEN)
            .field("expected_total", expected_total)
            .field("items", items)
            .field("subtotal", subtotal)
            .field("weight_grams", weight_grams)
            .finish()
    }
}

/// A saga's input is bytes here, and a checkout's has the token in it.
impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { definition, version, fingerprint, input, deadline_unix_ms, traceparent, root } = self;
        f.debug_struct("Started")
            .field("definition", definition)
            .field("version", version)
            .field("fingerprint", fingerprint)
            .field("input", &format_args!("*** ({} bytes)", input.len()))
            .field("deadline_unix_ms", deadline_unix_ms)
            .field("traceparent", traceparent)
            .field("root", root)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::journal::{Record, record::Kind};

    const CANARY: &str = "tok_canary_42";

    /// Prints in both forms, finds no token, and finds what is not secret.
    fn hides(message: &dyn fmt::Debug) {
        for printed in [format!("{message:?}"), format!("{message:#?}")] {
            assert!(!printed.contains("canary"), "{printed}");
            assert!(printed.contains("***") && printed.contains("not secret"), "{printed}");
        }
    }

    #[test]
    fn an_authorize_request_hides_its_token() {
        let message = AuthorizeRequest {
            payment_method: CANARY.into(),
            order_id: "not secret".into(),
            ..Default::default()
        };
        hides(&message);
        hides(&Some(message.clone()));
        let printed = format!("{message:?}");
        assert!(printed.contains("payment_method: ***, order_id"), "{printed}");
    }

    #[test]
    fn a_start_request_hides_its_token() {
        hides(&StartCheckoutRequest {
            payment_method: CANARY.into(),
            cart_id: "not secret".into(),
            ..Default::default()
        });
    }

    #[test]
    fn a_checkout_s_input_hides_its_token_and_so_does_the_journal() {
        let input = CheckoutInput {
            payment_method: CANARY.into(),
            cart_id: "not secret".into(),
            ..Default::default()
        };
        hides(&input);
        let started = Started {
            definition: "not secret".into(),
            input: input.encode_to_vec().into(),
            ..Default::default()
        };
        hides(&Record { at_unix_ms: 0, kind: Some(Kind::Started(started)) });
    }

    /// A new message with a token has to come to this file.
    #[test]
    fn no_other_message_has_a_payment_method() {
        let described = prost_types::FileDescriptorSet::decode(crate::DESCRIPTORS).unwrap();
        let mut named: Vec<String> = described
            .file
            .iter()
            .flat_map(|file| &file.message_type)
            .filter(|message| message.field.iter().any(|field| field.name() == "payment_method"))
            .map(|message| message.name().to_owned())
            .collect();
        named.sort_unstable();
        assert_eq!(named, ["AuthorizeRequest", "CheckoutInput", "StartCheckoutRequest"]);
    }
}
