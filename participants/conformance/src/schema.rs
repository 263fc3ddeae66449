//! The participant's messages, learned from its own reflection service.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::StreamExt as _;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions, ServiceDescriptor};
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use tonic::Code;
use tonic::client::Grpc;
use tonic::transport::Channel;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

/// Both versions of the service have the same messages on the wire; many languages offer only the older one.
const REFLECTION: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// A service and its messages.
pub(crate) struct Schema {
    service: ServiceDescriptor,
}

impl Schema {
    /// Asks for everything that describes `service`.
    pub(crate) async fn learn(channel: &Channel, service: &str) -> Result<Self, String> {
        let mut files = Vec::<FileDescriptorProto>::new();
        let mut missing = BTreeSet::new();
        let mut ask = MessageRequest::FileContainingSymbol(service.to_owned());
        loop {
            match reflect(channel, ask).await? {
                MessageResponse::FileDescriptorResponse(answer) => {
                    for bytes in answer.file_descriptor_proto {
                        let file = FileDescriptorProto::decode(&*bytes).map_err(|e| e.to_string())?;
                        missing.extend(file.dependency.iter().cloned());
                        if !files.iter().any(|known| known.name == file.name) {
                            files.push(file);
                        }
                    }
                }
                MessageResponse::ErrorResponse(error) => {
                    return Err(format!("`{service}` is not described: {}", error.error_message));
                }
                _ => return Err("reflection answered something else than was asked".into()),
            }
            missing.retain(|name| !files.iter().any(|file| file.name() == name));
            match missing.first() {
                Some(name) => ask = MessageRequest::FileByFilename(name.clone()),
                None => break,
            }
        }
        let pool = DescriptorPool::from_file_descriptor_set(FileDescriptorSet { file: files });
        let pool = pool.map_err(|e| format!("its description does not hold together: {e}"))?;
        let found = pool.get_service_by_name(service);
        Ok(Self { service: found.ok_or_else(|| format!("`{service}` is not described"))? })
    }

    /// A request of `method` as bytes.
    pub(crate) fn encode(&self, method: &str, request: serde_json::Value) -> Result<Bytes, String> {
        let (input, _) = self.messages(method)?;
        let name = input.full_name().to_owned();
        let message = DynamicMessage::deserialize(input, request).map_err(|e| format!("{name}: {e}"))?;
        Ok(message.encode_to_vec().into())
    }

    /// An answer of `method` as JSON, with the fields that have their default.
    pub(crate) fn decode(&self, method: &str, answer: &Bytes) -> Result<serde_json::Value, String> {
        let (_, output) = self.messages(method)?;
        let name = output.full_name().to_owned();
        let message = DynamicMessage::decode(output, answer.clone());
        let message = message.map_err(|e| format!("the answer is no {name}: {e}"))?;
        let options = SerializeOptions::new().skip_default_fields(false).use_proto_field_name(true);
        let json = message.serialize_with_options(serde_json::value::Serializer, &options);
        json.map_err(|e| e.to_string())
    }

    /// Whether `field` of an answer of `method` is set.
    pub(crate) fn has(&self, method: &str, answer: &Bytes, field: &str) -> Result<bool, String> {
        let (_, output) = self.messages(method)?;
        let descriptor = output.get_field_by_name(field);
        let descriptor =
            descriptor.ok_or_else(|| format!("{} has no field `{field}`", output.full_name()))?;
        let message = DynamicMessage::decode(output, answer.clone()).map_err(|e| e.to_string())?;
        Ok(message.has_field(&descriptor))
    }

    fn messages(&self, method: &str) -> Result<(MessageDescriptor, MessageDescriptor), String> {
        let found = self.service.methods().find(|m| m.name() == method).ok_or_else(|| {
            let known = self.service.methods().map(|m| m.name().to_owned()).collect::<Vec<_>>().join(", ");
            format!("{} has no method `{method}`; it has {known}", self.service.full_name())
        })?;
        Ok((found.input(), found.output()))
    }
}

/// The names of the services that reflection lists.
pub(crate) async fn listed(channel: &Channel) -> Result<Vec<String>, String> {
    match reflect(channel, MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => Ok(list.service.into_iter().map(|s| s.name).collect()),
        _ => Err("reflection answered something else than was asked".into()),
    }
}

async fn reflect(channel: &Channel, ask: MessageRequest) -> Result<MessageResponse, String> {
    let mut why = String::new();
    for service in REFLECTION {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(ask.clone()) };
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.map_err(|e| e.to_string())?;
        let path = PathAndQuery::try_from(format!("/{service}/ServerReflectionInfo"));
        let path = path.map_err(|e| e.to_string())?;
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let asked = futures::stream::iter([request]);
        let answers = grpc.streaming(tonic::Request::new(asked), path, codec).await;
        let first = match answers {
            Ok(answers) => answers.into_inner().next().await.unwrap_or(Ok(Default::default())),
            Err(status) => Err(status),
        };
        match first {
            Ok(answer) => {
                return answer.message_response.ok_or_else(|| "reflection answered nothing".into());
            }
            Err(status) if status.code() == Code::Unimplemented => {
                why = "it offers no gRPC reflection; register the service that every gRPC library comes with"
                    .into();
            }
            Err(status) => {
                return Err(format!("reflection answered {:?} `{}`", status.code(), status.message()));
            }
        }
    }
    Err(why)
}
