//! What goes wrong on purpose: told call by call, or drawn from a seed.

use backstitch_faults::Dice;
use serde::{Deserialize, Serialize};

use crate::api::Operation;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is executed, and the connection breaks before the answer.
    ReplyLost,
    /// The connection breaks before it is executed.
    Reset,
    /// It waits so many milliseconds before it is executed; its key is in use meanwhile.
    Slow(u64),
    /// It is executed at once and answered so many milliseconds later.
    Late(u64),
    /// It is executed, and answered with a 500, which its key gives again.
    ErrorExecuted,
    /// It is not executed, and answered with a 500, which its key gives again.
    ErrorStored,
    /// It is not executed, and answered with a 500, of which its key knows nothing.
    ErrorUnexecuted,
    /// 429, with `Retry-After` of so many seconds. It is not executed, and its key knows nothing of it.
    RateLimited(u64),
    /// 409: another call with its key goes on. It is not executed.
    KeyInUse,
    /// Somebody else who has the account captures the intent first, if it holds anything, whatever its card does to us.
    Overtaken,
    /// The same, and takes no more than this.
    OvertakenInPart(i64),
}

/// A fault for calls to come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// Which calls; any, if `None`.
    pub on: Option<Operation>,
    /// How many such calls pass unharmed before.
    pub after: u32,
    /// How many are harmed then.
    pub times: u32,
    /// How.
    pub kind: Kind,
}

impl Fault {
    /// The next call of `operation`.
    pub fn next(operation: Operation, kind: Kind) -> Self {
        Self { on: Some(operation), after: 0, times: 1, kind }
    }

    /// The next `times` calls of `operation`.
    pub fn times(operation: Operation, times: u32, kind: Kind) -> Self {
        Self { times, ..Self::next(operation, kind) }
    }
}

/// Faults of any call by chance, the same for the same seed and the same order of calls.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Storm {
    /// What fixes it.
    pub seed: u64,
    /// How many calls in a hundred are harmed.
    pub percent: u64,
    /// How; one of these.
    pub kinds: Vec<Kind>,
}

/// What is still to go wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    told: Vec<Fault>,
    storm: Option<(Storm, Dice)>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.told.push(fault);
    }

    pub(crate) fn storm(&mut self, storm: Storm) {
        let dice = Dice::new(storm.seed);
        self.storm = (storm.percent > 0 && !storm.kinds.is_empty()).then_some((storm, dice));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What happens to this call.
    pub(crate) fn draw(&mut self, operation: Operation) -> Option<Kind> {
        let mut drawn = None;
        // Every fault counts the calls that it is about, also those that another one harms.
        for fault in self.told.iter_mut().filter(|f| f.on.is_none_or(|on| on == operation)) {
            if fault.after > 0 {
                fault.after -= 1;
            } else if drawn.is_none() && fault.times > 0 {
                fault.times -= 1;
                drawn = Some(fault.kind);
            }
        }
        self.told.retain(|fault| fault.times > 0);
        if drawn.is_none()
            && let Some((storm, dice)) = &mut self.storm
            && dice.chance(storm.percent)
        {
            drawn = Some(*dice.pick(&storm.kinds));
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_harms_the_calls_that_it_is_about_and_no_more() {
        let mut faults = Faults::default();
        let (capture, cancel) = (Operation::CaptureIntent, Operation::CancelIntent);
        faults.add(Fault { after: 1, ..Fault::times(capture, 2, Kind::Reset) });
        let drawn = [capture, cancel, capture, capture, capture].map(|call| faults.draw(call));
        assert_eq!(drawn, [None, None, Some(Kind::Reset), Some(Kind::Reset), None]);
    }

    #[test]
    fn a_storm_is_the_same_for_the_same_seed() {
        let drawn = |seed| {
            let mut faults = Faults::default();
            faults.storm(Storm { seed, percent: 50, kinds: vec![Kind::Reset, Kind::ReplyLost] });
            (0..40).map(|_| faults.draw(Operation::CaptureIntent)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let harmed = drawn(1).iter().flatten().count();
        assert!((10..=30).contains(&harmed), "{harmed} of 40");
    }
}
