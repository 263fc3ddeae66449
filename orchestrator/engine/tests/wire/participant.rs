//! Real participants: a tonic server with the generated service.

use std::future::pending;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use backstitch_proto::contract::{self, CallMeta, Verdict};
use backstitch_proto::noop::noop_server::{Noop, NoopServer};
use backstitch_proto::noop::{ActRequest, ActResponse, UndoRequest, UndoResponse};
use futures::future::BoxFuture;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tonic::service::Routes;
use tonic::{Code, Request, Response, Status};

use super::{Effects, Start, server};

/// How a verdict is put into a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the contract says.
    Kept,
    /// As the contract says, but under this code.
    Under(Code),
    /// Of another service: a downstream's, passed on.
    OtherDomain,
    /// Of another call.
    OtherKey,
    /// Code and message only.
    NoDetails,
    /// Details that do not decode.
    Garbage,
}

type Handler =
    Arc<dyn Fn(CallMeta, Effects) -> BoxFuture<'static, Result<ActResponse, Status>> + Send + Sync>;

#[derive(Clone)]
struct Participant {
    handler: Handler,
    effects: Effects,
}

#[tonic::async_trait]
impl Noop for Participant {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        let call = CallMeta::read(request.metadata()).unwrap();
        (self.handler)(call, self.effects.clone()).await.map(Response::new)
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        Ok(Response::new(UndoResponse {}))
    }
}

/// Answers with what a call says under a key beside its message.
#[derive(Clone, Copy)]
struct Echo(&'static str);

#[tonic::async_trait]
impl Noop for Echo {
    async fn act(&self, request: Request<ActRequest>) -> Result<Response<ActResponse>, Status> {
        let value = request.metadata().get(self.0).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        Ok(Response::new(ActResponse { payload: value.into() }))
    }

    async fn undo(&self, _: Request<UndoRequest>) -> Result<Response<UndoResponse>, Status> {
        Ok(Response::new(UndoResponse {}))
    }
}

pub(crate) fn echoing(key: &'static str) -> Start {
    server(move |stream, _| serve(stream, Routes::new(NoopServer::new(Echo(key))), pending()))
}

/// Serves one connection until `died`.
async fn serve(stream: TcpStream, routes: Routes, died: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(routes.prepare());
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => {}
        () = died => {}
    }
}

fn participant<F>(handler: impl Fn(CallMeta, Effects) -> F + Clone + Send + Sync + 'static) -> Start
where
    F: Future<Output = Result<ActResponse, Status>> + Send + 'static,
{
    server(move |stream, effects| {
        let handler = handler.clone();
        let handler: Handler = Arc::new(move |call, effects| Box::pin(handler(call, effects)));
        let service = NoopServer::new(Participant { handler, effects }).max_encoding_message_size(usize::MAX);
        serve(stream, Routes::new(service), pending())
    })
}

/// Has the effect and answers with a payload of this size.
pub(crate) fn answering(size: usize) -> Start {
    participant(move |_, effects| async move {
        effects.happen();
        Ok(ActResponse { payload: vec![7; size].into() })
    })
}

/// Answers with a verdict; the one that says so keeps its promise of no effect.
pub(crate) fn in_a_status(verdict: Verdict, form: Form) -> Start {
    participant(move |call, effects| {
        let (verdict, kept) = (verdict.clone(), matches!(form, Form::Kept | Form::Under(_)));
        async move {
            if !kept {
                effects.happen();
            }
            let right = verdict.clone().into_status("noop", &call.key());
            Err(match form {
                Form::Kept => right,
                Form::Under(code) => {
                    Status::with_details(code, right.message(), right.details().to_vec().into())
                }
                Form::OtherDomain => verdict.into_status("payment", &call.key()),
                Form::OtherKey => verdict.into_status("noop", &format!("{}/another_step/do", call.saga)),
                Form::NoDetails => Status::new(right.code(), right.message()),
                Form::Garbage => Status::with_details(right.code(), right.message(), vec![0xff; 9].into()),
            })
        }
    })
}

/// Has the effect, does not know, and wants to be asked again after so long; in a form that is the contract's or not.
pub(crate) fn busy_after_the_effect(after: Duration, form: Form) -> Start {
    participant(move |call, effects| async move {
        effects.happen();
        let (service, key) = match form {
            Form::OtherDomain => ("payment", call.key()),
            Form::OtherKey => ("noop", format!("{}/another_step/do", call.saga)),
            _ => ("noop", call.key()),
        };
        let after = if matches!(form, Form::NoDetails) { Duration::ZERO } else { after };
        Err(contract::unknown(service, &key, "busy", after))
    })
}

/// Has the effect, and the answer is this code and nothing else.
pub(crate) fn bare(code: i32) -> Start {
    participant(move |_, effects| async move {
        effects.happen();
        Err(Status::new(Code::from(code), "something went wrong"))
    })
}

/// Serves no method of that name.
pub(crate) fn without_the_method() -> Start {
    let start = answering(0);
    Box::new(move || {
        let server = start();
        Box::pin(async move { super::Server { action: "Embroider", ..server.await } })
    })
}

/// An interceptor that knows the caller not.
pub(crate) fn turned_away() -> Start {
    guarded(|_, _| Err(Status::unauthenticated("who are you?")))
}

/// An interceptor that is shown each call and its `grpc-timeout`; what it lets through is done.
pub(crate) fn guarded(
    guard: impl Fn(CallMeta, Option<&str>) -> Result<(), Status> + Clone + Send + Sync + 'static,
) -> Start {
    server(move |stream, effects| {
        let guard = guard.clone();
        let handler: Handler = Arc::new(|_, _| Box::pin(async { Ok(ActResponse::default()) }));
        let interceptor = move |request: Request<()>| {
            let call = CallMeta::read(request.metadata()).unwrap();
            let timeout = request.metadata().get("grpc-timeout").map(|value| value.to_str().unwrap());
            guard(call, timeout).map(|()| request)
        };
        let service = NoopServer::with_interceptor(Participant { handler, effects }, interceptor);
        serve(stream, Routes::new(service), pending())
    })
}

/// Has the effect and never answers; the server keeps the call's deadline.
pub(crate) fn stuck() -> Start {
    participant(|_, effects| async move {
        effects.happen();
        pending().await
    })
}

/// Has the effect, then its handler panics.
pub(crate) fn panicking() -> Start {
    participant(|_, effects| async move {
        effects.happen();
        // Without the hook, which would write to the test's output.
        resume_unwind(Box::new("a bug after the effect"))
    })
}

/// Has the effect, then its process dies: the connection is gone with it.
pub(crate) fn dying() -> Start {
    mortal(u32::MAX)
}

/// The same, but its successor answers.
pub(crate) fn dying_once() -> Start {
    mortal(1)
}

/// A process that dies at each of its first `deaths` effects.
fn mortal(deaths: u32) -> Start {
    server(move |stream, effects| {
        let death = Arc::new(Notify::new());
        let dies = death.clone();
        let handler: Handler = Arc::new(move |_, effects| {
            effects.happen();
            let dies = dies.clone();
            Box::pin(async move {
                if effects.count() > deaths {
                    return Ok(ActResponse::default());
                }
                dies.notify_one();
                pending().await
            })
        });
        let routes = Routes::new(NoopServer::new(Participant { handler, effects }));
        async move { serve(stream, routes, death.notified()).await }
    })
}
