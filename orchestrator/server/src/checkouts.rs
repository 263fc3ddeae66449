//! What can be done with a checkout, whichever face asks.

use std::sync::Arc;
use std::time::Duration;

use backstitch_core::Entry;
use backstitch_engine::{Follow, SagaView};
use backstitch_sagas::definition;
use backstitch_store::KeyRow;
use futures::Stream;
use futures::stream::unfold;
use uuid::Uuid;

use crate::admission::Accepted;
use crate::app::{App, KEY_SCOPE, now_ms};
use crate::document::{self, CheckoutDocument};
use crate::failures;
use crate::following::{Pauses, Resting, is_rest, rested};
use crate::peers::{self, Asker, CancelledBy, Verb};
use crate::problem::{Problem, kind};
use crate::salvage::{self, Salvage};

/// A checkout's document, with the number of the last record in it.
pub(crate) struct Seen {
    pub(crate) seq: u32,
    pub(crate) is_final: bool,
    /// It has ended, is parked, or waits for the customer.
    pub(crate) is_at_rest: bool,
    pub(crate) document: CheckoutDocument,
}

impl Seen {
    fn of(view: &SagaView, journal: &[Entry]) -> Self {
        Self {
            seq: view.state.seq,
            is_final: view.state.end.is_some(),
            is_at_rest: is_rest(view.state.status()),
            document: document::of(&view.definition, &view.state, journal),
        }
    }

    fn salvaged(salvage: &Salvage) -> Self {
        Self {
            seq: u32::try_from(salvage.lines.len()).unwrap_or(u32::MAX),
            is_final: salvage.status().is_final(),
            is_at_rest: is_rest(salvage.status()),
            document: document::salvaged(salvage),
        }
    }
}

impl Resting for Seen {
    fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    fn ended(view: &SagaView) -> Option<Self> {
        (view.definition.name == definition::CHECKOUT).then(|| Self::of(view, &[]))
    }
}

/// The document as it is now. Sagas of other definitions are nobody's checkouts.
pub(crate) async fn get(app: &App, id: Uuid) -> Result<Seen, Problem> {
    let seen = match app.engine.history(id).await {
        Ok(history) => history
            .filter(|history| history.view.definition.name == definition::CHECKOUT)
            .map(|history| Seen::of(&history.view, &history.records)),
        Err(error) => {
            let salvage = salvage::of(app, id, error).await?;
            let salvage = salvage.filter(|salvage| salvage.row.definition == definition::CHECKOUT);
            salvage.as_ref().map(Seen::salvaged)
        }
    };
    seen.ok_or_else(|| Problem::new(&kind::UNKNOWN_CHECKOUT, "No checkout has this id.").at("checkout_id"))
}

/// The document when the checkout has come to rest or waits for the customer, who has to be sent somewhere; or as it is
/// when patience ends or the node stops.
pub(crate) async fn get_final(app: &App, id: Uuid, patience: Duration) -> Result<Seen, Problem> {
    rested(app, id, app.engine.follow(id), patience, || get(app, id)).await
}

/// The document of a checkout that was just accepted, as [`get_final`] has it.
pub(crate) async fn settled(app: &App, accepted: Accepted, patience: Duration) -> Result<Seen, Problem> {
    match accepted {
        Accepted::Earlier(id) => get_final(app, id, patience).await,
        Accepted::New(id, follow) => rested(app, id, Some(follow), patience, || get(app, id)).await,
    }
}

/// Turns a checkout back. When this returns, that is durable, or it was so already.
pub(crate) async fn cancel(app: &App, id: Uuid, by: CancelledBy, asker: Asker) -> Result<Seen, Problem> {
    get(app, id).await?;
    if let Err(error) = peers::done(app, id, &Verb::Cancel(by), asker).await
        && let Some(problem) = failures::verb(error, &kind::UNKNOWN_CHECKOUT, "checkout_id")
    {
        return Err(problem.with("checkout_id", id.to_string()).location(document::path(id)));
    }
    let seen = get(app, id).await?;
    if seen.document.status == "completed" {
        return Err(failures::too_late("The checkout has completed.")
            .with("checkout_id", id.to_string())
            .location(document::path(id)));
    }
    Ok(seen)
}

/// Gives a key up: cancels its checkout, which is answered, or sees to it that none is ever started with it.
pub(crate) async fn give_up(app: &App, key: &str) -> Result<Option<Seen>, Problem> {
    match app.engine.store().block_key(KEY_SCOPE, key, now_ms()).await.map_err(failures::store)? {
        KeyRow { saga: None, .. } => Ok(None),
        KeyRow { saga: Some(id), .. } => {
            cancel(app, id, CancelledBy::KeyGivenUp, Asker::Client).await.map(Some)
        }
    }
}

/// Tells a checkout that something it waits for may have happened.
pub(crate) async fn wake(app: &App, id: Uuid, asker: Asker) -> Result<Seen, Problem> {
    get(app, id).await?;
    if let Err(error) = peers::done(app, id, &Verb::Wake, asker).await
        && let Some(problem) = failures::verb(error, &kind::UNKNOWN_CHECKOUT, "checkout_id")
    {
        return Err(problem);
    }
    get(app, id).await
}

/// The document now and after every durable change, until it is final or the node stops.
pub(crate) async fn watch(
    app: Arc<App>,
    id: Uuid,
) -> Result<impl Stream<Item = Result<Seen, Problem>> + use<>, Problem> {
    // Followed before it is read: a change between the two is seen twice rather than never.
    let follow = app.engine.follow(id);
    let first = get(&app, id).await?;
    let watching = Watching { app, id, follow, next: Some(first), told: 0, pauses: Pauses::default() };
    Ok(unfold(Some(watching), async |watching| watching?.step().await))
}

struct Watching {
    app: Arc<App>,
    id: Uuid,
    follow: Option<Follow>,
    /// Read and not told yet.
    next: Option<Seen>,
    /// The last record told of.
    told: u32,
    pauses: Pauses,
}

impl Watching {
    /// The next document, with what comes after it; nothing follows a final one or a problem.
    async fn step(mut self) -> Option<(Result<Seen, Problem>, Option<Self>)> {
        loop {
            let seen = match self.next.take() {
                Some(seen) => seen,
                None => match get(&self.app, self.id).await {
                    Ok(seen) => seen,
                    Err(problem) => return Some((Err(problem), None)),
                },
            };
            if seen.seq > self.told {
                self.told = seen.seq;
                self.pauses = Pauses::default();
                let rest = (!seen.is_final).then_some(self);
                return Some((Ok(seen), rest));
            }
            let stopping = self.app.stopping.clone();
            tokio::select! {
                () = self.change() => {}
                () = stopping.cancelled() => return None,
            }
        }
    }

    /// Waits until there may be something new.
    async fn change(&mut self) {
        if let Some(follow) = &mut self.follow {
            if !follow.changed().await {
                self.follow = None;
            }
            return;
        }
        // It rests parked, or another node has it: nobody tells us.
        tokio::time::sleep(self.pauses.next()).await;
        self.follow = self.app.engine.follow(self.id);
    }
}
