//! What time alone brings.

use super::{cancel, refund};
use crate::book::Progress;
use crate::refusal::Refusal;
use crate::world::World;

/// Turns the clock on: holds end, refunds go on.
pub(crate) async fn turn(world: &mut World, seconds: i64) -> Result<(), Refusal> {
    world.clock.turn(seconds);
    let now = world.clock.now();
    let held = world.book.intents.iter().filter(|intent| intent.status() == "requires_capture");
    let ended = held.filter(|intent| intent.charge.as_ref().is_some_and(|c| c.capture_before <= now));
    for id in ended.map(|intent| intent.id.clone()).collect::<Vec<_>>() {
        cancel::end(world, &id, "automatic", None).await?;
    }
    let due = world.book.refunds.iter().filter_map(|refund| {
        let (at, to) = refund.later?;
        (at <= now).then(|| (refund.id.clone(), to == Progress::Succeeded))
    });
    for (id, succeeds) in due.collect::<Vec<_>>() {
        refund::settle(world, &id, succeeds)?;
    }
    Ok(())
}
