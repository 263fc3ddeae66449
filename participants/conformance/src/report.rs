//! What the cases came to: for a person, and as JSON.

use std::fmt;

use serde::Serialize;

/// What a case came to for one action, or for the service as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// As the contract wants.
    Passed,
    /// Against the contract.
    Failed(String),
    /// The profile says that it does not apply, and why.
    NotApplicable(String),
    /// It could not be run; nothing is known.
    NotRun(String),
}

/// A verdict and what it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The action's name, or the service's.
    pub of: String,
    /// What it came to.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// A case with its outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its stable name.
    pub case: &'static str,
    /// What it insists on.
    pub law: &'static str,
    /// One for each action, or one for the service.
    pub outcomes: Vec<Outcome>,
}

impl Row {
    /// The worst that happened: failed, else not run, else passed, else not applicable.
    pub fn verdict(&self) -> &Verdict {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Failed(_) => 0,
            Verdict::NotRun(_) => 1,
            Verdict::Passed => 2,
            Verdict::NotApplicable(_) => 3,
        };
        let worst = self.outcomes.iter().map(|outcome| &outcome.verdict).min_by_key(|v| rank(v));
        worst.unwrap_or(&Verdict::Passed)
    }
}

/// All cases that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose.
    pub participant: String,
    /// Where.
    pub address: String,
    /// Its actions.
    pub actions: Vec<String>,
    /// Actions whose effect cannot be looked at, so that only answers were compared, and why.
    pub unobserved: Vec<(String, String)>,
    /// Case by case.
    pub rows: Vec<Row>,
}

impl Report {
    /// How many cases passed, failed, do not apply, were not run.
    pub fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for row in &self.rows {
            let place = match row.verdict() {
                Verdict::Passed => 0,
                Verdict::Failed(_) => 1,
                Verdict::NotApplicable(_) => 2,
                Verdict::NotRun(_) => 3,
            };
            counts[place] += 1;
        }
        counts
    }

    /// Whether none failed and at least one passed.
    pub fn is_conformant(&self) -> bool {
        let [passed, failed, ..] = self.counts();
        failed == 0 && passed > 0
    }

    /// As JSON, with the counts.
    ///
    /// # Errors
    /// Never in practice: everything in it is text.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let [passed, failed, not_applicable, not_run] = self.counts();
        let mut json = serde_json::to_value(self)?;
        json["counts"] = serde_json::json!({
            "passed": passed, "failed": failed, "not_applicable": not_applicable, "not_run": not_run,
        });
        serde_json::to_string_pretty(&json)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at {}: {}", self.participant, self.address, self.actions.join(", "))?;
        for (action, why) in &self.unobserved {
            writeln!(f, "the effect of {action} is not looked at: {why}")?;
        }
        writeln!(f)?;
        let widest = self.rows.iter().map(|row| row.case.len()).max().unwrap_or(0);
        for row in &self.rows {
            let word = match row.verdict() {
                Verdict::Passed => "pass",
                Verdict::Failed(_) => "FAIL",
                Verdict::NotApplicable(_) => "n/a",
                Verdict::NotRun(_) => "not run",
            };
            writeln!(f, "{word:<8} {:<widest$}  {}", row.case, row.law)?;
            for (mark, why, of) in row.remarks() {
                let mut lines = why.lines();
                writeln!(f, "         {of}: {mark}{}", lines.next().unwrap_or_default())?;
                for line in lines {
                    writeln!(f, "           {line}")?;
                }
            }
        }
        let [passed, failed, not_applicable, not_run] = self.counts();
        write!(f, "\n{passed} passed, {failed} failed, {not_applicable} not applicable, {not_run} not run")?;
        let mut reasons = Vec::new();
        for why in self.rows.iter().flat_map(|row| &row.outcomes).filter_map(Outcome::why_not_run) {
            if !reasons.contains(&why) {
                reasons.push(why);
            }
        }
        match reasons.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", reasons.join("; ")),
        }
    }
}

impl Outcome {
    fn why_not_run(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::NotRun(why) => Some(why),
            _ => None,
        }
    }
}

impl Row {
    /// What a person wants to read about this row; equal reasons of several actions are told once.
    fn remarks(&self) -> Vec<(&'static str, &str, String)> {
        let mut remarks = Vec::<(&'static str, &str, String)>::new();
        for Outcome { of, verdict } in &self.outcomes {
            let (mark, why) = match verdict {
                Verdict::Passed => continue,
                Verdict::Failed(why) => ("", why),
                Verdict::NotApplicable(why) => ("not applicable: ", why),
                Verdict::NotRun(why) => ("not run: ", why),
            };
            match remarks.iter_mut().find(|(m, w, _)| (*m, *w) == (mark, why.as_str())) {
                Some((_, _, whose)) => whose.push_str(&format!(", {of}")),
                None => remarks.push((mark, why, of.clone())),
            }
        }
        remarks
    }
}
