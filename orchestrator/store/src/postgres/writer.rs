//! Commits batches, one at a time: its caller holds the store's lock on it.

use std::collections::{BTreeSet, HashSet};

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{
    fault::Fault,
    lookup,
    rows::MAX_BYTES,
    session::Session,
    values::{Id, Values, get, shard},
};
use crate::{
    Append, StoreError, Verdict,
    door::{self, Group},
    plan::{self, Facts, Plan, Winner},
    rows::Rows,
    tails::Tails,
};

/// Far more often than anybody can lose a key or a shard within one commit.
const ROUNDS: usize = 64;
/// So often a row that is there all of a sudden is read again. It comes from a statement of ours that was given up and
/// ran on, and that is one statement.
const DUPLICATES: usize = 4;

/// The writing connection and what is remembered of the database.
pub(super) struct Writer {
    session: Session,
    /// The epoch per shard, as it was read last.
    epochs: Vec<i64>,
    tails: Tails,
}

/// A saga of a batch that is not decided yet.
struct Open {
    group: Group,
    /// Why the database refuses what is new of it, standing alone.
    broken: Option<String>,
}

impl Writer {
    pub(super) async fn new(session: Session) -> Result<Self, StoreError> {
        let mut writer = Self { session, epochs: Vec::new(), tails: Tails::default() };
        writer.learn_epochs().await?;
        Ok(writer)
    }

    pub(super) async fn close(self) {
        self.session.close().await;
    }

    /// Runs one statement that is no batch.
    pub(super) async fn run(
        &mut self,
        text: &'static str,
        values: impl Fn() -> Values,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.ready().await?;
        self.session.insist(text, values).await.map_err(Fault::into_store_error)
    }

    /// Runs one statement that draws epochs. What is remembered of the shards' sagas is thrown away: somebody else
    /// may have had them.
    pub(super) async fn draw(
        &mut self,
        text: &'static str,
        values: impl Fn() -> Values,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.tails.clear();
        let rows = self.run(text, values).await?;
        self.learn_epochs().await?;
        Ok(rows)
    }

    /// As [`Store::commit`](crate::Store::commit).
    pub(super) async fn commit(&mut self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = vec![Verdict::Committed; batch.len()];
        if batch.is_empty() {
            return Ok(verdicts);
        }
        let mut wrote = false;
        match self.decide(batch, &mut verdicts, &mut wrote).await {
            Ok(()) => Ok(verdicts),
            // The rest is committed already, so that all of it has to come again.
            Err(StoreError::Unavailable(why) | StoreError::Full(why)) if wrote => {
                Err(StoreError::Unknown(format!("a part of the batch is committed, then: {why}")))
            }
            Err(error) => Err(error),
        }
    }

    /// At first what is remembered is believed. A batch that is not wholly written on those grounds is decided again on
    /// what is read. If it is refused then, who breaks a constraint is found and left out. Who loses his key or his
    /// shard in the statement is decided once more, alone.
    async fn decide(
        &mut self,
        batch: &[Append],
        verdicts: &mut [Verdict],
        wrote: &mut bool,
    ) -> Result<(), StoreError> {
        self.ready().await?;
        let shards = u16::try_from(self.epochs.len()).unwrap_or(u16::MAX);
        let mut open = Vec::new();
        for group in door::groups(batch) {
            match door::check_group(batch, &group, shards) {
                Ok(()) => open.push(Open { group, broken: None }),
                Err(why) => {
                    group.members.iter().for_each(|&index| verdicts[index] = Verdict::Refused(why.clone()))
                }
            }
        }
        for round in 0..ROUNDS {
            let doubt = round > 0;
            let plan = self.plan(batch, &open, doubt).await?;
            if !doubt && plan.winners.len() < open.len() {
                continue;
            }
            let lost = match self.send(batch, &plan.winners).await {
                Ok(lost) => lost,
                Err(Fault::Refused(_) | Fault::Duplicate(_)) if !doubt => continue,
                Err(Fault::Duplicate(_)) if round < DUPLICATES => continue,
                Err(Fault::Refused(_) | Fault::Duplicate(_)) => {
                    for (place, why) in self.culprits(batch, &plan.winners).await? {
                        open[place].broken = Some(why);
                    }
                    continue;
                }
                Err(fault) => return Err(fault.into_store_error()),
            };
            let mut written: HashSet<usize> = HashSet::with_capacity(plan.winners.len());
            for winner in plan.winners.iter().filter(|winner| !lost.contains(&winner.group)) {
                self.tails.put(batch[winner.members[0]].saga, winner.after);
                written.insert(winner.group);
                *wrote = true;
            }
            // Whoever was told that a loser has the key is decided again with the loser.
            let mut place = 0..;
            open.retain(|open| {
                let decided = lost.is_empty() || place.next().is_some_and(|place| written.contains(&place));
                for &index in open.group.members.iter().filter(|_| decided) {
                    verdicts[index] = plan.verdicts[index].clone();
                }
                !decided
            });
            if open.is_empty() {
                return Ok(());
            }
        }
        Err(StoreError::Unavailable(format!("{} sagas are undecided after {ROUNDS} rounds", open.len())))
    }

