//! A TCP proxy whose weather can change at any moment.

mod pump;
mod storm;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::{Dice, Tally};
use pump::Line;
pub use storm::Storm;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// FIN: a polite end in the middle of whatever was said.
    Close,
    /// RST: what was in flight may be lost on both sides.
    Reset,
}

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Every byte passes.
    Clear,
    /// Every piece is held up for so long.
    Slow(Duration),
    /// No byte passes, and nobody hangs up.
    Frozen,
    /// Nobody listens; connections that there are go on.
    Refusing,
    /// A connection ends once so many bytes have passed on it since this weather began, both ways together.
    Cut {
        /// How many.
        after: u64,
        /// How.
        how: Break,
    },
}

impl Weather {
    /// Its word in a tally.
    pub fn word(self) -> &'static str {
        match self {
            Weather::Clear => "clear",
            Weather::Slow(_) => "slow",
            Weather::Frozen => "frozen",
            Weather::Refusing => "refusing",
            Weather::Cut { how: Break::Close, .. } => "cut by close",
            Weather::Cut { how: Break::Reset, .. } => "cut by reset",
        }
    }
}

/// What the whole proxy is told.
#[derive(Clone, Copy, Debug)]
struct Orders {
    weather: Weather,
    /// Raised to break every connection that there is.
    breaks: u64,
    how: Break,
}

/// A proxy in front of one address. Ends, with all its connections, when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    tally: Tally,
    upstream: Arc<Mutex<String>>,
    accepting: JoinHandle<()>,
    /// Bound and never listening: whoever connects while nobody listens is refused, and nobody else gets the port.
    _port: TcpSocket,
}

impl TcpProxy {
    /// Listens on a free loopback port, and passes what comes there on to `upstream` (`host:port`).
    ///
    /// # Errors
    /// When there is no port.
    pub async fn before(upstream: &str) -> io::Result<Self> {
        let port = TcpSocket::new_v4()?;
        port.set_reuseport(true)?;
        port.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = port.local_addr()?;
        let (orders, told) = watch::channel(Orders { weather: Weather::Clear, breaks: 0, how: Break::Close });
        let tally = Tally::default();
        let upstream = Arc::new(Mutex::new(upstream.to_owned()));
        let line = Line { upstream: upstream.clone(), told, tally: tally.clone() };
        // Listening when this returns.
        let listener = listen(address)?;
        let accepting = tokio::spawn(accept(address, listener, line));
        Ok(Self { address, orders, tally, upstream, accepting, _port: port })
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, leads who connects to another address: one that was not known when the proxy's had to be.
    pub fn lead_to(&self, upstream: &str) {
        upstream.clone_into(&mut self.upstream.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What happened so far: connections by `connected`, `broken`, `unreachable`, and changes of weather by their word.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Changes the weather for every connection, there or to come.
    pub fn set(&self, weather: Weather) {
        if weather != Weather::Clear {
            self.tally.note(weather.word());
        }
        self.orders.send_modify(|orders| orders.weather = weather);
    }

    /// Ends every connection that there is.
    pub fn break_all(&self, how: Break) {
        self.tally.note(match how {
            Break::Close => "all closed",
            Break::Reset => "all reset",
        });
        self.orders.send_modify(|orders| (orders.breaks, orders.how) = (orders.breaks + 1, how));
    }

    /// Lets the weather change as `dice` fall, until it is dropped or stopped: spells of trouble up to `spell`, with
    /// clear ones between them. It is clear when [`Storm::stop`] returns.
    pub fn storm(&self, dice: Dice, spell: Duration) -> Storm {
        storm::begin(self.orders.clone(), self.tally.clone(), dice, spell)
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    // Without it, connections that have just ended keep the port from being listened at again.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Accepts while somebody may connect. A listener that is dropped resets whoever waits to be accepted.
async fn accept(address: SocketAddr, listener: TcpListener, mut line: Line) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refusing = line.told.borrow_and_update().weather == Weather::Refusing;
        match (refusing, &listener) {
            (true, Some(_)) => listener = None,
            (false, None) => listener = listen(address).ok(),
            _ => {}
        }
        tokio::select! {
            changed = line.told.changed() => if changed.is_err() {
                return;
            },
            stream = next(listener.as_ref()) => if let Ok(stream) = stream {
                connections.spawn(line.clone().serve(stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection; never where nobody listens.
async fn next(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}
