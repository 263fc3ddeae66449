//! Our own services: each command line is read by the program itself, which tells what it would do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use tempfile::TempDir;

use crate::common::{program, run};
use crate::file::{Compose, Service};

type Environment<'a> = BTreeMap<&'a str, String>;

/// The program's word on a command line and an environment: code, output, errors.
type Word = (Option<i32>, String, String);

/// The program, which is asked once about each. Most planted errors leave most services as they are.
#[derive(Default)]
pub(crate) struct Asked(RefCell<BTreeMap<(Vec<String>, String), Word>>);

impl Asked {
    fn check(&self, args: &[String], environment: &Environment<'_>) -> Word {
        let key = (args.to_vec(), format!("{environment:?}"));
        let ask = || {
            let directory = TempDir::new().unwrap();
            let said = run(program(directory.path()).arg("--check").args(args).envs(environment));
            (said.code, said.out, said.err)
        };
        self.0.borrow_mut().entry(key).or_insert_with(ask).clone()
    }
}

/// A service of ours as the program understood it.
pub(crate) struct Role {
    pub(crate) verb: String,
    settings: BTreeMap<String, String>,
}

impl Role {
    pub(crate) fn setting(&self, option: &str) -> Option<&str> {
        self.settings.get(option).map(String::as_str)
    }

    /// Everything but what is one node's own.
    pub(crate) fn shared_settings(&self) -> BTreeMap<&str, &str> {
        let own = ["node", "advertise"];
        let all = self.settings.iter().map(|(option, value)| (option.as_str(), value.as_str()));
        all.filter(|(option, _)| !own.contains(option)).collect()
    }

    /// Ports that others reach: option and number.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (&str, u16)> {
        ["http", "grpc", "listen", "metrics"]
            .into_iter()
            .filter_map(|option| Some((option, self.address(option)?.port())))
    }

    fn address(&self, option: &str) -> Option<SocketAddr> {
        self.setting(option)?.parse().ok()
    }
}

/// Every service of ours by name; what the program refuses goes to `faults`.
pub(crate) fn of<'a>(
    compose: &'a Compose,
    asked: &Asked,
    faults: &mut Vec<String>,
) -> BTreeMap<&'a str, Role> {
    let mut roles = BTreeMap::new();
    for (name, service) in compose.services.iter().filter(|(_, service)| service.is_ours()) {
        match read(service, asked) {
            Ok(role) => {
                faults.extend(unreachable(name, &role));
                roles.insert(name.as_str(), role);
            }
            Err(why) => faults.push(format!("{name}: {why}")),
        }
    }
    for (name, service) in &compose.services {
        faults.extend(unhealthy(name, service, asked, roles.get(name.as_str())));
    }
    roles
}

fn read(service: &Service, asked: &Asked) -> Result<Role, String> {
    let environment = service.environment();
    if let Some((name, _)) = environment.iter().find(|(name, _)| !name.starts_with("BACKSTITCH_")) {
        return Err(format!("no option reads {name}"));
    }
    let (code, told, why) = asked.check(&service.command, &environment);
    if code != Some(0) {
        return Err(why);
    }
    let told: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&told).unwrap();
    let (verb, settings) = told.into_iter().next().unwrap();
    Ok(Role { verb, settings })
}

/// An address of 127.0.0.1 is the container's own.
fn unreachable(name: &str, role: &Role) -> Vec<String> {
    let inside = |option: &&str| role.address(option).is_some_and(|address| !address.ip().is_unspecified());
    let options = ["http", "grpc", "listen", "metrics"].into_iter().filter(inside);
    options.map(|option| format!("{name}: --{option} is reached from inside its container only")).collect()
}

/// The health check is a command of ours that the program accepts, and asks a port that is there, in its language.
fn unhealthy(name: &str, service: &Service, asked: &Asked, role: Option<&Role>) -> Option<String> {
    let Some(healthcheck) = &service.healthcheck else {
        let ends_by_itself = role.is_some_and(|role| role.ports().next().is_none());
        return (!ends_by_itself).then(|| format!("{name}: no healthcheck"));
    };
    let role = role?;
    let [kind, program_name, args @ ..] = healthcheck.test.as_slice() else {
        return Some(format!("{name}: its healthcheck is no command"));
    };
    if kind != "CMD" || program_name != "backstitch" {
        return Some(format!("{name}: its healthcheck runs `{program_name}`, which the image lacks"));
    }
    let (code, _, why) = asked.check(args, &BTreeMap::new());
    if code != Some(0) {
        return Some(format!("{name}: its healthcheck: {why}"));
    }
    let url = args.last().map(String::as_str).unwrap_or_default();
    let at = |(option, port)| {
        let scheme = if option == "http" { "http" } else { "grpc" };
        format!("{scheme}://127.0.0.1:{port}")
    };
    let there: Vec<String> = role.ports().map(at).collect();
    let answers = there.iter().any(|there| there == url);
    (!answers).then(|| format!("{name}: its healthcheck asks {url}, but there is {}", there.join(", ")))
}
