//! The report as a person reads it: what was looked at, one line per invariant, then what needs a person.

use std::fmt::{self, Display, Formatter};

use backstitch_proto::money::{Currency, Money};

use super::{Invariant, Parked, Report, Violation};

/// How many violations of one invariant are told in full; the serialized report has all.
const TOLD: usize = 10;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.looked_at(f)?;
        writeln!(f)?;
        for invariant in Invariant::ALL {
            let verdict = match self.of(invariant).count() {
                0 => "holds".to_owned(),
                n => format!("BROKEN, {}", plural(n, "violation")),
            };
            writeln!(f, "  {}  {:<48}{verdict}", invariant.code(), invariant.title())?;
        }
        for gap in &self.not_audited {
            writeln!(f, "  --  {gap}")?;
        }
        if !self.parked.is_empty() {
            writeln!(
                f,
                "\n{} for a person:",
                plural(self.parked.len(), "parked saga waits|parked sagas wait")
            )?;
            self.parked.iter().try_for_each(|parked| tell_parked(f, parked))?;
        }
        for invariant in Invariant::ALL {
            let found = self.of(invariant).count();
            for violation in self.of(invariant).take(TOLD) {
                tell_violation(f, violation)?;
            }
            if found > TOLD {
                writeln!(f, "\n{}  … and {} more like these", invariant.code(), grouped(found - TOLD))?;
            }
        }
        writeln!(f)?;
        match self.violations.len() {
            0 => write!(f, "Every invariant holds."),
            n => write!(f, "{} found.", plural(n, "violation")),
        }
    }
}

impl Report {
    fn looked_at(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "{} with {}: {} completed, {} compensated, {} in flight, {} parked",
            plural(counts.sagas, "saga"),
            plural(counts.records, "record"),
            grouped(counts.completed),
            grouped(counts.compensated),
            grouped(counts.in_flight),
            grouped(self.parked.len()),
        )?;
        if counts.in_flight > 0 {
            writeln!(
                f,
                "  in flight: {}; of them only what must hold at every moment was asked",
                counts.in_flight
            )?;
        }
        writeln!(
            f,
            "{}, of which {} stand; {}; {}; {}; {}",
            plural(counts.orders, "order"),
            grouped(counts.orders_standing),
            plural(counts.payments, "payment"),
            plural(counts.skus, "SKU"),
            plural(counts.shipments, "parcel"),
            plural(counts.events, "kept event"),
        )?;
        for (currency, amounts) in &self.money {
            writeln!(
                f,
                "the bank took {}, gave back {}, holds {}",
                money(amounts.captured_minor, currency),
                money(amounts.refunded_minor, currency),
                money(amounts.held_minor, currency),
            )?;
        }
        Ok(())
    }
}

fn tell_parked(f: &mut Formatter<'_>, parked: &Parked) -> fmt::Result {
    writeln!(f, "  {} {}", parked.definition, parked.saga)?;
    for line in parked.why.iter().chain(&parked.leaves) {
        writeln!(f, "      {line}")?;
    }
    Ok(())
}

fn tell_violation(f: &mut Formatter<'_>, violation: &Violation) -> fmt::Result {
    writeln!(f, "\n{}  {}", violation.invariant.code(), violation.what)?;
    for (what, id) in &violation.ids {
        writeln!(f, "      {what:<12}{id}")?;
    }
    writeln!(f, "      {:<12}{}", "look at", violation.look_at)
}

/// An amount as people write it; a currency that is none is shown as it stands.
pub(crate) fn money(minor: i64, currency: &str) -> String {
    match Currency::parse(currency) {
        Ok(currency) => Money::new(minor, currency).to_string(),
        Err(_) => format!("{minor} minor units of \"{currency}\""),
    }
}

/// `1 saga`, `12,345 sagas`; a word with `|` brings its own plural.
fn plural(n: usize, word: &str) -> String {
    let (one, many) = match word.split_once('|') {
        Some((one, many)) => (one.to_owned(), many.to_owned()),
        None => (word.to_owned(), format!("{word}s")),
    };
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
