//! The reconciler beside an orchestrator.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstitch_engine::Engine;
use backstitch_reconciler::{At, Options, Reconciler, Shop};
use backstitch_server::channel;
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::patience::time;
use crate::reconcile::grace;

/// The shard whose owner reconciles, where several nodes could: it is never two nodes', and comes to another one by itself
/// when its owner dies.
const SHARD: u16 = 0;

/// How often is looked whether it is time, and whose turn it is.
const LOOK: Duration = Duration::from_secs(1);

/// How the money is reconciled in the background, as settings.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Reconciling {
    /// How often ledger, provider and orders are compared in the background, by one orchestrator at a time; off for never.
    #[arg(long, env = "BACKSTITCH_RECONCILE_EVERY", value_name = "TIME", default_value = "1h")]
    #[arg(value_parser = every)]
    pub(crate) reconcile_every: Duration,
    /// Let that start a saga for each hold to be cancelled and each capture to be refunded that nobody owns.
    #[arg(long, env = "BACKSTITCH_RECONCILE_REPAIR", hide_short_help = true)]
    pub(crate) reconcile_repair: bool,
    /// What changed less than this ago may settle by itself: it is not at risk yet, and not repaired.
    #[arg(long, env = "BACKSTITCH_RECONCILE_GRACE", value_name = "TIME", default_value = "60s")]
    #[arg(value_parser = grace, hide_short_help = true)]
    pub(crate) reconcile_grace: Duration,
    /// Others charge on the provider's account too: what bears no id of this shop is counted, and not judged.
    #[arg(long, env = "BACKSTITCH_RECONCILE_SHARED_ACCOUNT", hide_short_help = true)]
    pub(crate) reconcile_shared_account: bool,
}

/// Reconciles until `shutdown`, if that is wanted and there is whom to ask.
pub(crate) fn spawn(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    reconciling: Reconciling,
    engine: Engine,
    participants: &[(&'static str, String)],
    grpc: SocketAddr,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let uri = |name: &str| participants.iter().find(|(known, _)| *known == name).map(|(_, uri)| uri.clone());
    let (Some(payment), Some(order)) = (uri("payment"), uri("order")) else { return Ok(()) };
    if reconciling.reconcile_every.is_zero() {
        return Ok(());
    }
    let at = |address: String| anyhow::Ok(At { channel: channel(&address)?, address });
    let shop = Shop::new(at(payment)?, at(order)?, at(format!("http://{}", called_at(grpc)))?);
    let options = Options {
        repair: reconciling.reconcile_repair,
        grace: reconciling.reconcile_grace,
        is_account_shared: reconciling.reconcile_shared_account,
        ..Options::default()
    };
    let mut reconciler = Reconciler::new(shop, options, reconciling.reconcile_every);
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let run = async {
            loop {
                look.tick().await;
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                let now_ms = i64::try_from(now).unwrap_or(i64::MAX);
                reconciler.tick(now_ms, engine.has_shard(SHARD)).await;
            }
        };
        // Cut off wherever it is: it only reads, and what it asked for is done by whom it asked.
        tokio::select! {
            () = run => Ok(()),
            () = shutdown.cancelled() => Ok(()),
        }
    });
    Ok(())
}

/// Where this process calls itself.
fn called_at(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

fn every(text: &str) -> Result<Duration, String> {
    if matches!(text, "off" | "0" | "0s") { Ok(Duration::ZERO) } else { time(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_is_a_time_too() {
        for never in ["off", "0", "0s"] {
            assert_eq!(every(never), Ok(Duration::ZERO), "{never}");
        }
        assert_eq!(every("1s"), Ok(Duration::from_secs(1)));
        assert!(every("999ms").is_err() && every("never").is_err());
    }

    #[test]
    fn it_calls_itself_where_it_listens() {
        let at = |address: &str| called_at(address.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:50050"), "127.0.0.1:50050");
        assert_eq!(at("[::]:50050"), "[::1]:50050");
        assert_eq!(at("10.0.0.7:1"), "10.0.0.7:1");
    }
}
