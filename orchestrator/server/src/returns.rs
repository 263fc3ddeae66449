//! What can be done with a return, whichever face asks; and its admission, which writes nothing unless it accepts.
//!
//! The key is looked up first, because a retry must find its return although its goods are claimed by now. Then the order
//! is asked for its checkout, which must have ended: until then the order's money and goods are its own.

use std::time::Duration;

use backstitch_core::Entry;
use backstitch_engine::{Follow, NewRun, SagaView, StartError, Started};
use backstitch_proto::order::GetOrderRequest;
use backstitch_proto::returns::returns_client::ReturnsClient;
use backstitch_proto::returns::{ReturnInput, StartReturnRequest};
use backstitch_sagas::definition;
use backstitch_store::Status;
use prost::Message as _;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::app::App;
use crate::failures;
use crate::fields;
use crate::following::{Resting, is_rest, rested};
use crate::peers::{self, Act, Asker, Here, NotDone, handed_on};
use crate::problem::{Problem, kind};
use crate::refusals;
use crate::return_document::{self, ReturnDocument};
use crate::return_request::ReturnRequest;
use crate::salvage::{self, Salvage};

/// Whose keys they are, until callers are told apart. A checkout and a return never meet in one key.
const SCOPE: &str = "global/returns";

/// A return's document.
pub(crate) struct Seen {
    pub(crate) is_final: bool,
    is_at_rest: bool,
    pub(crate) document: ReturnDocument,
}

impl Seen {
    fn of(view: &SagaView, journal: &[Entry]) -> Self {
        Self {
            is_final: view.state.end.is_some(),
            is_at_rest: is_rest(view.state.status()),
            document: return_document::of(&view.definition, &view.state, journal),
        }
    }

    fn salvaged(salvage: &Salvage) -> Self {
        Self {
            is_final: salvage.status().is_final(),
            is_at_rest: is_rest(salvage.status()),
            document: return_document::salvaged(salvage),
        }
    }
}

impl Resting for Seen {
    fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    fn ended(view: &SagaView) -> Option<Self> {
        definition::is_return(view.definition.name).then(|| Self::of(view, &[]))
    }
}

/// The document as it is now. Sagas of other definitions are nobody's returns.
pub(crate) async fn get(app: &App, id: Uuid) -> Result<Seen, Problem> {
    let seen = match app.engine.history(id).await {
        Ok(history) => history
            .filter(|history| definition::is_return(history.view.definition.name))
            .map(|history| Seen::of(&history.view, &history.records)),
        Err(error) => {
            let salvage = salvage::of(app, id, error).await?;
            salvage
                .filter(|salvage| definition::is_return(&salvage.row.definition))
                .as_ref()
                .map(Seen::salvaged)
        }
    };
    seen.ok_or_else(|| Problem::new(&kind::UNKNOWN_RETURN, "No return has this id.").at("return_id"))
}

/// The document when the return has come to rest, or as it is when patience ends or the node stops.
pub(crate) async fn get_final(app: &App, id: Uuid, patience: Duration) -> Result<Seen, Problem> {
    followed(app, id, app.engine.follow(id), patience).await
}

/// The document of a return that was just accepted, as [`get_final`] has it.
pub(crate) async fn settled(app: &App, accepted: Started, patience: Duration) -> Result<Seen, Problem> {
    match accepted {
        Started::Existing(id) => get_final(app, id, patience).await,
        Started::New(id, follow) => followed(app, id, Some(follow), patience).await,
    }
}

async fn followed(app: &App, id: Uuid, follow: Option<Follow>, patience: Duration) -> Result<Seen, Problem> {
    rested(app, id, follow, patience, || get(app, id)).await
}

/// Accepts a return where its checkout lives, or says what is wrong.
pub(crate) async fn start(
    app: &App,
    key: &str,
    request: ReturnRequest,
    traceparent: String,
    asker: Asker,
) -> Result<Started, Problem> {
    let wish = Wish { key, request, traceparent };
    peers::bridged(app, asker, &wish).await.map_err(|not_done| match not_done {
        NotDone::Here(problem) | NotDone::There(problem) => problem,
    })
}

struct Wish<'a> {
    key: &'a str,
    request: ReturnRequest,
    traceparent: String,
}

