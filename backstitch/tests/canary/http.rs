//! Every text that `/openapi.json` describes, one at a time, in a request that is otherwise as it should be.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::common::{Shop, with};

/// What a request with the canary in it was answered.
pub(crate) struct Tried {
    /// Head and body.
    pub(crate) said: String,
    /// Whether it was in a place that is described, and refused there.
    pub(crate) is_a_place: bool,
}

/// A request without any canary.
#[derive(Clone)]
struct Route<'a> {
    shop: &'a Shop,
    method: Method,
    path: String,
    /// Of the path: name, value.
    segments: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

impl Route<'_> {
    fn request(&self) -> RequestBuilder {
        let mut url = reqwest::Url::parse(&self.shop.url("/")).unwrap();
        let value = |segment: &str| {
            let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            let found = name.and_then(|name| self.segments.iter().find(|(known, _)| known == name));
            found.map_or_else(|| segment.to_owned(), |(_, value)| value.clone())
        };
        url.path_segments_mut().unwrap().clear().extend(self.path.split('/').skip(1).map(value));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let request = self.shop.request(self.method.clone(), "/");
        let (client, mut built) = request.build_split();
        *built.as_mut().unwrap().url_mut() = url;
        let request = RequestBuilder::from_parts(client, built.unwrap());
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        match &self.body {
            None => request,
            Some(body) => request.json(body),
        }
    }
}

/// What anybody may say beside a request, whatever it is.
const BESIDE: [&str; 8] = [
    "User-Agent",
    "Authorization",
    "X-Request-Id",
    "tracestate",
    "baggage",
    "Last-Event-ID",
    "Accept-Language",
    "Cookie",
];

/// Sends the canary in each place; insists that it is refused at each that is described.
pub(crate) async fn tries(shop: &Shop, canary: &str) -> Vec<Tried> {
    let description = shop.get("/openapi.json").await.ok().body;
    let mut tried = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            let parameters = [&item["parameters"], &operation["parameters"]];
            let parameters: Vec<_> = parameters
                .iter()
                .flat_map(|list| list.as_array().into_iter().flatten())
                .map(|parameter| resolve(&description, parameter))
                .collect();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let body = (!schema.is_null()).then(|| sample(&description, schema, ""));
            let method = method.to_uppercase().parse().unwrap();
            let mut route = Route {
                shop,
                method,
                path: path.clone(),
                segments: Vec::new(),
                query: Vec::new(),
                headers: Vec::new(),
                body,
            };
            for parameter in &parameters {
                let name = parameter["name"].as_str().unwrap().to_owned();
                let value = match sample(&description, &parameter["schema"], &name) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                match (parameter["in"].as_str().unwrap(), parameter["required"] == true) {
                    ("path", _) => route.segments.push((name, value)),
                    ("header", true) => route.headers.push((name, value)),
                    ("query", true) => route.query.push((name, value)),
                    _ => {}
                }
            }
            described(&mut tried, &route, &description, &parameters, schema, canary).await;
            beside(&mut tried, &route, canary).await;
        }
    }
    tried
}

/// In each described place.
async fn described(
    tried: &mut Vec<Tried>,
    route: &Route<'_>,
    description: &Value,
    parameters: &[&Value],
    schema: &Value,
    canary: &str,
) {
    let replaced = |pairs: &[(String, String)], name: &str, value: String| {
        let mut pairs: Vec<_> = pairs.iter().filter(|(known, _)| known != name).cloned().collect();
        pairs.push((name.to_owned(), value));
        pairs
    };
    for parameter in parameters.iter().filter(|parameter| is_text(description, &parameter["schema"])) {
        let name = parameter["name"].as_str().unwrap();
        let mut route = route.clone();
        match parameter["in"].as_str().unwrap() {
            "path" => route.segments = replaced(&route.segments, name, canary.to_owned()),
            "query" => route.query = replaced(&route.query, name, canary.to_owned()),
            _ if name == "If-Match" => {
                route.headers = replaced(&route.headers, name, format!("\"{canary}\""))
            }
            _ => route.headers = replaced(&route.headers, name, canary.to_owned()),
        }
        // A preference that cannot be read is none.
        let refused_at = (name != "Prefer").then_some(name);
        tried.push(sent(&route, refused_at).await);
    }
    let mut pointers = Vec::new();
    texts(description, schema, String::new(), &mut pointers);
    for pointer in pointers {
        let body = with(route.body.clone().unwrap(), &pointer, json!(canary));
        let route = Route { body: Some(body), ..route.clone() };
        tried.push(sent(&route, Some(&pointer)).await);
    }
    if let Some(body) = &route.body {
        let body = with(body.clone(), &format!("/{canary}"), json!(1));
        tried.push(sent(&Route { body: Some(body), ..route.clone() }, Some("/…")).await);
    }
}

