//! A saga of sequential steps that mean nothing, for measuring the engine and comparing it with others.

use backstitch_core::{Definition, DefinitionBuilder, DefinitionError, Handle};
use backstitch_proto::ids::derived;
use backstitch_proto::noop::{ActRequest, ActResponse, SyntheticInput, UndoRequest};

use crate::operations::noop;

const NAMES: [&str; MAX_STEPS] = [
    "step_1", "step_2", "step_3", "step_4", "step_5", "step_6", "step_7", "step_8", "step_9", "step_10",
    "step_11", "step_12", "step_13", "step_14", "step_15", "step_16",
];

/// The most steps it can have.
pub const MAX_STEPS: usize = 16;

/// `steps` sequential steps (1 ..= [`MAX_STEPS`]), of which the last but two is the pivot (with fewer than three:
/// the last). Publishes nothing. Each length is a shape of its own, and so a version of its own: its number of steps.
pub fn synthetic(steps: usize) -> Result<Definition, DefinitionError> {
    let version = u32::try_from(steps).unwrap_or(u32::MAX);
    let pivot = if steps > 2 { steps - 3 } else { steps.saturating_sub(1) };
    let mut d = DefinitionBuilder::<SyntheticInput>::new("synthetic", version);
    let mut before: Option<Handle<ActResponse>> = None;
    for (i, name) in NAMES.into_iter().take(steps).enumerate() {
        let mut step = d.step(name, noop::ACT).request(move |c, ()| ActRequest {
            id: derived(c.saga, name).to_string(),
            payload: c.input.payload.clone(),
        });
        if let Some(before) = before {
            step = step.after([before.step()]);
        }
        before = Some(match i {
            _ if i < pivot => step
                .compensated_by(noop::UNDO, move |c| UndoRequest { id: derived(c.saga, name).to_string() }),
            _ if i == pivot => step.pivot(),
            _ => step.retriable(),
        });
    }
    d.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_steps_have_their_pivot_at_the_fifth() {
        let definition = synthetic(7).unwrap();
        assert_eq!(definition.pivot.map(|p| definition.step(p).name), Some("step_5"));
    }

    #[test]
    fn any_length_builds() {
        for steps in 1..=MAX_STEPS {
            assert_eq!(synthetic(steps).unwrap().steps.len(), steps);
        }
        assert!(synthetic(0).is_err());
    }
}
