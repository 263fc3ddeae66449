//! One run: read everything, look again at what looks wrong, act.

use std::time::Duration;

use crate::act::act;
use crate::books::{Books, Lines};
use crate::compare::Terms;
use crate::finding::Finding;
use crate::looks::confirm;
use crate::report::Report;
use crate::sagas::Sagas;
use crate::shop::{Failed, Shop};
use crate::strangers::is_another_shop_s;

/// How a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What was paid or ordered longer ago is not judged.
    pub since: Duration,
    /// What changed less than this ago may settle by itself.
    pub grace: Duration,
    /// A hold that ends within this is told.
    pub ends_within: Duration,
    /// A saga that the orchestrator does not know and that began longer ago than this may have been forgotten: the
    /// longest deadline, and what finished sagas are kept for after it.
    pub forgotten_after: Duration,
    /// Start repair sagas for what nobody owns.
    pub repair: bool,
    /// Others charge on the provider's account too, other shops of this kind among them: what bears no id of ours, or ids
    /// that nobody here knows, is theirs and is not judged.
    pub is_account_shared: bool,
    /// Bytes of lines in memory; more are put away in temporary files.
    pub memory: usize,
    /// Checkouts that are looked at again at once.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            since: 30 * DAY,
            grace: Duration::from_secs(60),
            ends_within: DAY,
            forgotten_after: 37 * DAY,
            repair: false,
            is_account_shared: false,
            memory: 64 * 1024 * 1024,
            batch: 1_000,
        }
    }
}

/// Compares the books once.
///
/// # Errors
/// Who could not be asked, or what cannot be read. Nothing is concluded from books that are not whole; notes and repairs
/// that were decided before stay, each is right by itself.
pub async fn reconcile(shop: &Shop, options: &Options, now_ms: i64) -> Result<Report, Failed> {
    let before = |duration: Duration| now_ms.saturating_sub(millis(duration));
    let terms = Terms {
        now_ms,
        since_ms: before(options.since).max(0),
        grace_ms: millis(options.grace),
        ends_within_ms: millis(options.ends_within),
    };
    // What could be wrong if nobody would do anything any more, however young: everything that can be a finding.
    let suspicious = Terms { grace_ms: 0, ends_within_ms: i64::MAX, ..terms };
    let forgotten_ms = before(options.forgotten_after);
    let mut report = Report::default();
    let mut books = Books::read(shop, &terms, options, &mut report).await?;
    let (mut batch, mut many, mut is_more) = (Lines::default(), 0, true);
    while is_more {
        match books.next(shop, &terms, &mut report.counts).await? {
            Some(lines)
                if options.is_account_shared && is_another_shop_s(shop, &lines, forgotten_ms).await? =>
            {
                report.counts.foreign += lines.objects.len();
                continue;
            }
            Some(lines) if lines.compare(&Sagas::NotAsked, &suspicious).is_empty() => continue,
            Some(lines) => {
                batch.extend(lines);
                many += 1;
            }
            None => is_more = false,
        }
        if many >= options.batch || (!is_more && many > 0) {
            report.counts.looked_at_again += many;
            let seen = confirm(shop, std::mem::take(&mut batch), &terms, forgotten_ms).await?;
            report.counts.moving += seen.moving;
            let acknowledged = shop.acknowledged(&seen.settled).await?;
            for finding in seen.settled {
                match acknowledged.get(&finding.id()) {
                    // Whatever could be done about it: a person has judged that nothing is.
                    Some(word) => report.add_acknowledged(finding, word.clone()),
                    None => report.add(act(shop, finding, options.repair, now_ms).await),
                }
            }
            many = 0;
        }
    }
    report.sort();
    Ok(report)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Findings of a report that count.
pub(crate) fn at_risk(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().map(|told| &told.finding).filter(|finding| finding.is_at_risk())
}
