//! The load: so many sagas in flight over so many connections, each started when the one before it has ended.

use std::time::{Duration, Instant};

use anyhow::bail;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::Method;

use super::{Measured, PAYLOAD, shop};
use crate::client::Connection;

const WAIT: (&str, &str) = ("prefer", "wait=30");

/// A few sagas per connection before anything counts: connections, statements and allocators are warm then.
pub(crate) async fn warm_up(address: &str, in_flight: usize) -> anyhow::Result<()> {
    let mut connection = Connection::open(address).await?;
    for _ in 0..in_flight.clamp(50, 500) {
        one_synthetic(&mut connection).await?;
    }
    Ok(())
}

/// Synthetic sagas for `duration`.
pub(crate) async fn synthetic(
    address: &str,
    in_flight: usize,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let begun = Instant::now();
    let until = begun + duration;
    let worker = |address: String| async move {
        let mut connection = Connection::open(&address).await?;
        let mut latencies = Histogram::new(3)?;
        while Instant::now() < until {
            let begun = Instant::now();
            one_synthetic(&mut connection).await?;
            latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
        anyhow::Ok(latencies)
    };
    let workers: Vec<_> = (0..in_flight).map(|_| tokio::spawn(worker(address.to_owned()))).collect();
    collect(begun, workers).await
}

/// Checkouts of one cart each for `duration`. Filling the cart is not part of the latency, but of the load.
pub(crate) async fn checkouts(
    address: &str,
    in_flight: usize,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let begun = Instant::now();
    let until = begun + duration;
    let worker = |address: String, worker: usize| async move {
        let mut connection = Connection::open(&address).await?;
        let mut latencies = Histogram::new(3)?;
        for n in 0.. {
            if Instant::now() >= until {
                break;
            }
            let cart = format!("bench-{worker}-{n}");
            shop::fill_cart(&mut connection, &cart).await?;
            let begun = Instant::now();
            shop::check_out(&mut connection, &cart, WAIT).await?;
            latencies.record(u64::try_from(begun.elapsed().as_micros())?)?;
        }
        anyhow::Ok(latencies)
    };
    let workers: Vec<_> = (0..in_flight).map(|w| tokio::spawn(worker(address.to_owned(), w))).collect();
    collect(begun, workers).await
}

async fn collect(
    begun: Instant,
    workers: Vec<tokio::task::JoinHandle<anyhow::Result<Histogram<u64>>>>,
) -> anyhow::Result<Measured> {
    let mut measured = Measured::new()?;
    for worker in workers {
        measured.latencies.add(worker.await??)?;
    }
    measured.took = begun.elapsed();
    Ok(measured)
}

async fn one_synthetic(connection: &mut Connection) -> anyhow::Result<()> {
    let body = Bytes::from_static(PAYLOAD);
    let answer = connection.must(Method::POST, "/bench/v1/sagas", &[WAIT], body).await?;
    if !answer.windows(11).any(|w| w == b"\"completed\"") {
        bail!("a synthetic saga did not complete: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
