//! What is read of a Stripe event: its id, its kind, and which payment object it is about. Nothing else in it is believed.

use participant_kit::text;
use serde::Deserialize;

/// The longest id or kind.
const CHARACTERS: usize = 255;

/// An event, as far as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    /// The provider's id of the payment object that is to be looked at; empty where the event is about none.
    pub(crate) object: String,
}

#[derive(Deserialize)]
struct Wire {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    object: Option<String>,
    #[serde(default)]
    payment_intent: Option<Intent>,
}

/// A payment intent as other objects name it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Intent {
    Id(String),
    Expanded { id: String },
}

impl Event {
    /// Reads a body; the words say what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| format!("no Stripe event: {error}"))?;
        let object = match (wire.data.object.object.as_deref(), wire.data.object.payment_intent) {
            (Some("payment_intent"), _) => wire.data.object.id.unwrap_or_default(),
            // Charges, refunds, disputes.
            (_, Some(Intent::Id(id) | Intent::Expanded { id })) => id,
            (_, None) => String::new(),
        };
        text::required(&wire.id, CHARACTERS).map_err(|why| format!("id {why}"))?;
        text::required(&wire.kind, CHARACTERS).map_err(|why| format!("type {why}"))?;
        text::optional(&object, CHARACTERS).map_err(|why| format!("the payment intent's id {why}"))?;
        Ok(Self { id: wire.id, kind: wire.kind, object })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_payment_it_is_about_in_whatever_object_it_carries() {
        for (object, expected) in [
            (r#"{"id":"pi_1","object":"payment_intent","status":"succeeded"}"#, "pi_1"),
            (r#"{"id":"ch_1","object":"charge","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"id":"re_1","object":"refund","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"id":"re_1","object":"refund","payment_intent":{"id":"pi_1","amount":3}}"#, "pi_1"),
            (r#"{"id":"re_1","object":"refund","payment_intent":null}"#, ""),
            (r#"{"id":"cus_1","object":"customer"}"#, ""),
            ("{}", ""),
        ] {
            let body = format!(r#"{{"id":"evt_1","type":"x.y","more":[1],"data":{{"object":{object}}}}}"#);
            let event = Event::parse(body.as_bytes()).unwrap();
            assert_eq!(
                (event.id.as_str(), event.kind.as_str(), event.object.as_str()),
                ("evt_1", "x.y", expected)
            );
        }
    }

    #[test]
    fn what_is_no_event_is_told_by_what_it_lacks() {
        let long = "x".repeat(CHARACTERS + 1);
        for (body, word) in [
            ("".to_owned(), "no Stripe event"),
            ("{".to_owned(), "no Stripe event"),
            ("[]".to_owned(), "no Stripe event"),
            (r#"{"type":"x","data":{"object":{}}}"#.to_owned(), "`id`"),
            (r#"{"id":"e","data":{"object":{}}}"#.to_owned(), "`type`"),
            (r#"{"id":"e","type":"x"}"#.to_owned(), "`data`"),
            (r#"{"id":"","type":"x","data":{"object":{}}}"#.to_owned(), "id must not be empty"),
            (r#"{"id":"a\u0000b","type":"x","data":{"object":{}}}"#.to_owned(), "control"),
            (format!(r#"{{"id":"{long}","type":"x","data":{{"object":{{}}}}}}"#), "at most 255"),
        ] {
            let why = Event::parse(body.as_bytes()).unwrap_err();
            assert!(why.contains(word), "{body}: {why}");
        }
        let most = "x".repeat(CHARACTERS);
        assert!(
            Event::parse(format!(r#"{{"id":"{most}","type":"x","data":{{"object":{{}}}}}}"#).as_bytes())
                .is_ok()
        );
    }
}
