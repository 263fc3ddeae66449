//! The operator's view over gRPC.

use std::sync::Arc;

use backstitch_proto::operator::operator_server::Operator;
use backstitch_proto::operator::{
    AcknowledgeFindingRequest, Acknowledgement, DefinitionNode, DefinitionVersion,
    FindAcknowledgementsRequest, FindAcknowledgementsResponse, GetSagaRequest, ListDefinitionsRequest,
    ListDefinitionsResponse, ListSagasRequest, ListSagasResponse, MakeGoodRequest, Note, NoteSagaRequest,
    OpenCaseRequest, ParkedStep, RecordDetail, RepairObjectRequest, ResumeSagaRequest, SagaDetail,
    SagaSummary, StepDetail, SwitchDefinitionRequest, TakeBackAcknowledgementRequest,
    TakeBackAcknowledgementResponse, WakeSagaRequest, WakeSagaResponse,
};
use backstitch_store::Judgement;
use tonic::{Request, Response, Status};

use super::problem::fit;
use crate::app::App;
use crate::cases;
use crate::definitions::{MAX_NAME, Node, Version};
use crate::fields;
use crate::judgements;
use crate::operator::{self, Detail, Line, Step, Summary, Told, Undecodable};
use crate::peers::Asker;
use crate::problem::{Problem, kind};
use crate::repairs::{self, Repair};
use crate::sagas::{self, Wanted};

pub(super) struct OperatorFace(pub(super) Arc<App>);

#[tonic::async_trait]
impl Operator for OperatorFace {
    async fn list_sagas(
        &self,
        request: Request<ListSagasRequest>,
    ) -> Result<Response<ListSagasResponse>, Status> {
        let message = request.into_inner();
        let wanted = Wanted {
            status: message.status,
            definition: message.definition,
            started_from_unix_ms: Some(message.started_from_unix_ms).filter(|ms| *ms != 0),
            started_until_unix_ms: Some(message.started_until_unix_ms).filter(|ms| *ms != 0),
            page_size: Some(i64::from(message.page_size)).filter(|n| *n != 0),
            cursor: message.cursor,
        };
        let listing = sagas::list(&self.0, wanted).await?;
        let sagas = listing.sagas.into_iter().map(summary).collect::<Result<_, _>>()?;
        Ok(Response::new(ListSagasResponse { sagas, next_cursor: listing.next_cursor.unwrap_or_default() }))
    }

    async fn get_saga(&self, request: Request<GetSagaRequest>) -> Result<Response<SagaDetail>, Status> {
        let id = fields::id("saga_id", &request.into_inner().saga_id)?;
        Ok(Response::new(detail(sagas::get(&self.0, id).await?)?))
    }

    async fn list_definitions(
        &self,
        _: Request<ListDefinitionsRequest>,
    ) -> Result<Response<ListDefinitionsResponse>, Status> {
        let versions = crate::definitions::list(&self.0).await?.definitions;
        let definitions = versions.into_iter().map(definition).collect::<Result<_, _>>()?;
        Ok(Response::new(ListDefinitionsResponse { definitions }))
    }

    async fn switch_definition(
        &self,
        request: Request<SwitchDefinitionRequest>,
    ) -> Result<Response<DefinitionVersion>, Status> {
        let SwitchDefinitionRequest { name, version, on, reason } = request.into_inner();
        fields::text(&kind::INVALID_FIELD, "name", &name, MAX_NAME)?;
        let version = crate::definitions::switch(&self.0, &name, version.into(), on, &reason).await?;
        Ok(Response::new(definition(version)?))
    }

    async fn resume_saga(&self, request: Request<ResumeSagaRequest>) -> Result<Response<SagaDetail>, Status> {
        let asker = Asker::of(request.metadata());
        let ResumeSagaRequest { saga_id, reason, seq } = request.into_inner();
        let id = fields::id("saga_id", &saga_id)?;
        Ok(Response::new(detail(sagas::resume(&self.0, id, &reason, seq.into(), asker).await?)?))
    }

    async fn note_saga(&self, request: Request<NoteSagaRequest>) -> Result<Response<SagaDetail>, Status> {
        let asker = Asker::of(request.metadata());
        let NoteSagaRequest { saga_id, text } = request.into_inner();
        let id = fields::id("saga_id", &saga_id)?;
        Ok(Response::new(detail(sagas::note(&self.0, id, &text, asker).await?)?))
    }

    async fn wake_saga(
        &self,
        request: Request<WakeSagaRequest>,
    ) -> Result<Response<WakeSagaResponse>, Status> {
        let asker = Asker::of(request.metadata());
        let WakeSagaRequest { saga_id, participant } = request.into_inner();
        let id = fields::id("saga_id", &saga_id)?;
        sagas::wake(&self.0, id, &participant, asker).await?;
        Ok(Response::new(WakeSagaResponse {}))
    }

    async fn make_good(&self, request: Request<MakeGoodRequest>) -> Result<Response<SagaDetail>, Status> {
        let asker = Asker::of(request.metadata());
        let MakeGoodRequest { saga_id, reason, seq } = request.into_inner();
        let id = fields::id("saga_id", &saga_id)?;
        Ok(Response::new(detail(sagas::make_good(&self.0, id, &reason, seq.into(), asker).await?)?))
    }

