//! How an orchestrator shares its store with others, as settings.

use std::net::SocketAddr;
use std::time::Duration;

use backstitch_engine::Sharing;
use backstitch_store::LONGEST_TERM;
use clap::Args;
use tracing::warn;

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
    pub(crate) fn sharing(&self, is_shared: bool, grpc: SocketAddr) -> Option<Sharing> {
        let address = match &self.advertise {
            Some(address) => address.clone(),
            None if grpc.ip().is_unspecified() && is_shared => {
                warn!(
                    "other orchestrators cannot call this one at {grpc}; say with --advertise where they can"
                );
                String::new()
            }
            None => format!("http://{grpc}"),
        };
        is_shared.then_some(Sharing { address, term: self.lease })
    }
}

fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=255 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("give it 1 to 255 characters, none a control character".to_owned()),
    }
}

pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    let lease = time(text)?;
    match (SHORTEST..=LONGEST_TERM).contains(&lease) {
        true => Ok(lease),
        false => Err("give it from 1s to 1h".to_owned()),
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
        let address = |node: Node, ip| node.sharing(true, at(ip)).map(|sharing| sharing.address);
        assert_eq!(address(node(None), [10, 0, 0, 7]).as_deref(), Some("http://10.0.0.7:50050"));
        assert_eq!(address(node(None), [0, 0, 0, 0]).as_deref(), Some(""));
        assert_eq!(address(node(Some("http://a:1")), [0, 0, 0, 0]).as_deref(), Some("http://a:1"));
        assert_eq!(node(None).sharing(false, at([127, 0, 0, 1])), None);
    }
}
