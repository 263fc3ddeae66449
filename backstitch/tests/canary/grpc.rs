//! Every text of every message that the gRPC face takes, one at a time.

use backstitch_proto::DESCRIPTORS;
use backstitch_proto::plain::Plain;
use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::common::Shop;
use crate::http::Tried;

/// The services that clients call.
const SERVICES: [&str; 3] =
    ["backstitch.checkout.v1.Checkouts", "backstitch.operator.v1.Operator", "backstitch.returns.v1.Returns"];

/// Sends the canary in each place; insists that each is refused there.
pub(crate) async fn tries(shop: &Shop, canary: &str) -> Vec<Tried> {
    let channel = format!("http://{}", shop.up().address("grpc"));
    let channel = Channel::from_shared(channel).unwrap().connect().await.unwrap();
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut tried = Vec::new();
    for service in SERVICES {
        for method in pool.get_service_by_name(service).unwrap().methods() {
            let path = format!("/{service}/{}", method.name());
            let mut places = Vec::new();
            texts(&method.input(), &[], &mut places);
            for place in places {
                let mut message = sample(&method.input());
                put(&mut message, &place, canary);
                let status = called(&channel, &path, &message, None).await.unwrap_err();
                let field = place.iter().map(|step| step.told.as_str()).collect::<Vec<_>>().join(".");
                let details = status.get_error_details();
                let named = details.bad_request().map(|bad| bad.field_violations[0].field.clone());
                let is_a_place = named.as_deref() == Some(&field) && status.code() == Code::InvalidArgument;
                // What is not there yet takes no text.
                let absent = status.code() == Code::Unimplemented;
                assert!(is_a_place || absent, "{path} should refuse {field}: {status:?}");
                tried.push(Tried { said: format!("{status:?}"), is_a_place });
            }
            let beside = called(&channel, &path, &sample(&method.input()), Some(canary)).await;
            tried.push(Tried { said: format!("{beside:?}"), is_a_place: false });
        }
    }
    tried
}

/// Calls with the canary in what stands beside the message.
async fn called(
    channel: &Channel,
    path: &str,
    message: &DynamicMessage,
    beside: Option<&str>,
) -> Result<Bytes, Status> {
    let mut request = tonic::Request::new(Bytes::from(message.encode_to_vec()));
    if let Some(canary) = beside {
        let digits: String = canary.chars().filter(char::is_ascii_digit).collect();
        let traceparent = format!("00-{}-{digits}-01", crate::TRACE);
        for (name, value) in [
            ("traceparent", traceparent.as_str()),
            ("x-note", canary),
            ("idempotency-key", canary),
            ("saga-id", canary),
            ("cancelled-by", canary),
            ("user-agent", canary),
        ] {
            request.metadata_mut().insert(name, value.parse().unwrap());
        }
    }
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    grpc.unary(request, path.parse().unwrap(), Plain).await.map(tonic::Response::into_inner)
}

/// A field on the way to a text.
#[derive(Clone)]
struct Step {
    name: String,
    /// As a refusal names it: `items[0]`.
    told: String,
}

/// Paths of the fields that are texts, through messages.
fn texts(message: &MessageDescriptor, at: &[Step], found: &mut Vec<Vec<Step>>) {
    for field in message.fields() {
        let name = field.name().to_owned();
        let told = if field.is_list() { format!("{name}[0]") } else { name.clone() };
        let path = [at, &[Step { name, told }]].concat();
        match field.kind() {
            Kind::String => found.push(path),
            Kind::Message(inner) if !field.is_map() => texts(&inner, &path, found),
            _ => {}
        }
    }
}

/// A message that is as it should be.
fn sample(descriptor: &MessageDescriptor) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        let value = match field.kind() {
            Kind::String => Value::String(word(field.name()).to_owned()),
            Kind::Message(inner) if !field.is_map() => Value::Message(sample(&inner)),
            Kind::Int32 => Value::I32(1),
            Kind::Int64 => Value::I64(1),
            Kind::Uint32 => Value::U32(1),
            Kind::Bool => Value::Bool(true),
            _ => continue,
        };
        message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
    }
    message
}

fn word(name: &str) -> &'static str {
    match name {
        "cart_id" => "cart",
        "provider_id" => "pi_1",
        "state" => "captured",
        "email" => "ada@example.com",
        "country" => "GB",
        "currency" => "GBP",
        "payment_method" => "tok_ok",
        "shipping_method" => "standard",
        "status" | "cursor" | "customer_id" => "",
        "sku" => "A",
        id if id.ends_with("_id") => "01978a3e-5f2d-7c41-9b7a-0f6d3c2b1a90",
        _ => "words",
    }
}

/// Puts a text at a path; into the first of a list.
fn put(message: &mut DynamicMessage, path: &[Step], text: &str) {
    let [Step { name, .. }, rest @ ..] = path else { return };
    let list = message.descriptor().get_field_by_name(name).unwrap().is_list();
    let value = message.get_field_by_name_mut(name).unwrap();
    let value = match value {
        Value::List(values) if list => &mut values[0],
        value => value,
    };
    match value {
        Value::Message(inner) => put(inner, rest, text),
        value => *value = Value::String(text.to_owned()),
    }
}
