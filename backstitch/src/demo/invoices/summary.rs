//! What became of a day's invoices.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::demo::shop::Answer;

/// What became of one invoice.
pub(crate) enum Fate {
    Completed {
        minor: i64,
        took: Duration,
    },
    /// By the API, or by the saga, which took everything back.
    Refused {
        kind: String,
        why: String,
    },
    Unfinished {
        status: String,
    },
}

impl Fate {
    /// The API refused it.
    pub(super) fn refused(answer: &Answer) -> Self {
        Fate::Refused { kind: answer.problem_kind(), why: answer.problem() }
    }

    /// What a saga's document says; `money` is the member with what it was about.
    pub(super) fn of(document: &Value, money: &str, took: Duration) -> Self {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match word(&document["status"]).as_str() {
            "completed" => {
                Fate::Completed { minor: document[money]["amount_minor"].as_i64().unwrap_or(0), took }
            }
            "compensated" => Fate::Refused {
                kind: word(&document["refusal"]["reason"]),
                why: word(&document["refusal"]["detail"]),
            },
            other => Fate::Unfinished { status: other.to_owned() },
        }
    }
}

/// What became of the cancellations.
#[derive(Default, Serialize)]
struct Cancellations {
    count: usize,
    /// Put as carts, which they are not.
    refused_as_carts: usize,
    /// Accepted as returns.
    returned: Vec<String>,
    refused: BTreeMap<String, Reason>,
    refund_minor: i64,
}

#[derive(Default, Serialize)]
struct Reason {
    count: usize,
    invoices: Vec<String>,
    example: String,
}

impl Reason {
    fn add(&mut self, number: &str, why: String) {
        self.count += 1;
        self.invoices.push(number.to_owned());
        if self.example.is_empty() {
            self.example = why;
        }
    }

    fn tell(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let invoices = some(&self.invoices);
        writeln!(f, "refused {:>3}  {kind}: {invoices}\n             e.g. {}", self.count, self.example)
    }
}

/// The first few.
fn some(invoices: &[String]) -> String {
    let mut some = invoices.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    if invoices.len() > 6 {
        some.push_str(", …");
    }
    some
}

/// The day in numbers.
#[derive(Serialize)]
pub(crate) struct Summary {
    day: String,
    repriced_skus: usize,
    products_refused: BTreeMap<String, String>,
    invoices: usize,
    completed: usize,
    refused: BTreeMap<String, Reason>,
    unfinished: BTreeMap<String, Vec<String>>,
    cancellations: Cancellations,
    total_minor: i64,
    seconds: f64,
    #[serde(skip)]
    latencies: Vec<Duration>,
    p50_ms: f64,
    p99_ms: f64,
}

impl Summary {
    pub(crate) fn new(day: &str, repriced_skus: usize) -> Self {
        Self {
            day: day.to_owned(),
            repriced_skus,
            products_refused: BTreeMap::new(),
            invoices: 0,
            completed: 0,
            refused: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            cancellations: Cancellations::default(),
            total_minor: 0,
            seconds: 0.0,
            latencies: Vec::new(),
            p50_ms: 0.0,
            p99_ms: 0.0,
        }
    }

    pub(crate) fn product_refused(&mut self, sku: &str, why: &str) {
        self.products_refused.insert(sku.to_owned(), why.to_owned());
    }

    pub(crate) fn invoice(&mut self, number: &str, fate: Fate) {
        self.invoices += 1;
        match fate {
            Fate::Completed { minor, took } => {
                self.completed += 1;
                self.total_minor += minor;
                self.latencies.push(took);
            }
            Fate::Refused { kind, why } => self.refused.entry(kind).or_default().add(number, why),
            Fate::Unfinished { status } => self.unfinished.entry(status).or_default().push(number.to_owned()),
        }
    }

    pub(crate) fn refused_as_a_cart(&mut self) {
        self.cancellations.refused_as_carts += 1;
    }

    pub(crate) fn cancellation(&mut self, number: &str, fate: Fate) {
        self.invoices += 1;
        let cancellations = &mut self.cancellations;
        cancellations.count += 1;
        match fate {
            Fate::Completed { minor, .. } => {
                cancellations.returned.push(number.to_owned());
                cancellations.refund_minor += minor;
            }
            Fate::Refused { kind, why } => cancellations.refused.entry(kind).or_default().add(number, why),
            Fate::Unfinished { status } => self.unfinished.entry(status).or_default().push(number.to_owned()),
        }
    }

    pub(crate) fn took(&mut self, took: Duration) {
        self.seconds = took.as_secs_f64();
        self.latencies.sort_unstable();
        let at = |percent: usize| {
            let index = (self.latencies.len() * percent).div_ceil(100).saturating_sub(1);
            self.latencies.get(index).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
        };
        (self.p50_ms, self.p99_ms) = (at(50), at(99));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pounds, pence) = (self.total_minor / 100, self.total_minor % 100);
        writeln!(
            f,
            "{} of {} invoices completed, {pounds}.{pence:02} GBP in all",
            self.completed,
            self.invoices - self.cancellations.count
        )?;
        writeln!(
            f,
            "{:.0} invoices/s, checkout p50 {:.1} ms, p99 {:.1} ms",
            self.invoices as f64 / self.seconds.max(f64::MIN_POSITIVE),
            self.p50_ms,
            self.p99_ms
        )?;
        for (kind, reason) in &self.refused {
            reason.tell(kind, f)?;
        }
        let Cancellations { count, refused_as_carts, returned, refused, refund_minor } = &self.cancellations;
        if *count > 0 {
            let (pounds, pence) = (refund_minor / 100, refund_minor % 100);
            let which = if returned.is_empty() { String::new() } else { format!(": {}", some(returned)) };
            writeln!(
                f,
                "{} of {count} cancellations accepted as returns ({refused_as_carts} refused as carts), \
                 {pounds}.{pence:02} GBP given back{which}",
                returned.len()
            )?;
        }
        for (kind, reason) in refused {
            reason.tell(kind, f)?;
        }
        if !self.products_refused.is_empty() {
            let example = self.products_refused.values().next().map_or("", String::as_str);
            let skus: Vec<_> = self.products_refused.keys().cloned().collect();
            writeln!(f, "products refused: {}\n             e.g. {example}", skus.join(", "))?;
        }
        for (status, invoices) in &self.unfinished {
            writeln!(f, "still {status}: {}", invoices.join(", "))?;
        }
        Ok(())
    }
}
