//! A small HTTP client for the demo and the load: one kept-alive connection and as little work per request as
//! possible, because the load shares the machine with what it measures.

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; its error shows in the request that it breaks.
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_owned() })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::new(body))?).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// A request without a body, for an answer whose headers matter.
    pub(crate) async fn send_for_headers(
        &mut self,
        method: Method,
        path: &str,
    ) -> anyhow::Result<(StatusCode, HeaderMap, Bytes)> {
        let request = Request::builder().method(method).uri(path).header(HOST, &self.host);
        self.sender.ready().await?;
        let response = self.sender.send_request(request.body(Full::default())?).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.into_body().collect().await?.to_bytes()))
    }

    /// As [`Connection::send`]; a status that is no success is an error with the answer in it.
    pub(crate) async fn must(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Bytes> {
        let (status, answer) = self.send(method, path, headers, body).await?;
        if !status.is_success() {
            bail!("{path} answered {status}: {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }
}
