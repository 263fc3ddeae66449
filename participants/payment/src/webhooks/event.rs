//! What is read of a Stripe event: its id, its kind, and which payment object it is about. Nothing else in it is believed,
//! and nothing in it is repeated to whoever sent it: what is wrong is told by its place.

use backstitch_proto::cards;
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    id: Value,
    #[serde(rename = "type")]
    kind: Value,
    /// Read only as far as it says which payment it is about; some kinds have none.
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

/// A text that is kept and shown, so it bears no card number.
fn kept(text: &str) -> Result<String, String> {
    text::optional(text, CHARACTERS)?;
    if cards::is_one_in(text) {
        return Err("must not hold a card number".into());
    }
    Ok(text.to_owned())
}

/// A field that every event has.
fn named(value: &Value) -> Result<String, String> {
    match value {
        Value::Null => Err("is missing".into()),
        Value::String(text) => kept(text::required(text, CHARACTERS)?),
        _ => Err("must be a text".into()),
    }
}

impl Event {
    /// Reads a body; the words say what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        // The parser's own words would quote what it found.
        let wire: Wire = serde_json::from_slice(body)
            .map_err(|error| format!("no Stripe event: line {}, column {}", error.line(), error.column()))?;
        Ok(Self {
            id: named(&wire.id).map_err(|why| format!("no Stripe event: `id` {why}"))?,
            kind: named(&wire.kind).map_err(|why| format!("no Stripe event: `type` {why}"))?,
            object: kept(payment_of(&wire.data["object"]))
                .map_err(|why| format!("the payment intent's id {why}"))?,
        })
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
            (r#"{"id":"","type":"x","data":{"object":{}}}"#.to_owned(), "`id` must not be empty"),
            (r#"{"id":7,"type":"x"}"#.to_owned(), "`id` must be a text"),
            (r#"{"id":"e","type":["x"]}"#.to_owned(), "`type` must be a text"),
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

    #[test]
    fn no_card_number_is_kept_or_repeated() {
        let number = "4929135792468013";
        for body in [
            format!(r#""{number}""#),
            number.to_string(),
            format!("{{{number}"),
            format!(r#"{{"id":{number},"type":"x"}}"#),
            format!(r#"{{"id":["{number}"],"type":"x"}}"#),
            format!(r#"{{"id":"evt_{number}","type":"x"}}"#),
            format!(r#"{{"id":"e","type":"{number}"}}"#),
            format!(r#"{{"id":"e","type":{{"{number}":1}}}}"#),
            format!(r#"{{"id":"e","id":"{number}","type":"x"}}"#),
            format!(r#"{{"id":"e","type":"x","data":{{"object":{{"payment_intent":"{number}"}}}}}}"#),
        ] {
            let why = Event::parse(body.as_bytes()).unwrap_err();
            assert!(!why.contains(number), "{why}");
        }
    }
}
