//! What services say about each other: addresses, ports, volumes, the order of starting.

use std::collections::{BTreeMap, BTreeSet};

use backstitch_proto::services::PARTICIPANTS;

use crate::file::{Compose, Service};
use crate::roles::Role;
use crate::stock;

pub(crate) fn check(compose: &Compose, roles: &BTreeMap<&str, Role>, faults: &mut Vec<String>) {
    for (name, service) in &compose.services {
        let ports = ports(name, service, roles);
        for mapped in &service.ports {
            let inside = mapped.rsplit(':').next().and_then(|port| port.parse().ok());
            if inside.is_none_or(|port| !ports.contains(&port)) {
                faults.push(format!("{name}: nothing listens on the port of {mapped}"));
            }
            if !mapped.starts_with("127.0.0.1:") {
                faults.push(format!("{name}: {mapped} is open to everybody; begin it with 127.0.0.1:"));
            }
        }
        for (host, port) in service.named_addresses() {
            match compose.services.get_key_value(&host) {
                None => faults.push(format!("{name}: {host}:{port}, but no service is called {host}")),
                Some((other, there)) if !self::ports(other, there, roles).contains(&port) => {
                    faults.push(format!("{name}: {host}:{port}, but {host} does not listen there"));
                }
                Some(_) => {}
            }
        }
        faults.extend(started_too_soon(name, service, compose));
        for volume in &service.volumes {
            if volume.split(':').next().is_none_or(|volume| !compose.volumes.contains_key(volume)) {
                faults.push(format!("{name}: no volume is declared for {volume}"));
            }
        }
    }
    faults.extend(twice(compose));
    faults.extend(lacking(roles));
    faults.extend(unequal_nodes(roles));
}

fn ports(name: &str, service: &Service, roles: &BTreeMap<&str, Role>) -> BTreeSet<u16> {
    match roles.get(name) {
        Some(role) => role.ports().map(|(_, port)| port).collect(),
        None => stock::ports(service),
    }
}

impl Service {
    /// Every `host:port` in its command, its environment and its healthcheck, other than its own container's.
    fn named_addresses(&self) -> Vec<(String, u16)> {
        let environment = self.environment().into_values();
        let healthcheck = self.healthcheck.iter().flat_map(|check| check.test.clone());
        let texts = self.command.iter().cloned().chain(environment).chain(healthcheck);
        texts.flat_map(|text| text.split([',', ' ']).filter_map(address).collect::<Vec<_>>()).collect()
    }
}

/// The address in `inventory=http://inventory:50051`, `postgres://user:word@postgres/shop`, `kafka:9092`, `1@kafka:9093`.
fn address(text: &str) -> Option<(String, u16)> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split(['/', '?']).next()?;
    let authority = authority.rsplit('@').next()?;
    let usual = match scheme.rsplit('=').next()? {
        "postgres" => Some(5432),
        "redis" => Some(6379),
        "smtp" => Some(25),
        _ => None,
    };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None if scheme.is_empty() => return None,
        None => (authority, usual?),
    };
    // Addresses to listen at, and the container itself.
    let own = host.parse::<std::net::IpAddr>().is_ok();
    (!own && !host.is_empty()).then(|| (host.to_owned(), port))
}

/// Nobody starts before what it cannot start without.
fn started_too_soon(name: &str, service: &Service, compose: &Compose) -> Vec<String> {
    let mut faults = Vec::new();
    for (other, dependence) in &service.depends_on {
        match (dependence.condition.as_str(), compose.services.get(other)) {
            (_, None) => faults.push(format!("{name}: depends on {other}, which is no service")),
            ("service_healthy", Some(there)) if there.healthcheck.is_none() => {
                faults.push(format!("{name}: waits for {other}, which has no healthcheck"));
            }
            ("service_healthy" | "service_completed_successfully", Some(_)) => {}
            (condition, Some(_)) => faults.push(format!("{name}: `{condition}` waits for nothing of use")),
        }
    }
    if service.is_ours() {
        let waits = |other: &str, condition: &str| {
            service.depends_on.get(other).is_some_and(|dependence| dependence.condition == condition)
        };
        let in_order = match service.command.first().map(String::as_str) {
            Some("migrate") => waits("postgres", "service_healthy"),
            _ => waits("migrate", "service_completed_successfully"),
        };
        if !in_order {
            faults.push(format!("{name}: is started before its database is there and migrated"));
        }
    }
    faults
}

fn twice(compose: &Compose) -> Vec<String> {
    let mut taken = BTreeMap::new();
    let all = compose
        .services
        .iter()
        .flat_map(|(name, service)| service.ports.iter().map(move |port| (name, port)));
    let both = all.filter_map(|(name, port)| {
        let outside = port.rsplit_once(':').map_or(port.as_str(), |(outside, _)| outside);
        let before = taken.insert(outside, name)?;
        Some(format!("{name}: {outside} is {before}'s already"))
    });
    both.collect()
}

/// One of each participant and of the rest, two orchestrators. That these know them all is the program's own check.
fn lacking(roles: &BTreeMap<&str, Role>) -> Vec<String> {
    let mut faults = Vec::new();
    let participants: Vec<&str> =
        PARTICIPANTS.iter().map(|(name, _)| *name).filter(|name| *name != "noop").collect();
    for verb in participants.iter().copied().chain(["relay", "migrate"]) {
        if roles.values().filter(|role| role.verb == verb).count() != 1 {
            faults.push(format!("{verb}: there must be one of it"));
        }
    }
    for (node, role) in roles.iter().filter(|(_, role)| role.verb == "orchestrator") {
        for (option, expected) in [("node", node.to_string()), ("advertise", format!("http://{node}:"))] {
            if !role.setting(option).is_some_and(|told| told.starts_with(&expected)) {
                faults.push(format!("{node}: --{option} does not name this service"));
            }
        }
    }
    faults
}

/// Two orchestrators of one shop differ in nothing that is not their own.
fn unequal_nodes(roles: &BTreeMap<&str, Role>) -> Vec<String> {
    let nodes: Vec<_> = roles.iter().filter(|(_, role)| role.verb == "orchestrator").collect();
    let [(_, first), (name, second)] = nodes.as_slice() else {
        return vec!["orchestrator: there must be two of it".to_owned()];
    };
    let equal = first.shared_settings() == second.shared_settings();
    if equal { Vec::new() } else { vec![format!("{name}: has other settings than the first orchestrator")] }
}
