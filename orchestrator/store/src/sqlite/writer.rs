//! The one connection that writes, with one batch in flight: its caller holds the store's lock on it.

use std::collections::HashMap;

use sqlx::{
    Connection as _, Row as _, SqlSafeStr, SqlStr,
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};
use uuid::Uuid;

use super::{
    fault::Fault,
    lookup,
    plan::{self, Facts, Plan, Winner},
    rows::{Binds, Rows},
    statements::{self, MAX_ROWS, Shape},
    tails::Tails,
};
use crate::{
    Append, StoreError, Verdict,
    door::{self, Group},
};

/// Shapes whose text is kept; about as many as the connection keeps prepared.
const MAX_SHAPES: usize = 1024;

/// The writing connection and what it knows about the database.
pub(super) struct Writer {
    conn: SqliteConnection,
    /// The last epoch drawn for any shard.
    pub(super) drawn: i64,
    /// The current epoch per shard.
    pub(super) epochs: Vec<i64>,
    /// The last event number per shard.
    numbers: Vec<i64>,
    tails: Tails,
    shapes: HashMap<Shape, SqlStr>,
    /// A transaction may be open: true from before its first statement until its end is known. It stays true
    /// when a caller drops its future half-way.
    open: bool,
    /// Why nothing can be written any more.
    dead: Option<String>,
}

/// A transaction that did not happen.
#[derive(Debug)]
enum Failed {
    /// A row was refused; the transaction is rolled back.
    Refused(String),
    Store(StoreError),
}

impl Writer {
    /// Takes over a connection whose schema is there.
    pub(super) async fn new(conn: SqliteConnection) -> Result<Self, StoreError> {
        let mut writer = Self {
            conn,
            drawn: 0,
            epochs: Vec::new(),
            numbers: Vec::new(),
            tails: Tails::default(),
            shapes: HashMap::new(),
            open: false,
            dead: None,
        };
        writer.learn_counters().await?;
        Ok(writer)
    }

    /// Closes the connection; SQLite checkpoints when the last one goes.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        self.conn.close().await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// As [`Store::commit`](crate::Store::commit).
    pub(super) async fn commit(&mut self, batch: &[Append]) -> Result<Vec<Verdict>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        self.ready().await?;
        let shards = u16::try_from(self.epochs.len()).unwrap_or(u16::MAX);
        let groups = door::groups(batch);
        let mut refused: Vec<Option<String>> =
            groups.iter().map(|group| door::check_group(batch, group, shards).err()).collect();
        // At first what is remembered is believed. A batch that is refused on those grounds is decided again on
        // what is read; if it is refused once more, somebody in it breaks a constraint, is found and left out.
        let mut doubt = false;
        loop {
            let facts = self.facts(batch, &groups, &refused, doubt).await?;
            let plan = plan::decide(batch, &groups, &facts, &self.epochs);
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
                        refused[group] = Some(door::refusal(saga, &why));
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
        refused: &[Option<String>],
        doubt: bool,
    ) -> Result<Vec<Facts>, StoreError> {
        if doubt {
            self.tails.clear();
            self.learn_counters().await?;
        }
        let mut facts: Vec<Facts> =
            refused.iter().map(|why| Facts { refused: why.clone(), ..Facts::default() }).collect();
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
        lookup::tails(&mut self.conn, batch, groups, &unknown, &mut facts).await?;
        for &place in &unknown {
            if let Some(tail) = facts[place].tail {
                self.tails.put(batch[groups[place].members[0]].saga, tail);
            }
        }
        if doubt {
            lookup::keys(&mut self.conn, batch, groups, &mut facts).await?;
        }
        lookup::repeated(&mut self.conn, batch, groups, &mut facts).await?;
        Ok(facts)
    }

