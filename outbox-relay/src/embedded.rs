//! A Kafka listener inside this process: librdkafka's mock cluster, reachable for any Kafka client on loopback.
//!
//! A window, not a store: it keeps the newest messages of each partition in memory and dies with the process.
//! [`Relay::replay_window`](crate::Relay::replay_window) fills it again.

use std::sync::mpsc;
use std::thread::JoinHandle;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Cluster) + Send>;

/// Partitions per topic: enough to show that order is per key, few enough to read.
const PARTITIONS: i32 = 3;

/// The broker; it serves as long as this value lives.
#[derive(Debug)]
pub struct EmbeddedBroker {
    bootstrap_servers: String,
    /// The cluster is bound to the thread that made it; commands go there. Dropping the sender ends the thread.
    commands: Option<mpsc::Sender<Command>>,
    owner: Option<JoinHandle<()>>,
}

/// The in-process broker did not start.
#[derive(Debug, thiserror::Error)]
#[error("the embedded broker: {0}")]
pub struct EmbeddedBrokerError(String);

impl EmbeddedBroker {
    /// Starts one broker on a free loopback port with these topics.
    ///
    /// # Errors
    /// When the listener cannot be opened or a topic cannot be made.
    pub fn start(topics: &[&str]) -> Result<Self, EmbeddedBrokerError> {
        let topics: Vec<String> = topics.iter().map(|&topic| topic.to_owned()).collect();
        let (commands, inbox) = mpsc::channel::<Command>();
        let (ready, started) = mpsc::sync_channel(1);
        let owner = std::thread::Builder::new()
            .name("embedded-broker".into())
            .spawn(move || match open(&topics) {
                Ok(cluster) => {
                    // The starter may have given up; then the inbox is closed too and the loop ends at once.
                    let _ = ready.send(Ok(cluster.bootstrap_servers()));
                    for command in inbox {
                        command(&cluster);
                    }
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            })
            .map_err(|error| EmbeddedBrokerError(error.to_string()))?;
        let bootstrap_servers =
            started.recv().map_err(|_| EmbeddedBrokerError("its thread died".into()))??;
        Ok(Self { bootstrap_servers, commands: Some(commands), owner: Some(owner) })
    }

    /// `127.0.0.1:port`, for any Kafka client.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// Runs a command on the cluster, for tests that need a broker in trouble.
    #[cfg(test)]
    pub(crate) fn command(&self, command: impl FnOnce(&Cluster) + Send + 'static) {
        let (done, wait) = mpsc::sync_channel(1);
        let command: Command = Box::new(move |cluster| {
            command(cluster);
            let _ = done.send(());
        });
        self.commands.as_ref().unwrap().send(command).unwrap();
        wait.recv().unwrap();
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(owner) = self.owner.take() {
            // A panic of the owner thread is reported by its own hook; the broker is gone either way.
            let _ = owner.join();
        }
    }
}

fn open(topics: &[String]) -> Result<Cluster, EmbeddedBrokerError> {
    let cluster = MockCluster::new(1).map_err(|error| EmbeddedBrokerError(error.to_string()))?;
    for topic in topics {
        cluster
            .create_topic(topic, PARTITIONS, 1)
            .map_err(|error| EmbeddedBrokerError(format!("topic {topic}: {error}")))?;
    }
    Ok(cluster)
}
