//! Faces of the orchestrator: HTTP, gRPC, admission.
