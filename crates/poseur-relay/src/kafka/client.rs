//! What librdkafka is told, and what it tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;
use tracing::{debug, info, warn};

use crate::config::values::hostname;
use crate::telemetry::group::Group;
use crate::{sink, source};

/// The share of a pipeline's room that fetched messages may take, that a transaction may fill, and that a broker may
/// answer with at once.
pub(super) struct Shares {
    pub fetched: usize,
    pub transaction: usize,
    pub answer: usize,
}

impl Shares {
    pub(super) fn of(room: usize) -> Shares {
        Shares {
            fetched: room / 4,
            transaction: room / 4,
            // Librdkafka wants it as large as the largest message.
            answer: (room / 8).max(1 << 20),
        }
    }
}

/// How a member of a group is configured.
///
/// # Errors
/// If a secret is not where it is said to be, or librdkafka does not know a setting.
pub(super) fn consumer(
    config: &source::kafka::Config,
    room: usize,
) -> Result<ClientConfig, String> {
    let Shares {
        fetched, answer, ..
    } = Shares::of(room);
    let fixed = [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        // What was there before the group was, is read, too.
        ("auto.offset.reset", "earliest"),
        ("client.id", "poseur"),
        // The lag, as the brokers see it.
        ("statistics.interval.ms", "2000"),
        // The queue is small and is full often: a second without a look would be long.
        ("fetch.queue.backoff.ms", "5"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    let own = [
        ("bootstrap.servers", config.brokers.join(",")),
        ("group.id", config.group.clone()),
        (
            "queued.max.messages.kbytes",
            (fetched >> 10).max(1).to_string(),
        ),
        ("fetch.max.bytes", answer.to_string()),
    ];
    complete(config.settings.over(fixed.into_iter().chain(own))?)
}

/// How a producer is configured, whatever it is for.
///
/// # Errors
/// As [`consumer`].
pub(super) fn producer(
    config: &sink::kafka::Config,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> Result<ClientConfig, String> {
    let fixed = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("client.id", "poseur"),
        // How large a message may be is for the broker to say: it grows when it is tagged.
        ("message.max.bytes", "100000000"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    let servers = ("bootstrap.servers", config.brokers.join(","));
    let own = fixed.into_iter().chain([servers]).chain(more);
    complete(config.settings.over(own)?)
}

/// How a producer of transactions is configured.
///
/// # Errors
/// As [`consumer`].
pub(super) fn transactional(
    source: &source::kafka::Config,
    sink: &sink::kafka::Config,
    pipeline: &str,
    room: usize,
) -> Result<ClientConfig, String> {
    let mut more = vec![
        ("delivery.report.only.error", "true".to_owned()),
        (
            "queue.buffering.max.kbytes",
            (Shares::of(room).transaction >> 10).max(1).to_string(),
        ),
    ];
    if sink.exactly_once {
        let id = match &sink.transactional_id {
            Some(id) => id
                .read()
                .map_err(|reason| format!("`transactional_id`: {reason}"))?,
            None => format!("{}.{pipeline}.{}", source.group, hostname(None)),
        };
        more.push(("transactional.id", id));
        // A stage that is gone for good holds up readers of what is committed for no longer than this.
        more.push(("transaction.timeout.ms", "10000".to_owned()));
    } else {
        // What is not acknowledged after so long is read again.
        more.push(("message.timeout.ms", "60000".to_owned()));
    }
    producer(sink, more)
}

/// Has librdkafka read everything.
fn complete(all: BTreeMap<String, String>) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Info);
    config.extend(all);
    match config.create_native_config() {
        Ok(_) => Ok(config),
        // Not the value: it may be a secret.
        Err(KafkaError::ClientConfig(_, reason, name, _)) => Err(format!("`{name}`: {reason}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Tells of what a client meets.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub pipeline: Arc<str>,
    pub group: Arc<Group>,
}

impl Told {
    /// A line of librdkafka's log.
    pub(super) fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        let pipeline = &*self.pipeline;
        match level {
            RDKafkaLogLevel::Debug => debug!(pipeline, "{facility}: {line}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                info!(pipeline, "{facility}: {line}");
            }
            _ => warn!(pipeline, "{facility}: {line}"),
        }
    }

    /// An error that no call answers with. Mostly librdkafka mends it by itself.
    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        if let Some(
            RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed,
        ) = error.rdkafka_error_code()
        {
            self.group.set_trouble(Some(reason));
        }
        warn!(pipeline = &*self.pipeline, "{error}: {reason}");
    }

    /// Librdkafka's figures.
    pub(super) fn statistics(&self, json: &[u8]) {
        let Ok(Statistics { brokers, topics }) = serde_json::from_slice(json) else {
            return;
        };
        // Before it is in its group, there is more to wait for.
        let is_member = self.group.rebalances.get() > 0;
        if is_member && brokers.values().any(|broker| broker.state == "UP") {
            self.group.set_trouble(None);
        }
        for (topic, Topic { partitions }) in topics {
            for partition in partitions.into_values() {
                let known = |offset: i64| (offset >= 0).then_some(offset);
                if let Some(end) = known(partition.ls_offset) {
                    let committed = known(partition.committed_offset);
                    let committed = committed.or(known(partition.lo_offset));
                    self.group.seen(&topic, partition.partition, end, committed);
                }
            }
        }
    }
}

#[derive(Debug, Deserialize)]
struct Statistics {
    brokers: BTreeMap<String, Broker>,
    topics: BTreeMap<String, Topic>,
}

#[derive(Debug, Deserialize)]
struct Broker {
    state: String,
}

#[derive(Debug, Deserialize)]
struct Topic {
    partitions: BTreeMap<String, Partition>,
}

#[derive(Debug, Deserialize)]
struct Partition {
    partition: i32,
    lo_offset: i64,
    ls_offset: i64,
    committed_offset: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pipeline: &str) -> (source::kafka::Config, sink::kafka::Config) {
        let (source, sink) = pipeline.split_once('\n').unwrap();
        (
            serde_saphyr::from_str(source).unwrap(),
            serde_saphyr::from_str(sink).unwrap(),
        )
    }

    const SOURCE: &str = "{ brokers: [a:1, b:2], topics: [in], group: g }";

    #[test]
    fn guarantees_are_set_and_the_rest_can_be() {
        let (source, sink) = of(&format!(
            "{SOURCE}\n{{ brokers: [c:3], topic: out, transactional_id: me, settings: {{ linger.ms: 7, \
             transaction.timeout.ms: 5000 }} }}"
        ));
        let config = consumer(&source, 32 << 20).unwrap();
        for (name, value) in [
            ("bootstrap.servers", "a:1,b:2"),
            ("group.id", "g"),
            ("enable.auto.commit", "false"),
            ("isolation.level", "read_committed"),
            ("queued.max.messages.kbytes", "8192"),
            ("fetch.max.bytes", "4194304"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        let config = transactional(&source, &sink, "p", 32 << 20).unwrap();
        for (name, value) in [
            ("transactional.id", "me"),
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("linger.ms", "7"),
            ("transaction.timeout.ms", "5000"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        let (source, sink) = of(&format!("{SOURCE}\n{{ brokers: [c:3], topic: out }}"));
        let config = transactional(&source, &sink, "p", 32 << 20).unwrap();
        assert!(config.get("transactional.id").unwrap().starts_with("g.p."));
        let sink = sink::kafka::Config {
            exactly_once: false,
            ..sink
        };
        let config = transactional(&source, &sink, "p", 32 << 20).unwrap();
        assert_eq!(config.get("transactional.id"), None);
    }

    #[test]
    fn unknown_settings_are_told_of_without_their_value() {
        let (source, _) = of(
            "{ brokers: [a:1], topics: [in], group: g, settings: { sasl.pasword: hunter2 } }\n\
             { brokers: [c:3], topic: out }",
        );
        let error = consumer(&source, 32 << 20).unwrap_err();
        assert!(error.contains("`sasl.pasword`"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_secures_connections_is_built_in() {
        for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] {
            let (source, _) = of(&format!(
                "{{ brokers: [a:1], topics: [in], group: g, settings: {{ security.protocol: SASL_SSL, \
                 sasl.mechanism: {mechanism}, sasl.username: a, compression.type: zstd }} }}\n\
                 {{ brokers: [c:3], topic: out }}"
            ));
            let config = consumer(&source, 32 << 20).unwrap();
            let client = config.create::<rdkafka::consumer::BaseConsumer>();
            let error = client.err().map(|error| error.to_string());
            // A password is missing, and nothing else.
            let missing = |error: &String| error.contains("sasl.password");
            assert!(error.as_ref().is_none_or(missing), "{mechanism}: {error:?}");
        }
    }

    #[test]
    fn lag_is_in_the_statistics() {
        let told = Told {
            pipeline: "p".into(),
            group: Arc::default(),
        };
        told.group.assigned([("in".to_owned(), 0)]);
        told.group.set_trouble(Some("no broker"));
        told.statistics(
            br#"{"brokers":{"a:1/1":{"state":"UP"}},"topics":{"in":{"partitions":{
            "0":{"partition":0,"lo_offset":0,"ls_offset":9,"committed_offset":-1001},
            "-1":{"partition":-1,"lo_offset":-1001,"ls_offset":-1001,"committed_offset":-1001}}}}}"#,
        );
        let partitions = told.group.partitions();
        let lags: Vec<Option<u64>> = partitions.values().map(|one| one.lag()).collect();
        assert_eq!((lags, told.group.not_ready()), (vec![Some(9)], Vec::new()));
    }
}
