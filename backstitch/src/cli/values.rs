//! What the value of an option may be.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A second to ten years: less is a mistake, more than any shop's books are kept.
pub(super) fn return_window(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it like 14d, 30d or 1y"))?;
    if (Duration::from_secs(1)..=3_653 * DAY).contains(&time) {
        Ok(time)
    } else {
        Err("it must be between 1s and 3653d".into())
    }
}

pub(super) fn participant_at(text: &str) -> Result<(&'static str, String), String> {
    let known = backstitch_proto::services::PARTICIPANTS.map(|(name, _)| name);
    let (name, uri) =
        text.split_once('=').ok_or("give it as NAME=URI, e.g. inventory=http://127.0.0.1:50051")?;
    let name = known.into_iter().find(|known| *known == name);
    let name = name.ok_or_else(|| format!("no participant is called so; there are {}", known.join(", ")))?;
    Ok((name, self::uri(uri)?))
}

/// Where somebody is called.
pub(crate) fn uri(uri: &str) -> Result<String, String> {
    if !(uri.starts_with("http://") || uri.starts_with("https://")) {
        return Err(format!("`{uri}` must begin with http:// or https://"));
    }
    let parsed = uri.parse::<http::Uri>().map_err(|e| format!("`{uri}` is no URI: {e}"))?;
    if parsed.host().is_none_or(str::is_empty) {
        return Err(format!("`{uri}` has no host"));
    }
    Ok(uri.to_owned())
}

/// Where to listen: an address, or a name, of which the first address counts.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let out = "give it as HOST:PORT, e.g. 127.0.0.1:8081";
    let (host, port) = text.rsplit_once(':').ok_or(out)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(out.to_owned());
    }
    let mut found =
        text.to_socket_addrs().map_err(|e| format!("`{host}` cannot be resolved ({e}); {out}"))?;
    found.next().ok_or_else(|| format!("`{host}` has no address; {out}"))
}

/// `host:port`, with others after commas.
pub(super) fn brokers(text: &str) -> Result<String, String> {
    let broker = |part: &str| {
        let (host, port) = part.trim().rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok()).then_some(())
    };
    match text.split(',').all(|part| broker(part).is_some()) {
        true => Ok(text.to_owned()),
        false => Err("give brokers as HOST:PORT, with commas between them".to_owned()),
    }
}

/// `name=value`.
pub(super) fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("give it as NAME=VALUE".to_owned()),
    }
}

/// A file in a directory that is there.
pub(super) fn file_to_write(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() || parent.is_dir() => Ok(path),
        _ => Err("its directory does not exist".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_participant_is_named() {
        assert_eq!(participant_at("cart=http://a:1"), Ok(("cart", "http://a:1".into())));
        assert!(participant_at("crat=http://a:1").unwrap_err().contains("inventory, shipping"));
        assert!(participant_at("cart=a:1").unwrap_err().contains("http://"));
        assert!(participant_at("cart").unwrap_err().contains("NAME=URI"));
        for bad in ["cart=http://", "cart=http:///x", "cart=http://a b"] {
            assert!(participant_at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_may_be_a_name() {
        assert_eq!(address("127.0.0.1:81"), Ok(SocketAddr::from(([127, 0, 0, 1], 81))));
        let named = address("localhost:81").expect("every machine knows itself");
        assert!(named.ip().is_loopback() && named.port() == 81, "{named}");
        for bad in ["", "81", ":81", "localhost", "localhost:", "localhost:70000", "localhost:http"] {
            assert!(address(bad).unwrap_err().contains("127.0.0.1:8081"), "{bad}");
        }
    }

    #[test]
    fn brokers_have_a_host_and_a_port_each() {
        for good in ["a:1", "a:1,b:2", "[::1]:9092"] {
            assert_eq!(brokers(good).as_deref(), Ok(good));
        }
        for bad in ["", "a", "a:1,", ":1", "a:b", "a:70000"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_to_write_has_a_directory() {
        assert!(file_to_write("x.json").is_ok());
        assert!(file_to_write("/no/such/directory/x.json").is_err());
    }
}
