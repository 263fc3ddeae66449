//! What a person reads while the demo plays. Meaning survives without colour.

use std::io::IsTerminal as _;
use std::path::Path;

use backstitch_chaos::Report;

use super::shop::RecordLine;
use crate::cli::say;

/// Prints scenes; says nothing when a program listens.
pub(crate) struct Timeline {
    silent: bool,
    colour: bool,
    scene: u32,
}

impl Timeline {
    pub(crate) fn new(silent: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { silent, colour, scene: 0 }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn print(&self, text: &str) {
        if !self.silent {
            say(text);
        }
    }

    /// A heading that is no scene.
    pub(crate) fn title(&self, text: &str) {
        self.print(&self.paint("1", text));
    }

    /// Begins a scene: what is tried, and why it matters.
    pub(crate) fn scene(&mut self, title: &str, about: &str) {
        self.scene += 1;
        self.print(&format!("\n{}", self.paint("1", &format!("{}. {title}", self.scene))));
        self.print(&self.paint("2", &format!("   {about}")));
    }

    /// Something happens outside of any saga.
    pub(crate) fn note(&self, text: &str) {
        self.print(&format!("   {text}"));
    }

    /// Several lines, indented.
    pub(crate) fn lines(&self, text: &str) {
        text.lines().for_each(|line| self.note(line));
    }

    /// Something that went as it must.
    pub(crate) fn good(&self, text: &str) {
        self.print(&format!("   {} {text}", self.paint("32", "=>")));
    }

    /// What a saga recorded, one line for each thing that a reader cares for, with milliseconds since its start.
    pub(crate) fn saga(&self, records: &[RecordLine]) {
        self.saga_from(records, records.first().map_or(0, |r| r.at_unix_ms));
    }

    /// As [`Timeline::saga`], for records that go on from an earlier start.
    pub(crate) fn saga_from(&self, records: &[RecordLine], start: i64) {
        for record in records {
            if let Some((mark, text)) = self.told(record) {
                self.print(&format!("   {:>7} ms  {mark}  {text}", record.at_unix_ms - start));
            }
        }
    }

    fn told(&self, record: &RecordLine) -> Option<(String, String)> {
        let detail = if record.detail.is_empty() { String::new() } else { format!("  {}", record.detail) };
        let quiet = |text: &str| Some((" ".to_owned(), self.paint("2", text)));
        match record.kind.as_str() {
            "started" => quiet("accepted: durable before anybody is told"),
            "step_done" => Some((self.paint("32", "+"), record.step.clone())),
            "step_refused" => Some((self.paint("31", "x"), format!("{}{detail}", record.step))),
            "step_waiting" => {
                Some((self.paint("33", "…"), format!("{} waits for the customer", record.step)))
            }
            "pivot_intent" => quiet("the money moves: from here only the bank's own no turns back"),
            "turned_back" => Some((self.paint("33", "<"), format!("turns back{detail}"))),
            "close_intent" => quiet("the doubt is settled at the bank: done, or never"),
            "resumed" => Some((self.paint("33", ">"), format!("resumed{detail}"))),
            "undo_done" => Some((self.paint("33", "-"), format!("{} is taken back", record.step))),
            "step_parked" | "undo_parked" => {
                Some((self.paint("31", "!"), format!("{} is parked{detail}", record.step)))
            }
            _ => None,
        }
    }

    /// What the reconciler says.
    pub(crate) fn reconciled(&self, report: &backstitch_reconciler::Report) {
        self.title("\nThe reconciler, over our books, the bank's list and the orders");
        self.print(report.to_string().trim_end());
    }

    /// The auditor's last word.
    pub(crate) fn verdict(&self, report: &Report, kept: Option<&Path>) {
        self.title("\nThe auditor, over the databases that are left");
        self.print(&report.to_string());
        if let Some(directory) = kept {
            self.print(&format!("\nThe databases are in {}.", directory.display()));
        }
        if report.is_clean() {
            self.print("\nNext: `backstitch up` runs the same shop for you to try; it prints three curls to begin with.");
        }
    }
}
