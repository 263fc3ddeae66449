//! What is read of a Stripe event: its id, its kind, and which payment object it is about. Nothing else in it is believed.

use participant_kit::text;
use serde::Deserialize;
use serde_json::Value;

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
    /// Read only as far as it says which payment it is about; some kinds have none.
    #[serde(default)]
    data: Value,
}

/// The payment object that the object of an event is, or belongs to; empty if it is none of the kind.
fn payment_of(object: &Value) -> &str {
    let id = match (&object["object"], &object["payment_intent"]) {
        (Value::String(kind), _) if kind == "payment_intent" => &object["id"],
        // Charges, refunds, disputes: by its id, or with it whole.
        (_, Value::Object(intent)) => intent.get("id").unwrap_or(&Value::Null),
        (_, intent) => intent,
    };
    id.as_str().unwrap_or_default()
}

impl Event {
    /// Reads a body; the words say what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body).map_err(|error| format!("no Stripe event: {error}"))?;
        let object = payment_of(&wire.data["object"]).to_owned();
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
            (r#"{"id":"dp_1","object":"dispute","charge":"ch_1","payment_intent":"pi_1"}"#, "pi_1"),
            (r#"{"id":"re_1","object":"refund","payment_intent":null}"#, ""),
            (r#"{"id":"cus_1","object":"customer"}"#, ""),
            (r#"{"id":7,"object":"payment_intent"}"#, ""),
            (r#"{"object":"charge","payment_intent":{"amount":3}}"#, ""),
            ("{}", ""),
            ("null", ""),
            ("[1]", ""),
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
    fn an_event_without_an_object_is_one_about_nothing() {
        for data in
            ["", r#","data":null"#, r#","data":{}"#, r#","data":"pi_1""#, r#","related_object":{"id":"x"}"#]
        {
            let event = Event::parse(format!(r#"{{"id":"evt_1","type":"x.y"{data}}}"#).as_bytes()).unwrap();
            assert_eq!((event.id.as_str(), event.object.as_str()), ("evt_1", ""), "{data}");
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