    async fn plan(&mut self, batch: &[Append], open: &[Open], doubt: bool) -> Result<Plan, StoreError> {
        let groups: Vec<Group> = open.iter().map(|open| open.group.clone()).collect();
        let mut facts: Vec<Facts> = open
            .iter()
            .map(|open| {
                let saga = batch[open.group.members[0]].saga;
                let broken = open.broken.as_ref().map(|why| door::refusal(saga, why));
                Facts { broken, ..Facts::default() }
            })
            .collect();
        let mut asked = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let first = &batch[group.members[0]];
            facts[place].tail = self.tails.get(first.saga).filter(|_| !doubt);
            // A new saga is taken at its word until the database says otherwise.
            if facts[place].tail.is_none() && (doubt || first.start.is_none()) {
                asked.push(place);
            }
        }
        let session = &mut self.session;
        lookup::tails(session, batch, &groups, &asked, &mut facts).await?;
        for place in asked {
            if let Some(tail) = facts[place].tail {
                self.tails.put(batch[groups[place].members[0]].saga, tail);
            }
        }
        if doubt {
            lookup::keys(session, batch, &groups, &mut facts).await?;
            lookup::repeated(session, batch, &groups, &mut facts).await?;
            // Last: where an epoch is still ours now, nobody else has written what was read.
            self.learn_epochs().await?;
        }
        Ok(plan::decide(batch, &groups, &facts, &self.epochs))
    }

    /// Which winners break a constraint, by halving: a part that is refused is taken back and halved, until the
    /// culprit stands alone. Parts that are accepted stay while the rest is tried, so that a winner that only clashes
    /// with another one is found too. All of it in a transaction that is rolled back: the only one that locks a shard
    /// for longer than a statement, and the server ends it when we fall silent.
    async fn culprits(
        &mut self,
        batch: &[Append],
        winners: &[Winner],
    ) -> Result<Vec<(usize, String)>, StoreError> {
        let found = self.find_culprits(batch, winners).await;
        if found.is_err() {
            self.session.hang_up();
        }
        found.map_err(|fault| match fault.into_store_error() {
            StoreError::Full(why) => StoreError::Full(why),
            error => StoreError::Unavailable(error.to_string()),
        })
    }

    async fn find_culprits(
        &mut self,
        batch: &[Append],
        winners: &[Winner],
    ) -> Result<Vec<(usize, String)>, Fault> {
        let mut culprits = Vec::new();
        self.session.run("BEGIN", Values::default()).await?;
        let mut parts = vec![winners];
        while let Some(part) = parts.pop() {
            self.session.run("SAVEPOINT part", Values::default()).await?;
            match self.send(batch, part).await {
                Ok(_) => self.session.run("RELEASE part", Values::default()).await?,
                Err(Fault::Refused(why) | Fault::Duplicate(why)) => {
                    match part {
                        [culprit] => culprits.push((culprit.group, why)),
                        part => {
                            let (left, right) = part.split_at(part.len() / 2);
                            parts.push(right);
                            parts.push(left);
                        }
                    }
                    self.session.run("ROLLBACK TO part", Values::default()).await?
                }
                Err(fault) => return Err(fault),
            };
        }
        self.session.run("ROLLBACK", Values::default()).await?;
        Ok(culprits)
    }

    /// One statement for these winners; answers the places of those that dropped out.
    async fn send(&mut self, batch: &[Append], winners: &[Winner]) -> Result<HashSet<usize>, Fault> {
        if winners.is_empty() {
            return Ok(HashSet::new());
        }
        let leases: BTreeSet<(u16, i64)> = winners
            .iter()
            .map(|winner| &batch[winner.members[0]])
            .map(|append| (append.shard, append.epoch))
            .collect();
        let leases: Vec<_> = leases.into_iter().collect();
        // The places within the lane are counted from 0 here, and from the lane's end in the statement.
        let rows = Rows::of(batch, winners, &mut vec![0; self.epochs.len()]);
        if rows.bytes() > MAX_BYTES {
            let bytes = rows.bytes();
            return Err(Fault::Refused(format!("{bytes} bytes in one commit are more than {MAX_BYTES}")));
        }
        let answer = self.session.insist(include_str!("sql/commit.sql"), || rows.values(&leases)).await?;
        let (held, lost) = answer_of(&answer).map_err(|error| Fault::Lost(error.to_string()))?;
        let dropped = |winner: &&Winner| {
            let append = &batch[winner.members[0]];
            !held.contains(&append.shard) || lost.contains(&append.saga)
        };
        Ok(winners.iter().filter(dropped).map(|winner| winner.group).collect())
    }

    async fn ready(&mut self) -> Result<(), StoreError> {
        if self.session.ready().await? {
            self.tails.clear();
            self.learn_epochs().await?;
        }
        Ok(())
    }

    /// Reads the epochs.
    pub(super) async fn learn_epochs(&mut self) -> Result<(), StoreError> {
        let rows = self.session.read(include_str!("sql/epochs.sql"), Values::default()).await?;
        self.epochs = rows.iter().map(|row| get(row, 0)).collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// The shards that were held, and the sagas that lost their key.
fn answer_of(rows: &[PgRow]) -> Result<(HashSet<u16>, HashSet<Uuid>), StoreError> {
    let [row] = rows else {
        return Err(StoreError::Fatal("a batch was not answered with one row".to_owned()));
    };
    let held = get::<Vec<i32>>(row, 0)?.into_iter().map(shard).collect::<Result<_, _>>()?;
    let lost = get::<Vec<Id>>(row, 1)?.into_iter().map(|id| id.0).collect();
    Ok((held, lost))
}
