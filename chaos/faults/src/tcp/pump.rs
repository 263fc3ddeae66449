//! One connection through the proxy.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::{Break, Orders, Weather};
use crate::Tally;

/// How long whoever is behind the proxy may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// What a connection needs to know of its proxy.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) upstream: Arc<Mutex<String>>,
    pub(super) told: watch::Receiver<Orders>,
    pub(super) tally: Tally,
}

/// Why a connection is no more.
enum End {
    /// Both sides hung up.
    Over,
    /// One side was gone, which the other must not take for a word of its.
    Gone,
    /// We did it.
    Broken(Break),
}

impl Line {
    /// Passes bytes both ways until somebody hangs up or the weather ends it.
    pub(super) async fn serve(mut self, mut near: TcpStream) {
        let breaks = self.told.borrow().breaks;
        let upstream = self.upstream.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reached = tokio::time::timeout(CONNECT, TcpStream::connect(upstream)).await;
        let Ok(Ok(mut far)) = reached else {
            self.tally.note("unreachable");
            // Whoever is in front must not take this for an orderly end.
            let _ = near.set_zero_linger();
            return;
        };
        self.tally.note("connected");
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let end = {
            let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
            let passed = Passed::default();
            let there = pump(near_in, far_out, self.told.clone(), &passed);
            let back = pump(far_in, near_out, self.told.clone(), &passed);
            tokio::select! {
                // First of all: a cut is taken before the next byte.
                biased;
                end = cut(&mut self.told, breaks, &passed) => end,
                ended = async { tokio::try_join!(there, back) } => ended.err().unwrap_or(End::Over),
            }
        };
        if let End::Broken(_) = end {
            self.tally.note("broken");
        }
        if matches!(end, End::Gone | End::Broken(Break::Reset)) {
            let _ = (near.set_zero_linger(), far.set_zero_linger());
        }
    }
}

/// How many bytes have passed, both ways together.
#[derive(Debug, Default)]
struct Passed(watch::Sender<u64>);

/// Waits until the weather, or an order to break everything, ends this connection.
async fn cut(told: &mut watch::Receiver<Orders>, breaks: u64, passed: &Passed) -> End {
    let mut counted = passed.0.subscribe();
    // Where the count stood when this weather began.
    let (mut weather, mut since) = (Weather::Clear, 0);
    loop {
        let orders = *told.borrow_and_update();
        if orders.breaks != breaks {
            return End::Broken(orders.how);
        }
        let count = *counted.borrow_and_update();
        if orders.weather != weather {
            (weather, since) = (orders.weather, count);
        }
        if let Weather::Cut { after, how } = weather
            && count - since >= after
        {
            return End::Broken(how);
        }
        tokio::select! {
            changed = told.changed() => if changed.is_err() {
                return End::Over;
            },
            _ = counted.changed() => {}
        }
    }
}

/// One way. A cut leaves no more than `after` bytes through: pieces are let through in parts.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut told: watch::Receiver<Orders>,
    passed: &Passed,
) -> Result<(), End> {
    let mut piece = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut piece).await.map_err(gone)?;
        let Ok(orders) = told.wait_for(|orders| orders.weather != Weather::Frozen).await.map(|o| *o) else {
            return Err(End::Over);
        };
        if read == 0 {
            return to.shutdown().await.map_err(gone);
        }
        if let Weather::Slow(delay) = orders.weather {
            tokio::time::sleep(delay).await;
        }
        // One by one where a count decides, so that a cut comes at its byte and not at the end of a piece.
        let parts = if matches!(orders.weather, Weather::Cut { .. }) { 1 } else { read };
        for part in piece[..read].chunks(parts) {
            to.write_all(part).await.map_err(gone)?;
            passed.0.send_modify(|count| *count += part.len() as u64);
            if parts == 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}

fn gone(_: io::Error) -> End {
    End::Gone
}