impl Act for Wish<'_> {
    type Done = Started;
    type Error = Problem;

    async fn here(&self, app: &App) -> Here<Started, Problem> {
        match self.admit(app).await {
            Err(problem) => Here::NotDone(problem),
            Ok(Admitted::Earlier(id)) => Here::Done(Started::Existing(id)),
            Ok(Admitted::Now(run)) => match app.engine.start(*run).await {
                Ok(started) => Here::Done(started),
                Err(StartError::Elsewhere { owner }) => Here::Elsewhere(owner),
                Err(StartError::KeyReused { saga }) => Here::NotDone(key_reused(saga)),
                Err(error) => Here::NotDone(failures::start(&app.engine, error)),
            },
        }
    }

    async fn there(&self, owner: Channel) -> Result<Started, tonic::Status> {
        let message = StartReturnRequest {
            idempotency_key: self.key.to_owned(),
            order_id: self.request.order.to_string(),
            items: self.request.items.clone(),
            reason: self.request.reason.clone(),
            wait_seconds: 0,
        };
        let told = ReturnsClient::new(owner).start(handed_on(message)).await?.into_inner();
        let id = Uuid::parse_str(&told.return_id);
        id.map(Started::Existing)
            .map_err(|_| tonic::Status::internal("the node that was asked names no return"))
    }
}

enum Admitted {
    Earlier(Uuid),
    Now(Box<NewRun>),
}

impl Wish<'_> {
    async fn admit(&self, app: &App) -> Result<Admitted, Problem> {
        let request_hash = self.request.hash();
        if let Some(row) = app.engine.store().key(SCOPE, self.key).await.map_err(failures::store)? {
            return match row.saga {
                Some(saga) if row.request_hash == request_hash => Ok(Admitted::Earlier(saga)),
                Some(saga) => Err(key_reused(saga)),
                None => Err(failures::start(&app.engine, StartError::KeyBlocked)),
            };
        }
        let checkout = self.checkout(app).await?;
        let ReturnRequest { order, items, reason } = &self.request;
        let input = ReturnInput {
            checkout_id: checkout.to_string(),
            order_id: order.to_string(),
            items: items.clone(),
            reason: reason.clone(),
            make_good: false,
            cart_id: String::new(),
        };
        Ok(Admitted::Now(Box::new(NewRun {
            id: Uuid::now_v7(),
            root: Some(checkout),
            definition: definition::RETURN.to_owned(),
            scope: SCOPE.to_owned(),
            key: Some(self.key.to_owned()),
            request_hash,
            input: input.encode_to_vec().into(),
            traceparent: self.traceparent.clone(),
        })))
    }

    /// The order's checkout, once it has ended.
    async fn checkout(&self, app: &App) -> Result<Uuid, Problem> {
        let message = GetOrderRequest { order_id: self.request.order.to_string() };
        let orders = app.clients.orders();
        let got = app.clients.read("order", message, |request| {
            let mut orders = orders.clone();
            async move { orders.get(request).await }
        });
        let order = got.await.map_err(|e| refusals::problem(e, &kind::UNKNOWN_ORDER, "order_id"))?;
        let Ok(checkout) = fields::id("checkout_id", &order.checkout_id) else {
            return Err(refusals::broken("order", "an order of no checkout"));
        };
        // One that is forgotten has ended: what is live or parked is kept.
        match app
            .engine
            .store()
            .load(checkout)
            .await
            .map_err(failures::store)?
            .map(|stored| stored.row.status)
        {
            None => Ok(checkout),
            Some(status) if status.is_final() => Ok(checkout),
            Some(status) => {
                let detail = match status {
                    Status::Parked => "Its checkout is parked, and a person is seeing to it.",
                    _ => "Its checkout is under way.",
                };
                Err(Problem::new(&kind::NOT_SETTLED, detail)
                    .with("saga_id", checkout.to_string())
                    .with("saga_status", status.as_str()))
            }
        }
    }
}

fn key_reused(saga: Uuid) -> Problem {
    Problem::new(&kind::KEY_REUSED, failures::KEY_REUSED)
        .at("Idempotency-Key")
        .with("return_id", saga.to_string())
        .location(return_document::path(saga))
}
