//! Fates as dice fall.

use std::sync::{Mutex, PoisonError};

use super::fate::{Excuse, Fate, Until, Which};
use super::interceptor::Call;
use crate::Dice;

/// An answer over this many bytes is broken to the product (1 MiB).
const TOO_LARGE: usize = (1 << 20) + 1;
/// And one over this is cut off on its way to it (16 MiB).
const CUT_OFF: usize = (16 << 20) + 1;

/// Draws a fate for each call: the seed fixes the sequence of fates, the order of calls who meets which.
#[derive(Debug)]
pub struct Mischief {
    dice: Mutex<Dice>,
    percent: u64,
}

impl Mischief {
    /// Mischief to `percent` of calls.
    pub fn new(dice: Dice, percent: u64) -> Self {
        Self { dice: Mutex::new(dice), percent }
    }

    /// The next call's fate.
    pub fn fate(&self, call: &Call) -> Fate {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        if !dice.chance(self.percent) {
            return Fate::Pass;
        }
        match dice.roll(12) {
            0 | 1 => Fate::LoseRequest(excuse(&mut dice)),
            2..=4 => Fate::LoseReply(excuse(&mut dice)),
            5 | 6 => Fate::Twice(*dice.pick(&[Which::First, Which::Second])),
            7 | 8 => Fate::Echo(10 + u32::try_from(dice.roll(200)).unwrap_or(0)),
            9 | 10 if call.op == "do" => Fate::Late(Until::Undone),
            _ => Fate::Late(Until::Next),
        }
    }
}

/// Silence is rare, because it takes as long as the caller's deadline.
fn excuse(dice: &mut Dice) -> Excuse {
    match dice.roll(20) {
        0 => Excuse::Silence,
        1 => Excuse::Oversized(TOO_LARGE),
        2 => Excuse::Oversized(CUT_OFF),
        3..=8 => Excuse::Reset,
        9..=12 => Excuse::Unavailable,
        13..=16 => Excuse::Forbidden,
        _ => Excuse::Exhausted,
    }
}
