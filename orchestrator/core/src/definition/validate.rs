//! The rules of a definition, with errors that teach.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::set::{StepId, StepSet};
use super::{Class, Definition, PublishFn, Remedy, Replay, Step};

/// Why a definition does not build.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// Nothing to do.
    #[error("definition `{0}` has no steps; give it at least one")]
    Empty(&'static str),
    /// Too many steps.
    #[error("definition `{0}` has {1} steps; at most 64 are possible; split it in two sagas")]
    TooLong(&'static str, usize),
    /// A name that cannot travel.
    #[error("step name `{0}` must be 1 to 100 of a-z, 0-9 and _, because it travels as call metadata")]
    Name(&'static str),
    /// Two steps of one name.
    #[error("two steps are called `{0}`; a step's name is part of its idempotency key and must be unique")]
    Duplicate(&'static str),
    /// A second point of no return.
    #[error(
        "`{0}` and `{1}` are both pivots; only one step can decide; make the other one retriable (after) or compensatable (before)"
    )]
    TwoPivots(&'static str, &'static str),
    /// Neither before nor after the pivot.
    #[error(
        "`{step}` is neither before nor after the pivot `{pivot}`, so nobody could say whether to undo it when the pivot is in doubt; make one depend on the other with `after`"
    )]
    Beside {
        /// The step.
        step: &'static str,
        /// The pivot.
        pivot: &'static str,
    },
    /// Before the pivot, and cannot be taken back.
    #[error(
        "`{step}` cannot be undone but runs before the pivot `{pivot}`: a later refusal would leave it half-happened; give it `compensated_by`, or say why it `needs_no_undo`, or move it after the pivot"
    )]
    NotUndoable {
        /// The step.
        step: &'static str,
        /// The pivot.
        pivot: &'static str,
    },
    /// After the pivot, yet with an undo.
    #[error(
        "`{step}` runs after the pivot `{pivot}`, where nothing is taken back any more; finish it with `retriable`, or move it before the pivot"
    )]
    UndoAfterPivot {
        /// The step.
        step: &'static str,
        /// The pivot.
        pivot: &'static str,
    },
    /// After the pivot, yet with a guard.
    #[error(
        "`{step}` runs after the pivot `{pivot}`, where no step may refuse any more, but its guard could; check that before the pivot, or drop the guard"
    )]
    GuardAfterPivot {
        /// The step.
        step: &'static str,
        /// The pivot.
        pivot: &'static str,
    },
    /// Something that expires, where nothing turns back any more.
    #[error(
        "`{0}` says how long its answer lasts, but it is not before the pivot: nothing turns back when it expires; drop `lasting`"
    )]
    LastingTooLate(&'static str),
    /// Waits for a step that is not before it.
    #[error(
        "`{0}` comes after a step that is not described before it; steps are written in dependency order, and a handle belongs to the definition that gave it"
    )]
    NotEarlier(&'static str),
    /// Done by one participant, undone by another.
    #[error(
        "`{step}` is done by `{participant}` but taken back by `{undone_by}`; the row that remembers the step is at `{participant}`, so only it can take the step back"
    )]
    UndoneElsewhere {
        /// The step.
        step: &'static str,
        /// Who does it.
        participant: &'static str,
        /// Who is to take it back.
        undone_by: &'static str,
    },
    /// Retriable without a pivot.
    #[error(
        "`{0}` is retriable, but the definition has no pivot that it could be after; add one, or give the step an undo"
    )]
    RetriableWithoutPivot(&'static str),
    /// No request.
    #[error("`{0}` has no request; say what is asked with `request`")]
    NoRequest(&'static str),
}

pub(super) fn finish(
    name: &'static str,
    version: u32,
    deadline: Duration,
    mut steps: Vec<Step>,
    publish: Option<PublishFn>,
    remedy: Option<Remedy>,
) -> Result<Definition, DefinitionError> {
    if steps.is_empty() {
        return Err(DefinitionError::Empty(name));
    }
    if steps.len() > StepSet::CAPACITY {
        return Err(DefinitionError::TooLong(name, steps.len()));
    }
    each(&steps)?;
    close_over_dependencies(&mut steps);
    let pivot = pivot(&steps)?;
    classes(&steps, pivot)?;
    let fingerprint = fingerprint(name, version, &steps);
    Ok(Definition { name, version, deadline, steps, pivot, fingerprint, publish, remedy })
}

/// What can be said about a step without its class.
fn each(steps: &[Step]) -> Result<(), DefinitionError> {
    for (i, step) in steps.iter().enumerate() {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if step.name.is_empty() || step.name.len() > 100 || !step.name.bytes().all(legal) {
            return Err(DefinitionError::Name(step.name));
        }
        if steps[..i].iter().any(|other| other.name == step.name) {
            return Err(DefinitionError::Duplicate(step.name));
        }
        if step.request.is_none() {
            return Err(DefinitionError::NoRequest(step.name));
        }
        if step.after.iter().any(|earlier| earlier.index() >= i) {
            return Err(DefinitionError::NotEarlier(step.name));
        }
        if let Some(undo) = step.undo.as_ref().filter(|undo| undo.participant != step.participant) {
            return Err(DefinitionError::UndoneElsewhere {
                step: step.name,
                participant: step.participant,
                undone_by: undo.participant,
            });
        }
    }
    Ok(())
}

/// Steps depend on earlier ones only, so one pass each way is enough.
fn close_over_dependencies(steps: &mut [Step]) {
    for i in 0..steps.len() {
        let after = steps[i].after;
        steps[i].ancestors = after.iter().fold(after, |all, s| all.union(steps[s.index()].ancestors));
        let Some(id) = StepId::new(i) else { continue };
        for ancestor in steps[i].ancestors.iter() {
            steps[ancestor.index()].descendants.insert(id);
        }
    }
}

fn pivot(steps: &[Step]) -> Result<Option<StepId>, DefinitionError> {
    let mut pivots = steps.iter().enumerate().filter(|(_, s)| s.class == Class::Pivot);
    let first = pivots.next();
    if let (Some((_, a)), Some((_, b))) = (first, pivots.next()) {
        return Err(DefinitionError::TwoPivots(a.name, b.name));
    }
    Ok(first.and_then(|(i, _)| StepId::new(i)))
}

fn classes(steps: &[Step], pivot: Option<StepId>) -> Result<(), DefinitionError> {
    for (i, step) in steps.iter().enumerate() {
        if step.validity.is_some() && matches!(step.class, Class::Pivot | Class::Retriable) {
            return Err(DefinitionError::LastingTooLate(step.name));
        }
        let Some(pivot_id) = pivot else {
            if step.class == Class::Retriable {
                return Err(DefinitionError::RetriableWithoutPivot(step.name));
            }
            continue;
        };
        let (pivot, step_name) = (&steps[pivot_id.index()], step.name);
        let before = StepId::new(i).is_some_and(|id| pivot.ancestors.contains(id));
        let after = step.ancestors.contains(pivot_id);
        match step.class {
            Class::Pivot => {}
            _ if !before && !after => {
                return Err(DefinitionError::Beside { step: step_name, pivot: pivot.name });
            }
            Class::Retriable if before => {
                return Err(DefinitionError::NotUndoable { step: step_name, pivot: pivot.name });
            }
            Class::Compensatable | Class::NeedsNoUndo(_) if after => {
                return Err(DefinitionError::UndoAfterPivot { step: step_name, pivot: pivot.name });
            }
            Class::Retriable if step.guard.is_some() => {
                return Err(DefinitionError::GuardAfterPivot { step: step_name, pivot: pivot.name });
            }
            _ => {}
        }
    }
    Ok(())
}

fn fingerprint(name: &str, version: u32, steps: &[Step]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut word = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    word(name);
    word(&version.to_string());
    for step in steps {
        word(step.name);
        word(step.participant);
        word(step.action);
        word(match step.class {
            Class::Compensatable => "compensatable",
            Class::NeedsNoUndo(_) => "needs no undo",
            Class::Pivot => "pivot",
            Class::Retriable => "retriable",
        });
        word(&format!("{:?} {:?}", step.after, step.reads));
        word(if step.replay == Replay::Same { "same" } else { "may differ" });
        word(step.undo.as_ref().map_or("", |undo| undo.action));
        word(match (step.guard.is_some(), step.validity.is_some()) {
            (false, false) => "",
            (true, false) => "guarded",
            (false, true) => "lasting",
            (true, true) => "guarded, lasting",
        });
    }
    hash.finalize().into()
}
