//! A topic as the sink of any source: a message for each line. A batch is delivered when there is a report for each.

use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::{info, warn};

use super::client;
use super::transaction::is_for_good;
use crate::batch::{Batch, Form};
use crate::sink::{self, Failure, Lane, Sink};

/// While the producer's queue is full.
const PAUSE: Duration = Duration::from_millis(2);

/// Memory for messages that no broker has yet, in kibibytes. A pipeline's room holds them once more.
const QUEUE: usize = 32 << 10;

/// What is not acknowledged after so long is tried again by the pipeline, in milliseconds.
const TIMEOUT: usize = 60_000;

type Producer = ThreadedProducer<Reports>;

/// A topic.
///
/// # Errors
/// If a secret is not where it is said to be, or librdkafka does not know a setting.
pub fn sink(config: &sink::kafka::Config) -> Result<Box<dyn Sink>, String> {
    let more = [
        ("queue.buffering.max.kbytes", QUEUE.to_string()),
        ("message.timeout.ms", TIMEOUT.to_string()),
    ];
    let producer = client::producer(config, more);
    Ok(Box::new(ToTopic(Arc::new(Shared {
        topic: config.topic.clone(),
        config: producer.map_err(|reason| format!("sink.settings: {reason}"))?,
        producer: Mutex::default(),
    }))))
}

#[derive(Debug)]
struct ToTopic(Arc<Shared>);

/// One producer for all lanes.
struct Shared {
    topic: String,
    config: ClientConfig,
    /// `None` until it is needed, and after it has failed for good.
    producer: Mutex<Option<Arc<Producer>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn producer(&self) -> Result<Arc<Producer>, KafkaError> {
        let producer = self.producer.lock();
        let mut producer = producer.unwrap_or_else(PoisonError::into_inner);
        let usable = producer.take_if(|old| old.client().fatal_error().is_some());
        if usable.is_some() {
            warn!("{}: the producer has failed, and begins anew", self.topic);
        }
        Ok(match &*producer {
            Some(producer) => producer.clone(),
            None => {
                let new: Arc<Producer> = Arc::new(self.config.create_with_context(Reports)?);
                producer.insert(new).clone()
            }
        })
    }
}

impl Sink for ToTopic {
    fn form(&self) -> Form {
        Form::Lines
    }

    fn lane(&self) -> Box<dyn Lane> {
        Box::new(ToLane(self.0.clone()))
    }
}

/// What there is to know of a batch.
#[derive(Debug, Default)]
struct Receipt {
    /// Messages without a report, and one more until all are sent.
    open: AtomicUsize,
    failure: Mutex<Option<KafkaError>>,
    done: Notify,
}

impl Receipt {
    fn one_less(&self) {
        if self.open.fetch_sub(1, AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// The first failure counts, unless one is for good.
    fn failed(&self, error: &KafkaError) {
        let failure = self.failure.lock();
        let mut failure = failure.unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() || is_refusal(error) {
            *failure = Some(error.clone());
        }
    }
}

struct Reports;

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        match level {
            RDKafkaLogLevel::Debug => {}
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => info!("{facility}: {line}"),
            _ => warn!("{facility}: {line}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn!("{error}: {reason}");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Arc<Receipt>;

    fn delivery(&self, result: &DeliveryResult<'_>, receipt: Arc<Receipt>) {
        if let Err((error, _)) = result {
            receipt.failed(error);
        }
        receipt.one_less();
    }
}

fn is_refusal(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        // A topic can be made, and rights can be given, while the sender waits.
        let may_come = matches!(
            code,
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::TopicAuthorizationFailed
        );
        is_for_good(code) && !may_come
    })
}

fn failure(topic: &str, error: &KafkaError) -> Failure {
    let reason = format!("{topic}: {error}");
    match is_refusal(error) {
        true => Failure::Refused(reason),
        false => Failure::Unavailable(reason),
    }
}

struct ToLane(Arc<Shared>);

#[async_trait]
impl Lane for ToLane {
    async fn deliver(&mut self, batch: &Batch) -> Result<(), Failure> {
        let topic = self.0.topic.as_str();
        let failed = |error| failure(topic, &error);
        let producer = self.0.producer().map_err(failed)?;
        let receipt = Arc::new(Receipt::default());
        receipt.open.store(1, std::sync::atomic::Ordering::Release);
        let bytes = batch.body.pieces().to_bytes();
        for line in bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            receipt.open.fetch_add(1, AcqRel);
            let mut record = BaseRecord::<(), [u8], _>::with_opaque_to(topic, receipt.clone());
            record.payload = Some(line);
            while let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(failed(error));
                }
                record = back;
                sleep(PAUSE).await;
            }
        }
        receipt.one_less();
        while receipt.open.load(std::sync::atomic::Ordering::Acquire) > 0 {
            receipt.done.notified().await;
        }
        let failure = receipt.failure.lock();
        let mut failure = failure.unwrap_or_else(PoisonError::into_inner);
        match failure.take() {
            None => Ok(()),
            Some(error) => Err(failed(error)),
        }
    }
}
