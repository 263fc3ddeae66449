//! What can be wrong with a request, as every face tells it.
//!
//! One table: a kind of problem has a stable name, an HTTP status and a gRPC code, and a sentence that says what to do
//! about it. The HTTP face renders it as RFC 9457, the gRPC face as a status with `google.rpc` details. A problem
//! means that nothing was written.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;
use tonic::Code;

/// A kind of problem. Its name never changes its meaning.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The last segment of the `type` URI: `/problems/{slug}`.
    pub(crate) slug: &'static str,
    /// HTTP status.
    pub(crate) status: u16,
    /// gRPC status code.
    pub(crate) code: Code,
    /// The same sentence for every occurrence.
    pub(crate) title: &'static str,
    /// What it means and what to do next.
    pub(crate) meaning: &'static str,
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.slug == other.slug
    }
}

macro_rules! kinds {
    ($($name:ident = $slug:literal $status:literal $code:ident $title:literal $meaning:literal;)*) => {
        /// The kinds, by name.
        pub(crate) mod kind {
            use super::{Code, Kind};
            $(
                #[doc = $meaning]
                pub(crate) static $name: Kind =
                    Kind { slug: $slug, status: $status, code: Code::$code, title: $title, meaning: $meaning };
            )*
        }
        /// Every kind there is, in the order of the documentation.
        pub(crate) static ALL: &[&Kind] = &[$(&kind::$name),*];
    };
}

