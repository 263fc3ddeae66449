//! Idempotency keys.

use std::collections::HashMap;

use crate::answer::Answer;
use crate::refusal::Refusal;

/// How long a key is remembered.
const LIFE: i64 = 24 * 3600;
/// How long a key may be.
const LONGEST: usize = 255;

/// What a key was used for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Use {
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
}

#[derive(Debug)]
struct Entry {
    begun: i64,
    used: Use,
    /// `None` while the call goes on.
    answer: Option<Answer>,
}

/// All keys.
#[derive(Debug, Default)]
pub(crate) struct Keys(HashMap<String, Entry>);

impl Keys {
    /// Whether a call with `key` may go on; else what is answered in its place.
    pub(crate) fn begin(&mut self, key: &str, used: Use, now: i64) -> Result<(), Answer> {
        if key.len() > LONGEST {
            let message = format!("Idempotency keys are at most {LONGEST} characters long");
            return Err(Answer::refusal(&Refusal::new(400, "invalid_request_error", None, message)));
        }
        self.0.retain(|_, entry| entry.begun + LIFE > now);
        let Some(entry) = self.0.get(key) else {
            self.0.insert(key.to_owned(), Entry { begun: now, used, answer: None });
            return Ok(());
        };
        if entry.used != used {
            let message = format!(
                "Keys for idempotent requests can only be used with the same endpoint and parameters they were first \
                 used with. Try using a key other than '{key}' if you meant to execute a different request."
            );
            return Err(Answer::refusal(&Refusal::new(400, "idempotency_error", None, message)));
        }
        match &entry.answer {
            Some(answer) => Err(answer.clone().again()),
            None => Err(Answer::refusal(&in_use(key))),
        }
    }

    /// Remembers the answer.
    pub(crate) fn store(&mut self, key: &str, answer: &Answer) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.answer = Some(answer.clone());
        }
    }

    /// Forgets a call that came to nothing.
    pub(crate) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }
}

pub(crate) fn in_use(key: &str) -> Refusal {
    let message =
        format!("There is currently another in-progress request using the key '{key}'; try again later.");
    Refusal::new(409, "idempotency_error", Some("idempotency_key_in_use"), message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn used(amount: &str) -> Use {
        let parameters = vec![("amount".to_owned(), amount.to_owned())];
        Use { path: "/v1/refunds".to_owned(), parameters }
    }

    #[test]
    fn a_key_answers_again_for_a_day_and_no_second_more() {
        let mut keys = Keys::default();
        assert!(keys.begin("k", used("1"), 0).is_ok());
        assert_eq!(keys.begin("k", used("1"), 1).unwrap_err().status, 409);
        keys.store("k", &Answer::json(&json!(7)));
        let again = keys.begin("k", used("1"), LIFE - 1).unwrap_err();
        assert!(again.status == 200 && again.replayed);
        assert_eq!(keys.begin("k", used("2"), LIFE - 1).unwrap_err().status, 400);
        assert!(keys.begin("k", used("2"), LIFE).is_ok());
    }

    #[test]
    fn a_call_that_came_to_nothing_leaves_its_key_free() {
        let mut keys = Keys::default();
        assert!(keys.begin("k", used("1"), 0).is_ok());
        keys.forget("k");
        assert!(keys.begin("k", used("2"), 0).is_ok());
    }

    #[test]
    fn a_key_has_at_most_255_characters() {
        let mut keys = Keys::default();
        assert!(keys.begin(&"k".repeat(255), used("1"), 0).is_ok());
        assert_eq!(keys.begin(&"k".repeat(256), used("1"), 0).unwrap_err().status, 400);
    }
}
