//! The compose file: what of its language is used here, and no more. Anything else is an error, so a misspelt key is.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct Compose {
    #[serde(rename = "name")]
    _name: String,
    pub(crate) services: BTreeMap<String, Service>,
    #[serde(default)]
    pub(crate) volumes: BTreeMap<String, Option<Value>>,
    /// Pieces to be repeated, whose names begin with `x-`.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) image: String,
    pub(crate) build: Option<Build>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    #[serde(default)]
    pub(crate) volumes: Vec<String>,
    #[serde(default)]
    pub(crate) depends_on: BTreeMap<String, Dependence>,
    pub(crate) healthcheck: Option<Healthcheck>,
    #[serde(default)]
    pub(crate) read_only: bool,
    #[serde(default, rename = "cap_drop")]
    _cap_drop: Vec<String>,
    #[serde(default, rename = "security_opt")]
    _security_opt: Vec<String>,
    #[serde(rename = "restart")]
    _restart: Option<String>,
    #[serde(rename = "stop_grace_period")]
    _stop_grace_period: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    pub(crate) context: String,
    pub(crate) dockerfile: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dependence {
    pub(crate) condition: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Healthcheck {
    pub(crate) test: Vec<String>,
    #[serde(rename = "interval")]
    _interval: String,
    #[serde(rename = "timeout")]
    _timeout: String,
    #[serde(rename = "retries")]
    _retries: u32,
    #[serde(rename = "start_period")]
    _start_period: String,
}

impl Compose {
    pub(crate) fn parse(text: &str, passwords: &str) -> Result<Self, String> {
        let text = filled(text, passwords)?;
        let compose: Self = serde_saphyr::from_str(&text).map_err(|e| format!("compose.yaml: {e}"))?;
        match compose.rest.keys().find(|key| !key.starts_with("x-")) {
            Some(key) => Err(format!("compose.yaml: `{key}` is nothing that is used here")),
            None => Ok(compose),
        }
    }
}

impl Service {
    /// Whether it runs the image that is built here.
    pub(crate) fn is_ours(&self) -> bool {
        self.build.is_some()
    }

    /// The environment, as text.
    pub(crate) fn environment(&self) -> BTreeMap<&str, String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.environment.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
    }
}

/// `text` with `${NAME:?}` replaced by what `passwords` says.
fn filled(text: &str, passwords: &str) -> Result<String, String> {
    let known = |name: &str| {
        let lines = passwords.lines().filter(|line| !line.starts_with('#'));
        let mut pairs = lines.filter_map(|line| line.split_once('='));
        pairs.find(|(key, value)| *key == name && !value.is_empty()).map(|(_, value)| value)
    };
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').ok_or("compose.yaml: `${` without `}`")?;
        // Without the mark an absent password would be an empty one.
        let name = name.strip_suffix(":?").ok_or_else(|| format!("`${{{name}}}` must be `${{{name}:?}}`"))?;
        filled += known(name).ok_or_else(|| format!("{name} is not in compose/.env"))?;
        filled += rest;
    }
    Ok(filled)
}
