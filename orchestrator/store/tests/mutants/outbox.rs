//! What is wrong with a lane.

use backstitch_store::{OutboxRow, StoreError};

use crate::{broken::Broken, kind::Kind};

impl Broken {
    pub(crate) async fn pending_broken(
        &self,
        shard: u16,
        limit: usize,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let mut rows = self.sound.lane_pending(shard, limit).await?;
        match self.kind {
            Kind::LaneBackwards => rows.reverse(),
            Kind::SequenceOfTheLane => rows.iter_mut().for_each(|row| row.sequence = row.number),
            _ => {}
        }
        let parked = self.notes().parked.clone();
        rows.retain(|row| parked.iter().all(|poison| !self.is_held(row, poison)));
        Ok(rows)
    }

    /// Whether a poisoned event that the mutant itself has parked holds back this one.
    fn is_held(&self, row: &OutboxRow, poison: &OutboxRow) -> bool {
        row.shard == poison.shard
            && match self.kind {
                Kind::OnlyPoisonHeld => row.number == poison.number,
                Kind::LaneHeld => row.number >= poison.number,
                _ => row.number >= poison.number && row.root == poison.root,
            }
    }

    pub(crate) async fn park_broken(
        &self,
        shard: u16,
        number: i64,
        why: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        match self.kind {
            Kind::PoisonNotHeld => Ok(()),
            Kind::OnlyPoisonHeld | Kind::LaneHeld | Kind::RestartUnparks => {
                let pending = self.sound.lane_pending(shard, usize::MAX).await?;
                self.notes().parked.extend(pending.into_iter().find(|row| row.number == number));
                Ok(())
            }
            Kind::PublishedParked => {
                let published = self.sound.lane_published_since(shard, 0, None, usize::MAX).await?;
                let pending = self.sound.lane_pending(shard, usize::MAX).await?;
                let root = published.iter().find(|row| row.number == number).map(|row| row.root);
                let next = pending.iter().find(|row| Some(row.root) == root).map_or(number, |row| row.number);
                self.sound.lane_park(shard, next, why, now_ms).await
            }
            _ => self.sound.lane_park(shard, number, why, now_ms).await,
        }
    }
}
