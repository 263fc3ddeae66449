//! HTTP/2 by hand, as far as one call needs it, so that a server can stop or lie between any two frames.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Frame types.
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The header block `:status: 200`, `content-type: application/grpc`.
const OK_GRPC: &[u8] = b"\x88\x5f\x10application/grpc";

/// The server's end of a connection.
pub(super) struct Peer(TcpStream);

impl Peer {
    /// Takes the connection up: reads the caller's preface and introduces itself.
    pub(super) async fn greet(mut stream: TcpStream) -> std::io::Result<Self> {
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await?;
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut peer = Self(stream);
        peer.send(SETTINGS, 0, 0, &[]).await?;
        Ok(peer)
    }

    pub(super) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await
    }

    /// The head of the next frame, its payload skipped: kind, flags, stream.
    async fn frame(&mut self) -> std::io::Result<(u8, u8, u32)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]])))
    }

    /// Reads until the headers of a request; its stream.
    pub(super) async fn headers(&mut self) -> std::io::Result<u32> {
        loop {
            let (kind, _, stream) = self.frame().await?;
            if kind == HEADERS {
                return Ok(stream);
            }
        }
    }

    /// Lets a whole request come and reads until its end; its stream.
    pub(super) async fn request(&mut self) -> std::io::Result<u32> {
        let window: [u8; 4] = (1u32 << 24).to_be_bytes();
        let initial_window_size = [&[0, 4][..], &window].concat();
        self.send(SETTINGS, 0, 0, &initial_window_size).await?;
        self.send(WINDOW_UPDATE, 0, 0, &window).await?;
        loop {
            let (kind, flags, stream) = self.frame().await?;
            if (kind == DATA || kind == HEADERS) && flags & END_STREAM != 0 {
                return Ok(stream);
            }
        }
    }

    /// Begins an answer that looks well.
    pub(super) async fn begin_answer(&mut self, stream: u32, body: &[u8]) -> std::io::Result<()> {
        self.send(HEADERS, END_HEADERS, stream, OK_GRPC).await?;
        self.send(DATA, 0, stream, body).await
    }

    /// Reads and ignores whatever comes, until the caller hangs up.
    pub(super) async fn linger(mut self) {
        while self.frame().await.is_ok() {}
    }

    /// Resets the connection instead of closing it.
    pub(super) fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }
}
