//! A broker as a process, and clients of it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::util::Timeout;

use crate::command_support::poll;

/// Answers of the broker take no longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker. It is killed when it is dropped, and keeps nothing.
pub struct Broker {
    child: Child,
    pub address: String,
}

impl Broker {
    /// Starts one, if there is one.
    pub fn start() -> Option<Broker> {
        let Some(program) = std::env::var_os("POSEUR_KAFKA_BROKER") else {
            println!("skipped: POSEUR_KAFKA_BROKER is not set");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap().to_string();
        drop(port);
        let url = format!("tcp://{address}");
        let child = Command::new(program)
            .args(["broker", "--silent", "--storage-engine", "memory://tansu/"])
            .args(["--listener-url", &url, "--advertised-listener-url", &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let broker = Broker { child, address };
        let admin = broker.config().create::<BaseConsumer>().unwrap();
        assert!(poll(|| admin.fetch_metadata(None, PATIENCE).is_ok()));
        Some(broker)
    }

    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    /// Makes topics with so many partitions.
    pub fn topics(&self, names: &[&str], partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let topics: Vec<NewTopic<'_>> = names
            .iter()
            .map(|name| NewTopic::new(name, partitions, TopicReplication::Fixed(1)))
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = runtime.block_on(admin.create_topics(&topics, &options));
        for topic in made.unwrap() {
            topic.unwrap();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message that is sent, or has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub time: Option<i64>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Sends messages, and waits until the broker has them.
pub fn send(broker: &Broker, topic: &str, messages: &[Sent]) {
    let mut config = broker.config();
    let producer: BaseProducer = config.set("enable.idempotence", "true").create().unwrap();
    for message in messages {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &message.headers {
            let value = value.as_deref();
            headers = headers.insert(Header { key, value });
        }
        let mut record = BaseRecord::<[u8], [u8]> {
            topic,
            partition: Some(message.partition),
            payload: message.value.as_deref(),
            key: message.key.as_deref(),
            timestamp: message.time,
            headers: Some(headers),
            delivery_opaque: (),
        };
        while let Err((_, back)) = producer.send(record) {
            record = back;
            producer.poll(Duration::from_millis(5));
        }
    }
    producer.flush(Timeout::After(PATIENCE)).unwrap();
}
