//! What a run found, as data and for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use backstitch_proto::money::{Currency, Money};
use backstitch_proto::operator::Acknowledgement;
use backstitch_proto::payment::UnreadableObject;
use serde::Serialize;

use crate::finding::{Finding, Move};
use crate::kind::Kind;

/// How many findings are told one by one; the sums are of all.
pub(crate) const TOLD: usize = 10_000;

/// How many objects that cannot be read are told one by one.
const UNREAD: usize = 10;

/// How much was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Objects of the provider's list.
    pub objects: usize,
    /// Payments of our ledger.
    pub payments: usize,
    /// Orders.
    pub orders: usize,
    /// Checkouts that were looked at again.
    pub looked_at_again: usize,
    /// Differences that were another one at every look: what is under way right now.
    pub moving: usize,
    /// Findings that may settle by themselves.
    pub young: usize,
    /// Objects of somebody else on a shared account.
    pub foreign: usize,
    /// Payments at another provider than the one that lists.
    pub elsewhere: usize,
    /// Objects of somebody else that cannot be read.
    pub unreadable: usize,
    /// Findings that are in the sums, and too many to be told one by one.
    pub not_told: usize,
    /// Findings that a person has acknowledged.
    pub acknowledged: usize,
}

/// A finding and what was done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What was found.
    pub finding: Finding,
    /// What was done.
    pub done: Done,
}

/// What was done about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// Its saga has a note.
    Noted,
    /// This saga repairs it.
    Repairing(String),
    /// It was tried, and why it could not be.
    Failed(String),
}

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By kind and then by what they are about.
    pub findings: Vec<Told>,
    /// Those that a person has acknowledged, in the same order. They are no money at risk.
    pub acknowledged: Vec<(Finding, Acknowledgement)>,
    /// Minor units at risk, by currency and kind.
    pub at_risk: BTreeMap<(Currency, Kind), i64>,
    /// Objects of somebody else that cannot be read, by the provider's ids, and why: the first of them.
    pub unreadable: Vec<(String, String)>,
    /// How much was read.
    pub counts: Counts,
}

impl Report {
    pub(crate) fn not_read(&mut self, UnreadableObject { provider_id, why }: UnreadableObject) {
        self.counts.unreadable += 1;
        if self.unreadable.len() < UNREAD {
            self.unreadable.push((provider_id, why));
        }
    }

    pub(crate) fn add(&mut self, told: Told) {
        let Finding { kind, amount, .. } = told.finding;
        if !told.finding.is_at_risk() {
            self.counts.young += 1;
        } else {
            let sum = self.at_risk.entry((amount.currency, kind)).or_default();
            *sum = sum.saturating_add(amount.minor);
        }
        if self.findings.len() < TOLD { self.findings.push(told) } else { self.counts.not_told += 1 }
    }

    pub(crate) fn add_acknowledged(&mut self, finding: Finding, word: Acknowledgement) {
        self.counts.acknowledged += 1;
        if self.acknowledged.len() < TOLD {
            self.acknowledged.push((finding, word));
        }
    }

    pub(crate) fn sort(&mut self) {
        let key = |finding: &Finding| (finding.kind, finding.about.clone());
        self.findings.sort_by_cached_key(|told| key(&told.finding));
        self.acknowledged.sort_by_cached_key(|(finding, _)| key(finding));
    }

    /// Whether any money is at risk.
    pub fn is_anything_at_risk(&self) -> bool {
        self.at_risk.values().any(|minor| *minor != 0)
    }

    /// Money at risk by currency, those with none left out.
    pub fn sums(&self) -> Vec<Money> {
        let mut sums = BTreeMap::<Currency, i64>::new();
        for ((currency, _), minor) in &self.at_risk {
            let sum = sums.entry(*currency).or_default();
            *sum = sum.saturating_add(*minor);
        }
        let sums = sums.into_iter().filter(|(_, minor)| *minor != 0);
        sums.map(|(currency, minor)| Money::new(minor, currency)).collect()
    }

    /// `money at risk: 12.34 GBP, 5.00 EUR`, or `none`.
    pub fn last_line(&self) -> String {
        let sums: Vec<_> = self.sums().iter().map(ToString::to_string).collect();
        format!("money at risk: {}", if sums.is_empty() { "none".to_owned() } else { sums.join(", ") })
    }
}

