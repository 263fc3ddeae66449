//! The reconciler beside an orchestrator: a run now and then, on one node at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use backstitch_proto::money::Currency;
use metrics::gauge;
use tracing::{error, info, warn};

use crate::finding::{About, Finding};
use crate::kind::Kind;
use crate::metrics::{AT_RISK, SUCCESS};
use crate::report::{Done, Report};
use crate::run::{Options, at_risk, reconcile};
use crate::shop::Shop;

/// How soon after its start, or after a run that failed, it is tried.
const SOON: Duration = Duration::from_secs(60);

/// What a tick came to.
#[derive(Debug)]
pub enum Progress {
    /// Nothing: it is not time yet.
    NotDue {
        /// When it is, Unix milliseconds.
        at_ms: i64,
    },
    /// Nothing: another node does it.
    AnotherS,
    /// A run.
    Ran(Box<Report>),
    /// A run that could not be made, and why. It is told in the log.
    Failed(String),
}

/// Reconciles again and again. Knows no clock: whoever has one calls [`Reconciler::tick`].
#[derive(Debug)]
pub struct Reconciler {
    shop: Shop,
    options: Options,
    every: Duration,
    due_ms: Option<i64>,
    /// What the log has said and is still so.
    said: BTreeSet<(Kind, About)>,
    /// Gauges that are not zero.
    shown: BTreeSet<(Currency, Kind)>,
}

impl Reconciler {
    /// Runs `every` so often.
    pub fn new(shop: Shop, options: Options, every: Duration) -> Self {
        Self { shop, options, every, due_ms: None, said: BTreeSet::new(), shown: BTreeSet::new() }
    }

    /// A run, if it is time and this node's turn: `is_ours` asks whether it is. Two nodes that both believe so for a moment
    /// only read twice: a note and a repair are the same note and the same repair whoever asks for them.
    pub async fn tick(&mut self, now_ms: i64, is_ours: bool) -> Progress {
        let soon = now_ms.saturating_add(millis(SOON.min(self.every)));
        let at_ms = *self.due_ms.get_or_insert(soon);
        if at_ms.saturating_sub(now_ms) > millis(self.every) {
            // No turn is so far away: the clock was ahead when this one was set. The gauge may be ahead too, and the latest
            // of all nodes' counts: as long as it stands there, nobody would be woken by silence.
            gauge!(SUCCESS).set(0.0);
        } else if now_ms < at_ms {
            return Progress::NotDue { at_ms };
        }
        if !is_ours {
            self.forget();
            self.due_ms = Some(soon);
            return Progress::AnotherS;
        }
        match reconcile(&self.shop, &self.options, now_ms).await {
            Ok(report) => {
                self.due_ms = Some(now_ms.saturating_add(millis(self.every)));
                self.show(&report.at_risk);
                #[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
                gauge!(SUCCESS).set(now_ms as f64 / 1000.0);
                self.say(&report);
                Progress::Ran(Box::new(report))
            }
            Err(failed) => {
                self.due_ms = Some(soon);
                warn!(%failed, "the money could not be reconciled");
                Progress::Failed(failed.to_string())
            }
        }
    }

    /// What another node tells from now on is not told here.
    fn forget(&mut self) {
        self.said.clear();
        self.show(&BTreeMap::new());
    }

    fn show(&mut self, at_risk: &BTreeMap<(Currency, Kind), i64>) {
        let set = |(currency, kind): (Currency, Kind), minor: i64| {
            #[allow(clippy::cast_precision_loss, reason = "gauges are floats")]
            gauge!(AT_RISK, "currency" => currency.to_string(), "kind" => kind.as_str()).set(minor as f64);
        };
        for gone in self.shown.iter().filter(|shown| !at_risk.contains_key(shown)) {
            set(*gone, 0);
        }
        at_risk.iter().for_each(|(key, minor)| set(*key, *minor));
        self.shown = at_risk.keys().copied().collect();
    }

    /// Once for each finding while it lasts.
    fn say(&mut self, report: &Report) {
        for told in &report.findings {
            if let Done::Repairing(saga) = &told.done {
                info!(object = %told.finding.about.object, repair = %saga, "money that nobody owns is taken back");
            }
        }
        let key = |finding: &Finding| (finding.kind, finding.about.clone());
        for finding in at_risk(report).filter(|finding| !self.said.contains(&key(finding))) {
            let About { saga, order, payment, object, refund } = &finding.about;
            error!(
                kind = finding.kind.as_str(), amount = %finding.amount, %saga, %order, %payment, %object, %refund,
                next = %finding.next(), "money at risk: {}", finding.what
            );
        }
        self.said = at_risk(report).map(key).collect();
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
