//! Refunds that failed after they had been reported as done, or that an undo needs: a saga stays parked until a person has
//! written down, at the payment participant, how the customer got their money. The first have a saga of their own; for
//! the others it is the one that is being undone.

use backstitch_engine::{NewRun, StartError, Started};
use backstitch_proto::operator::OpenCaseRequest;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::payment::{Case, ListCasesRequest, ListCasesResponse, ResolveCaseRequest};
use backstitch_proto::returns::CaseInput;
use backstitch_sagas::definition;
use prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::app::App;
use crate::operator::Detail;
use crate::peers::{self, Act, Asker, Here, NotDone, Verb, handed_on};
use crate::problem::{Problem, kind};
use crate::request::Canonical;
use crate::sagas::{self, MAX_REASON};
use crate::{failures, fields, refusals};

/// Whose keys they are: nobody's who asks through a face.
const SCOPE: &str = "backstitch/refund_case";
const PART: &str = "payment";

/// A case to open.
struct Opened {
    case: Uuid,
    /// The checkout that was paid.
    root: Uuid,
}

impl Act for Opened {
    type Done = Started;
    type Error = StartError;

    async fn here(&self, app: &App) -> Here<Started, StartError> {
        let mut hash = Canonical::new("refund_case/1");
        hash.bytes(self.case.as_bytes());
        let run = NewRun {
            id: Uuid::now_v7(),
            root: Some(self.root),
            definition: definition::REFUND_CASE.to_owned(),
            scope: SCOPE.to_owned(),
            key: Some(self.case.to_string()),
            request_hash: hash.finish(),
            input: CaseInput { case_id: self.case.to_string() }.encode_to_vec().into(),
            traceparent: String::new(),
        };
        peers::begun(app.engine.start(run).await)
    }

    async fn there(&self, owner: Channel) -> Result<Started, Status> {
        let asked = OpenCaseRequest { case_id: self.case.to_string(), root_id: self.root.to_string() };
        peers::started(&OperatorClient::new(owner).open_case(handed_on(asked)).await?.into_inner())
    }
}

/// Opens a case, or finds it open.
pub(crate) async fn open(app: &App, case: Uuid, root: Uuid, asker: Asker) -> Result<Detail, Problem> {
    let started = peers::bridged(app, asker, &Opened { case, root }).await;
    let started = started.map_err(|not_done| failures::start_of_family(&app.engine, not_done))?;
    sagas::get(app, started.id()).await
}

/// A page of the cases that the payment participant knows of.
pub(crate) async fn list(app: &App, request: ListCasesRequest) -> Result<ListCasesResponse, Problem> {
    let payments = app.clients.payments();
    let listed = app.clients.read(PART, request, |request| {
        let mut payments = payments.clone();
        async move { payments.list_cases(request).await }
    });
    listed.await.map_err(|e| refusals::problem(e, &kind::INVALID_PARAMETER, "cursor"))
}

/// Writes a person's word about a case down, and has the saga that waits for it ask again.
pub(crate) async fn resolve(app: &App, case: Uuid, resolution: &str) -> Result<Case, Problem> {
    fields::words("/resolution", resolution, MAX_REASON)?;
    let asked = ResolveCaseRequest { case_id: case.to_string(), resolution: resolution.to_owned() };
    let mut payments = app.clients.payments();
    let resolved =
        app.clients.change(PART, asked, "", |request| async move { payments.resolve_case(request).await });
    let resolved = resolved.await.map_err(problem)?;
    let key = app.engine.store().key(SCOPE, &case.to_string()).await.map_err(failures::store)?;
    let undone = || resolved.root_id.parse().ok();
    if let Some(saga) = key.and_then(|row| row.saga).or_else(undone) {
        ask_again(app, saga).await?;
    }
    Ok(resolved)
}

/// Sets the saga going, if it is parked: one that is not asks by itself, or has ended.
async fn ask_again(app: &App, saga: Uuid) -> Result<(), Problem> {
    // It may move on between the look and the verb; then it is looked at again.
    for _ in 0..5 {
        let seq = match sagas::get(app, saga).await {
            Ok(detail) => detail.seq,
            Err(problem) if *problem.kind() == kind::UNKNOWN_SAGA => return Ok(()),
            Err(problem) => return Err(problem),
        };
        let verb = Verb::Resume { reason: "its case is resolved".to_owned(), seq };
        let problem = match peers::done(app, saga, &verb, Asker::Client).await {
            Ok(()) => return Ok(()),
            Err(NotDone::There(problem)) => problem,
            Err(not_done @ NotDone::Here(_)) => failures::decision(not_done),
        };
        if *problem.kind() == kind::NOT_PARKED {
            return Ok(());
        }
        if *problem.kind() != kind::MOVED_ON {
            return Err(problem);
        }
    }
    // What keeps moving is not parked, and asks by itself.
    Ok(())
}

fn problem(error: crate::clients::CallError) -> Problem {
    refusals::problem(error, &kind::UNKNOWN_CASE, "case_id")
}
