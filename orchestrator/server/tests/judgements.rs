//! Acknowledgements of findings, over gRPC: on record with who and why, once, and taken back.

#![allow(clippy::unwrap_used)]

mod support;

use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::operator::{
    AcknowledgeFindingRequest, Acknowledgement, FindAcknowledgementsRequest, TakeBackAcknowledgementRequest,
};
use support::World;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

const FINDING: &str = "01978a3e-5f2d-8c41-9b7a-0f6d3c2b1a90";
const OTHER: &str = "01978a3e-5f2d-8c41-9b7a-0f6d3c2b1a91";

fn request(reason: &str) -> AcknowledgeFindingRequest {
    AcknowledgeFindingRequest {
        finding_id: FINDING.into(),
        what: "reconcile found refund_unknown_here: a refund.".into(),
        by: "ada".into(),
        reason: reason.into(),
    }
}

fn back(reason: &str) -> TakeBackAcknowledgementRequest {
    TakeBackAcknowledgementRequest { finding_id: FINDING.into(), by: "bob".into(), reason: reason.into() }
}

async fn found(operator: &mut OperatorClient<Channel>) -> Vec<Acknowledgement> {
    let request = FindAcknowledgementsRequest { finding_ids: vec![OTHER.into(), FINDING.into()] };
    operator.find_acknowledgements(request).await.unwrap().into_inner().acknowledgements
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

fn field(status: &Status) -> String {
    status.get_error_details().bad_request().unwrap().field_violations[0].field.clone()
}

#[tokio::test]
async fn a_word_is_kept_once_and_until_it_is_taken_back() {
    let world = World::new().await;
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    assert_eq!(found(&mut operator).await, []);
    let nothing = operator.take_back_acknowledgement(back("x")).await.unwrap_err();
    assert_eq!((nothing.code(), reason(&nothing).as_str()), (Code::NotFound, "NOT_ACKNOWLEDGED"));
    assert!(nothing.message().contains(FINDING), "{nothing}");

    let first = operator.acknowledge_finding(request("  a goodwill refund ")).await.unwrap().into_inner();
    assert_eq!((first.by.as_str(), first.reason.as_str()), ("ada", "a goodwill refund"));
    assert!(first.at_unix_ms > 0);
    let same = AcknowledgeFindingRequest { by: "bob".into(), ..request("a goodwill refund") };
    assert_eq!(operator.acknowledge_finding(same).await.unwrap().into_inner(), first);
    let other = operator.acknowledge_finding(request("another one")).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::FailedPrecondition, "ALREADY_ACKNOWLEDGED"));
    assert!(other.message().contains("by ada: a goodwill refund"), "{other}");
    assert_eq!(found(&mut operator).await, [first]);

    operator.take_back_acknowledgement(back("it was not")).await.unwrap();
    assert_eq!(found(&mut operator).await, []);
    let anew = operator.acknowledge_finding(request("another one")).await.unwrap().into_inner();
    assert_eq!(found(&mut operator).await, [anew]);
}

#[tokio::test]
async fn words_have_bounds_and_are_named_where_they_are_not_kept() {
    let world = World::new().await;
    let mut operator = OperatorClient::new(backstitch_server::channel(&world.grpc).unwrap());
    let long = "ß".repeat(501);
    for (bad, wanted) in [
        (AcknowledgeFindingRequest { finding_id: "7".into(), ..request("x") }, "finding_id"),
        (AcknowledgeFindingRequest { what: String::new(), ..request("x") }, "what"),
        (AcknowledgeFindingRequest { what: long.clone(), ..request("x") }, "what"),
        (AcknowledgeFindingRequest { by: String::new(), ..request("x") }, "by"),
        (AcknowledgeFindingRequest { by: "ß".repeat(256), ..request("x") }, "by"),
        (request(" \u{a0} "), "reason"),
        (request(&long), "reason"),
        (request("a\nb"), "reason"),
        (request("paid to 4242 4242 4242 4242"), "reason"),
    ] {
        let refused = operator.acknowledge_finding(bad).await.unwrap_err();
        assert_eq!((refused.code(), field(&refused).as_str()), (Code::InvalidArgument, wanted), "{refused}");
    }
    let ids = |many| FindAcknowledgementsRequest { finding_ids: vec![FINDING.into(); many] };
    assert!(operator.find_acknowledgements(ids(1_000)).await.is_ok());
    let many = operator.find_acknowledgements(ids(1_001)).await.unwrap_err();
    assert_eq!((many.code(), field(&many).as_str()), (Code::InvalidArgument, "finding_ids"));
    let most =
        AcknowledgeFindingRequest {
            by: "ß".repeat(255), what: "ß".repeat(500), ..request(&"ß".repeat(500))
        };
    operator.acknowledge_finding(most).await.unwrap();
    assert_eq!(found(&mut operator).await.len(), 1);
}
