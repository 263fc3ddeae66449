//! The images that others make: what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::Texts;
use crate::file::{Compose, Service};
use crate::roles::Role;

/// Image, the ports it listens on, the program of its healthcheck.
const STOCK: [(&str, &[u16], &str); 4] = [
    ("postgres", &[5432], "pg_isready"),
    ("redis", &[6379], "redis-cli"),
    ("apache/kafka", &[9092, 9093], "/opt/kafka/bin/kafka-broker-api-versions.sh"),
    ("axllent/mailpit", &[1025, 8025], "/mailpit"),
];

pub(crate) fn ports(service: &Service) -> BTreeSet<u16> {
    let known = known(service);
    known.map(|(_, ports, _)| ports.iter().copied().collect()).unwrap_or_default()
}

fn known(service: &Service) -> Option<(&'static str, &'static [u16], &'static str)> {
    let name = service.image.split(':').next()?;
    STOCK.into_iter().find(|(image, _, _)| *image == name)
}

pub(crate) fn check(
    compose: &Compose,
    roles: &BTreeMap<&str, Role>,
    texts: &Texts,
    faults: &mut Vec<String>,
) {
    for (name, service) in compose.services.iter().filter(|(_, service)| !service.is_ours()) {
        let tag = service.image.split_once(':').map(|(_, tag)| tag);
        if tag.is_none_or(|tag| !tag.starts_with(|first: char| first.is_ascii_digit() || first == 'v')) {
            faults.push(format!("{name}: {} has no version", service.image));
        }
        let Some((_, _, program)) = known(service) else {
            faults.push(format!("{name}: nothing is known of the image {}", service.image));
            continue;
        };
        let asked = service.healthcheck.as_ref().and_then(|check| check.test.get(1));
        if asked.is_some_and(|asked| asked != program) {
            faults.push(format!("{name}: its healthcheck is not {program}"));
        }
    }
    // The tests' Kafka is the one that is run.
    let version = between(&texts.kafka, "<kafka.version>", "</kafka.version>");
    let kafka = compose.services.get("kafka").map(|kafka| kafka.image.as_str());
    if kafka.and_then(|image| image.split(':').nth(1)) != Some(version) {
        faults.push(format!("kafka: {} is tested, and not {}", version, kafka.unwrap_or("none")));
    }
    faults.extend(postgres(compose, roles));
    faults.extend(kafka_listens(compose));
}

/// Every database URL has the user and the password that the server is given, and the name of the owner's database.
fn postgres(compose: &Compose, roles: &BTreeMap<&str, Role>) -> Vec<String> {
    let Some(server) = compose.services.get("postgres").map(Service::environment) else {
        return vec!["postgres: there is none".to_owned()];
    };
    let told = |name: &str| server.get(name).cloned().unwrap_or_default();
    let (user, password, database) = (told("POSTGRES_USER"), told("POSTGRES_PASSWORD"), told("POSTGRES_DB"));
    let server = format!("postgres://{user}:{password}@postgres:5432/{database}");
    let wrong = roles.iter().filter(|(name, role)| {
        let expected = match role.verb.as_str() {
            "migrate" | "relay" => server.clone(),
            owner => format!("{server}_{owner}"),
        };
        let environment = compose.services[**name].environment();
        environment.get("BACKSTITCH_DATABASE_URL") != Some(&expected)
    });
    wrong.map(|(name, _)| format!("{name}: its database URL is not that of its database")).collect()
}

/// What Kafka tells its clients is where it listens.
fn kafka_listens(compose: &Compose) -> Option<String> {
    let kafka = compose.services.get("kafka")?.environment();
    let port = |variable: &str| {
        let listeners = kafka.get(variable)?.split(',').map(str::to_owned).collect::<Vec<_>>();
        let plain = listeners.into_iter().find(|listener| listener.starts_with("PLAINTEXT://"))?;
        Some(plain.rsplit(':').next()?.to_owned())
    };
    let (listens, tells) = (port("KAFKA_LISTENERS"), port("KAFKA_ADVERTISED_LISTENERS"));
    (listens.is_none() || listens != tells)
        .then(|| format!("kafka: listens on {listens:?}, and tells its clients {tells:?}"))
}

pub(crate) fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before).and_then(|(_, rest)| rest.split_once(after)).map_or("", |(found, _)| found)
}
