//! The reconciler beside an orchestrator.

use std::time::Duration;

use backstitch_reconciler::{Progress, Reconciler};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tonic::Code;

use super::*;
use crate::double::Facts;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

fn every_hour(double: &Double) -> Reconciler {
    Reconciler::new(double.shop.clone(), Options::default(), Duration::from_secs(3600))
}

fn at(progress: &Progress) -> Option<i64> {
    match progress {
        Progress::NotDue { at_ms } => Some(*at_ms),
        _ => None,
    }
}

#[tokio::test]
async fn it_runs_a_minute_after_its_start_and_then_now_and_then() {
    let double = Double::of(Facts::default()).await;
    let mut reconciler = every_hour(&double);
    assert_eq!(at(&reconciler.tick(NOW, true).await), Some(NOW + MINUTE));
    assert_eq!(at(&reconciler.tick(NOW + MINUTE - 1, true).await), Some(NOW + MINUTE));
    assert!(matches!(reconciler.tick(NOW + MINUTE, true).await, Progress::Ran(_)));
    assert_eq!(at(&reconciler.tick(NOW + MINUTE, true).await), Some(NOW + MINUTE + HOUR));
    assert!(matches!(reconciler.tick(NOW + MINUTE + HOUR, true).await, Progress::Ran(_)));
    assert_eq!(double.calls("ListProviderObjects"), 2);
}

#[tokio::test]
async fn one_that_fails_is_tried_again_soon() {
    let double = Double::of(Facts::default()).await;
    let mut reconciler = every_hour(&double);
    reconciler.tick(NOW - MINUTE, true).await;
    double.breaks("ListPayments", Code::Unavailable);
    let failed = reconciler.tick(NOW, true).await;
    assert!(matches!(&failed, Progress::Failed(why) if why.contains("payment at http://p")), "{failed:?}");
    double.mend();
    assert_eq!(at(&reconciler.tick(NOW + MINUTE - 1, true).await), Some(NOW + MINUTE));
    assert!(matches!(reconciler.tick(NOW + MINUTE, true).await, Progress::Ran(_)));
}

#[tokio::test]
async fn another_node_s_turn_is_left_to_it() {
    let double = Double::of(Facts::default()).await;
    let mut reconciler = every_hour(&double);
    reconciler.tick(NOW - MINUTE, false).await;
    assert!(matches!(reconciler.tick(NOW, false).await, Progress::AnotherS));
    assert_eq!(double.calls("ListProviderObjects"), 0);
    // The turn comes here within a minute, not within an hour.
    assert!(matches!(reconciler.tick(NOW + MINUTE, true).await, Progress::Ran(_)));
}

/// The gauge of the last success, in Unix seconds.
fn success(shown: &PrometheusHandle) -> Option<String> {
    let text = shown.render();
    let line = text.lines().find_map(|line| line.strip_prefix("reconcile_last_success_timestamp_seconds "));
    line.map(str::to_owned)
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_silences_nothing() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let (shown, _here) = (recorder.handle(), metrics::set_default_local_recorder(&recorder));
    let double = Double::of(Facts::default()).await;
    let (mut reconciler, ahead) = (every_hour(&double), NOW + 40 * 24 * HOUR);
    reconciler.tick(ahead - MINUTE, true).await;
    assert!(matches!(reconciler.tick(ahead, true).await, Progress::Ran(_)));
    assert_eq!(success(&shown), Some((ahead / 1_000).to_string()));
    // As far as a turn may be: it is waited for.
    assert_eq!(at(&reconciler.tick(ahead, true).await), Some(ahead + HOUR));
    assert!(matches!(reconciler.tick(ahead - 1, true).await, Progress::Ran(_)), "a moment further");
    assert!(matches!(reconciler.tick(NOW, true).await, Progress::Ran(_)));
    assert_eq!(success(&shown), Some((NOW / 1_000).to_string()));
    assert_eq!(at(&reconciler.tick(NOW, true).await), Some(NOW + HOUR));

    // Whose turn it is no longer must not seem to have looked in days to come.
    let mut reconciler = every_hour(&double);
    reconciler.tick(ahead - MINUTE, true).await;
    assert!(matches!(reconciler.tick(ahead, true).await, Progress::Ran(_)));
    assert!(matches!(reconciler.tick(NOW, false).await, Progress::AnotherS));
    assert_eq!(success(&shown).as_deref(), Some("0"));
    // Nor one that cannot look.
    let mut reconciler = every_hour(&double);
    reconciler.tick(ahead - MINUTE, true).await;
    reconciler.tick(ahead, true).await;
    double.breaks("ListProviderObjects", Code::Unavailable);
    assert!(matches!(reconciler.tick(NOW, true).await, Progress::Failed(_)));
    assert_eq!(success(&shown).as_deref(), Some("0"));
    assert_eq!(at(&reconciler.tick(NOW, true).await), Some(NOW + MINUTE));
}
