//! What operators can ask about sagas, whichever face asks.

use backstitch_core::Saga;
use backstitch_engine::{Home, Standing};
use backstitch_store::{Cursor, ListFilter, SagaRow, Status};
use uuid::Uuid;

use crate::app::App;
use crate::operator::{self, Detail, Listing, Summary};
use crate::peers::{self, Asker, Verb};
use crate::problem::{Problem, kind};
use crate::{definitions, failures, fields, salvage};

/// The most characters of a reason or a note that goes on record.
pub(crate) const MAX_REASON: usize = 500;
/// The most sagas on a page.
pub(crate) const MAX_PAGE: i64 = 500;

/// Which sagas to list, as asked for. Empty texts and absent numbers do not restrict.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) status: String,
    pub(crate) definition: String,
    pub(crate) started_from_unix_ms: Option<i64>,
    pub(crate) started_until_unix_ms: Option<i64>,
    /// 1 ..= [`MAX_PAGE`]; absent means 50.
    pub(crate) page_size: Option<i64>,
    pub(crate) cursor: String,
}

impl Wanted {
    fn filter(self) -> Result<ListFilter, Problem> {
        let invalid =
            |at: &'static str, detail: String| Problem::new(&kind::INVALID_PARAMETER, detail).at(at);
        let status = match self.status.as_str() {
            "" => None,
            word => Some(word.parse::<Status>().map_err(|_| {
                let words: Vec<_> = Status::ALL.iter().map(|s| s.as_str()).collect();
                invalid("status", format!("It must be one of {}.", words.join(", ")))
            })?),
        };
        let after = match self.cursor.as_str() {
            "" => None,
            text => Some(
                text.parse::<Cursor>()
                    .map_err(|_| invalid("cursor", "No page has answered this cursor.".to_owned()))?,
            ),
        };
        if !self.definition.is_empty() {
            fields::text(&kind::INVALID_PARAMETER, "definition", &self.definition, definitions::MAX_NAME)?;
        }
        let size = self.page_size.unwrap_or(50);
        let limit = usize::try_from(size).ok().filter(|_| (1..=MAX_PAGE).contains(&size));
        let limit = limit.ok_or_else(|| invalid("page_size", format!("It must be from 1 to {MAX_PAGE}.")))?;
        Ok(ListFilter {
            status,
            definition: Some(self.definition).filter(|name| !name.is_empty()),
            started_from_ms: self.started_from_unix_ms,
            started_before_ms: self.started_until_unix_ms,
            after,
            limit,
        })
    }
}

/// A page of sagas, newest first.
pub(crate) async fn list(app: &App, wanted: Wanted) -> Result<Listing, Problem> {
    let page = app.engine.store().list(&wanted.filter()?).await.map_err(failures::store)?;
    let summary = |row: SagaRow| {
        let waits_for =
            app.engine.is_stranded(&row).then(|| definitions::waits_for(&row.definition, row.version));
        Summary { waits_for, ..row.into() }
    };
    let sagas = page.sagas.into_iter().map(summary).collect();
    Ok(Listing { sagas, next_cursor: page.next.map(|cursor| cursor.to_string()) })
}

/// Everything about one saga.
pub(crate) async fn get(app: &App, id: Uuid) -> Result<Detail, Problem> {
    let detail = match app.engine.inspect(id).await {
        Ok(Some(history)) => {
            let mut detail =
                operator::detail(&history.view.definition, &history.view.state, &history.records);
            if let Some(owner) = owner(app, id, &history.view.state).await? {
                let more = format!(" Node `{owner}` has it, and knows what it is doing right now.");
                detail.explanation.push_str(&more);
            }
            Some(detail)
        }
        Ok(None) => None,
        Err(error) => salvage::of(app, id, error).await?.map(operator::salvaged),
    };
    detail.ok_or_else(|| Problem::new(&kind::UNKNOWN_SAGA, "No saga has this id.").at("saga_id"))
}

/// The node that has a saga, where that is another one.
async fn owner(app: &App, id: Uuid, state: &Saga) -> Result<Option<String>, Problem> {
    if state.end.is_some() || app.engine.standing() == Standing::Alone {
        return Ok(None);
    }
    let stored = app.engine.store().load(id).await.map_err(failures::store)?;
    Ok(match stored.map(|stored| app.engine.home(&stored.row)) {
        Some(Home::There(owner)) => Some(owner.node),
        Some(Home::Here | Home::Nowhere) | None => None,
    })
}

/// Sets what is parked going again, for a reason on record, as decided on record number `seq`. When this returns, that
/// is durable.
pub(crate) async fn resume(
    app: &App,
    id: Uuid,
    reason: &str,
    seq: i64,
    asker: Asker,
) -> Result<Detail, Problem> {
    let (reason, seq) = decision(reason, seq)?;
    peers::done(app, id, &Verb::Resume { reason, seq }, asker).await.map_err(failures::decision)?;
    get(app, id).await
}

/// Has what is not done of a parked saga returned instead, for a reason on record, as decided on record number `seq`. When
/// this returns, that is durable, and its return starts by itself.
pub(crate) async fn make_good(
    app: &App,
    id: Uuid,
    reason: &str,
    seq: i64,
    asker: Asker,
) -> Result<Detail, Problem> {
    let (reason, seq) = decision(reason, seq)?;
    peers::done(app, id, &Verb::MakeGood { reason, seq }, asker).await.map_err(failures::decision)?;
    get(app, id).await
}

/// A person's reason, and the record that they saw last.
fn decision(reason: &str, seq: i64) -> Result<(String, u32), Problem> {
    fields::words("/reason", reason, MAX_REASON)?;
    fields::number("/seq", seq, 1, u32::MAX.into())?;
    Ok((reason.to_owned(), u32::try_from(seq).unwrap_or(u32::MAX)))
}

/// Tells a saga that a participant has come to know more.
pub(crate) async fn wake(app: &App, id: Uuid, participant: &str, asker: Asker) -> Result<(), Problem> {
    fields::words("/participant", participant, definitions::MAX_NAME)?;
    let verb = Verb::Available { participant: participant.to_owned() };
    peers::done(app, id, &verb, asker).await.map_err(|not_done| {
        failures::verb(not_done, &kind::UNKNOWN_SAGA, "saga_id")
            .unwrap_or_else(|| Problem::new(&kind::ENDED, "It has ended, and waits for nothing."))
    })
}

/// Writes down on a saga what a person should see. When this returns, that is durable.
pub(crate) async fn note(app: &App, id: Uuid, text: &str, asker: Asker) -> Result<Detail, Problem> {
    fields::words("/text", text, MAX_REASON)?;
    let verb = Verb::Note { text: text.to_owned() };
    peers::done(app, id, &verb, asker).await.map_err(failures::note)?;
    get(app, id).await
}
