//! Weather that changes as dice fall.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Break, Orders, Weather};
use crate::{Dice, Tally};

/// Changing weather. Ends when it is dropped, in whatever weather there is then.
#[derive(Debug)]
pub struct Storm {
    orders: watch::Sender<Orders>,
    task: JoinHandle<()>,
}

impl Storm {
    /// Ends it, and the weather is clear.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        self.orders.send_modify(|orders| orders.weather = Weather::Clear);
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) fn begin(orders: watch::Sender<Orders>, tally: Tally, mut dice: Dice, spell: Duration) -> Storm {
    let told = orders.clone();
    let task = tokio::spawn(async move {
        loop {
            tokio::time::sleep(dice.time(spell)).await;
            // Half a spell at least, or a fault might come and go between two bytes.
            let lasts = spell / 2 + dice.time(spell / 2);
            let how = *dice.pick(&[Break::Close, Break::Reset]);
            let weather = match dice.roll(6) {
                0 => Weather::Slow(dice.time(Duration::from_millis(50))),
                1 => Weather::Frozen,
                2 => Weather::Refusing,
                3 | 4 => Weather::Cut { after: dice.roll(4096), how },
                _ => {
                    tally.note(if how == Break::Close { "all closed" } else { "all reset" });
                    told.send_modify(|orders| (orders.breaks, orders.how) = (orders.breaks + 1, how));
                    continue;
                }
            };
            tally.note(weather.word());
            told.send_modify(|orders| orders.weather = weather);
            tokio::time::sleep(lasts).await;
            told.send_modify(|orders| orders.weather = Weather::Clear);
        }
    });
    Storm { orders, task }
}
