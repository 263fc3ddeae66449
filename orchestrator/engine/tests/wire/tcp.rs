//! Servers that break off between any two bytes.

use std::io;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::frames::{GOAWAY, Peer, RST_STREAM};
use super::{Effects, Start, server};

/// A server by script. The caller hangs up when it likes, so an error is only the end of the script.
fn script<F>(script: impl Fn(TcpStream, Effects) -> F + Clone + Send + Sync + 'static) -> Start
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    server(move |stream, effects| {
        let done = script(stream, effects);
        async move {
            let _ = done.await;
        }
    })
}

/// Accepts and resets before it has looked at any request.
pub(crate) fn reset_before() -> Start {
    script(|stream, _| async move {
        // Earlier, the caller might not even notice that it had been accepted.
        Peer::greet(stream).await?.reset();
        Ok(())
    })
}

/// Accepts and closes.
pub(crate) fn closed() -> Start {
    script(|stream, _| async move {
        drop(stream);
        Ok(())
    })
}

/// Resets when the request has begun and cannot have ended: its window is smaller than the request.
pub(crate) fn reset_during() -> Start {
    script(|stream, _| async move {
        let mut peer = Peer::greet(stream).await?;
        peer.headers().await?;
        peer.reset();
        Ok(())
    })
}

/// Has the effect and resets.
pub(crate) fn reset_after() -> Start {
    script(|stream, effects| async move {
        let mut peer = Peer::greet(stream).await?;
        peer.request().await?;
        effects.happen();
        peer.reset();
        Ok(())
    })
}

/// Has the effect and closes.
pub(crate) fn closed_after() -> Start {
    script(|stream, effects| async move {
        Peer::greet(stream).await?.request().await?;
        effects.happen();
        Ok(())
    })
}

/// Has the effect, begins a good answer and resets in the middle of it.
pub(crate) fn aborted_body() -> Start {
    script(|stream, effects| async move {
        let mut peer = Peer::greet(stream).await?;
        let stream = peer.request().await?;
        effects.happen();
        peer.begin_answer(stream, b"\0\0\0\0\x09half").await?;
        peer.reset();
        Ok(())
    })
}

/// Ends the stream of a whole request with this error code; whatever the code promises, the effect has happened.
pub(crate) fn rst_stream(code: u32) -> Start {
    script(move |stream, effects| async move {
        let mut peer = Peer::greet(stream).await?;
        let stream = peer.request().await?;
        effects.happen();
        peer.send(RST_STREAM, 0, stream, &code.to_be_bytes()).await?;
        peer.linger().await;
        Ok(())
    })
}

/// Goes away at a whole request, with this error code, saying that `last` is the last stream it has looked at.
pub(crate) fn goaway(last: u32, code: u32) -> Start {
    script(move |stream, effects| async move {
        let mut peer = Peer::greet(stream).await?;
        peer.request().await?;
        effects.happen();
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        peer.send(GOAWAY, 0, 0, &payload).await
    })
}

/// Accepts and says nothing, ever.
pub(crate) fn never_speaking() -> Start {
    script(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
}

/// Has never heard of HTTP/2.
pub(crate) fn http_1() -> Start {
    script(|mut stream, _| async move {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await?;
        std::future::pending().await
    })
}

/// Speaks something else.
pub(crate) fn noise() -> Start {
    script(|mut stream, _| async move {
        stream.write_all(&[0x5a; 64]).await?;
        std::future::pending().await
    })
}
