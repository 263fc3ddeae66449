//! How a saga to start and a call to make print: without their bytes, which may have a payment token in them.

use std::fmt;

use backstitch_core::Hidden;

use crate::dispatch::Dispatch;
use crate::start::NewRun;

impl fmt::Debug for NewRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, root, definition, scope, key, request_hash: _, input, traceparent } = self;
        f.debug_struct("NewRun")
            .field("id", id)
            .field("root", root)
            .field("definition", definition)
            .field("scope", scope)
            .field("key", key)
            .field("input", &Hidden(input))
            .field("traceparent", traceparent)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            saga,
            root,
            definition,
            step,
            participant,
            action,
            op,
            attempt,
            request,
            timeout,
            traceparent,
            oldest_unfinished_ms,
        } = self;
        f.debug_struct("Dispatch")
            .field("saga", saga)
            .field("root", root)
            .field("definition", definition)
            .field("step", step)
            .field("participant", participant)
            .field("action", action)
            .field("op", op)
            .field("attempt", attempt)
            .field("request", &Hidden(request))
            .field("timeout", timeout)
            .field("traceparent", traceparent)
            .field("oldest_unfinished_ms", oldest_unfinished_ms)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use backstitch_core::Op;
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;

    const TOKEN: Bytes = Bytes::from_static(b"tok_canary_42");

    #[test]
    fn neither_prints_its_bytes() {
        let run = NewRun {
            id: Uuid::nil(),
            root: None,
            definition: "checkout".to_owned(),
            scope: String::new(),
            key: Some("k".to_owned()),
            request_hash: [0; 32],
            input: TOKEN,
            traceparent: String::new(),
        };
        let call = Dispatch {
            saga: Uuid::nil(),
            root: Uuid::nil(),
            definition: "checkout",
            step: "authorize_payment",
            participant: "payment",
            action: "Authorize",
            op: Op::Do,
            attempt: 1,
            request: TOKEN,
            timeout: Duration::from_secs(1),
            traceparent: String::new(),
            oldest_unfinished_ms: None,
        };
        for printed in [format!("{run:?}"), format!("{run:#?}"), format!("{call:?}"), format!("{call:#?}")] {
            assert!(!printed.contains("canary") && printed.contains("*** (13 bytes)"), "{printed}");
        }
    }
}
