//! Redis.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::port::{self, Port};
use crate::postgres::own_dir;
use crate::process::Spec;
use crate::{Process, Service, programs, service};

/// A Redis server of one's own. It keeps nothing on disk: whatever ends it also empties it.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: Port,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Self {
        service::start(Self::launch)
    }

    fn launch() -> Self {
        let (dir, port) = (own_dir("redis"), port::free());
        let number = port.number.to_string();
        let options = ["--bind", "127.0.0.1", "--port", &number, "--save", "", "--appendonly", "no"];
        let args = options.map(str::to_owned).to_vec();
        let spec = Spec { program: programs::redis(), args, user: None };
        Self { process: Process::start("Redis", dir, spec), port }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port.number)
    }

    /// `FLUSHALL`: it forgets everything.
    pub fn flush(&self) {
        self.command("FLUSHALL").unwrap_or_else(|e| panic!("FLUSHALL: {e}"));
    }

    /// Sends a command of one line; the first line of its answer, which has to be a status (`+OK`).
    fn command(&self, line: &str) -> Result<String, String> {
        let ask = || {
            let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number))?;
            connection.set_read_timeout(Some(Duration::from_secs(5)))?;
            connection.write_all(format!("{line}\r\n").as_bytes())?;
            let mut answer = String::new();
            BufReader::new(connection).read_line(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = ask().map_err(|e| e.to_string())?;
        if answer.starts_with('+') { Ok(answer) } else { Err(answer) }
    }
}

impl Service for Redis {
    fn process(&self) -> &Process {
        &self.process
    }

    fn answers(&self) -> Result<(), String> {
        self.command("PING").map(drop)
    }
}
