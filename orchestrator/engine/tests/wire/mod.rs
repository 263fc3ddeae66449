//! Servers on loopback that answer a call in every way that a network can, and count how often its effect happened.

#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod frames;
mod http;
mod participant;
mod tcp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) use http::{Answer, answers};
pub(crate) use participant::{
    Form, answering, bare, busy_after_the_effect, dying, dying_once, echoing, guarded, in_a_status,
    panicking, stuck, turned_away, without_the_method,
};
pub(crate) use tcp::{
    aborted_body, closed, closed_after, goaway, http_1, never_speaking, noise, reset_after, reset_before,
    reset_during, rst_stream,
};

/// Something that a call is made to.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The method to call.
    pub(crate) action: &'static str,
    effects: Effects,
    /// Dropped with the server, and all its connections with it.
    _tasks: JoinSet<()>,
    /// Held so that nobody accepts them.
    _unaccepted: Option<(TcpListener, Vec<TcpStream>)>,
}

impl Server {
    pub(crate) fn effects(&self) -> u32 {
        self.effects.count()
    }
}

/// Counts how often the called action had its effect.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<AtomicU32>);

impl Effects {
    pub(crate) fn happen(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// How to start a server; each call gets a fresh one.
pub(crate) type Start = Box<dyn Fn() -> futures::future::BoxFuture<'static, Server> + Send>;

/// A server that handles each accepted connection with `handle`.
fn server<F>(handle: impl Fn(TcpStream, Effects) -> F + Clone + Send + Sync + 'static) -> Start
where
    F: Future<Output = ()> + Send + 'static,
{
    Box::new(move || {
        let handle = handle.clone();
        Box::pin(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (address, effects) = (listener.local_addr().unwrap(), Effects::default());
            let (mut tasks, counted) = (JoinSet::new(), effects.clone());
            tasks.spawn(async move {
                let mut connections = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    connections.spawn(handle(stream, counted.clone()));
                }
            });
            Server { address, action: "Act", effects, _tasks: tasks, _unaccepted: None }
        })
    })
}

/// A port that nobody listens on.
pub(crate) fn nobody() -> Start {
    Box::new(|| {
        Box::pin(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let effects = Effects::default();
            Server { address, action: "Act", effects, _tasks: JoinSet::new(), _unaccepted: None }
        })
    })
}

/// A listener whose queue is full, so that connecting to it takes for ever.
pub(crate) fn swamped() -> Start {
    Box::new(|| {
        Box::pin(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = socket.listen(1).unwrap();
            let address = listener.local_addr().unwrap();
            let mut queued = Vec::new();
            // A connection that is not made at once finds the queue full.
            while let Ok(Ok(stream)) =
                tokio::time::timeout(std::time::Duration::from_millis(50), TcpStream::connect(address)).await
            {
                queued.push(stream);
            }
            let effects = Effects::default();
            let unaccepted = Some((listener, queued));
            Server { address, action: "Act", effects, _tasks: JoinSet::new(), _unaccepted: unaccepted }
        })
    })
}
