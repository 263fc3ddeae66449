//! What a usual run has no time for.

use crate::checkout::checkout;
use crate::setup::Kind::*;
use crate::setup::Setup;
use crate::sights::*;
use crate::stage;

/// The large set, smallest first.
pub(crate) fn all() -> Vec<Setup> {
    vec![
        Setup::new("the checkout, an outcome", checkout()).trouble(1, &[Refuse, Timeout]).hasty().seeing(&[
            COMPLETED,
            COMPENSATED,
            PIVOT_CLOSED,
            PIVOT_SETTLED_DONE,
        ]),
        Setup::new("the checkout, a crash", checkout()).crashes(1).seeing(&[COMPLETED]),
        Setup::new("the checkout, the lease is stolen, a cancel", checkout())
            .thefts(1)
            .trouble(1, &[Cancel])
            .seeing(&[COMPLETED, COMPENSATED, ZOMBIE_AFTER_COMPENSATION]),
        Setup::new("the checkout, a crash, an outcome", checkout())
            .crashes(1)
            .trouble(1, &[Refuse, Timeout])
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, UNDO_BEFORE_DO]),
        Setup::new("five steps, two thefts, an outcome", stage::five())
            .thefts(2)
            .trouble(1, &[Refuse, Timeout])
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, ZOMBIE_AFTER_COMPENSATION]),
        Setup::new(
            "five steps, the pivot outside, two deaths, a crash, two outcomes",
            stage::five().outside(&["take"]),
        )
        .deaths(2)
        .crashes(1)
        .trouble(2, &[Refuse, Timeout])
        .seeing(&[COMPLETED, PIVOT_CLOSED, EFFECT_WITHOUT_RECORD, PROVIDER_LATE]),
        Setup::new("an output that may differ, two outcomes, two crashes", stage::quoted())
            .crashes(2)
            .trouble(2, &[Refuse, Timeout])
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, UNDO_BEFORE_DO]),
        Setup::new(
            "two outside steps, two deaths, three outcomes, copies",
            stage::two().outside(&["hold", "take"]),
        )
        .deaths(2)
        .trouble(3, &[Refuse, Timeout, Duplicate])
        .patience(3)
        .hasty()
        .seeing(&[EFFECT_WITHOUT_RECORD, CLOSING_UNATTENDED, UNDOING_UNATTENDED, PROVIDER_LATE]),
        Setup::new("steps in a row, three outcomes, two crashes", stage::chain())
            .crashes(2)
            .trouble(3, &[Refuse, Timeout])
            .patience(1)
            .resumes(1)
            .seeing(&[RIDES, UNDO_PARKED, ENDED_AFTER_PARKED, COMPENSATED]),
        Setup::new("the checkout, two crashes", checkout()).crashes(2).seeing(&[COMPLETED]),
        Setup::new("five steps, three outcomes, two crashes", stage::five())
            .crashes(2)
            .trouble(3, &[Refuse, Timeout])
            .hasty()
            .seeing(&[COMPLETED, COMPENSATED, PARKED, PIVOT_CLOSED, PIVOT_SETTLED_DONE]),
    ]
}
