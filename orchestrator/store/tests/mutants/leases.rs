//! What is wrong with members and leases.

use std::time::Duration;

use backstitch_store::{LONGEST_TERM, Lease, Member, ShardRow, StoreError, Tended};

use crate::{broken::Broken, kind::Kind};

impl Broken {
    /// How long a lease lasts, as the sound store is told.
    pub(crate) fn term(&self, term: Duration) -> Duration {
        if self.kind == Kind::LeaseNeverEnds { LONGEST_TERM } else { term }
    }

    async fn rows(&self, member: &Member) -> Result<Vec<ShardRow>, StoreError> {
        Ok(self.sound.tend(member, &[], LONGEST_TERM).await?.shards)
    }

    pub(crate) async fn tend_broken(
        &self,
        member: &Member,
        held: &[Lease],
        term: Duration,
    ) -> Result<Tended, StoreError> {
        let renewed: &[Lease] = if self.kind == Kind::RenewsNothing { &[] } else { held };
        let mut tended = self.sound.tend(member, renewed, self.term(term)).await?;
        let row = |lease: &Lease| tended.shards.get(usize::from(lease.shard));
        let ours = |lease: &&Lease| row(lease).is_some_and(|row| row.owner == member.node && !row.free);
        let same = |lease: &&Lease| row(lease).is_some_and(|row| row.epoch == lease.epoch);
        tended.held = match self.kind {
            Kind::RenewsNothing => held.iter().filter(ours).filter(same).copied().collect(),
            Kind::EndedRenewed => held.iter().filter(same).copied().collect(),
            Kind::OldEpochRenewed => held.iter().filter(ours).copied().collect(),
            _ => tended.held,
        };
        if self.kind == Kind::ReplacedUnnoticed {
            tended.replaced = false;
        }
        if self.kind == Kind::AddressForgotten {
            tended.members.iter_mut().for_each(|member| member.address.clear());
        }
        Ok(tended)
    }

    pub(crate) async fn claim_broken(
        &self,
        member: &Member,
        shards: &[u16],
        term: Duration,
    ) -> Result<Vec<Lease>, StoreError> {
        let mut shards = shards.to_vec();
        let mut member = member.clone();
        match self.kind {
            Kind::ClaimsWhatOthersHave => {
                let rows = self.rows(&member).await?.into_iter().filter(|row| shards.contains(&row.shard));
                let leases: Vec<Lease> =
                    rows.map(|row| Lease { shard: row.shard, epoch: row.epoch }).collect();
                self.sound.give_back(&leases).await?;
            }
            Kind::RestartWaits => {
                let rows = self.rows(&member).await?;
                shards.retain(|shard| rows.get(usize::from(*shard)).is_none_or(|row| row.free));
            }
            Kind::ReplacedClaims => {
                let tended = self.sound.tend(&member, &[], LONGEST_TERM).await?;
                let current = tended.members.into_iter().find(|current| current.node == member.node);
                member = current.unwrap_or(member);
            }
            Kind::ClaimsOneAtATime => shards.truncate(1),
            _ => {}
        }
        self.sound.claim(&member, &shards, self.term(term)).await
    }

    pub(crate) async fn give_back_broken(&self, held: &[Lease]) -> Result<(), StoreError> {
        match self.kind {
            Kind::GivesNothingBack => Ok(()),
            Kind::GivesBackByShard | Kind::GivingBackFences => {
                let helper = self.sound.join("helper", "", LONGEST_TERM).await?;
                let rows = self.rows(&helper).await?;
                let meant = |row: &&ShardRow| held.iter().any(|lease| lease.shard == row.shard);
                let now = rows.iter().filter(meant).map(|row| Lease { shard: row.shard, epoch: row.epoch });
                let now: Vec<Lease> = now.collect();
                if self.kind == Kind::GivesBackByShard {
                    self.sound.give_back(&now).await?;
                } else {
                    self.sound.give_back(held).await?;
                    let shards: Vec<u16> = now.iter().map(|lease| lease.shard).collect();
                    let taken = self.sound.claim(&helper, &shards, LONGEST_TERM).await?;
                    self.sound.give_back(&taken).await?;
                }
                self.sound.leave(&helper).await
            }
            _ => self.sound.give_back(held).await,
        }
    }

    pub(crate) async fn leave_broken(&self, member: &Member) -> Result<(), StoreError> {
        match self.kind {
            Kind::LeavingChangesNothing => Ok(()),
            Kind::LeavesForTheLater => {
                let tended = self.sound.tend(member, &[], LONGEST_TERM).await?;
                let current = tended.members.iter().find(|current| current.node == member.node);
                self.sound.leave(current.unwrap_or(member)).await
            }
            _ => self.sound.leave(member).await,
        }
    }
}
