//! A producer whose messages become valid at once, together with how far was read; or, where transactions are not wanted,
//! one that waits for all of them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{
    BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer,
};
use rdkafka::{ClientConfig, ClientContext, TopicPartitionList};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::client::Told;
use super::member::Consumer;
use crate::net::listen::Stop;

/// A call that takes longer is made again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether all messages have gone.
const LOOK: Duration = Duration::from_micros(500);

/// Where a message came from: what its delivery report says of it.
pub(super) type Slot = usize;

type Producer = ThreadedProducer<Reports>;

/// Remembers messages that were not delivered.
pub(super) struct Reports {
    told: Told,
    failures: Mutex<Vec<(Slot, RDKafkaErrorCode)>>,
}

impl Reports {
    fn failures(&self) -> MutexGuard<'_, Vec<(Slot, RDKafkaErrorCode)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.told.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Slot;

    fn delivery(&self, result: &DeliveryResult<'_>, slot: Slot) {
        let Err((error, _)) = result else { return };
        let code = error.rdkafka_error_code();
        let code = code.unwrap_or(RDKafkaErrorCode::Unknown);
        // Those that were taken back, because others failed, have not failed themselves.
        use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
        if !matches!(code, PurgeInflight | PurgeQueue) {
            self.told.group.produce_errors.add(1);
            self.failures().push((slot, code));
        }
    }
}

/// Whether a broker will say the same of a message another time.
pub(super) fn is_for_good(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation
            | Code::UnknownPartition
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
    )
}

/// What is to go out.
pub(super) struct Outgoing<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub time: Option<i64>,
    pub headers: Option<OwnedHeaders>,
    pub slot: Slot,
}

/// Messages that become valid together.
pub(super) struct Transactions {
    config: ClientConfig,
    exactly_once: bool,
    told: Told,
    stop: Stop,
    /// `None` after it has failed for good.
    producer: Option<Producer>,
    is_open: bool,
}

impl Transactions {
    pub(super) fn new(config: ClientConfig, exactly_once: bool, told: Told, stop: Stop) -> Self {
        Transactions {
            config,
            exactly_once,
            told,
            stop,
            producer: None,
            is_open: false,
        }
    }

    /// Connects. What another producer of the same name has left half done is aborted, and that producer is shut out.
    pub(super) fn connect(&mut self) -> KafkaResult<()> {
        // The old one first: two of a name shut each other out.
        self.producer = None;
        self.is_open = false;
        let reports = Reports {
            told: self.told.clone(),
            failures: Mutex::default(),
        };
        let producer: Producer = self.config.create_with_context(reports)?;
        if self.exactly_once {
            // Nothing is on its way: nobody need wait for it.
            persist(&self.stop.soon, || producer.init_transactions(PATIENCE))?;
        }
        self.producer = Some(producer);
        Ok(())
    }

    pub(super) fn is_connected(&self) -> bool {
        self.producer.is_some()
    }

    pub(super) fn producer(&self) -> KafkaResult<&Producer> {
        self.producer.as_ref().ok_or(KafkaError::Canceled)
    }

    /// Adds a message. Waits while the queue is full.
    pub(super) fn send(&mut self, outgoing: Outgoing<'_>) -> KafkaResult<()> {
        let producer = self.producer.as_ref().ok_or(KafkaError::Canceled)?;
        if self.exactly_once && !self.is_open {
            producer.begin_transaction()?;
            self.is_open = true;
        }
        let Outgoing {
            topic,
            partition,
            key,
            value,
            time,
            headers,
            slot,
        } = outgoing;
        let mut record = BaseRecord {
            topic,
            partition: Some(partition),
            payload: value,
            key,
            timestamp: time,
            headers,
            delivery_opaque: slot,
        };
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                    if !is_full || self.stop.now.is_cancelled() {
                        return Err(error);
                    }
                    record = back;
                    thread::sleep(LOOK);
                }
            }
        }
    }

    /// Makes all messages valid, and these offsets.
    ///
    /// # Errors
    /// If they are not, or nobody knows. [`Transactions::abort`] then.
    pub(super) fn commit(
        &mut self,
        consumer: &Consumer,
        offsets: &TopicPartitionList,
    ) -> KafkaResult<()> {
        let producer = self.producer()?;
        if !self.exactly_once {
            self.drain(producer)?;
            if let Some((_, code)) = producer.client().context().failures().first() {
                return Err(KafkaError::MessageProduction(*code));
            }
            // The messages are there. If the offsets are not, whoever has the partitions then sends them once more.
            if let Err(error) = consumer.commit(offsets, CommitMode::Sync) {
                warn!(pipeline = &*self.told.pipeline, "offsets: {error}");
            }
            return Ok(());
        }
        let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        if self.is_open {
            self.persist(|| producer.send_offsets_to_transaction(offsets, &group, PATIENCE))?;
            self.drain(producer)?;
            self.persist(|| producer.commit_transaction(PATIENCE))?;
            self.told.group.committed.add(1);
        }
        self.is_open = false;
        Ok(())
    }

    /// Makes all messages invalid that were sent since the last commit. The answer is where messages came from that will
    /// never be taken. If the producer has failed for good, it is no longer connected afterwards.
    pub(super) fn abort(&mut self) -> Vec<(Slot, RDKafkaErrorCode)> {
        let Some(producer) = &self.producer else {
            return Vec::new();
        };
        let failures = producer.client().context();
        let outcome = match self.exactly_once {
            true if self.is_open => {
                self.told.group.aborted.add(1);
                self.persist(|| producer.abort_transaction(PATIENCE))
            }
            true => Ok(()),
            false => {
                // What a broker may have already is waited for.
                producer.purge(PurgeConfig::default().queue());
                self.drain(producer)
            }
        };
        let mut failures = std::mem::take(&mut *failures.failures());
        failures.retain(|(_, code)| is_for_good(*code));
        let fatal = producer.client().fatal_error();
        if let Some((code, reason)) = &fatal {
            warn!(
                pipeline = &*self.told.pipeline,
                "the producer has failed: {code}: {reason}. If it was shut out, another stage has the same \
                 `transactional_id`: each needs one of its own"
            );
        } else if let Err(error) = &outcome {
            warn!(pipeline = &*self.told.pipeline, "abort: {error}");
        }
        self.is_open = false;
        if fatal.is_some() || outcome.is_err() {
            self.producer = None;
        }
        failures
    }

    /// Waits until there is a report for each message.
    fn drain(&self, producer: &Producer) -> KafkaResult<()> {
        while producer.in_flight_count() > 0 {
            if self.stop.now.is_cancelled() {
                return Err(KafkaError::Canceled);
            }
            // What waits for more to go along goes now.
            let _ = producer.flush(Duration::ZERO);
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn persist(&self, call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
        persist(&self.stop.now, call)
    }
}

/// Calls again what can be called again.
fn persist(end: &CancellationToken, call: impl Fn() -> KafkaResult<()>) -> KafkaResult<()> {
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && !end.is_cancelled() => {
                thread::sleep(LOOK);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_right_by_itself_is_not_refused() {
        assert!(is_for_good(RDKafkaErrorCode::MessageSizeTooLarge));
        assert!(!is_for_good(RDKafkaErrorCode::NotLeaderForPartition));
        assert!(!is_for_good(RDKafkaErrorCode::MessageTimedOut));
    }
}
