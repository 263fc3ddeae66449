//! Versions of definitions, over the operator's API of an orchestrator that is running.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use http::{Method, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::say;
use crate::client::Connection;

/// List versions of definitions, and switch them on or off for new sagas.
#[derive(Clone, Debug, Args)]
pub(crate) struct DefinitionsArgs {
    #[command(subcommand)]
    verb: Verb,
    /// The HTTP API of any orchestrator of the shop.
    #[arg(long, global = true, env = "BACKSTITCH_SERVER", value_name = "URL")]
    #[arg(default_value = "http://127.0.0.1:8080", value_parser = server)]
    server: String,
    /// One JSON document instead of the text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Verb {
    /// Every version: whether new sagas start with it, who can run it, how many sagas are in flight.
    List,
    /// Let new sagas start with a version; the highest one that is on is taken. Refused until every live node has it.
    SwitchOn(Choice),
    /// Start no new sagas with a version. Those in flight stay with it.
    SwitchOff(Choice),
}

#[derive(Clone, Debug, Args)]
struct Choice {
    /// Name of the definition, e.g. checkout.
    name: String,
    /// Which version.
    version: u32,
    /// Why; goes on record.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// A version, as the API tells it.
#[derive(Debug, Deserialize)]
struct Version {
    name: String,
    version: u32,
    on: bool,
    switched: Option<Switching>,
    nodes: Vec<Node>,
    in_flight: u64,
}

#[derive(Debug, Deserialize)]
struct Switching {
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Node {
    node: String,
}

/// Asks, and prints the answer; a refusal is an error that says what lacks.
pub(crate) async fn run(args: DefinitionsArgs) -> anyhow::Result<ExitCode> {
    let (method, path, body) = match &args.verb {
        Verb::List => (Method::GET, "/operator/v1/definitions".to_owned(), Bytes::new()),
        Verb::SwitchOn(choice) => choice.request(true),
        Verb::SwitchOff(choice) => choice.request(false),
    };
    let mut connection = Connection::open(&args.server).await.with_context(|| {
        format!("no orchestrator answers at http://{}; start one, or name it with --server", args.server)
    })?;
    let (status, answer) = connection.send(method, &path, &[], body).await?;
    let answer: Value = serde_json::from_slice(&answer)
        .with_context(|| format!("http://{}{path} answered {status}, and no JSON", args.server))?;
    if !status.is_success() {
        let word = |key: &str| answer[key].as_str().unwrap_or_default();
        bail!("{} {} {}", status.as_u16(), word("title"), word("detail"));
    }
    if args.json {
        say(&serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    let versions = match answer {
        Value::Object(mut all) if all.contains_key("definitions") => all["definitions"].take(),
        one => Value::Array(vec![one]),
    };
    say(&table(&serde_json::from_value::<Vec<Version>>(versions)?));
    Ok(ExitCode::SUCCESS)
}

impl Choice {
    fn request(&self, on: bool) -> (Method, String, Bytes) {
        let (name, version) = (segment(&self.name), self.version);
        let path = format!("/operator/v1/definitions/{name}/versions/{version}");
        (Method::POST, path, json!({ "on": on, "reason": self.reason }).to_string().into())
    }
}

/// Columns as wide as what is in them.
fn table(versions: &[Version]) -> String {
    let mut rows = vec![["NAME", "VERSION", "NEW SAGAS", "IN FLIGHT", "NODES", "REASON"].map(str::to_owned)];
    rows.extend(versions.iter().map(|version| {
        let state = match (&version.switched, version.on) {
            (_, true) => "on",
            (Some(_), false) => "off",
            (None, false) => "dark",
        };
        let nodes: Vec<&str> = version.nodes.iter().map(|node| node.node.as_str()).collect();
        let nodes = if nodes.is_empty() { "none".to_owned() } else { nodes.join(",") };
        let reason = version.switched.as_ref().map(|switched| switched.reason.clone());
        [
            version.name.clone(),
            version.version.to_string(),
            state.to_owned(),
            version.in_flight.to_string(),
            nodes,
            reason.unwrap_or_default(),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text as one segment of a path.
fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

/// `host:port` of an `http://` URL without a path.
fn server(text: &str) -> Result<String, String> {
    let uri: Uri = text.parse().map_err(|e| format!("it is no URL: {e}"))?;
    if uri.scheme_str() != Some("http") {
        return Err("it must begin with http://; the API speaks no TLS itself".to_owned());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err("give it without a path, e.g. http://127.0.0.1:8080".to_owned());
    }
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err("it takes no user or password".to_owned()),
        Some(authority) => Ok(match authority.port() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        }),
        None => Err("it has no host".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_url_with_a_host() {
        assert_eq!(server("http://127.0.0.1:8080"), Ok("127.0.0.1:8080".to_owned()));
        assert_eq!(server("http://shop/"), Ok("shop:80".to_owned()));
        for bad in
            ["shop:80", "127.0.0.1:8080", "https://shop", "http://shop/operator", "http://a:b@shop", ""]
        {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(segment("check/out é"), "check%2Fout%20%C3%A9");
    }

    #[test]
    fn a_table_is_as_wide_as_what_is_in_it() {
        let version = |version, on, reason: Option<&str>, nodes: &[&str]| Version {
            name: "checkout".into(),
            version,
            on,
            switched: reason.map(|reason| Switching { reason: reason.into() }),
            nodes: nodes.iter().map(|node| Node { node: (*node).into() }).collect(),
            in_flight: 3,
        };
        let versions = [
            version(1, true, Some("the first"), &["a", "b"]),
            version(2, false, Some("too slow"), &[]),
            version(10, false, None, &["a"]),
        ];
        let told = "NAME      VERSION  NEW SAGAS  IN FLIGHT  NODES  REASON
checkout  1        on         3          a,b    the first
checkout  2        off        3          none   too slow
checkout  10       dark       3          a";
        assert_eq!(table(&versions), told);
    }
}
