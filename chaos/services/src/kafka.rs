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

    /// From now on nobody may write to `topic`, which need not exist.
    pub fn deny_writes(&self, topic: &str) {
        self.add_rule(topic, Writing::Denied);
    }

    /// Takes back that nobody may write to `topic`.
    pub fn allow_writes(&self, topic: &str) {
        self.remove_rule(topic, Writing::Denied);
    }

    /// From now on nobody may read `topic`, which may be seen and written to as before.
    pub fn deny_reads(&self, topic: &str) {
        self.add_rule(topic, Writing::AllThatIsAllowed);
    }

    /// Takes back that nobody may read `topic`.
    pub fn allow_reads(&self, topic: &str) {
        self.remove_rule(topic, Writing::AllThatIsAllowed);
    }

    fn add_rule(&self, topic: &str, writing: Writing) {
        // Throttle time, count, the one rule's error code.
        let answer = self.rule(Api::CreateAcls, topic, writing);
        assert_eq!(answer[8..], [0, 0], "Kafka refuses the ACL");
    }

    fn remove_rule(&self, topic: &str, writing: Writing) {
        // Throttle time, count, the one filter's error code.
        let answer = self.rule(Api::DeleteAcls, topic, writing);
        assert_eq!(answer[8..], [0, 0], "Kafka keeps the ACL");
    }

    /// Asks for something about the one rule that there is for a topic.
    fn rule(&self, api: Api, topic: &str, writing: Writing) -> Vec<u8> {
        let (to_topic, literal, write) = (2_u8, 3_u8, 4_u8);
        let one = 1_i32.to_be_bytes();
        let (topic, who, from) = (text(topic), text("User:ANONYMOUS"), text("*"));
        let rule = [&one[..], &[to_topic], &topic, &[literal], &who, &from, &[write, writing as u8]].concat();
        self.ask(api, &rule, 10).unwrap_or_else(|e| panic!("an ACL: {e}"))
    }

    /// How many brokers serve.
    fn serving_brokers(&self) -> std::io::Result<u32> {
        let no_topics = 0_i32.to_be_bytes();
        let count = self.ask(Api::Metadata, &no_topics, 4)?;
        Ok(count.into_iter().fold(0, |sum, byte| sum << 8 | u32::from(byte)))
    }

    /// Sends a request of version 1; the first `bytes` of the answer's body.
    fn ask(&self, api: Api, body: &[u8], bytes: usize) -> std::io::Result<Vec<u8>> {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        let (correlation, no_client) = (7_i32.to_be_bytes(), (-1_i16).to_be_bytes());
        let request = [&[0, api as u8, 0, 1], &correlation[..], &no_client, body].concat();
        let length = u32::try_from(request.len()).expect("a request of a few bytes");
        connection.write_all(&[&length.to_be_bytes()[..], &request].concat())?;
        // Length and correlation stand before the body.
        let mut answer = vec![0; 8 + bytes];
        connection.read_exact(&mut answer)?;
        Ok(answer.split_off(8))
    }
}

/// What of Kafka's protocol is spoken here.
#[derive(Clone, Copy)]
enum Api {
    Metadata = 3,
    CreateAcls = 30,
    DeleteAcls = 31,
}

/// The one rule that there is for a topic. Where there is one, only what one allows is allowed; who may write may see.
#[derive(Clone, Copy)]
enum Writing {
    Denied = 2,
    AllThatIsAllowed = 3,
}

/// A string as the protocol wants it.
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("names are short");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
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
