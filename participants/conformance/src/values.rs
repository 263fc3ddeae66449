//! Placeholders: what stands in a profile for ids and names that differ from trial to trial.

use std::collections::BTreeMap;

use backstitch_proto::ids::derived;
use toml::{Table, Value};
use uuid::Uuid;

/// What the placeholders of one trial stand for: `{saga}`, `{unique}`, `{id:NAME}`, and what was saved.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    saga: Uuid,
    /// Tells trials of one saga apart.
    salt: String,
    saved: BTreeMap<String, String>,
}

impl Values {
    /// Those of a saga; another salt gives another set of ids and names.
    pub(crate) fn new(saga: Uuid, salt: &str) -> Self {
        Self { saga, salt: salt.to_owned(), saved: BTreeMap::new() }
    }

    /// From now on `{name}` stands for `value`.
    pub(crate) fn save(&mut self, name: &str, value: String) {
        self.saved.insert(name.to_owned(), value);
    }

    /// A request as JSON, with every placeholder replaced.
    pub(crate) fn request(&self, table: &Table) -> Result<serde_json::Value, String> {
        let fields = table.iter().map(|(key, value)| Ok((key.clone(), self.json(value)?)));
        Ok(serde_json::Value::Object(fields.collect::<Result<_, String>>()?))
    }

    fn json(&self, value: &Value) -> Result<serde_json::Value, String> {
        Ok(match value {
            Value::String(text) => self.text(text)?.into(),
            Value::Integer(n) => (*n).into(),
            Value::Float(f) => (*f).into(),
            Value::Boolean(b) => (*b).into(),
            Value::Array(items) => {
                items.iter().map(|item| self.json(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Table(table) => self.request(table)?,
            Value::Datetime(at) => at.to_string().into(),
        })
    }

    /// A text with every placeholder replaced.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) =
                after.split_once('}').ok_or_else(|| format!("`{text}` has a {{ without a }}"))?;
            filled.push_str(before);
            filled.push_str(&self.value(name)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value(&self, name: &str) -> Result<String, String> {
        if let Some(thing) = name.strip_prefix("id:") {
            return Ok(derived(self.saga, &format!("{thing}{}", self.salt)).to_string());
        }
        match name {
            "saga" => Ok(self.saga.to_string()),
            "unique" => Ok(derived(self.saga, &format!("unique{}", self.salt)).simple().to_string()),
            saved => self.saved.get(saved).cloned().ok_or_else(|| {
                let known: String = self.saved.keys().map(|name| format!(", {{{name}}}")).collect();
                format!("{{{saved}}} stands for nothing; there are {{saga}}, {{unique}}, {{id:NAME}}{known}")
            }),
        }
    }
}

/// `base` with the fields of `over` in place of its own.
pub(crate) fn overlaid(base: &Table, over: &Table) -> Table {
    let mut table = base.clone();
    table.extend(over.clone());
    table
}

/// The value at `path` in a message told as JSON: names and indexes with dots between, `#` for how many. Empty behind the
/// end of a list.
pub(crate) fn at_path(message: &serde_json::Value, path: &str) -> Result<String, String> {
    let mut at = message;
    for part in path.split('.') {
        if part == "#" {
            let items = at.as_array().ok_or_else(|| format!("`{path}` counts what is no list"))?;
            return Ok(items.len().to_string());
        }
        let next = match part.parse::<usize>() {
            Ok(index) if at.as_array().is_some_and(|items| items.len() <= index) => return Ok(String::new()),
            Ok(index) => at.get(index),
            Err(_) => at.get(part),
        };
        at = next.ok_or_else(|| format!("the answer has no `{path}`: {message}"))?;
    }
    Ok(match at {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let mut values = Values::new(Uuid::from_u128(7), "");
        values.save("version", "3".into());
        values
    }

    #[test]
    fn placeholders_are_replaced_wherever_text_stands() {
        let table: Table =
            "id = \"{saga}\"\nversion = \"{version}\"\nlines = [{ sku = \"x-{unique}\", n = 2 }]"
                .parse()
                .unwrap();
        let request = values().request(&table).unwrap();
        assert_eq!(request["id"], Uuid::from_u128(7).to_string());
        assert_eq!(request["version"], "3");
        assert_eq!(request["lines"][0]["n"], 2);
        assert!(request["lines"][0]["sku"].as_str().unwrap().len() == 34);
        assert!(values().text("{versoin}").unwrap_err().contains("{version}"));
        assert!(values().text("{saga").is_err());
    }

    #[test]
    fn another_salt_of_the_same_saga_is_another_thing() {
        let other = Values::new(Uuid::from_u128(7), "#2");
        assert_ne!(values().text("{id:order}"), other.text("{id:order}"));
        assert_eq!(values().text("{saga}"), other.text("{saga}"));
    }

    #[test]
    fn paths_reach_into_lists_and_count_them() {
        let message = serde_json::json!({ "items": [{ "quantity": "3" }, { "quantity": 4 }], "open": true });
        assert_eq!(at_path(&message, "items.0.quantity").as_deref(), Ok("3"));
        assert_eq!(at_path(&message, "items.1.quantity").as_deref(), Ok("4"));
        assert_eq!(at_path(&message, "items.#").as_deref(), Ok("2"));
        assert_eq!(at_path(&message, "open").as_deref(), Ok("true"));
        assert_eq!(at_path(&message, "items.2.quantity").as_deref(), Ok(""));
        assert!(at_path(&message, "items.0.amount").is_err() && at_path(&message, "open.#").is_err());
        assert!(at_path(&message, "open.0").is_err());
    }
}
