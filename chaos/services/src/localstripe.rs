//! localstripe: a Stripe in memory, by others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::port::{self, Port};
use crate::postgres::own_dir;
use crate::process::Spec;
use crate::{Process, Service, programs, service};

/// Runs it on loopback, with its state in the directory it is started in.
const SERVE: &str = include_str!("../localstripe/serve.py");

/// A localstripe of one's own. What it knows outlives its end, in its own directory.
///
/// It is laxer than Stripe in much; what stands before it in tests is `backstitch-stripe-double`.
#[derive(Debug)]
pub struct Localstripe {
    process: Process,
    port: Port,
}

impl Localstripe {
    /// Starts one that knows nothing yet.
    pub fn start() -> Self {
        service::start(Self::launch)
    }

    fn launch() -> Self {
        let (dir, port) = (own_dir("localstripe"), port::free());
        let serve = dir.join("serve.py");
        std::fs::write(&serve, SERVE).expect("a file of ours can be written");
        let args = vec![serve.display().to_string(), port.number.to_string()];
        let spec = Spec { program: Self::python(), args, user: None };
        Self { process: Process::start("localstripe", dir, spec), port }
    }

    /// The Python that it is installed for.
    pub fn python() -> PathBuf {
        programs::localstripe()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// Where its API begins, without a slash at the end. It takes any key that begins with `sk_`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    /// The first line of its answer to a request that needs no key.
    fn ask(&self) -> std::io::Result<String> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"GET /v1/balance HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Service for Localstripe {
    fn process(&self) -> &Process {
        &self.process
    }

    fn answers(&self) -> Result<(), String> {
        let answer = self.ask().map_err(|e| e.to_string())?;
        // Without a key it is a refusal, in its own words.
        if answer.contains(" 401 ") { Ok(()) } else { Err(answer) }
    }
}
