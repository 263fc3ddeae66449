//! Properties of librdkafka that nobody sets from outside.
//!
//! Setting ours after theirs would not do: a property may have two names, and which of them librdkafka hears last is
//! nobody's choice.

/// Why a property is ours to set, and the way out; none if it is not.
pub(crate) fn reserved(property: &str) -> Option<&'static str> {
    match property {
        "bootstrap.servers" | "metadata.broker.list" => Some("the brokers are named by --kafka"),
        "test.mock.num.brokers" => Some("it would put other brokers in place of those of --kafka"),
        "message.timeout.ms" | "delivery.timeout.ms" => {
            Some("leases are reckoned with it; `backstitch relay` has --message-timeout")
        }
        "acks" | "request.required.acks" => Some("an event is published when all in-sync replicas have it"),
        "enable.idempotence"
        | "max.in.flight"
        | "max.in.flight.requests.per.connection"
        | "retries"
        | "message.send.max.retries"
        | "queuing.strategy"
        | "transactional.id" => Some("the order of events rests on an idempotent producer"),
        "delivery.report.only.error" => Some("an event is published when its acknowledgement is here"),
        "group.id"
        | "auto.offset.reset"
        | "enable.auto.commit"
        | "auto.commit.enable"
        | "enable.auto.offset.store" => Some("a consumer's place moves only after it has acted on a message"),
        _ => None,
    }
}