kinds! {
    MALFORMED_JSON = "malformed-json" 400 InvalidArgument
        "The body is not JSON."
        "The body could not be parsed; `detail` says where. Correct it and send it again.";
    WRONG_TYPE = "wrong-type" 400 InvalidArgument
        "A field has the wrong type."
        "`field` points at a value of another JSON type than the one `detail` asks for.";
    MISSING_FIELD = "missing-field" 400 InvalidArgument
        "A required field is missing."
        "`field` points at what has to be there.";
    UNKNOWN_FIELD = "unknown-field" 400 InvalidArgument
        "A field is not known here, or is there twice."
        "Fields are never ignored, so that a misspelt optional one is noticed. `field` points at it.";
    INVALID_ID = "invalid-id" 400 InvalidArgument
        "An id is not a UUID."
        "`field` names the parameter; it must be a UUID in the hyphenated form.";
    INVALID_PARAMETER = "invalid-parameter" 400 InvalidArgument
        "A parameter of the path or the query cannot be used."
        "`field` names the parameter, `detail` says what is possible.";
    MISSING_HEADER = "missing-header" 400 InvalidArgument
        "A required header is missing."
        "`field` names the header.";
    INVALID_HEADER = "invalid-header" 400 InvalidArgument
        "A header cannot be used."
        "`field` names the header, `detail` says what is possible.";
    INVALID_FIELD = "invalid-field" 422 InvalidArgument
        "A field has a value that cannot be."
        "`field` points at a value of the right type that is out of range or malformed; `detail` says what is possible.";
    BODY_TIMEOUT = "body-timeout" 408 DeadlineExceeded
        "The body did not arrive in time."
        "Send it again.";
    BODY_TOO_LARGE = "body-too-large" 413 ResourceExhausted
        "The body is too large."
        "A body may have 1 MiB (1 048 576 bytes).";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type" 415 InvalidArgument
        "The body is announced as something else than JSON."
        "Send `Content-Type: application/json`, or none.";
    UNKNOWN_PATH = "unknown-path" 404 Unimplemented
        "There is nothing at this path."
        "`/openapi.json` lists the paths that there are.";
    METHOD_NOT_ALLOWED = "method-not-allowed" 405 Unimplemented
        "The path does not have this method."
        "The header `Allow` lists the methods that it has.";
    UNKNOWN_PROBLEM = "unknown-problem" 404 NotFound
        "There is no such kind of problem."
        "`/problems` lists the kinds that there are.";
    UNKNOWN_PRODUCT = "unknown-product" 404 NotFound
        "There is no such product."
        "`field` names the parameter that has the SKU.";
    UNKNOWN_CART = "unknown-cart" 404 NotFound
        "There is no such cart."
        "It was never put, was deleted, or has expired. Put it again.";
    UNKNOWN_CHECKOUT = "unknown-checkout" 404 NotFound
        "There is no such checkout."
        "Nothing was accepted under this id, or it is past its retention.";
    UNKNOWN_RETURN = "unknown-return" 404 NotFound
        "There is no such return."
        "Nothing was accepted under this id, or it is past its retention.";
    UNKNOWN_ORDER = "unknown-order" 404 NotFound
        "There is no such order."
        "An order exists from the moment its checkout created it.";
    UNKNOWN_SAGA = "unknown-saga" 404 NotFound
        "There is no such saga."
        "Nothing was accepted under this id, or it is past its retention.";
    UNKNOWN_CASE = "unknown-case" 404 NotFound
        "There is no such case."
        "A case is opened when a refund fails after it had been reported as done. `/operator/v1/cases` lists them.";
    UNKNOWN_DEFINITION = "unknown-definition" 404 NotFound
        "There is no such version of a definition."
        "No node has ever announced it. `/operator/v1/definitions` lists those that there are.";
    UNKNOWN_SKU = "unknown-sku" 422 FailedPrecondition
        "The cart has something that is not sold here."
        "`sku` is no product. Take it out of the cart or put the product first.";
    EMPTY_CART = "empty-cart" 422 FailedPrecondition
        "The cart is empty."
        "Put something into it before checking it out.";
    MIXED_CURRENCIES = "mixed-currencies" 422 FailedPrecondition
        "The cart mixes currencies."
        "All products of a checkout have one currency; `currencies` lists those found.";
    CURRENCY_MISMATCH = "currency-mismatch" 422 FailedPrecondition
        "The expected total has another currency than the cart."
        "The cart's is in `currency`.";
    TOTAL_TOO_LARGE = "total-too-large" 422 FailedPrecondition
        "The total cannot be counted."
        "Amounts are 64-bit minor units. Split the cart.";
    CUSTOMER_MISMATCH = "customer-mismatch" 422 FailedPrecondition
        "The cart is another customer's."
        "Leave `customer_id` out or name the cart's own.";
    KEY_REUSED = "key-reused" 422 AlreadyExists
        "The idempotency key was used with another request."
        "A key stands for one request. `checkout_id` or `return_id` is what it started; use a new key for a new attempt.";
    KEY_GIVEN_UP = "key-given-up" 409 Aborted
        "The idempotency key was given up."
        "It was deleted before anything was started with it, and never starts anything again. Use a new key.";
    CART_IN_CHECKOUT = "cart-in-checkout" 409 FailedPrecondition
        "The cart is being checked out."
        "`Location` and `checkout_id` say by which checkout. Wait for it, or cancel it.";
    TOO_LATE_TO_CANCEL = "too-late-to-cancel" 409 FailedPrecondition
        "The checkout can no longer be cancelled."
        "The capture of its payment has begun or it has completed; it only goes forward. Once it has ended, its order can be returned.";
    MOVED_ON = "moved-on" 409 Aborted
        "The saga has moved on since you looked."
        "`decided_on` is the record that the decision was made on, `seq` the last one now. Look again, and decide again.";
    NOT_PARKED = "not-parked" 409 FailedPrecondition
        "Nothing of the saga is parked."
        "There is nothing to set going again: it goes on by itself, or it has ended.";
    NOTHING_TO_RETURN = "nothing-to-return" 409 FailedPrecondition
        "There is nothing to return."
        "Only a checkout whose payment was captured can be made good. Before that it can be cancelled, or resumed.";
    BEING_MADE_GOOD = "being-made-good" 409 FailedPrecondition
        "A return makes the saga good."
        "`return_id` names it. Nothing else is done about the saga until it has ended.";
    NOT_SETTLED = "not-settled" 409 FailedPrecondition
        "The saga has not ended, or may not have."
        "`saga_id` is live or parked, or unknown and younger than sagas are kept. What it has made is its own until it has ended.";
    ENDED = "ended" 409 FailedPrecondition
        "The saga has ended."
        "Nothing is written on it any more.";
    FULL_OF_NOTES = "full-of-notes" 409 ResourceExhausted
        "The saga takes no more notes."
        "Read those that it has, and settle it: resume, cancel or make it good. What else there is to say goes into the reason of that, which is on record too.";
    NOT_EVERYWHERE = "not-everywhere" 409 FailedPrecondition
        "Not every live node can run this version."
        "`nodes` lists those that cannot: deploy it there, or stop them. One that died is waited for until it has been silent for a minute.";
    ALREADY_ACKNOWLEDGED = "already-acknowledged" 409 FailedPrecondition
        "The finding is acknowledged already, for another reason."
        "`detail` says by whom and why. Take that back first, if it is not so.";
    NOT_ACKNOWLEDGED = "not-acknowledged" 404 NotFound
        "The finding is not acknowledged."
        "It never was, or that was taken back. `backstitch reconcile` tells findings with their ids.";
    UNREADABLE = "unreadable" 409 FailedPrecondition
        "The saga cannot be read whole."
        "A record of it does not decode here, or its definition is not here, so nothing can be done with it. Its bytes are kept; `/operator/v1/sagas/{id}` shows what there is.";
    CONFLICT = "conflict" 409 Aborted
        "The change conflicts with another one."
        "Read the current state and decide again.";
    PRECONDITION_REQUIRED = "precondition-required" 428 FailedPrecondition
        "A correction of stock needs `If-Match`."
        "Read the product, and send its ETag as `If-Match`, so that the correction counts from what you saw.";
    PRECONDITION_FAILED = "precondition-failed" 412 FailedPrecondition
        "The product has changed since you read it."
        "Read it again, and decide again.";
    BUSY = "busy" 429 ResourceExhausted
        "There is too much to do right now."
        "Nothing was accepted. Send the same request again after `Retry-After` seconds.";
    STORAGE_FULL = "storage-full" 507 ResourceExhausted
        "The store is full."
        "Nothing was accepted. What was accepted before goes on as soon as there is room again.";
    UNAVAILABLE = "unavailable" 503 Unavailable
        "A part that is needed does not answer, or does not serve us."
        "`part` names it. Send the same request, with the same key, again.";
    NOT_READY = "not-ready" 503 Unavailable
        "Not ready for new work."
        "`detail` says why. `/readyz` lists every part with trouble in `parts`.";
    PARTICIPANT_BROKEN = "participant-broken" 502 Internal
        "A participant gave an answer that cannot be."
        "`part` names it. A person has to look; nothing was written.";
    INTERNAL = "internal" 500 Internal
        "A bug."
        "Nothing is known about the request's effect. Send the same request, with the same key, again, and report it.";
}

