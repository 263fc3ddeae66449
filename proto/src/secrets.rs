//! How messages print that have a payment token in them, or what a customer has to do: without it.
//!
//! Whoever has the token can pay with it, whoever has a client secret or the address of a bank's page can act as the
//! customer, and what derives `Debug` ends in a log sooner or later. build.rs leaves the derived one out for exactly these
//! messages.

use std::fmt;

use crate::checkout::{CheckoutInput, NextAction, StartCheckoutRequest};
use crate::journal::{Started, StepWaiting};
use crate::payment::{AuthorizeRequest, CustomerAction};

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

impl fmt::Debug for CustomerAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, url: _, client_secret: _ } = self;
        f.debug_struct("CustomerAction")
            .field("kind", kind)
            .field("url", &HIDDEN)
            .field("client_secret", &HIDDEN)
            .finish()
    }
}

impl fmt::Debug for NextAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, url: _, client_secret: _, until_unix_ms } = self;
        f.debug_struct("NextAction")
            .field("kind", kind)
            .field("url", &HIDDEN)
            .field("client_secret", &HIDDEN)
            .field("until_unix_ms", until_unix_ms)
            .finish()
    }
}

/// What the customer has to do is bytes here.
impl fmt::Debug for StepWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, next_action, until_unix_ms } = self;
        f.debug_struct("StepWaiting")
            .field("step", step)
            .field("next_action", &format_args!("*** ({} bytes)", next_action.len()))
            .field("until_unix_ms", until_unix_ms)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::checkout::Checkout;
    use crate::journal::{Record, record::Kind};
    use crate::payment::{AuthorizeResponse, authorize_response};

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

    #[test]
    fn what_a_customer_has_to_do_is_hidden_wherever_it_is_in() {
        let (url, client_secret) = (format!("https://bank/?s={CANARY}"), CANARY.to_owned());
        let action = CustomerAction { kind: "not secret".into(), url, client_secret };
        hides(&action);
        let pending = authorize_response::Result::Pending(action.clone());
        hides(&AuthorizeResponse { payment_id: String::new(), result: Some(pending) });
        let CustomerAction { kind, url, client_secret } = action.clone();
        let shown = NextAction { kind, url, client_secret, until_unix_ms: 7 };
        hides(&shown);
        hides(&Checkout { next_action: Some(shown), ..Default::default() });
        let waiting = StepWaiting { step: 7, next_action: action.encode_to_vec().into(), until_unix_ms: 7 };
        let printed = format!("{:?}", Record { at_unix_ms: 0, kind: Some(Kind::StepWaiting(waiting)) });
        let bytes = format!("{:?}", action.encode_to_vec());
        assert!(
            !printed.contains("canary") && !printed.contains(bytes.trim_matches(['[', ']'])),
            "{printed}"
        );
    }

    /// A new message with a secret has to come to this file.
    #[test]
    fn no_other_message_has_a_secret() {
        let described = prost_types::FileDescriptorSet::decode(crate::DESCRIPTORS).unwrap();
        let named = |secret: &str| {
            let messages = described.file.iter().flat_map(|file| &file.message_type);
            let with = messages.filter(|message| message.field.iter().any(|field| field.name() == secret));
            let mut named: Vec<_> = with.map(|message| message.name().to_owned()).collect();
            named.sort_unstable();
            named
        };
        assert_eq!(named("payment_method"), ["AuthorizeRequest", "CheckoutInput", "StartCheckoutRequest"]);
        assert_eq!(named("client_secret"), ["CustomerAction", "NextAction"]);
        assert_eq!(named("next_action"), ["Checkout", "StepWaiting"]);
    }
}
