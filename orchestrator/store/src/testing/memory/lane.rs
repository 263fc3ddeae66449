//! A lane in memory.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::count;
use crate::{LaneLag, OutboxRow};

#[derive(Default)]
pub(super) struct Lane {
    rows: BTreeMap<i64, OutboxRow>,
    /// The last number that was given.
    numbers: i64,
    watermark: i64,
    /// When the watermark last moved, Unix seconds.
    moved_at_s: i64,
    /// Root -> the number of its poisoned event.
    parked: BTreeMap<Uuid, i64>,
    /// Number -> when it was published, Unix seconds.
    published_s: BTreeMap<i64, i64>,
}

impl Lane {
    /// Gives the event its number.
    pub(super) fn push(&mut self, mut row: OutboxRow) {
        self.numbers += 1;
        row.number = self.numbers;
        self.rows.insert(row.number, row);
    }

    pub(super) fn pending(&self, limit: usize) -> Vec<OutboxRow> {
        self.waiting().take(limit).cloned().collect()
    }

    pub(super) fn published(&mut self, numbers: &[i64], now_ms: i64) {
        let numbers: BTreeSet<i64> = numbers.iter().copied().collect();
        let highest = numbers.last().copied().unwrap_or(0);
        let at_s = now_ms.div_euclid(1000).max(self.moved_at_s);
        let mut watermark = self.watermark;
        for (number, row) in
            self.rows.range(self.watermark + 1..).take_while(|(number, _)| **number <= highest)
        {
            let held = self.is_held(row);
            if !held && !numbers.contains(number) {
                break;
            }
            if !held {
                self.published_s.insert(*number, at_s);
            }
            watermark = *number;
        }
        if watermark > self.watermark {
            self.watermark = watermark;
            self.moved_at_s = at_s;
        }
    }

    pub(super) fn park(&mut self, number: i64) {
        if number > self.watermark
            && let Some(row) = self.rows.get(&number)
        {
            self.parked.entry(row.root).or_insert(number);
        }
    }

    pub(super) fn purge(&mut self, published_before_ms: i64, limit: usize) -> u64 {
        let before_s = published_before_ms.div_euclid(1000);
        let old = self.published_s.iter().filter(|(_, at_s)| **at_s < before_s).map(|(number, _)| *number);
        let old: Vec<i64> = old.take(limit).collect();
        for number in &old {
            self.rows.remove(number);
            self.published_s.remove(number);
        }
        count(old.len())
    }

    pub(super) fn published_since(&self, since_ms: i64, after: Option<i64>, limit: usize) -> Vec<OutboxRow> {
        let since_s = since_ms.div_euclid(1000);
        let rows = self.published_s.iter().filter(|(_, at_s)| **at_s >= since_s);
        let rows = rows.filter(|(number, _)| after.is_none_or(|after| **number > after));
        rows.filter_map(|(number, _)| self.rows.get(number)).take(limit).cloned().collect()
    }

    pub(super) fn lag(&self) -> LaneLag {
        LaneLag {
            waiting: count(self.waiting().count()),
            oldest_at_ms: self.waiting().map(|row| row.event.at_ms).min(),
            held: count(self.rows.values().filter(|row| self.is_held(row)).count()),
            parked_roots: count(self.parked.len()),
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &OutboxRow> {
        self.rows.range(self.watermark + 1..).map(|(_, row)| row).filter(|row| !self.is_held(row))
    }

    fn is_held(&self, row: &OutboxRow) -> bool {
        self.parked.get(&row.root).is_some_and(|poisoned| row.number >= *poisoned)
    }
}
