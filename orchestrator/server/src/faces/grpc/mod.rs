//! The gRPC face: checkouts, returns and operator, health and reflection.

mod checkouts;
mod operator;
mod problem;
mod returns;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::DESCRIPTORS;
use backstitch_proto::checkout::checkouts_server::CheckoutsServer;
use backstitch_proto::operator::operator_server::OperatorServer;
use backstitch_proto::returns::returns_server::ReturnsServer;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::app::App;
use crate::problem::{Problem, kind};
use checkouts::CheckoutsFace;
use operator::OperatorFace;
pub(crate) use problem::problem_of;
use returns::ReturnsFace;

/// The most bytes a message may have.
const MESSAGE_LIMIT: usize = 1 << 20;
/// Between two pings on an idle connection.
pub(crate) const PING: Duration = Duration::from_secs(30);

/// Everything that the face answers.
pub(crate) async fn routes(app: Arc<App>) -> (Routes, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<CheckoutsServer<CheckoutsFace>>().await;
    reporter.set_serving::<OperatorServer<OperatorFace>>().await;
    reporter.set_serving::<ReturnsServer<ReturnsFace>>().await;

    let mut routes = Routes::builder();
    routes
        .add_service(
            CheckoutsServer::new(CheckoutsFace(app.clone())).max_decoding_message_size(MESSAGE_LIMIT),
        )
        .add_service(ReturnsServer::new(ReturnsFace(app.clone())).max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(OperatorServer::new(OperatorFace(app)).max_decoding_message_size(MESSAGE_LIMIT))
        .add_service(health);
    // Both are built from descriptors that this program was compiled with; that they are well-formed is tested.
    if let Ok(reflection) = reflection().build_v1() {
        routes.add_service(reflection);
    }
    // What grpcurl and others still ask for.
    if let Ok(reflection) = reflection().build_v1alpha() {
        routes.add_service(reflection);
    }
    (routes.routes(), reporter)
}

/// What a caller hears of a panic: as over HTTP. The panic itself was reported by the panic hook.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> axum::http::Response<tonic::body::Body> {
    Status::from(Problem::new(&kind::INTERNAL, "The request ended in a bug.")).into_http()
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("backstitch.checkout.v1.Checkouts")
        .with_service_name("backstitch.operator.v1.Operator")
        .with_service_name("backstitch.returns.v1.Returns")
        .with_service_name("grpc.health.v1.Health")
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic_types::StatusExt as _;
    use tower::{Layer as _, ServiceExt as _, service_fn};
    use tower_http::catch_panic::CatchPanicLayer;

    use super::*;

    /// One call's bug must not end the others of its connection.
    #[tokio::test]
    async fn a_panic_is_its_own_call_s_answer() {
        let handler = service_fn(async |_: axum::http::Request<tonic::body::Body>| {
            if true {
                panic!("a bug with a secret");
            }
            Ok::<_, std::convert::Infallible>(axum::http::Response::new(tonic::body::Body::empty()))
        });
        let request = axum::http::Request::new(tonic::body::Body::empty());
        let answer = CatchPanicLayer::custom(panicked).layer(handler).oneshot(request).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!((status.code(), status.message()), (Code::Internal, "The request ended in a bug."));
        assert_eq!(status.get_details_error_info().unwrap().reason, "INTERNAL");
    }

    #[test]
    fn the_descriptors_can_be_reflected() {
        assert!(super::reflection().build_v1().is_ok());
        assert!(super::reflection().build_v1alpha().is_ok());
    }
}