    async fn repair_object(
        &self,
        request: Request<RepairObjectRequest>,
    ) -> Result<Response<SagaDetail>, Status> {
        let asker = Asker::of(request.metadata());
        let repair = Repair::check(request.into_inner())?;
        Ok(Response::new(detail(repairs::start(&self.0, repair, asker).await?)?))
    }

    async fn open_case(&self, request: Request<OpenCaseRequest>) -> Result<Response<SagaDetail>, Status> {
        let asker = Asker::of(request.metadata());
        let OpenCaseRequest { case_id, root_id } = request.into_inner();
        let (case, root) = (fields::id("case_id", &case_id)?, fields::id("root_id", &root_id)?);
        Ok(Response::new(detail(cases::open(&self.0, case, root, asker).await?)?))
    }

    async fn acknowledge_finding(
        &self,
        request: Request<AcknowledgeFindingRequest>,
    ) -> Result<Response<Acknowledgement>, Status> {
        Ok(Response::new(acknowledgement(judgements::acknowledge(&self.0, request.into_inner()).await?)))
    }

    async fn take_back_acknowledgement(
        &self,
        request: Request<TakeBackAcknowledgementRequest>,
    ) -> Result<Response<TakeBackAcknowledgementResponse>, Status> {
        judgements::take_back(&self.0, request.into_inner()).await?;
        Ok(Response::new(TakeBackAcknowledgementResponse {}))
    }

    async fn find_acknowledgements(
        &self,
        request: Request<FindAcknowledgementsRequest>,
    ) -> Result<Response<FindAcknowledgementsResponse>, Status> {
        let found = judgements::find(&self.0, &request.into_inner().finding_ids).await?;
        let acknowledgements = found.into_iter().map(acknowledgement).collect();
        Ok(Response::new(FindAcknowledgementsResponse { acknowledgements }))
    }
}

fn acknowledgement(word: Judgement) -> Acknowledgement {
    Acknowledgement {
        finding_id: word.finding.to_string(),
        what: word.what,
        by: word.who,
        reason: word.why,
        at_unix_ms: word.at_ms,
    }
}

fn definition(version: Version) -> Result<DefinitionVersion, Problem> {
    let (switched_at_unix_ms, switched_reason) =
        version.switched.map_or_else(Default::default, |switched| (switched.at_unix_ms, switched.reason));
    let node = |Node { node, seen_at_unix_ms }| DefinitionNode { node, seen_at_unix_ms };
    Ok(DefinitionVersion {
        name: version.name,
        version: version.version,
        fingerprint: version.fingerprint,
        on: version.on,
        switched_at_unix_ms,
        switched_reason,
        announced_at_unix_ms: version.announced_at_unix_ms,
        nodes: version.nodes.into_iter().map(node).collect(),
        in_flight: fit(version.in_flight)?,
    })
}

fn summary(summary: Summary) -> Result<SagaSummary, Problem> {
    Ok(SagaSummary {
        saga_id: summary.saga_id.to_string(),
        definition: summary.definition,
        version: fit(summary.version)?,
        status: summary.status.to_owned(),
        started_at_unix_ms: summary.started_at_unix_ms,
        updated_at_unix_ms: summary.updated_at_unix_ms,
        waits_for: summary.waits_for.unwrap_or_default(),
    })
}

fn detail(detail: Detail) -> Result<SagaDetail, Problem> {
    Ok(SagaDetail {
        summary: Some(summary(detail.summary)?),
        seq: fit(detail.seq)?,
        explanation: detail.explanation,
        steps: detail.steps.into_iter().map(step).collect::<Result<_, _>>()?,
        records: detail.records.into_iter().map(record).collect::<Result<_, _>>()?,
        reason: detail.reason.unwrap_or_default(),
        parked: detail.parked.into_iter().map(parked).collect(),
        notes: detail.notes.into_iter().map(note).collect(),
    })
}

fn note(operator::Note { at_unix_ms, text }: operator::Note) -> Note {
    Note { at_unix_ms, text }
}

fn parked(parked: operator::ParkedStep) -> ParkedStep {
    ParkedStep {
        step: parked.step.unwrap_or_default().to_owned(),
        undo: parked.undo,
        why: parked.why,
        by: parked.by.to_owned(),
        since_unix_ms: parked.since_unix_ms,
    }
}

fn step(step: Step) -> Result<StepDetail, Problem> {
    Ok(StepDetail {
        name: step.name.to_owned(),
        participant: step.participant.to_owned(),
        class: step.class.to_owned(),
        forward: step.forward.to_owned(),
        undo: step.undo.to_owned(),
        maybe_run: step.maybe_run,
        attempts: fit(step.attempts)?,
        undo_attempts: fit(step.undo_attempts)?,
        detail: step.detail,
        settled_at_unix_ms: step.settled_at_unix_ms.unwrap_or_default(),
        undone_at_unix_ms: step.undone_at_unix_ms.unwrap_or_default(),
    })
}

fn record(line: Line) -> Result<RecordDetail, Problem> {
    Ok(match line {
        Line::Told(Told { seq, at_unix_ms, kind, step, detail }) => RecordDetail {
            seq: fit(seq)?,
            at_unix_ms,
            kind: kind.to_owned(),
            step: step.unwrap_or_default().into_owned(),
            detail,
            ..Default::default()
        },
        Line::Undecodable(Undecodable { seq, why, length }) => {
            RecordDetail { seq: fit(seq)?, undecodable: why, length: fit(length)?, ..Default::default() }
        }
    })
}
