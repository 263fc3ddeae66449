//! The cases: each a name that stays, a law in one sentence, what it needs, and how it is asked.

mod close;
mod crash;
mod doing;
mod door;
mod duplicate;
mod independence;
mod metadata;
mod pending;
mod race;
mod refusal;
mod undo;
mod verdict;

use futures::future::BoxFuture;

use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::report::{Outcome, Row, Verdict};
use crate::trial::{Plan, Trial};

type Checked = Result<(), Failure>;

/// One case of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its stable name.
    pub id: &'static str,
    /// What it insists on, in one sentence.
    pub law: &'static str,
    needs: &'static [Need],
    ask: Ask,
}

/// Whom a case asks.
#[derive(Clone, Copy)]
enum Ask {
    /// Each action by itself.
    Action(for<'a> fn(&'a Bench, &'a Action) -> BoxFuture<'a, Checked>),
    /// The service as a whole.
    Service(for<'a> fn(&'a Bench) -> BoxFuture<'a, Checked>),
}

/// What an action must have for a case to apply to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Undo,
    Refusal,
    /// A way to make the refused request possible.
    Relief,
    Slow,
    Pending,
    AfterPivot,
    Expiry,
    NoExpiry,
    Restart,
}

const fn case(
    id: &'static str,
    law: &'static str,
    needs: &'static [Need],
    ask: for<'a> fn(&'a Bench, &'a Action) -> BoxFuture<'a, Checked>,
) -> Case {
    Case { id, law, needs, ask: Ask::Action(ask) }
}

/// Every case, in the order in which they are reported.
pub fn all() -> impl Iterator<Item = &'static Case> {
    let groups = [
        door::CASES,
        duplicate::CASES,
        refusal::CASES,
        undo::CASES,
        close::CASES,
        race::CASES,
        doing::CASES,
        pending::CASES,
        independence::CASES,
        metadata::CASES,
        verdict::CASES,
        crash::CASES,
    ];
    groups.into_iter().flatten()
}

impl Case {
    /// Whether it crashes the participant.
    pub(crate) fn crashes(&self) -> bool {
        self.needs.contains(&Need::Restart)
    }

    pub(crate) async fn run(&self, bench: &Bench) -> Row {
        let mut outcomes = Vec::new();
        match self.ask {
            Ask::Action(ask) => {
                for action in &bench.profile.actions {
                    let verdict = match self.why_not(bench, action) {
                        Some(verdict) => verdict,
                        None => told(ask(bench, action).await),
                    };
                    outcomes.push(Outcome { of: action.name.clone(), verdict });
                }
            }
            Ask::Service(ask) => {
                let verdict = match bench.profile.declared(self.id, "") {
                    Some(why) => Verdict::NotApplicable(why.to_owned()),
                    None => told(ask(bench).await),
                };
                outcomes.push(Outcome { of: bench.profile.participant.clone(), verdict });
            }
        }
        Row { case: self.id, law: self.law, outcomes }
    }

    /// Why it is not asked of this action.
    fn why_not(&self, bench: &Bench, action: &Action) -> Option<Verdict> {
        if let Some(why) = bench.profile.declared(self.id, &action.name) {
            return Some(Verdict::NotApplicable(why.to_owned()));
        }
        let lacks = |need: &Need| match need {
            Need::Undo => action.why_no_undo(),
            Need::Refusal => action.why_never_refused(),
            Need::Relief => match &action.refused {
                Some(refused) => refused.no_relief.as_deref(),
                None => action.why_never_refused(),
            },
            Need::Slow => action.why_never_slow(),
            Need::Pending => action.why_never_pending(),
            Need::AfterPivot => (!action.after_pivot).then_some("it comes before the pivot, or is it"),
            Need::Expiry => bench.profile.why_never_expires(),
            Need::NoExpiry => bench.profile.expires_after_days.map(|_| "old sagas are Expired"),
            Need::Restart => None,
        };
        if let Some(why) = self.needs.iter().find_map(lacks) {
            return Some(Verdict::NotApplicable(why.to_owned()));
        }
        let crash = self.crashes() && !bench.can_restart();
        crash.then(|| Verdict::NotRun("needs --restart-command".to_owned()))
    }
}

fn told(checked: Checked) -> Verdict {
    match checked {
        Ok(()) => Verdict::Passed,
        Err(Failure::Failed(why)) => Verdict::Failed(why),
        Err(Failure::NotRun(why)) => Verdict::NotRun(why),
    }
}

/// A saga before its step, with the request that is done.
async fn fresh<'a>(bench: &'a Bench, action: &'a Action) -> Result<Trial<'a>, Failure> {
    Trial::begin(bench, &Plan::sample(action)).await
}

/// A saga before its step, with a request that the profile must have.
async fn with<'a>(bench: &'a Bench, plan: Option<Plan<'a>>) -> Result<Trial<'a>, Failure> {
    let plan = plan.ok_or_else(|| Failure::NotRun("the profile has no such request".into()))?;
    Trial::begin(bench, &plan).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_a_law_of_one_sentence() {
        let names: BTreeSet<&str> = all().map(|case| case.id).collect();
        assert_eq!(names.len(), all().count());
        assert!(names.len() >= 30);
        for case in all() {
            assert!(!case.law.ends_with('.') && !case.law.contains(". "), "{}", case.id);
        }
    }

    #[test]
    fn the_manual_names_every_case_with_its_law() {
        let manual = include_str!("../../../../docs/conformance.md");
        let lines = all().map(|case| format!("| `{}` | {} |", case.id, case.law));
        let missing: Vec<String> = lines.filter(|line| !manual.contains(line)).collect();
        assert!(missing.is_empty(), "docs/conformance.md lacks:\n{}", missing.join("\n"));
    }
}