/// One occurrence of a kind of problem.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: &'static Kind,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    location: Option<String>,
    extras: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem of this kind; `detail` is about this occurrence.
    pub(crate) fn new(kind: &'static Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts {
            kind,
            detail,
            field: None,
            retry_after: None,
            location: None,
            extras: Vec::new(),
        }))
    }

    /// Names the offending field: a JSON pointer (`/items/3/sku`; empty: the whole body), a header or a parameter.
    #[must_use]
    pub(crate) fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Says when to try again.
    #[must_use]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Says where the thing is that the request collided with.
    #[must_use]
    pub(crate) fn location(mut self, path: String) -> Self {
        self.0.location = Some(path);
        self
    }

    /// Adds a fact that a program may use; said again, the last one counts.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.extras.retain(|(said, _)| *said != name);
        self.0.extras.push((name, value.into()));
        self
    }

    /// The kind.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.0.kind
    }

    /// About this occurrence.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What it is about.
    pub(crate) fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// When to try again, where that helps.
    pub(crate) fn after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Where the request collided.
    pub(crate) fn place(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// Facts beside the sentence.
    pub(crate) fn extras(&self) -> &[(&'static str, Value)] {
        &self.0.extras
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_slug_of_its_own_and_an_error_status() {
        let slugs: BTreeSet<_> = ALL.iter().map(|k| k.slug).collect();
        assert_eq!(slugs.len(), ALL.len());
        for kind in ALL {
            assert!(kind.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", kind.slug);
            assert!((400..600).contains(&kind.status), "{}", kind.slug);
            assert_ne!(kind.code, Code::Ok, "{}", kind.slug);
            assert!(kind.title.ends_with('.') && kind.meaning.ends_with('.'), "{}", kind.slug);
        }
    }
}
