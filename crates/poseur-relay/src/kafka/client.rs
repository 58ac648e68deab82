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
            answer: room / 8,
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
        let Ok(Statistics { topics }) = serde_json::from_slice(json) else {
            return;
        };
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
    topics: BTreeMap<String, Topic>,
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
