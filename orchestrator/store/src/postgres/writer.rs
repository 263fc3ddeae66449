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
    plan::{self, Facts, Winner},
    rows::Rows,
    tails::Tails,
};

/// Far more often than anybody can lose a key or a shard within one commit.
const ROUNDS: usize = 64;

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
    /// The database has refused it alone, after it was read anew.
    refused: bool,
}

/// What became of the winners of a plan.
#[derive(Default)]
struct Written {
    /// By place among the groups.
    places: BTreeSet<usize>,
    /// Refused, standing alone: place and reason.
    culprits: Vec<(usize, String)>,
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
    ///
    /// At first what is remembered is believed, and what can be written is written. Whoever could not be, or lost his
    /// key or his shard in the statement, is decided on what is read anew, until everybody is decided. Until then
    /// some of the batch may be committed: an error is `Unknown` after that, so that the whole batch comes again.
    pub(super) async fn commit(&mut self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        let mut verdicts = vec![Verdict::Committed; batch.len()];
        if batch.is_empty() {
            return Ok(verdicts);
        }
        let mut wrote = false;
        match self.decide(batch, &mut verdicts, &mut wrote).await {
            Ok(()) => Ok(verdicts),
            Err(StoreError::Unavailable(why) | StoreError::Full(why)) if wrote => {
                Err(StoreError::Unknown(format!("a part of the batch is committed, then: {why}")))
            }
            Err(error) => Err(error),
        }
    }

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
                Ok(()) => open.push(Open { group, refused: false }),
                Err(why) => tell(&group, &Verdict::Refused(why), verdicts),
            }
        }
        for round in 0..ROUNDS {
            if open.is_empty() {
                return Ok(());
            }
            let doubt = round > 0;
            let groups: Vec<Group> = open.iter().map(|open| open.group.clone()).collect();
            let facts = self.facts(batch, &groups, doubt).await?;
            let plan = plan::decide(batch, &groups, &facts, &self.epochs);
            let written = self.write(batch, &plan.winners, doubt, wrote).await?;
            // Whoever is no winner was told so on what is remembered, or because of a winner that is none after all.
            let settled = doubt && written.places.len() == plan.winners.len();
            let winners: HashSet<usize> = plan.winners.iter().map(|winner| winner.group).collect();
            let mut rest = Vec::new();
            for (place, mut open) in open.into_iter().enumerate() {
                let culprit = written.culprits.iter().find(|(group, _)| *group == place);
                if written.places.contains(&place) || (settled && !winners.contains(&place)) {
                    for &index in &open.group.members {
                        verdicts[index] = plan.verdicts[index].clone();
                    }
                } else if let Some((_, why)) = culprit.filter(|_| open.refused) {
                    let from = facts[place].there;
                    let why = door::refusal(batch[open.group.members[0]].saga, why);
                    open.group.members.drain(..from);
                    tell(&open.group, &Verdict::Refused(why), verdicts);
                } else {
                    // Refused alone for the first time: perhaps what it brings was written meanwhile by a statement
                    // of ours that was given up. It is read once more.
                    open.refused |= culprit.is_some();
                    rest.push(open);
                }
            }
            open = rest;
        }
        Err(StoreError::Unavailable(format!("{} sagas are undecided after {ROUNDS} rounds", open.len())))
    }

    async fn facts(
        &mut self,
        batch: &[Append],
        groups: &[Group],
        doubt: bool,
    ) -> Result<Vec<Facts>, StoreError> {
        let mut facts = vec![Facts::default(); groups.len()];
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
        lookup::tails(session, batch, groups, &asked, &mut facts).await?;
        for place in asked {
            if let Some(tail) = facts[place].tail {
                self.tails.put(batch[groups[place].members[0]].saga, tail);
            }
        }
        if doubt {
            lookup::keys(session, batch, groups, &mut facts).await?;
            lookup::repeated(session, batch, groups, &mut facts).await?;
            // Last: where an epoch is still ours now, nobody else has written what was read.
            self.learn_epochs().await?;
        }
        Ok(facts)
    }

    /// Writes the winners, all in one commit. If that is refused and they were read anew, in halves, and those in
    /// halves, until the culprit stands alone.
    async fn write(
        &mut self,
        batch: &[Append],
        winners: &[Winner],
        doubt: bool,
        wrote: &mut bool,
    ) -> Result<Written, StoreError> {
        let mut written = Written::default();
        let mut parts = vec![winners];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            match self.send(batch, part).await {
                Ok(lost) => {
                    for winner in part {
                        let saga = batch[winner.members[0]].saga;
                        if !lost.contains(&winner.group) {
                            self.tails.put(saga, winner.after);
                            written.places.insert(winner.group);
                            *wrote = true;
                        }
                    }
                }
                Err(Fault::Refused(_)) if !doubt => return Ok(written),
                Err(Fault::Refused(why)) => match part {
                    [culprit] => written.culprits.push((culprit.group, why)),
                    part => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.push(right);
                        parts.push(left);
                    }
                },
                Err(fault) => return Err(fault.into_store_error()),
            }
        }
        Ok(written)
    }

    /// One statement for these winners; answers the places of those that dropped out.
    async fn send(&mut self, batch: &[Append], winners: &[Winner]) -> Result<HashSet<usize>, Fault> {
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

fn tell(group: &Group, verdict: &Verdict, verdicts: &mut [Verdict]) {
    for &index in &group.members {
        verdicts[index] = verdict.clone();
    }
}
