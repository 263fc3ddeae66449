//! An HTTP answer, read whole.

use reqwest::header::HeaderMap;
use serde_json::Value;

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null if it has none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Ok(Self { status, headers, body })
    }

    /// The text at a JSON pointer; empty if there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a JSON pointer.
    pub(crate) fn int(&self, pointer: &str) -> i64 {
        self.body.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("{pointer} of {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Insists on a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }

    /// Insists on a problem of this kind about this field, in the form that RFC 9457 gives it.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, kind: &str, field: &str) {
        let told = (self.status, self.text("/type"), self.text("/field"));
        assert_eq!(told, (status, format!("/problems/{kind}").as_str(), field), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.int("/status"), i64::from(status));
        for sentence in [self.text("/title"), self.text("/detail")] {
            is_a_sentence(sentence);
        }
    }
}

/// Read by people, so written for them: one full stop, no doubled punctuation, no number that only a machine means.
#[track_caller]
fn is_a_sentence(text: &str) {
    assert!(text.ends_with('.') && text.len() > 10, "no sentence: {text:?}");
    for flaw in ["..", ".:", ": .", ",.", "  ", "9223372036854775807"] {
        assert!(!text.contains(flaw), "{flaw:?} in {text:?}");
    }
}
