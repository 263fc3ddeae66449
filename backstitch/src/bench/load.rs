//! The load: so many sagas in flight over so many connections, each started when the one before it has ended.

use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Method;

use super::{Measured, PAYLOAD, shop};
use crate::client::Connection;

const WAIT: (&str, &str) = ("prefer", "wait=30");

/// What is started again and again.
#[derive(Clone, Copy)]
pub(crate) enum Load {
    /// Synthetic sagas.
    Synthetic,
    /// Checkouts of one cart each. Filling the cart is not part of the latency, but of the load.
    Checkouts,
}

impl Load {
    /// What has to be there before anything counts: goods to sell; or a few sagas per connection, so that connections,
    /// statements and allocators are warm.
    pub(crate) async fn prepare(self, address: &str, in_flight: usize) -> anyhow::Result<()> {
        let mut connection = Connection::open(address).await?;
        match self {
            Load::Checkouts => shop::stock(&mut connection).await,
            Load::Synthetic => {
                for _ in 0..in_flight.clamp(50, 500) {
                    one_synthetic(&mut connection).await?;
                }
                Ok(())
            }
        }
    }

    /// `in_flight` at a time for `duration`.
    pub(crate) async fn run(
        self,
        address: &str,
        in_flight: usize,
        duration: Duration,
    ) -> anyhow::Result<Measured> {
        let begun = Instant::now();
        let until = begun + duration;
        let worker = |worker| tokio::spawn(self.one_after_the_other(address.to_owned(), worker, until));
        Measured::by(begun, (0..in_flight).map(worker).collect()).await
    }

    async fn one_after_the_other(
        self,
        address: String,
        worker: usize,
        until: Instant,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut connection = Connection::open(&address).await?;
        let mut latencies = Histogram::new(3)?;
        for n in 0.. {
            if Instant::now() >= until {
                break;
            }
            let begun = match self {
                Load::Synthetic => {
                    let begun = Instant::now();
                    one_synthetic(&mut connection).await?;
                    begun
                }
                Load::Checkouts => {
                    let cart = format!("bench-{worker}-{n}");
                    shop::fill_cart(&mut connection, &cart).await?;
                    let begun = Instant::now();
                    shop::check_out(&mut connection, &cart, WAIT).await?;
                    begun
                }
            };
            latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
        Ok(latencies)
    }
}

async fn one_synthetic(connection: &mut Connection) -> anyhow::Result<()> {
    let body = Bytes::from_static(PAYLOAD);
    let answer = connection.must(Method::POST, "/bench/v1/sagas", &[WAIT], body).await?;
    if !answer.windows(11).any(|w| w == b"\"completed\"") {
        bail!("a synthetic saga did not complete: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