/// A block for each finding: kind and amount, what is wrong, the next move, and the ids to look with. Then what was not
/// judged, and how much was: that nothing is wrong in empty books says that the wrong ones were asked for.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.findings {
            let finding = &told.finding;
            headline(f, finding)?;
            match &told.done {
                Done::Repairing(saga) => writeln!(f, "  next     Nothing: saga {saga} takes it back.")?,
                Done::Failed(why) => writeln!(f, "  next     {} ({why})", finding.next())?,
                Done::Nothing | Done::Noted => writeln!(f, "  next     {}", finding.next())?,
            }
            ids(f, finding)?;
        }
        if self.counts.not_told > 0 {
            writeln!(f, "... and {} more, which are in the sum.\n", self.counts.not_told)?;
        }
        if !self.acknowledged.is_empty() {
            writeln!(f, "Acknowledged, and not in the sum:\n")?;
        }
        for (finding, word) in &self.acknowledged {
            headline(f, finding)?;
            writeln!(f, "  by       {}, {}", word.by, time(word.at_unix_ms))?;
            writeln!(f, "  reason   {}", word.reason)?;
            ids(f, finding)?;
        }
        if self.counts.acknowledged > self.acknowledged.len() {
            let more = self.counts.acknowledged - self.acknowledged.len();
            writeln!(f, "... and {more} more that are acknowledged.\n")?;
        }
        let Counts { payments, objects, orders, foreign, elsewhere, unreadable, .. } = self.counts;
        for (id, why) in &self.unreadable {
            writeln!(f, "{id} is somebody else's and cannot be read: {why}")?;
        }
        if unreadable > self.unreadable.len() {
            writeln!(f, "... and {} more that cannot be read.", unreadable - self.unreadable.len())?;
        }
        if foreign > 0 {
            writeln!(f, "{foreign} objects at the provider are somebody else's, and were not judged.")?;
        }
        if elsewhere > 0 {
            writeln!(
                f,
                "{elsewhere} payments are at another provider than the one that was asked, and were compared with their orders alone."
            )?;
        }
        writeln!(f, "compared {payments} payments, {objects} objects at the provider, {orders} orders")?;
        f.write_str(&self.last_line())
    }
}

fn headline(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    writeln!(f, "{:<27} {:>15}", finding.kind.as_str(), finding.amount.to_string())?;
    writeln!(f, "  what     {}", finding.what)
}

fn ids(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let (about, own) = (&finding.about, finding.id().to_string());
    let ids = [
        ("saga", &about.saga),
        ("order", &about.order),
        ("payment", &about.payment),
        ("object", &about.object),
        ("refund", &about.refund),
        ("finding", &own),
    ];
    for (name, id) in ids.into_iter().filter(|(_, id)| !id.is_empty()) {
        writeln!(f, "  {name:<8} {id}")?;
    }
    writeln!(f)
}

/// A time for people, as far as years have four digits.
fn time(at_unix_ms: i64) -> impl fmt::Display {
    let since = Duration::from_millis(at_unix_ms.clamp(0, 253_402_300_799_000).unsigned_abs());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since)
}

/// The report as JSON has it.
#[derive(Serialize)]
struct Document<'a> {
    money_at_risk: Vec<Amount<'a>>,
    findings: Vec<One<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    acknowledged: Vec<Judged<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<NotRead<'a>>,
    counts: Counts,
}

#[derive(Serialize)]
struct NotRead<'a> {
    provider_id: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct Amount<'a> {
    amount_minor: i64,
    currency: &'a str,
}

#[derive(Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    finding: One<'a>,
    by: &'a str,
    reason: &'a str,
    at_unix_ms: i64,
}

#[derive(Serialize)]
struct One<'a> {
    finding_id: String,
    kind: &'static str,
    amount: Amount<'a>,
    #[serde(rename = "move")]
    step: &'static str,
    what: &'a str,
    next: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    saga_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    order_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    payment_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    refund_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair_saga_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<&'a str>,
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sums = self.sums();
        let amount = |money: &'_ Money| money.minor;
        let document = Document {
            money_at_risk: sums
                .iter()
                .map(|money| Amount { amount_minor: amount(money), currency: money.currency.as_str() })
                .collect(),
            findings: self.findings.iter().map(|told| One::of(&told.finding, &told.done)).collect(),
            acknowledged: self.acknowledged.iter().map(Judged::of).collect(),
            unreadable: self
                .unreadable
                .iter()
                .map(|(provider_id, why)| NotRead { provider_id, why })
                .collect(),
            counts: self.counts,
        };
        document.serialize(serializer)
    }
}

impl<'a> Judged<'a> {
    fn of((finding, word): &'a (Finding, Acknowledgement)) -> Self {
        Self {
            finding: One::of(finding, &Done::Nothing),
            by: &word.by,
            reason: &word.reason,
            at_unix_ms: word.at_unix_ms,
        }
    }
}

impl<'a> One<'a> {
    fn of(finding: &'a Finding, done: &'a Done) -> Self {
        Self {
            finding_id: finding.id().to_string(),
            kind: finding.kind.as_str(),
            amount: Amount { amount_minor: finding.amount.minor, currency: finding.amount.currency.as_str() },
            step: match finding.step {
                Move::Wait => "wait",
                Move::Note { .. } => "note",
                Move::Repair { .. } => "repair",
                Move::Person(_) => "person",
            },
            what: &finding.what,
            next: finding.next(),
            saga_id: &finding.about.saga,
            order_id: &finding.about.order,
            payment_id: &finding.about.payment,
            provider_id: &finding.about.object,
            refund_id: &finding.about.refund,
            repair_saga_id: match done {
                Done::Repairing(saga) => Some(saga),
                _ => None,
            },
            trouble: match done {
                Done::Failed(why) => Some(why),
                _ => None,
            },
        }
    }
}
