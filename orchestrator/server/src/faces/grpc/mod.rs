//! The gRPC face: checkouts and operator, health and reflection.

mod checkouts;
mod operator;
mod problem;

use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::DESCRIPTORS;
use backstitch_proto::checkout::checkouts_server::CheckoutsServer;
use backstitch_proto::operator::operator_server::OperatorServer;
use tonic::service::Routes;
use tonic_health::server::HealthReporter;

use crate::app::App;
use checkouts::CheckoutsFace;
use operator::OperatorFace;
pub(crate) use problem::problem_of;

/// The most bytes a message may have.
const MESSAGE_LIMIT: usize = 1 << 20;
/// Between two pings on an idle connection.
pub(crate) const PING: Duration = Duration::from_secs(30);

/// Everything that the face answers.
pub(crate) async fn routes(app: Arc<App>) -> (Routes, HealthReporter) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<CheckoutsServer<CheckoutsFace>>().await;
    reporter.set_serving::<OperatorServer<OperatorFace>>().await;

    let mut routes = Routes::builder();
    routes
        .add_service(
            CheckoutsServer::new(CheckoutsFace(app.clone())).max_decoding_message_size(MESSAGE_LIMIT),
        )
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

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name("backstitch.checkout.v1.Checkouts")
        .with_service_name("backstitch.operator.v1.Operator")
        .with_service_name("grpc.health.v1.Health")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_descriptors_can_be_reflected() {
        assert!(super::reflection().build_v1().is_ok());
        assert!(super::reflection().build_v1alpha().is_ok());
    }
}
