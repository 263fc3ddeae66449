//! Commits batches, one at a time: its caller holds the store's lock on it.

use std::collections::HashMap;

use sqlx::{
    AssertSqlSafe, Row as _, SqlSafeStr as _, SqlStr,
    sqlite::{SqliteConnection, SqliteRow},
};

use super::{
    definitions,
    fault::Fault,
    lookup,
    rows::Binds,
    session::{Failed, Session},
    statements::{self, MAX_ROWS, Shape},
};
use crate::{
    Announced, Announcement, Append, StoreError, Verdict,
    door::{self, Group},
    plan::{self, Facts, Plan, Winner},
    rows::Rows,
    tails::Tails,
};

/// Shapes whose text is kept; more than a steady load has.
const MAX_SHAPES: usize = 1024;

/// The writing connection and what is known about the database.
pub(super) struct Writer {
    session: Session,
    /// The last epoch drawn for any shard.
    drawn: i64,
    /// The current epoch per shard.
    pub(super) epochs: Vec<i64>,
    /// The last event number per shard.
    numbers: Vec<i64>,
    tails: Tails,
    shapes: HashMap<Shape, SqlStr>,
}

impl Writer {
    /// Takes over a connection whose schema is there.
    pub(super) async fn new(conn: SqliteConnection) -> Result<Self, StoreError> {
        let mut writer = Self {
            session: Session::new(conn),
            drawn: 0,
            epochs: Vec::new(),
            numbers: Vec::new(),
            tails: Tails::default(),
            shapes: HashMap::new(),
        };
        writer.learn_counters().await?;
        Ok(writer)
    }

    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.session.close().await
    }

    /// Runs a script of this store that is no batch, from BEGIN to COMMIT.
    pub(super) async fn run(
        &mut self,
        text: &'static str,
        binds: Binds,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        self.ready().await?;
        self.session.transact(text.into_sql_str(), binds).await.map_err(Failed::into_store_error)
    }

    /// As [`Store::announce`](crate::Store::announce).
    pub(super) async fn announce(
        &mut self,
        announcement: &Announcement,
    ) -> Result<Vec<Announced>, StoreError> {
        self.ready().await?;
        definitions::announce(&mut self.session, announcement).await.map_err(Failed::into_store_error)
    }

    /// As [`Store::commit`](crate::Store::commit).
    pub(super) async fn commit(&mut self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.ready().await?;
        let shards = u16::try_from(self.epochs.len()).unwrap_or(u16::MAX);
        let groups = door::groups(batch);
        // What is known of each before the database is asked.
        let mut told: Vec<Facts> = groups
            .iter()
            .map(|group| Facts { refused: door::check_group(batch, group, shards).err(), ..Facts::default() })
            .collect();
        // At first what is remembered is believed. A batch that is refused on those grounds is decided again on
        // what is read; if it is refused once more, somebody in it breaks a constraint, is found and left out.
        let mut doubt = false;
        loop {
            let facts = self.facts(batch, &groups, &told, doubt).await?;
            let plan = plan::decide(batch, &groups, &facts, &self.epochs);
            if plan.rash && !doubt {
                doubt = true;
                continue;
            }
            if plan.winners.is_empty() {
                return Ok(plan.verdicts);
            }
            match self.write(batch, &plan).await {
                Ok(()) => return Ok(plan.verdicts),
                Err(Failed::Store(error)) => return Err(error),
                Err(Failed::Refused(why)) if doubt => {
                    let culprits = self.culprits(batch, &plan.winners).await?;
                    if culprits.is_empty() {
                        return Err(StoreError::Unavailable(format!("refused once and then not: {why}")));
                    }
                    for (group, why) in culprits {
                        let saga = batch[groups[group].members[0]].saga;
                        told[group].broken = Some(door::refusal(saga, &why));
                    }
                }
                Err(Failed::Refused(_)) => doubt = true,
            }
        }
    }

    async fn facts(
        &mut self,
        batch: &[Append],
        groups: &[Group],
        told: &[Facts],
        doubt: bool,
    ) -> Result<Vec<Facts>, StoreError> {
        if doubt {
            self.tails.clear();
            self.learn_counters().await?;
        }
        let mut facts = told.to_vec();
        let mut unknown = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            if facts[place].refused.is_some() {
                continue;
            }
            let first = &batch[group.members[0]];
            facts[place].tail = self.tails.get(first.saga);
            // A new saga is taken at its word until the database says otherwise.
            if facts[place].tail.is_none() && (doubt || first.start.is_none()) {
                unknown.push(place);
            }
        }
        let conn = &mut self.session.conn;
        lookup::tails(conn, batch, groups, &unknown, &mut facts).await?;
        if doubt {
            lookup::keys(conn, batch, groups, &mut facts).await?;
        }
        lookup::repeated(conn, batch, groups, &mut facts).await?;
        for place in unknown {
            if let Some(tail) = facts[place].tail {
                self.tails.put(batch[groups[place].members[0]].saga, tail);
            }
        }
        Ok(facts)
    }

    async fn write(&mut self, batch: &[Append], plan: &Plan) -> Result<(), Failed> {
        let mut numbers = self.numbers.clone();
        let rows = Rows::of(batch, &plan.winners, &mut numbers);
        let result = if rows.longest() <= MAX_ROWS {
            let mut binds = Binds::default();
            binds.int(self.drawn);
            let text = self.text(rows.chunk(0, true, &mut binds));
            self.session.transact(text, binds).await.map(drop)
        } else {
            self.write_in_chunks(&rows).await
        };
        match result {
            Ok(()) => {
                self.numbers = numbers;
                for winner in &plan.winners {
                    self.tails.put(batch[winner.members[0]].saga, winner.after);
                }
                Ok(())
            }
            Err(Failed::Store(StoreError::Full(why))) => {
                self.check_nothing_written(batch, &plan.winners[0]).await?;
                Err(Failed::Store(StoreError::Full(why)))
            }
            Err(failed) => Err(failed),
        }
    }

    /// A batch with more rows of a table than one statement takes: several executions, one commit.
    async fn write_in_chunks(&mut self, rows: &Rows<'_>) -> Result<(), Failed> {
        self.begin().await?;
        for from in (0..rows.longest()).step_by(MAX_ROWS) {
            let mut binds = Binds::default();
            let text = self.text(rows.chunk(from, false, &mut binds));
            self.session.step(text, binds).await?;
        }
        self.session.end(statements::COMMIT.into_sql_str()).await
    }

    /// Opens a transaction behind the fence.
    async fn begin(&mut self) -> Result<(), Failed> {
        let mut binds = Binds::default();
        binds.int(self.drawn);
        let text = AssertSqlSafe([statements::BEGIN, statements::FENCE].concat());
        self.session.begin(text.into_sql_str(), binds).await
    }

    /// Which winners break a constraint, by halving: a part that is refused is taken back and halved, until the
    /// culprit stands alone. Parts that are accepted stay while the rest is tried, so that a winner that only
    /// clashes with another one is found too. Nothing of it is committed.
    async fn culprits(
        &mut self,
        batch: &[Append],
        winners: &[Winner],
    ) -> Result<Vec<(usize, String)>, StoreError> {
        let mut culprits = Vec::new();
        match self.begin().await {
            Ok(()) => {}
            // The fence itself: the counters are read again before the next decision.
            Err(Failed::Refused(_)) => return Ok(culprits),
            Err(Failed::Store(error)) => return Err(error),
        }
        // Numbers with gaps do here: all that counts is that no two events share one.
        let mut numbers = self.numbers.clone();
        let mut parts = vec![winners];
        while let Some(part) = parts.pop() {
            let rows = Rows::of(batch, part, &mut numbers);
            self.mark("SAVEPOINT part").await?;
            match self.try_part(&rows).await? {
                None => self.mark("RELEASE part").await?,
                Some(why) => {
                    self.mark("ROLLBACK TO part; RELEASE part").await?;
                    if let [culprit] = part {
                        culprits.push((culprit.group, why));
                    } else {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.push(right);
                        parts.push(left);
                    }
                }
            }
        }
        self.session.roll_back().await?;
        Ok(culprits)
    }

    /// Why these rows are refused, if they are; the transaction stays open either way.
    async fn try_part(&mut self, rows: &Rows<'_>) -> Result<Option<String>, StoreError> {
        for from in (0..rows.longest()).step_by(MAX_ROWS) {
            let mut binds = Binds::default();
            let text = self.text(rows.chunk(from, false, &mut binds));
            match self.session.execute(text, binds).await {
                Ok(_) => {}
                Err(Fault::Refused(why)) => return Ok(Some(why)),
                Err(fault) => return Err(self.session.give_up(fault).await.into_store_error()),
            }
        }
        Ok(None)
    }

    async fn mark(&mut self, text: &'static str) -> Result<(), StoreError> {
        let marked = self.session.step(text.into_sql_str(), Binds::default()).await;
        marked.map(drop).map_err(Failed::into_store_error)
    }

    async fn ready(&mut self) -> Result<(), StoreError> {
        if self.session.settle().await? {
            self.tails.clear();
            self.learn_counters().await?;
        }
        Ok(())
    }

    /// Reads the epochs and the event numbers.
    pub(super) async fn learn_counters(&mut self) -> Result<(), StoreError> {
        let text = include_str!("sql/counters.sql").into_sql_str();
        let rows = match self.session.execute(text, Binds::default()).await {
            Ok(rows) => rows,
            Err(Fault::Broken(why)) => return Err(self.session.die(why)),
            Err(Fault::Refused(why) | Fault::Full(why) | Fault::Busy(why)) => {
                return Err(StoreError::Unavailable(why));
            }
        };
        let (mut epochs, mut numbers) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        let mut read = |row: &SqliteRow| -> Result<i64, sqlx::Error> {
            epochs.push(row.try_get(0)?);
            numbers.push(row.try_get(1)?);
            row.try_get(2)
        };
        for row in &rows {
            self.drawn = read(row).map_err(|error| self.session.die(error.to_string()))?;
        }
        (self.epochs, self.numbers) = (epochs, numbers);
        Ok(())
    }

    /// After *full*: SQLite drops a whole transaction on some errors and lets the next statement commit by
    /// itself, so that what the caller is promised is looked up.
    async fn check_nothing_written(&mut self, batch: &[Append], winner: &Winner) -> Result<(), Failed> {
        let mut binds = Binds::default();
        binds.id(batch[winner.members[0]].saga);
        binds.int(i64::from(winner.after.last_seq));
        let text = "SELECT 1 FROM journal WHERE saga_id = ? AND seq = ?".into_sql_str();
        match self.session.execute(text, binds).await {
            Ok(rows) if rows.is_empty() => Ok(()),
            Ok(_) => {
                let why = "a transaction that failed as full was written".to_owned();
                Err(Failed::Store(self.session.die(why)))
            }
            Err(Fault::Broken(why)) => Err(Failed::Store(self.session.die(why))),
            // Not even a read goes through; nothing says that the rollback did not.
            Err(Fault::Refused(_) | Fault::Full(_) | Fault::Busy(_)) => Ok(()),
        }
    }

    fn text(&mut self, shape: Shape) -> SqlStr {
        if self.shapes.len() >= MAX_SHAPES {
            self.shapes.clear();
        }
        self.shapes.entry(shape).or_insert_with(|| shape.text()).clone()
    }
}
