//! The TCP proxy does what it is told, and nothing in clear weather.

#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use backstitch_faults::{Break, Dice, TcpProxy, Weather};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Says back what it hears.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn proxied() -> (TcpProxy, TcpStream) {
    let proxy = TcpProxy::before(&echo().await).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said_back(&mut stream, b"hello").await.unwrap(), b"hello");
    (proxy, stream)
}

async fn said_back(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut heard = vec![0; text.len()];
    stream.read_exact(&mut heard).await?;
    Ok(heard)
}

/// Not within a moment in which it would have come long ago.
async fn hears_nothing(stream: &mut TcpStream) {
    let heard = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test]
async fn everything_passes_in_clear_weather_and_so_does_the_end() {
    let (_proxy, mut stream) = proxied().await;
    let long: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut from, mut to) = stream.split();
    let mut heard = Vec::new();
    let (sent, read) = tokio::join!(
        async {
            to.write_all(&long).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut heard)
    );
    sent.unwrap();
    read.unwrap();
    assert!(heard == long, "{} of {} bytes", heard.len(), long.len());
}

#[tokio::test]
async fn frozen_passes_nothing_and_hangs_up_on_nobody() {
    let (proxy, mut stream) = proxied().await;
    proxy.set(Weather::Frozen);
    stream.write_all(b"x").await.unwrap();
    hears_nothing(&mut stream).await;
    // Who connects now is let in, and hears nothing either.
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    other.write_all(b"y").await.unwrap();
    hears_nothing(&mut other).await;
    proxy.set(Weather::Clear);
    assert_eq!((stream.read_u8().await.unwrap(), other.read_u8().await.unwrap()), (b'x', b'y'));
}

#[tokio::test]
async fn a_cut_lets_so_many_bytes_through_and_no_more() {
    for how in [Break::Close, Break::Reset] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = TcpProxy::before(&listener.local_addr().unwrap().to_string()).await.unwrap();
        let mut near = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        near.write_all(b"before").await.unwrap();
        far.read_exact(&mut [0; 6]).await.unwrap();
        proxy.set(Weather::Cut { after: 7, how });
        near.write_all(&[1; 100]).await.unwrap();
        let mut heard = Vec::new();
        let end = far.read_to_end(&mut heard).await;
        let said = near.read_u8().await.unwrap_err().kind();
        match how {
            Break::Close => assert_eq!((end.unwrap(), said), (7, ErrorKind::UnexpectedEof)),
            // A reset may overtake what was let through.
            Break::Reset => {
                assert!(heard.len() <= 7);
                assert_eq!(
                    (end.unwrap_err().kind(), said),
                    (ErrorKind::ConnectionReset, ErrorKind::ConnectionReset)
                );
            }
        }
        assert_eq!(proxy.tally().of("broken"), 1);
    }
}

#[tokio::test]
async fn refusing_turns_newcomers_away_keeps_its_port_and_listens_again() {
    let (proxy, mut stream) = proxied().await;
    proxy.set(Weather::Refusing);
    let begun = Instant::now();
    // Until the listener is gone, who connects is let in or hung up on.
    while TcpStream::connect(proxy.address()).await.err().map(|e| e.kind())
        != Some(ErrorKind::ConnectionRefused)
    {
        assert!(begun.elapsed() < Duration::from_secs(10), "it still listens");
    }
    assert!(TcpListener::bind(proxy.address()).await.is_err(), "somebody else can have the port");
    assert_eq!(said_back(&mut stream, b"still here").await.unwrap(), b"still here");
    proxy.set(Weather::Clear);
    let mut again = loop {
        if let Ok(stream) = TcpStream::connect(proxy.address()).await {
            break stream;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it never listens again");
    };
    assert_eq!(said_back(&mut again, b"hello").await.unwrap(), b"hello");
}

#[tokio::test]
async fn what_is_broken_at_once_is_broken_for_all_and_for_nobody_after() {
    let (proxy, mut stream) = proxied().await;
    proxy.break_all(Break::Reset);
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(said_back(&mut again, b"hello").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_reset_behind_the_proxy_is_one_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = TcpProxy::before(&listener.local_addr().unwrap().to_string()).await.unwrap();
    let mut near = TcpStream::connect(proxy.address()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    far.set_zero_linger().unwrap();
    drop(far);
    // Although it has nothing to say itself.
    let heard = tokio::time::timeout(Duration::from_secs(10), near.read_u8()).await.unwrap();
    assert_eq!(heard.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn slow_is_late_and_whole() {
    let (proxy, mut stream) = proxied().await;
    proxy.set(Weather::Slow(Duration::from_millis(40)));
    let begun = Instant::now();
    assert_eq!(said_back(&mut stream, b"hello").await.unwrap(), b"hello");
    // There and back.
    assert!(begun.elapsed() >= Duration::from_millis(80), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_is_away_is_no_orderly_end() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let proxy = TcpProxy::before(&nobody.to_string()).await.unwrap();
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_storm_brings_all_kinds_of_weather_and_is_over_when_it_is_stopped() {
    let (proxy, _stream) = proxied().await;
    let storm = proxy.storm(Dice::new(7), Duration::from_millis(4));
    let begun = Instant::now();
    let kinds = ["slow", "frozen", "refusing", "cut by close", "cut by reset", "all closed", "all reset"];
    while kinds.iter().any(|kind| proxy.tally().of(kind) == 0) {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", proxy.tally());
        if let Ok(mut stream) = TcpStream::connect(proxy.address()).await {
            let _ = tokio::time::timeout(Duration::from_millis(5), said_back(&mut stream, b"hello")).await;
        }
    }
    storm.stop().await;
    let mut after = loop {
        // The listener comes back a moment after the weather.
        if let Ok(stream) = TcpStream::connect(proxy.address()).await {
            break stream;
        }
    };
    assert_eq!(said_back(&mut after, b"hello").await.unwrap(), b"hello");
}

#[test]
fn a_seed_fixes_the_sequence_and_a_name_gives_its_own() {
    let draw = |mut dice: Dice| (0..8).map(|_| dice.roll(1000)).collect::<Vec<_>>();
    assert_eq!(draw(Dice::named(1, "a")), draw(Dice::named(1, "a")));
    assert_ne!(draw(Dice::named(1, "a")), draw(Dice::named(1, "b")));
    assert_ne!(draw(Dice::new(1)), draw(Dice::new(2)));
}
