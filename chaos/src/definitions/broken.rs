//! The report of a law that does not hold.

use std::fmt;

use backstitch_core::Definition;

use super::law::{Law, Violation};
use super::world::World;

/// A law that does not hold for a definition, with the schedule that shows it. The schedule is the shortest: no smaller
/// number of faults shows anything.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which definition, with its version.
    pub definition: String,
    /// Which law.
    pub law: Law,
    /// What was wrong.
    pub why: String,
    /// The faults, in the order in which they struck.
    pub schedule: Vec<String>,
    /// Everything that happened, line by line.
    pub story: Vec<String>,
}

impl Broken {
    pub(super) fn of(world: &World<'_>, Violation { law, why }: Violation) -> Box<Self> {
        let stage = world.stage;
        Box::new(Self {
            definition: format!("{:?}", stage.definition),
            law,
            why,
            schedule: world.schedule.iter().map(|suffered| suffered.tell(stage)).collect(),
            story: world.story.iter().filter_map(|line| line.tell(stage)).collect(),
        })
    }

    /// Of what does not even begin.
    pub(super) fn at_once(definition: &Definition, Violation { law, why }: Violation) -> Box<Self> {
        let (schedule, story) = (Vec::new(), Vec::new());
        Box::new(Self { definition: format!("{definition:?}"), law, why, schedule, story })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} breaks a law: {}", self.definition, self.law)?;
        writeln!(f, "  {}", self.why)?;
        writeln!(f, "schedule:")?;
        if self.schedule.is_empty() {
            writeln!(f, "  nothing goes wrong")?;
        }
        for (number, fault) in self.schedule.iter().enumerate() {
            writeln!(f, "  {}. {fault}", number + 1)?;
        }
        writeln!(f, "what happened:")?;
        self.story.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

impl std::error::Error for Broken {}
