//! Why a saga waits, in a sentence.

use crate::definition::{Definition, Step};
use crate::record::ParkedBy;
use crate::saga::{Activity, Direction, End, Saga};

/// What the saga waits for, told for the person who reads it at three in the morning.
pub fn explain(definition: &Definition, saga: &Saga) -> String {
    match saga.end {
        Some(End::Completed) if saga.made_good.is_some() => {
            return "Completed: what was not done was returned instead.".into();
        }
        Some(End::Completed) => return "Completed: every step is done.".into(),
        Some(End::Compensated) => {
            return "Compensated: everything that happened or may have happened is taken back.".into();
        }
        None => {}
    }
    let mut parts = match &saga.made_good {
        Some(good) => vec![format!(
            "Being made good by return {}, because {}. It makes no call any more, and completes when that return has.",
            good.return_saga, good.why
        )],
        None => waits(definition, saga),
    };
    parts.extend(saga.notes.iter().map(|note| format!("Noted at {}: {}.", note.at, note.text)));
    parts.join(" ")
}

/// Which way it goes, and what stands in that way.
fn waits(definition: &Definition, saga: &Saga) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(why) = &saga.poisoned {
        parts.push(format!("The whole saga is parked: {why}. It goes on when a person resumes it."));
    }
    for id in definition.step_ids() {
        let (step, state) = (definition.step(id), saga.step(id));
        if let Some(parked) = &state.parked {
            parts.push(format!("{} is parked: {}. {}", step.name, parked.why, way_out(parked.by, step)));
        }
        if let Some(parked) = &state.undo_parked {
            let way_out = way_out(parked.by, step);
            parts.push(format!("The undo of {} is parked: {}. {way_out}", step.name, parked.why));
        }
        if let Some(waiting) = &state.waiting {
            parts.push(format!("{} waits for the customer until {}.", step.name, waiting.until));
        }
        match &state.activity {
            Activity::Idle => {}
            Activity::Calling { op, attempt } => {
                parts.push(format!(
                    "{} is being called at {} ({op}, attempt {attempt}).",
                    step.name, step.participant
                ));
            }
            Activity::BackingOff { op, attempt, until, last } => parts.push(format!(
                "{} is called again at {until} ({op}, attempt {attempt}) because {last}.",
                step.name
            )),
        }
    }
    let way = match &saga.direction {
        Direction::Forward if saga.pivot_intent.is_some() => "Going forward only, the pivot has begun.",
        Direction::Forward if saga.is_settling(definition) => {
            "Restored from a backup: its participants are asked how far it came."
        }
        Direction::Forward => "Going forward.",
        Direction::Back(_) => "Taking back what happened.",
    };
    parts.insert(0, way.into());
    parts
}

fn way_out(by: ParkedBy, step: &Step) -> String {
    match by {
        ParkedBy::Silence => {
            format!("It is tried again once {} answers, or when a person resumes it.", step.participant)
        }
        ParkedBy::Fault => "It goes on when a person has looked, repaired and resumed it.".into(),
    }
}
