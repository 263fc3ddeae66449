//! The HTTP face: one table of routes, and a file per noun that parses, calls and converts.

mod bench;
mod carts;
mod checkouts;
mod definitions;
mod measure;
mod operator;
mod ops;
mod orders;
pub(crate) mod parse;
mod problem;
mod products;
mod repairs;
mod reply;
mod returns;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;

pub use measure::describe;

/// Routes as they are added, so that the description of the API can be held to them.
struct Table {
    router: Router<Arc<App>>,
    listed: Vec<(&'static str, &'static str)>,
}

impl Table {
    fn get<H: Handler<T, Arc<App>>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("get", MethodFilter::GET, path, handler)
    }

    fn put<H: Handler<T, Arc<App>>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("put", MethodFilter::PUT, path, handler)
    }

    fn post<H: Handler<T, Arc<App>>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("post", MethodFilter::POST, path, handler)
    }

    fn delete<H: Handler<T, Arc<App>>, T: 'static>(self, path: &'static str, handler: H) -> Self {
        self.on("delete", MethodFilter::DELETE, path, handler)
    }

    fn on<H: Handler<T, Arc<App>>, T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        handler: H,
    ) -> Self {
        let measured = on(filter, handler).route_layer(measure::layer(method, path));
        self.router = self.router.route(path, measured);
        self.listed.push((method, path));
        self
    }
}

fn table(bench: bool) -> Table {
    let table = Table { router: Router::new(), listed: Vec::new() }
        .get("/api/v1/products", products::list)
        .get("/api/v1/products/{sku}", products::get)
        .put("/api/v1/products/{sku}", products::put)
        .get("/api/v1/carts/{cart_id}", carts::get)
        .put("/api/v1/carts/{cart_id}", carts::put)
        .delete("/api/v1/carts/{cart_id}", carts::delete)
        .post("/api/v1/checkouts", checkouts::start)
        .delete("/api/v1/checkouts", checkouts::give_up)
        .get("/api/v1/checkouts/{checkout_id}", checkouts::get)
        .get("/api/v1/checkouts/{checkout_id}/events", checkouts::events)
        .post("/api/v1/checkouts/{checkout_id}/cancel", checkouts::cancel)
        .post("/api/v1/checkouts/{checkout_id}/wake", checkouts::wake)
        .get("/api/v1/orders/{order_id}", orders::get)
        .post("/api/v1/orders/{order_id}/returns", returns::start)
        .get("/api/v1/returns/{return_id}", returns::get)
        .get("/operator/v1/sagas", operator::list)
        .get("/operator/v1/sagas/{saga_id}", operator::get)
        .post("/operator/v1/sagas/{saga_id}/resume", operator::resume)
        .post("/operator/v1/sagas/{saga_id}/notes", operator::note)
        .post("/operator/v1/sagas/{saga_id}/make-good", operator::make_good)
        .post("/operator/v1/repairs", repairs::start)
        .get("/operator/v1/cases", repairs::cases)
        .post("/operator/v1/cases/{case_id}/resolution", repairs::resolve)
        .get("/operator/v1/definitions", definitions::list)
        .post("/operator/v1/definitions/{name}/versions/{version}", definitions::switch)
        .get("/problems", problem::list)
        .get("/problems/{slug}", problem::get)
        .get("/healthz", ops::healthz)
        .get("/readyz", ops::readyz)
        .get("/metrics", ops::metrics)
        .get("/openapi.json", ops::openapi);
    if bench { table.post("/bench/v1/sagas", bench::start) } else { table }
}

/// Everything that the face answers.
pub(crate) fn router(app: Arc<App>) -> Router {
    let table = table(app.options.bench);
    table
        .router
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .with_state(app)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// With everything that can be offered.
    fn described() -> Value {
        serde_json::from_str(ops::description(true)).unwrap()
    }

    #[test]
    fn every_route_is_described_and_every_described_route_is_there() {
        for bench in [false, true] {
            let listed = table(bench).listed;
            let routes: BTreeSet<_> =
                listed.iter().map(|(method, path)| ((*path).to_owned(), (*method).to_owned())).collect();
            assert_eq!(routes.len(), listed.len());
            let description: Value = serde_json::from_str(ops::description(bench)).unwrap();
            let mut told = BTreeSet::new();
            for (path, item) in description["paths"].as_object().unwrap() {
                for method in item.as_object().unwrap().keys().filter(|k| *k != "parameters") {
                    told.insert((path.clone(), method.clone()));
                }
            }
            assert_eq!(routes, told, "bench: {bench}");
        }
    }

    #[test]
    fn what_is_described_beside_the_routes_is_used_by_them() {
        for bench in [false, true] {
            let text = ops::description(bench);
            let description: Value = serde_json::from_str(text).unwrap();
            for (group, members) in description["components"].as_object().unwrap() {
                for name in members.as_object().unwrap().keys() {
                    assert!(text.contains(&format!("#/components/{group}/{name}\"")), "{group}/{name}");
                }
            }
            for tag in description["tags"].as_array().unwrap() {
                assert!(text.contains(&format!("[{}]", tag["name"])), "{tag}");
            }
        }
    }

    #[test]
    fn every_parameter_of_a_path_is_described() {
        for (path, item) in described()["paths"].as_object().unwrap() {
            let named: BTreeSet<_> = path.split(['{', '}']).skip(1).step_by(2).map(str::to_owned).collect();
            let parameters = item.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            let told: BTreeSet<_> =
                parameters.iter().map(|p| resolve(p)["name"].as_str().unwrap().to_owned()).collect();
            assert_eq!(named, told, "{path}");
        }
    }

    /// Follows a `$ref` to its target, which must exist.
    fn resolve(node: &Value) -> Value {
        match node.get("$ref").and_then(Value::as_str) {
            None => node.clone(),
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap();
                described().pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere")).clone()
            }
        }
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        fn walk(node: &Value) {
            match node {
                Value::Object(members) => {
                    resolve(node);
                    members.values().for_each(walk);
                }
                Value::Array(nodes) => nodes.iter().for_each(walk),
                _ => {}
            }
        }
        walk(&described());
    }

    #[test]
    fn every_operation_says_what_it_does_and_what_errors_look_like() {
        for (path, item) in described()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap().iter().filter(|(k, _)| *k != "parameters") {
                assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{method} {path}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("default") || path == "/healthz", "{method} {path}");
            }
        }
    }
}