/// Where nothing is described.
async fn beside(tried: &mut Vec<Tried>, route: &Route<'_>, canary: &str) {
    for name in BESIDE {
        let mut route = route.clone();
        route.headers.push((name.to_owned(), canary.to_owned()));
        tried.push(sent(&route, None).await);
    }
    let digits: String = canary.chars().filter(char::is_ascii_digit).collect();
    let mut traced = route.clone();
    traced.headers.push(("traceparent".to_owned(), format!("00-{}-{digits}-01", crate::TRACE)));
    tried.push(sent(&traced, None).await);
    let mut asked = route.clone();
    asked.query.push((canary.to_owned(), canary.to_owned()));
    tried.push(sent(&asked, None).await);
    let elsewhere = Route { path: format!("{}/{canary}", route.path), ..route.clone() };
    tried.push(sent(&elsewhere, None).await);
    let request = route.request();
    for (media_type, body) in [
        ("application/json", format!("{{\"name\": {canary} }}")),
        ("application/json", format!("{canary}\u{0}")),
        (canary, "{}".to_owned()),
    ] {
        let request = request.try_clone().unwrap().header("Content-Type", media_type).body(body);
        tried.push(answered(request).await);
    }
}

/// Sends it; insists that it is refused there, if there is such a place.
async fn sent(route: &Route<'_>, refused_at: Option<&str>) -> Tried {
    let tried = answered(route.request()).await;
    let Some(field) = refused_at else { return tried };
    let (status, body) = tried.said.split_once('\n').unwrap();
    let place = format!("\"field\":{}", json!(field));
    let is_a_place = status.contains(" 4") && body.contains(&place);
    assert!(is_a_place, "{} {} should refuse {field}: {}", route.method, route.path, tried.said);
    Tried { is_a_place, ..tried }
}

/// Sends a request and reads the answer; of a stream of events what is there at once.
pub(crate) async fn answered(request: RequestBuilder) -> Tried {
    let mut response = request.send().await.unwrap();
    let mut said = format!("HTTP {}\n{:?}\n", response.status(), response.headers());
    let endless = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    while let Some(part) = response.chunk().await.unwrap() {
        said.push_str(&String::from_utf8_lossy(&part));
        if endless {
            break;
        }
    }
    Tried { said, is_a_place: false }
}

fn resolve<'a>(description: &'a Value, node: &'a Value) -> &'a Value {
    match node["$ref"].as_str() {
        None => {
            match node["allOf"].get(0).or_else(|| node["anyOf"].get(0)).or_else(|| node["oneOf"].get(0)) {
                None => node,
                Some(first) => resolve(description, first),
            }
        }
        Some(reference) => resolve(description, description.pointer(&reference[1..]).unwrap()),
    }
}

fn kind_of(schema: &Value) -> &str {
    schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default()
}

fn is_text(description: &Value, schema: &Value) -> bool {
    kind_of(resolve(description, schema)) == "string"
}

/// A value that is accepted at a place of this name.
fn sample(description: &Value, schema: &Value, name: &str) -> Value {
    let schema = resolve(description, schema);
    match (kind_of(schema), name) {
        (_, "sku") => json!("A"),
        (_, "cart_id") => json!("cart"),
        (_, "name") if schema["maxLength"] == 255 => json!("checkout"),
        ("string", _) if schema["examples"].is_array() => schema["examples"][0].clone(),
        ("string", _) if schema["enum"].is_array() => schema["enum"][0].clone(),
        ("string", _) => match (schema["format"].as_str(), schema["pattern"].as_str()) {
            (Some("uuid"), _) => json!("01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90"),
            (Some("email"), _) => json!("ada@example.com"),
            (_, Some("^[A-Z]{2}$")) => json!("GB"),
            (_, Some("^[A-Z]{3}$")) => json!("GBP"),
            _ => json!("words"),
        },
        ("integer", _) => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
        ("boolean", _) => json!(true),
        ("array", _) => json!([sample(description, &schema["items"], "")]),
        ("object", _) => {
            let members = schema["properties"].as_object().unwrap().iter();
            members.map(|(name, schema)| (name.clone(), sample(description, schema, name))).collect()
        }
        (other, _) => panic!("no sample of {other} for {name}: {schema}"),
    }
}

/// Pointers to every text of a body.
fn texts(description: &Value, schema: &Value, at: String, found: &mut Vec<String>) {
    let schema = resolve(description, schema);
    match kind_of(schema) {
        "string" => found.push(at),
        "array" => texts(description, &schema["items"], format!("{at}/0"), found),
        "object" => {
            for (name, schema) in schema["properties"].as_object().unwrap() {
                texts(description, schema, format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}
