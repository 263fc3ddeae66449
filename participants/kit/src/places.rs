//! Places where a participant can be killed on the way of a call; `place:capture_payment/do` is one's whole name.

use backstitch_failpoint::{Label, hit_of};
use backstitch_proto::contract::CallMeta;

/// A place that a call reaches.
pub(crate) fn reach(place: &str, call: &CallMeta) {
    hit_of(place, || name(call));
}

/// For places that are reached when the call itself is gone.
pub(crate) fn label(call: &CallMeta) -> Label {
    Label::new(|| vec![name(call)])
}

fn name(call: &CallMeta) -> String {
    format!("{}/{}", call.step, call.op)
}
