//! The faces: HTTP and gRPC. Each parses, calls the same verbs, and converts; neither decides anything.

pub(crate) mod grpc;
pub(crate) mod http;
