//! Reading a JSON body strictly: unknown names and wrong types are refused with a pointer to the place.
//!
//! Knows JSON and pointers, and nothing of what the fields mean.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::fields;
use crate::problem::{Problem, kind};

/// A parsed value. Numbers that are no 64-bit integer stay opaque: there are no fractions in this API.
pub(crate) enum Node<'a> {
    Null,
    Bool(bool),
    Int(i64),
    OtherNumber,
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl Node<'_> {
    fn describe(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a boolean",
            Node::Int(_) => "a whole number",
            Node::OtherNumber => "a number that is no 64-bit integer",
            Node::Text(_) => "a string",
            Node::List(_) => "an array",
            Node::Object(_) => "an object",
        }
    }
}

/// Parses a body that is one JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Object<'_>, Problem> {
    let node = serde_json::from_slice::<Node<'_>>(body)
        .map_err(|e| Problem::new(&kind::MALFORMED_JSON, format!("The body is not JSON: {e}.")).at(""))?;
    Object::open(node, String::new())
}

/// An object whose members are taken one by one; what is left over at the end was not asked for.
pub(crate) struct Object<'a> {
    members: Vec<(Cow<'a, str>, Node<'a>)>,
    taken: Vec<&'static str>,
    at: String,
}

impl<'a> Object<'a> {
    /// Opens the value at pointer `at`.
    pub(crate) fn open(node: Node<'a>, at: String) -> Result<Self, Problem> {
        match node {
            Node::Object(members) => Ok(Self { members, taken: Vec::with_capacity(8), at }),
            other => Err(wrong_type(at, "an object", &other)),
        }
    }

    /// A required string.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<String, Problem> {
        match self.required(name)? {
            Node::Text(text) => Ok(text.into_owned()),
            other => Err(wrong_type(self.pointer(name), "a string", &other)),
        }
    }

    /// An optional string; absent, null and empty are one.
    pub(crate) fn optional_text(&mut self, name: &'static str) -> Result<String, Problem> {
        match self.optional(name) {
            None => Ok(String::new()),
            Some(Node::Text(text)) => Ok(text.into_owned()),
            Some(other) => Err(wrong_type(self.pointer(name), "a string", &other)),
        }
    }

    /// A required boolean.
    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, Problem> {
        match self.required(name)? {
            Node::Bool(is) => Ok(is),
            other => Err(wrong_type(self.pointer(name), "a boolean", &other)),
        }
    }

    /// A required whole number.
    pub(crate) fn int(&mut self, name: &'static str) -> Result<i64, Problem> {
        match self.required(name)? {
            Node::Int(n) => Ok(n),
            other => Err(wrong_type(self.pointer(name), "a whole number of at most 64 bits", &other)),
        }
    }

    /// A required object.
    pub(crate) fn object(&mut self, name: &'static str) -> Result<Object<'a>, Problem> {
        let node = self.required(name)?;
        Object::open(node, self.pointer(name))
    }

    /// An optional object; absent and null are one.
    pub(crate) fn optional_object(&mut self, name: &'static str) -> Result<Option<Object<'a>>, Problem> {
        self.optional(name).map(|node| Object::open(node, self.pointer(name))).transpose()
    }

    /// A required array of objects.
    pub(crate) fn objects(&mut self, name: &'static str) -> Result<Vec<Object<'a>>, Problem> {
        let node = self.required(name)?;
        self.open_all(name, node)
    }

    /// An array of objects that may be absent or null: then it is empty.
    pub(crate) fn optional_objects(&mut self, name: &'static str) -> Result<Vec<Object<'a>>, Problem> {
        match self.optional(name) {
            Some(node) => self.open_all(name, node),
            None => Ok(Vec::new()),
        }
    }

    fn open_all(&self, name: &'static str, node: Node<'a>) -> Result<Vec<Object<'a>>, Problem> {
        match node {
            Node::List(nodes) => {
                let at = self.pointer(name);
                let open = |(i, node)| Object::open(node, format!("{at}/{i}"));
                nodes.into_iter().enumerate().map(open).collect()
            }
            other => Err(wrong_type(self.pointer(name), "an array", &other)),
        }
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let Some((name, _)) = self.members.first() else { return Ok(()) };
        let short = fields::unknown(name);
        let detail = if self.taken.contains(&name.as_ref()) {
            format!("`{short}` is there twice.")
        } else {
            format!("`{short}` is not known here; known are {}.", self.taken.join(", "))
        };
        let pointer = format!("{}/{}", self.at, short.replace('~', "~0").replace('/', "~1"));
        Err(Problem::new(&kind::UNKNOWN_FIELD, detail).at(pointer))
    }

    fn required(&mut self, name: &'static str) -> Result<Node<'a>, Problem> {
        self.optional(name).ok_or_else(|| {
            Problem::new(&kind::MISSING_FIELD, format!("`{name}` is missing.")).at(self.pointer(name))
        })
    }

    fn optional(&mut self, name: &'static str) -> Option<Node<'a>> {
        self.taken.push(name);
        let position = self.members.iter().position(|(n, _)| n == name)?;
        // `remove` and not `swap_remove`: the first leftover that is reported should be the first in the body.
        match self.members.remove(position).1 {
            Node::Null => None,
            node => Some(node),
        }
    }

    fn pointer(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }
}

fn wrong_type(at: String, wanted: &str, found: &Node<'_>) -> Problem {
    let detail = format!("It must be {wanted}, but is {}.", found.describe());
    Problem::new(&kind::WRONG_TYPE, detail).at(at)
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(is))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Node::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(n).map_or(Node::OtherNumber, Node::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Node::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = map.next_key::<Name<'de>>()? {
            members.push((name.0, map.next_value()?));
        }
        Ok(Node::Object(members))
    }
}

/// A member's name, borrowed where it has no escapes (`Cow` by itself always copies).
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NodeVisitor.text(deserializer)? {
            Node::Text(text) => Ok(Name(text)),
            other => Err(serde::de::Error::custom(other.describe())),
        }
    }
}

