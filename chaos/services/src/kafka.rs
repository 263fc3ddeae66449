//! Apache Kafka: one node, which is broker and controller (KRaft).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::port::{self, Port};
use crate::postgres::own_dir;
use crate::process::Spec;
use crate::{Process, Service, programs, service};

/// A cluster of one node, as 16 bytes in base64.
const CLUSTER: &str = "YmFja3N0aXRjaC10ZXN0cw";
const SETTINGS: &str = include_str!("kafka.properties");

/// A Kafka broker of one's own. Topics are not created by use; an admin client creates them.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    port: Port,
    _controller: Port,
}

impl Kafka {
    /// Starts one.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with other settings, e.g. `("message.max.bytes", "1000")`.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        service::start(|| Self::launch(settings))
    }

    fn launch(settings: &[(&str, &str)]) -> Self {
        let (java, jars) = programs::kafka();
        let (dir, port, controller) = (own_dir("kafka"), port::free(), port::free());
        let file = dir.join("server.properties");
        let always = SETTINGS
            .replace("{port}", &port.number.to_string())
            .replace("{controller}", &controller.number.to_string())
            .replace("{data}", &dir.join("data").display().to_string());
        // The last one counts.
        let told: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        std::fs::write(&file, format!("{always}{told}")).expect("a file of ours can be written");
        let jvm = ["-Xmx512m", "-XX:+UseSerialGC", "-cp"].map(str::to_owned).into_iter();
        let jvm: Vec<String> = jvm.chain([format!("{}/*", jars.display())]).collect();
        format(&java, &jvm, &file);
        let main = ["kafka.Kafka".to_owned(), file.display().to_string()];
        let spec = Spec { program: java, args: jvm.into_iter().chain(main).collect(), user: None };
        Self { process: Process::start("Kafka", dir, spec), port, _controller: controller }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// `host:port`, as clients want it.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port.number)
    }

    /// Asks for the cluster's metadata (the protocol's api 3, version 1); how many brokers serve.
    fn serving_brokers(&self) -> std::io::Result<u32> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let (api, version, correlation, no_client, no_topics) = (3_i16, 1_i16, 7_i32, -1_i16, 0_i32);
        let mut request = [api.to_be_bytes(), version.to_be_bytes()].concat();
        request.extend(correlation.to_be_bytes());
        request.extend(no_client.to_be_bytes());
        request.extend(no_topics.to_be_bytes());
        let length = u32::try_from(request.len()).expect("a request of a few bytes");
        connection.write_all(&[&length.to_be_bytes()[..], &request].concat())?;
        // Length, correlation, count of brokers; what follows is of no interest.
        let mut answer = [0; 12];
        connection.read_exact(&mut answer)?;
        Ok(u32::from_be_bytes([answer[8], answer[9], answer[10], answer[11]]))
    }
}

impl Service for Kafka {
    fn process(&self) -> &Process {
        &self.process
    }

    fn answers(&self) -> Result<(), String> {
        match self.serving_brokers() {
            Ok(0) => Err("the broker has not joined yet".to_owned()),
            Ok(_) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// A controlled shutdown takes its time; nothing else would be quicker without being a kill.
    fn stop_immediately(&self) {
        self.kill();
    }
}

/// Writes the cluster's first metadata into the data directory.
fn format(java: &Path, jvm: &[String], settings: &Path) {
    let mut command = Command::new(java);
    command.args(jvm).args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER, "--config"]);
    let done = command.arg(settings).output().unwrap_or_else(|e| panic!("java cannot be started: {e}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "Kafka's storage cannot be formatted: {}", String::from_utf8_lossy(&said));
}