    async fn write(&mut self, batch: &[Append], plan: &Plan) -> Result<(), Failed> {
        let mut numbers = self.numbers.clone();
        let rows = Rows::of(batch, &plan.winners, &mut numbers);
        let drawn = self.drawn;
        let result = if rows.longest() <= MAX_ROWS {
            let mut binds = Binds::default();
            binds.int(drawn);
            let shape = rows.chunk(0, MAX_ROWS, true, &mut binds);
            let text = self.text(shape);
            self.transact(text, binds).await.map(drop)
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
        self.chunks(rows).await?;
        self.step(statements::COMMIT.into_sql_str(), Binds::default()).await?;
        self.open = false;
        Ok(())
    }

    async fn chunks(&mut self, rows: &Rows<'_>) -> Result<(), Failed> {
        let mut from = 0;
        while from < rows.longest() {
            let mut binds = Binds::default();
            let shape = rows.chunk(from, MAX_ROWS, false, &mut binds);
            let text = self.text(shape);
            self.step(text, binds).await?;
            from += MAX_ROWS;
        }
        Ok(())
    }

    /// Opens a transaction behind the fence.
    async fn begin(&mut self) -> Result<(), Failed> {
        self.open = true;
        let mut binds = Binds::default();
        binds.int(self.drawn);
        let text = format!("{}{}", statements::BEGIN, statements::FENCE);
        self.step(sqlx::AssertSqlSafe(text).into_sql_str(), binds).await.map(drop)
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
        let mut numbers = self.numbers.clone();
        let mut parts = vec![winners];
        while let Some(part) = parts.pop() {
            let before = numbers.clone();
            let rows = Rows::of(batch, part, &mut numbers);
            self.mark("SAVEPOINT part").await?;
            match self.try_part(&rows).await? {
                None => self.mark("RELEASE part").await?,
                Some(why) => {
                    numbers = before;
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
        self.roll_back().await?;
        Ok(culprits)
    }

    /// Why these rows are refused, if they are; the transaction stays open either way.
    async fn try_part(&mut self, rows: &Rows<'_>) -> Result<Option<String>, StoreError> {
        let mut from = 0;
        while from < rows.longest() {
            let mut binds = Binds::default();
            let shape = rows.chunk(from, MAX_ROWS, false, &mut binds);
            let text = self.text(shape);
            match self.execute(text, binds).await {
                Ok(_) => from += MAX_ROWS,
                Err(Fault::Refused(why)) => return Ok(Some(why)),
                Err(fault) => return Err(self.give_up(fault).await.into_store_error()),
            }
        }
        Ok(None)
    }

    async fn mark(&mut self, text: &'static str) -> Result<(), StoreError> {
        match self.execute(text.into_sql_str(), Binds::default()).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.give_up(fault).await.into_store_error()),
        }
    }

    /// Runs a whole transaction (BEGIN to COMMIT in one text), in one trip to the connection's thread. After an
    /// error it is rolled back.
    async fn transact(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Failed> {
        self.open = true;
        let rows = self.step(text, binds).await?;
        self.open = false;
        Ok(rows)
    }

    /// As [`transact`](Self::transact), for what is no batch: a refused row is a bug of this store.
    pub(super) async fn run(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, StoreError> {
        self.ready().await?;
        self.transact(text, binds).await.map_err(Failed::into_store_error)
    }

    /// A piece of a transaction; if it fails, the transaction is rolled back.
    async fn step(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Failed> {
        match self.execute(text, binds).await {
            Ok(rows) => Ok(rows),
            Err(fault) => Err(self.give_up(fault).await),
        }
    }

    /// Ends a transaction that failed: nothing of it was written, or the store is dead.
    async fn give_up(&mut self, fault: Fault) -> Failed {
        if let Fault::Broken(why) = fault {
            return Failed::Store(self.die(why));
        }
        if let Err(error) = self.roll_back().await {
            return Failed::Store(error);
        }
        match fault {
            Fault::Refused(why) => Failed::Refused(why),
            Fault::Full(why) => Failed::Store(StoreError::Full(why)),
            Fault::Busy(why) | Fault::Broken(why) => Failed::Store(StoreError::Unavailable(why)),
        }
    }

    /// SQLite has rolled back by itself after some errors and not after others, so that both answers are right.
    async fn roll_back(&mut self) -> Result<(), StoreError> {
        match self.execute("ROLLBACK".into_sql_str(), Binds::default()).await {
            Ok(_) => {}
            Err(Fault::Broken(why)) if why.contains("no transaction is active") => {}
            Err(Fault::Refused(why) | Fault::Full(why) | Fault::Busy(why) | Fault::Broken(why)) => {
                return Err(self.die(why));
            }
        }
        self.open = false;
        Ok(())
    }

    async fn execute(&mut self, text: SqlStr, binds: Binds) -> Result<Vec<SqliteRow>, Fault> {
        let arguments: SqliteArguments = binds.finish().map_err(Fault::Refused)?;
        sqlx::query_with(text, arguments).fetch_all(&mut self.conn).await.map_err(|error| Fault::of(&error))
    }

    /// Before anything else: refuses on a dead store, and settles what a dropped caller left behind.
    pub(super) async fn ready(&mut self) -> Result<(), StoreError> {
        if let Some(why) = &self.dead {
            return Err(StoreError::Fatal(why.clone()));
        }
        if self.open {
            self.tails.clear();
            self.roll_back().await?;
            self.learn_counters().await?;
        }
        Ok(())
    }

    fn die(&mut self, why: String) -> StoreError {
        tracing::error!(%why, "the store cannot go on");
        self.dead = Some(why.clone());
        StoreError::Fatal(why)
    }

    /// Reads the epochs and the event numbers.
    pub(super) async fn learn_counters(&mut self) -> Result<(), StoreError> {
        let text = include_str!("sql/counters.sql").into_sql_str();
        let rows = match self.execute(text, Binds::default()).await {
            Ok(rows) => rows,
            Err(Fault::Broken(why)) => return Err(self.die(why)),
            Err(Fault::Refused(why) | Fault::Full(why) | Fault::Busy(why)) => {
                return Err(StoreError::Unavailable(why));
            }
        };
        let mut read = || -> Result<(), sqlx::Error> {
            self.epochs.clear();
            self.numbers.clear();
            for row in &rows {
                self.epochs.push(row.try_get(0)?);
                self.numbers.push(row.try_get(1)?);
                self.drawn = row.try_get(2)?;
            }
            Ok(())
        };
        match read() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.die(error.to_string())),
        }
    }

    /// After *full*: SQLite drops a whole transaction on some errors and lets the next statement commit by
    /// itself, so that what the caller is promised is looked up.
    async fn check_nothing_written(&mut self, batch: &[Append], winner: &Winner) -> Result<(), Failed> {
        let saga: Uuid = batch[winner.members[0]].saga;
        let mut binds = Binds::default();
        binds.id(saga);
        binds.int(i64::from(winner.after.last_seq));
        let text = "SELECT 1 FROM journal WHERE saga_id = ? AND seq = ?".into_sql_str();
        match self.execute(text, binds).await {
            Ok(rows) if rows.is_empty() => Ok(()),
            Ok(_) => Err(Failed::Store(self.die("a transaction that failed as full was written".to_owned()))),
            Err(Fault::Broken(why)) => Err(Failed::Store(self.die(why))),
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

impl Failed {
    fn into_store_error(self) -> StoreError {
        match self {
            Failed::Store(error) => error,
            Failed::Refused(why) => StoreError::Fatal(why),
        }
    }
}