impl NodeVisitor {
    fn text<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problem(read: impl FnOnce(&mut Object<'_>) -> Result<(), Problem>, body: &str) -> (String, String) {
        let result = object(body.as_bytes()).and_then(|mut o| {
            read(&mut o)?;
            o.finish()
        });
        let problem = result.expect_err(body);
        (problem.kind().slug.to_owned(), problem.field().expect(body).to_owned())
    }

    fn read(o: &mut Object<'_>) -> Result<(), Problem> {
        o.text("name")?;
        o.optional_text("note")?;
        o.int("count")?;
        let mut price = o.object("price")?;
        price.int("amount_minor")?;
        price.finish()?;
        for mut item in o.objects("items")? {
            item.text("sku")?;
            item.finish()?;
        }
        Ok(())
    }

    #[test]
    fn a_problem_points_at_the_place() {
        let cases = [
            // body                                                                           kind             field
            ("", "malformed-json", ""),
            ("{", "malformed-json", ""),
            ("{} {}", "malformed-json", ""),
            (r#"{"name":"\ud800"}"#, "malformed-json", ""),
            ("[]", "wrong-type", ""),
            ("7", "wrong-type", ""),
            ("{}", "missing-field", "/name"),
            (r#"{"name":null}"#, "missing-field", "/name"),
            (r#"{"name":7}"#, "wrong-type", "/name"),
            (r#"{"name":"a","note":true}"#, "wrong-type", "/note"),
            (r#"{"name":"a","count":"7"}"#, "wrong-type", "/count"),
            (r#"{"name":"a","count":7.0}"#, "wrong-type", "/count"),
            (r#"{"name":"a","count":9223372036854775808}"#, "wrong-type", "/count"),
            (r#"{"name":"a","count":7,"price":[]}"#, "wrong-type", "/price"),
            (r#"{"name":"a","count":7,"price":{}}"#, "missing-field", "/price/amount_minor"),
            (r#"{"name":"a","count":7,"price":{"amount_minor":1,"x":2}}"#, "unknown-field", "/price/x"),
            (r#"{"name":"a","count":7,"price":{"amount_minor":1},"items":{}}"#, "wrong-type", "/items"),
            (r#"{"name":"a","count":7,"price":{"amount_minor":1},"items":[1]}"#, "wrong-type", "/items/0"),
            (
                r#"{"name":"a","count":7,"price":{"amount_minor":1},"items":[{"sku":"a"},{"sku":"b","sku":"c"}]}"#,
                "unknown-field",
                "/items/1/sku",
            ),
            (
                r#"{"a/~b":0,"name":"a","count":7,"price":{"amount_minor":1},"items":[]}"#,
                "unknown-field",
                "/a~1~0b",
            ),
        ];
        for (body, slug, field) in cases {
            assert_eq!(problem(read, body), (slug.to_owned(), field.to_owned()), "{body}");
        }
    }

    #[test]
    fn the_largest_numbers_and_escaped_names_are_read() {
        let body = r#"{"c\u006funt":9223372036854775807,"name":"\u00e9\n"}"#;
        let mut o = object(body.as_bytes()).unwrap();
        assert_eq!(o.int("count").unwrap(), i64::MAX);
        assert_eq!(o.text("name").unwrap(), "é\n");
        assert!(o.finish().is_ok());
    }

    #[test]
    fn nesting_without_end_is_refused_and_not_followed() {
        let body = "[".repeat(100_000);
        let problem = object(body.as_bytes()).err().unwrap();
        assert_eq!(problem.kind().slug, "malformed-json");
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_read_or_refused_with_a_reason(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let read = object(&body).and_then(|mut o| {
                read(&mut o)?;
                o.finish()
            });
            if let Err(problem) = read {
                prop_assert!(problem.kind().status == 400 && !problem.detail().is_empty());
                prop_assert!(problem.field().is_some(), "{}", problem.detail());
            }
        }

        #[test]
        fn any_json_is_read_or_refused_at_a_place_that_is_a_pointer(body in json(4)) {
            if let Err(problem) = object(body.as_bytes()).and_then(|mut o| read(&mut o).and_then(|()| o.finish())) {
                let field = problem.field().unwrap();
                prop_assert!(field.is_empty() || field.starts_with('/'), "{field}");
                prop_assert_ne!(problem.kind().slug, "malformed-json");
            }
        }
    }

    /// Objects whose members often have the names that are read here.
    fn json(depth: u32) -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            Just("true".to_owned()),
            any::<i64>().prop_map(|n| n.to_string()),
            "[a-z ]{0,8}".prop_map(|text| format!("\"{text}\"")),
        ];
        leaf.prop_recursive(depth, 32, 5, |inner| {
            let name =
                prop_oneof!["name", "note", "count", "price", "amount_minor", "items", "sku", "[a-z/~]{1,5}"];
            let member = (name, inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
            prop_oneof![
                prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
                prop::collection::vec(inner, 0..4).prop_map(|nodes| format!("[{}]", nodes.join(","))),
            ]
        })
    }
}
