//! A mock cluster, a stage in this process, and what is in a topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poseur_relay::config::Config;
use poseur_relay::pipeline::Pipeline;
use poseur_relay::serve::Relay;
use poseur_relay::telemetry::group::Group;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::{Offset, TopicPartitionList};

pub const PARTITIONS: i32 = 4;

/// Nothing takes longer.
const GIVE_UP: Duration = Duration::from_secs(30);

/// A record that matches, whatever the date.
pub const MATCHING: &str = r#"{"Operation":"ChatCreated","RecordType":25,"Workload":"MicrosoftTeams","UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}}"#;

pub struct Scene {
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    brokers: String,
}

impl Scene {
    pub fn new() -> Scene {
        let cluster = MockCluster::new(3).unwrap();
        for topic in ["in", "out"] {
            cluster.create_topic(topic, PARTITIONS, 3).unwrap();
        }
        let brokers = cluster.bootstrap_servers();
        Scene { cluster, brokers }
    }

    pub fn brokers(&self) -> String {
        let brokers: Vec<String> = self
            .brokers
            .split(',')
            .map(|broker| format!("'{broker}'"))
            .collect();
        format!("[{}]", brokers.join(", "))
    }

    pub fn source(&self) -> String {
        let brokers = self.brokers();
        format!(
            "{{ type: kafka, brokers: {brokers}, topics: [in], group: g, settings: {{ session.timeout.ms: 6000, \
             heartbeat.interval.ms: 200, statistics.interval.ms: 100 }} }}"
        )
    }

    /// A sink, with more of it.
    pub fn sink(&self, more: &str) -> String {
        let brokers = self.brokers();
        format!("{{ type: kafka, brokers: {brokers}, topic: out{more} }}")
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// Sends values to partitions in turn, numbered: a message's key is its number. Of an empty value the message has none.
    pub fn send(&self, numbers: std::ops::Range<usize>, value: impl Fn(usize) -> String) {
        let producer: BaseProducer = self.config().create().unwrap();
        for number in numbers {
            let (key, value) = (number.to_string(), value(number));
            let mut record = BaseRecord::to("in").key(&key);
            record.payload = Some(&value).filter(|value| !value.is_empty());
            record.partition = Some(number as i32 % PARTITIONS);
            producer.send(record).unwrap();
        }
        producer.flush(GIVE_UP).unwrap();
    }

    /// Reads a topic from its beginning until enough has come: what holds, of the values by partition.
    pub fn read(
        &self,
        topic: &str,
        is_enough: impl Fn(&BTreeMap<i32, Vec<(Option<usize>, String)>>) -> bool,
    ) -> BTreeMap<i32, Vec<(Option<usize>, String)>> {
        let mut config = self.config();
        let consumer: BaseConsumer = config.set("group.id", "reader").create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset(topic, partition, Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&all).unwrap();
        let mut read = BTreeMap::<i32, Vec<(Option<usize>, String)>>::new();
        let began = Instant::now();
        while !is_enough(&read) {
            assert!(began.elapsed() < GIVE_UP, "{read:#?}");
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let key = message.key().map(|key| text(key).parse().unwrap());
                assert_ne!(
                    message.payload(),
                    Some(&b""[..]),
                    "none has become an empty one"
                );
                let value = message.payload().map(text).unwrap_or_default();
                read.entry(message.partition())
                    .or_default()
                    .push((key, value));
            }
        }
        read
    }

    /// Reads `out` until all numbers below this are there, each partition's in order. Those that come again do not count; the answer is
    /// how many there are of them, and the values.
    pub fn expect(&self, below: usize) -> (usize, BTreeMap<usize, String>) {
        let fresh = |read: &BTreeMap<i32, Vec<(Option<usize>, String)>>| {
            let mut fresh = BTreeMap::new();
            let mut again = 0;
            for (partition, messages) in read {
                let mut next = *partition as usize;
                for (number, value) in messages {
                    let number = number.unwrap();
                    assert!(number <= next, "{number} comes before {next}");
                    if number == next {
                        fresh.insert(number, value.clone());
                        next += PARTITIONS as usize;
                    } else {
                        again += 1;
                    }
                }
            }
            (again, fresh)
        };
        let read = self.read("out", |read| fresh(read).1.len() >= below);
        let (again, fresh) = fresh(&read);
        assert_eq!(fresh.len(), below);
        (again, fresh)
    }
}

/// A stage.
pub struct Stage {
    pub relay: Relay,
    pub pipeline: Arc<Pipeline>,
    pub group: Arc<Group>,
}

impl Stage {
    pub async fn start(source: &str, sink: &str) -> Stage {
        let text = format!(
            "pipelines:\n  p:\n    source: {source}\n    sink: {sink}\n    room: 16MiB\n    \
             retry: {{ first: 1ms, longest: 50ms, limit: 500ms }}\n"
        );
        let config = Config::parse("c.yaml", &text).unwrap_or_else(|errors| panic!("{errors:?}"));
        let relay = Relay::start(&config).await;
        let relay = relay.unwrap_or_else(|errors| panic!("{errors}"));
        let pipeline = relay.pipelines().next().unwrap().clone();
        let group = pipeline.stage.meter().group();
        Stage {
            relay,
            pipeline,
            group,
        }
    }

    /// Polls until something holds.
    pub fn until(&self, what: &str, holds: impl Fn(&Group) -> bool) {
        let began = Instant::now();
        while !holds(&self.group) {
            let state = (self.group.not_ready(), self.group.partitions());
            assert!(began.elapsed() < GIVE_UP, "{what}: {state:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it has all partitions.
    pub fn joined(&self) {
        self.until("it has no partitions", |group| {
            group.partitions().len() == PARTITIONS as usize
        });
    }

    pub async fn stop(self) {
        assert!(self.relay.stop(GIVE_UP).await, "it does not end");
    }
}
