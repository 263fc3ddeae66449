//! Both together.

use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};

use backstitch_services::Localstripe;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::control::Control;
use crate::server;
use crate::world::World;

/// One localstripe for all of this process: it takes a second to start, and knows everything by ids that it draws.
static SHARED: OnceLock<Arc<Localstripe>> = OnceLock::new();

/// A Stripe of one's own, until it is dropped.
#[derive(Debug)]
pub struct Stripe {
    localstripe: Arc<Localstripe>,
    control: Control,
    url: String,
    serving: JoinHandle<()>,
}

impl Stripe {
    /// Starts one on a free port, before a localstripe that all of this process share. Needs a runtime, and
    /// `./test --setup` to have been there.
    pub async fn start() -> Self {
        let shared = blocking(|| Arc::clone(SHARED.get_or_init(|| Arc::new(Localstripe::start()))));
        Self::before(shared.await, 0).await
    }

    /// Starts one on this port of 127.0.0.1, 0 for any, before a localstripe of its own.
    pub async fn start_apart(port: u16) -> Self {
        Self::before(blocking(|| Arc::new(Localstripe::start())).await, port).await
    }

    async fn before(localstripe: Arc<Localstripe>, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.unwrap_or_else(|e| panic!("port {port} cannot be listened on: {e}"));
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let world = Arc::new(Mutex::new(World::new(&url, &localstripe.url())));
        let serving = tokio::spawn(server::serve(listener, world));
        Self { localstripe, control: Control::at(&url), url, serving }
    }

    /// What a client takes for `https://api.stripe.com`: no slash at the end, no version.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The other side of the counter.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// What stands behind: to compare with; to treat badly only after [`Stripe::start_apart`].
    pub fn localstripe(&self) -> &Localstripe {
        &self.localstripe
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
