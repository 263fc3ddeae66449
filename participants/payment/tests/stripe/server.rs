//! A server that answers what it is told, in the order that it is told, and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use participant_payment::gateway::stripe::{
    BaseUrl, Limits, ReturnUrl, SecretKey, Settings, Stripe, VERSION,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const KEY: &str = "sk_test_a_key_that_nobody_prints";

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answers with these headers and this body.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Reads the request and closes the connection.
    Close,
    /// Sends the head of an answer and half of its body, and closes the connection.
    BreakOff,
    /// Reads the request and never answers.
    Hang,
}

impl Reply {
    /// What was asked for.
    pub(crate) fn ok(body: &Value) -> Self {
        Self::said(200, body)
    }

    pub(crate) fn said(status: u16, body: &Value) -> Self {
        let headers = vec![("Stripe-Version", VERSION.to_owned()), ("Request-Id", "req_7".to_owned())];
        Reply::Answer { status, headers, body: body.to_string() }
    }

    /// An error of Stripe's.
    pub(crate) fn error(status: u16, error: Value) -> Self {
        Self::said(status, &serde_json::json!({ "error": error }))
    }

    /// The same with a header more.
    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Reply::Answer { status, mut headers, body } => {
                headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
                headers.push((name, value.to_owned()));
                Reply::Answer { status, headers, body }
            }
            other => other,
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The server and a gateway that calls it.
pub(crate) struct Scripted {
    pub(crate) stripe: Stripe,
    pub(crate) settings: Settings,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) async fn open(replies: Vec<Reply>) -> Self {
        Self::returning(replies, None).await
    }

    /// One whose customers come back to `return_url`.
    pub(crate) async fn returning(replies: Vec<Reply>, return_url: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replies = Arc::new(Mutex::new(VecDeque::from(replies)));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        tokio::spawn({
            let (replies, asked) = (replies.clone(), asked.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, replies.clone(), asked.clone()));
                }
            }
        });
        let settings = Settings {
            url: BaseUrl::parse(&url).unwrap(),
            return_url: return_url.map(|url| ReturnUrl::parse(url).unwrap()),
            limits: Limits { connect: Duration::from_secs(2), total: Duration::from_secs(5) },
            ..Settings::new(SecretKey::parse(KEY).unwrap())
        };
        Self { stripe: Stripe::new(settings.clone()), settings, replies, asked }
    }

    /// What was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Nothing was left unasked.
    pub(crate) fn is_done(&self) -> bool {
        self.replies.lock().unwrap().is_empty()
    }
}

async fn serve(mut stream: TcpStream, replies: Arc<Mutex<VecDeque<Reply>>>, asked: Arc<Mutex<Vec<Asked>>>) {
    while let Some(request) = read(&mut stream).await {
        asked.lock().unwrap().push(request);
        let reply = replies.lock().unwrap().pop_front();
        match reply.expect("a request that the script does not have") {
            Reply::Answer { status, headers, body } => {
                let headers: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let length = body.len();
                let head = format!("HTTP/1.1 {status} Said\r\n{headers}Content-Length: {length}\r\n\r\n");
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
            Reply::Close => return,
            Reply::BreakOff => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":").await.unwrap();
                return;
            }
            Reply::Hang => std::future::pending().await,
        }
    }
}

/// One request; none when the other side has gone.
async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut byte = [0];
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
        if bytes.ends_with(b"\r\n\r\n") {
            break String::from_utf8(bytes).unwrap();
        }
    };
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { line, headers, body: String::from_utf8(body).unwrap() })
}
