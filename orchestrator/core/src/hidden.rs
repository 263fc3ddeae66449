//! How inputs, requests and instructions print: by their length.
//!
//! They are bytes here, and a checkout's have a payment token in them, or what lets somebody act as the customer. Whoever
//! has the token can pay with it, and what derives `Debug` ends in a log sooner or later.

use std::fmt;

use bytes::Bytes;

use crate::saga::Start;
use crate::table::Call;

/// Prints the length of bytes and nothing else of them.
pub struct Hidden<'a>(pub &'a [u8]);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*** ({} bytes)", self.0.len())
    }
}

/// What a customer has to do, encoded. Does not print: who has it can act as the customer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Instructions(pub Bytes);

impl fmt::Debug for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hidden(&self.0).fmt(f)
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { definition, version, fingerprint, input, deadline, traceparent, root } = self;
        f.debug_struct("Start")
            .field("definition", definition)
            .field("version", version)
            .field("fingerprint", fingerprint)
            .field("input", &Hidden(input))
            .field("deadline", deadline)
            .field("traceparent", traceparent)
            .field("root", root)
            .finish()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, op, attempt, request, timeout, after } = self;
        f.debug_struct("Call")
            .field("step", step)
            .field("op", op)
            .field("attempt", attempt)
            .field("request", &Hidden(request))
            .field("timeout", timeout)
            .field("after", after)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::{Entry, Op, Outcome, Record, StepId, Timestamp, Waiting};

    #[test]
    fn what_a_customer_has_to_do_prints_its_length() {
        let next_action = Instructions(TOKEN);
        hides(&Outcome::Pending { next_action: next_action.clone() });
        hides(&Waiting { next_action: next_action.clone(), until: Timestamp(0) });
        let step = StepId::new(0).unwrap();
        hides(&Record::StepWaiting { step, next_action, until: Timestamp(0) });
    }

    const TOKEN: Bytes = Bytes::from_static(b"tok_canary_42");

    fn hides(message: &dyn fmt::Debug) {
        for printed in [format!("{message:?}"), format!("{message:#?}")] {
            assert!(!printed.contains("canary") && printed.contains("*** (13 bytes)"), "{printed}");
        }
    }

    #[test]
    fn what_has_an_input_or_a_request_prints_its_length() {
        let start = Start {
            definition: "checkout".to_owned(),
            version: 1,
            fingerprint: Bytes::new(),
            input: TOKEN,
            deadline: Timestamp(0),
            traceparent: String::new(),
            root: Uuid::nil(),
        };
        hides(&start);
        hides(&Entry { at: Timestamp(0), record: Record::Started(Box::new(start)) });
        let call = Call {
            step: StepId::new(0).unwrap(),
            op: Op::Do,
            attempt: 1,
            request: TOKEN,
            timeout: Duration::from_secs(1),
            after: 1,
        };
        hides(&call);
    }
}
