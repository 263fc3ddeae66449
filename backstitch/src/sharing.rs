//! How an orchestrator shares its store with others, as settings.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::ensure;
use backstitch_engine::Sharing;
use backstitch_store::LONGEST_TERM;
use clap::Args;

use crate::cli::uri;
use crate::patience::time;

/// A shorter lease is lost by a hiccup.
const SHORTEST: Duration = Duration::from_secs(1);

/// An orchestrator among others; on files it is alone, and only its name counts.
#[derive(Clone, Debug, Args)]
pub(crate) struct Node {
    /// Name of this orchestrator: another one for each that shares the database, and the same again after a restart.
    #[arg(long, env = "BACKSTITCH_NODE", value_name = "NAME", default_value = "local", value_parser = name)]
    pub(crate) node: String,
    /// How long a shard of a shared database stays with an orchestrator that is not heard of.
    #[arg(long, env = "BACKSTITCH_LEASE", value_name = "TIME", default_value = "10s", value_parser = lease)]
    pub(crate) lease: Duration,
    /// Where other orchestrators call this one's gRPC API; --grpc unless told.
    #[arg(long, env = "BACKSTITCH_ADVERTISE", value_name = "URI", value_parser = uri)]
    pub(crate) advertise: Option<String>,
}

impl Node {
    /// How the database is shared, if others may use it too.
    ///
    /// # Errors
    /// That nobody said where they can call this one.
    pub(crate) fn sharing(&self, is_shared: bool, grpc: SocketAddr) -> anyhow::Result<Option<Sharing>> {
        if !is_shared {
            return Ok(None);
        }
        ensure!(
            self.advertise.is_some() || !grpc.ip().is_unspecified(),
            "other orchestrators on this database cannot call this one at {grpc}; say with --advertise where they can, \
             e.g. --advertise http://this-host:{}",
            grpc.port()
        );
        let address = self.advertise.clone().unwrap_or_else(|| format!("http://{grpc}"));
        Ok(Some(Sharing { address, term: self.lease }))
    }
}

fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=255 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("give it 1 to 255 characters, none a control character".to_owned()),
    }
}

pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(lease) if (SHORTEST..=LONGEST_TERM).contains(&lease) => Ok(lease),
        Ok(_) => Err("it must be between 1s and 1h".to_owned()),
        Err(_) => time(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_neither_too_short_nor_too_long() {
        assert_eq!(lease("1s"), Ok(SHORTEST));
        assert_eq!(lease("1h"), Ok(LONGEST_TERM));
        for bad in ["999ms", "0s", "61m", "soon", ""] {
            assert!(lease(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn others_are_told_an_address_that_can_be_called() {
        let node = |advertise: Option<&str>| Node {
            node: "a".into(),
            lease: SHORTEST,
            advertise: advertise.map(str::to_owned),
        };
        let at = |ip: [u8; 4]| SocketAddr::from((ip, 50050));
        let address = |node: Node, ip| node.sharing(true, at(ip)).unwrap().map(|sharing| sharing.address);
        assert_eq!(address(node(None), [10, 0, 0, 7]).as_deref(), Some("http://10.0.0.7:50050"));
        let nowhere = node(None).sharing(true, at([0, 0, 0, 0])).unwrap_err().to_string();
        assert!(nowhere.contains("--advertise http://this-host:50050"), "{nowhere}");
        assert_eq!(address(node(Some("http://a:1")), [0, 0, 0, 0]).as_deref(), Some("http://a:1"));
        assert_eq!(node(None).sharing(false, at([0, 0, 0, 0])).unwrap(), None);
    }
}
