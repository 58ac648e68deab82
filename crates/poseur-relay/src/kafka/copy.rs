//! From topics to a topic: each message goes out with its key, headers, time and partition, tagged or byte for byte.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::Producer as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tracing::{error, info, warn};

use super::client::{self, Shares, Told};
use super::member::{Consumer, Patience, Work};
use super::places::{Places, only, partitions};
use super::transaction::{Outgoing, Slot, Transactions, is_for_good};
use crate::net::listen::Stop;
use crate::pipeline::{Pipeline, Taken};
use crate::{sink, source};

/// Answers of brokers about topics and offsets take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room is taken in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// The topic where messages go, and how.
#[derive(Debug, Clone)]
pub(super) struct ToTopic {
    topic: String,
    sources: Vec<String>,
    exactly_once: bool,
    commit: Duration,
    producer: ClientConfig,
}

impl ToTopic {
    pub(super) fn new(
        source: &source::kafka::Config,
        sink: &sink::kafka::Config,
        pipeline: &str,
        room: usize,
    ) -> Result<ToTopic, String> {
        let producer = client::transactional(source, sink, pipeline, room);
        Ok(ToTopic {
            topic: sink.topic.clone(),
            sources: source.topics.clone(),
            exactly_once: sink.exactly_once,
            commit: sink.commit.0,
            producer: producer.map_err(|reason| format!("sink.settings: {reason}"))?,
        })
    }
}

/// Copies messages, tagged.
pub(super) struct Copy {
    to: ToTopic,
    pipeline: Arc<Pipeline>,
    told: Told,
    stop: Stop,
    transactions: Transactions,
    places: Places<Place>,
    /// Since the last commit.
    open: Option<Open>,
    /// So many bytes are committed together.
    most: usize,
    /// What was taken since the last commit is not valid, and is to be read again.
    rewind: bool,
    /// Partitions that are stopped.
    stopped: usize,
    patience: Patience,
}

/// What was taken since the last commit.
struct Open {
    since: Instant,
    bytes: usize,
    taken: Vec<Taken>,
}

/// How far a partition is.
#[derive(Debug, Default)]
struct Place {
    /// The first message since the last commit.
    first: Option<i64>,
    /// The offset after the last message.
    next: i64,
    /// Nothing is taken from it until then.
    stopped: Option<Instant>,
}

impl Copy {
    pub(super) fn new(
        to: &ToTopic,
        pipeline: Arc<Pipeline>,
        told: Told,
        stop: Stop,
    ) -> Result<Copy, String> {
        let mut transactions = Transactions::new(
            to.producer.clone(),
            to.exactly_once,
            told.clone(),
            stop.clone(),
        );
        transactions.connect().map_err(|error| error.to_string())?;
        Ok(Copy {
            to: to.clone(),
            most: Shares::of(pipeline.room.size()).transaction,
            patience: Patience::new(pipeline.retry()),
            pipeline,
            told,
            stop,
            transactions,
            places: Places::default(),
            open: None,
            rewind: false,
            stopped: 0,
        })
    }

    /// A partition's number here, which a delivery report can carry.
    fn slot(&self, topic: &str, partition: i32) -> Slot {
        let sources = self.to.sources.iter();
        let topic = sources.take_while(|known| *known != topic).count();
        (topic << 32) | partition as u32 as usize
    }

    fn of_slot(&self, slot: Slot) -> Option<(String, i32)> {
        let topic = self.to.sources.get(slot >> 32)?;
        Some((topic.clone(), slot as u32 as i32))
    }

    /// Nothing more is taken from a partition for a while: its next message will not be taken by the brokers.
    fn stop(&mut self, consumer: &Consumer, topic: &str, partition: i32, reason: &str) {
        let Some(place) = self.places.get(topic, partition) else {
            return;
        };
        let after = self.pipeline.retry().limit;
        if place.stopped.replace(Instant::now() + after).is_none() {
            self.stopped += 1;
        }
        // If it cannot be paused, its messages are left aside when they come.
        let _ = consumer.pause(&only(topic, partition));
        self.told.group.stopped(topic, partition, Some(reason));
        self.pipeline.stage.meter().refused.add(1);
        error!(
            pipeline = &*self.told.pipeline,
            "{topic} [{partition}] is stopped for {after:?}: {reason}"
        );
    }

    /// Partitions that were stopped long enough go on with the message that was not taken.
    fn go_on(&mut self, consumer: &Consumer) {
        let now = Instant::now();
        for (topic, partition, place) in self.places.each() {
            if place.stopped.is_some_and(|until| until < now) {
                let list = only(topic, partition);
                let next = Offset::Offset(place.next);
                let went_on = consumer.resume(&list);
                if went_on
                    .and_then(|()| consumer.seek(topic, partition, next, PATIENCE))
                    .is_ok()
                {
                    place.stopped = None;
                    self.stopped -= 1;
                    self.told.group.stopped(topic, partition, None);
                }
            }
        }
    }

    /// Makes valid what was taken, or has it read again.
    fn commit(&mut self, consumer: &Consumer) {
        let Some(open) = self.open.take() else { return };
        if self.rewind {
            return;
        }
        let offsets = self.places.offsets(|place| {
            let is_new = place.first.is_some_and(|first| first < place.next);
            is_new.then_some(place.next)
        });
        if offsets.count() > 0
            && let Err(error) = self.transactions.commit(consumer, &offsets)
        {
            return self.fail(consumer, &error);
        }
        self.patience.renew();
        for (topic, partition, place) in self.places.each() {
            if place.first.take().is_some() {
                self.told.group.reached(topic, partition, place.next);
            }
        }
        let meter = self.pipeline.stage.meter();
        meter.accepted(open.bytes, open.since.elapsed());
    }

    /// What was taken is not valid.
    fn fail(&mut self, consumer: &Consumer, error: &KafkaError) {
        let meter = self.pipeline.stage.meter();
        meter.failed(&error.to_string());
        meter.retries.add(1);
        warn!(
            pipeline = &*self.told.pipeline,
            "not committed, and read again: {error}"
        );
        self.open = None;
        self.rewind = true;
        for (slot, code) in self.transactions.abort() {
            if let Some((topic, partition)) = self.of_slot(slot) {
                let place = self.places.get(&topic, partition);
                if place.is_some_and(|place| place.stopped.is_none()) {
                    self.stop(consumer, &topic, partition, &code.to_string());
                }
            }
        }
    }

    /// Begins again where the group is. Whether that is done.
    fn rewound(&mut self, consumer: &Consumer) -> Result<(), KafkaError> {
        if !self.transactions.is_connected() {
            self.transactions.connect()?;
        }
        // Where it began to take. A commit of which nobody knew may have gone through: then the group is further.
        let list = self.places.offsets(|place| place.first);
        let committed = match self.to.exactly_once && list.count() > 0 {
            true => consumer.committed_offsets(list, PATIENCE)?,
            false => list,
        };
        for element in committed.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            element.error()?;
            let Some(place) = self.places.get(topic, partition) else {
                continue;
            };
            let first = place.first.unwrap_or(place.next);
            place.next = match element.offset() {
                Offset::Offset(offset) => offset,
                // The group has committed nothing yet.
                _ => first,
            };
            consumer.seek(topic, partition, Offset::Offset(place.next), PATIENCE)?;
            place.first = None;
        }
        Ok(())
    }

    fn begin_again(&mut self, consumer: &Consumer) {
        match self.rewound(consumer) {
            Ok(()) => {
                info!(
                    pipeline = &*self.told.pipeline,
                    "begins again where the group is"
                );
                self.rewind = false;
                self.told.group.set_trouble(None);
            }
            Err(error) => {
                warn!(
                    pipeline = &*self.told.pipeline,
                    "cannot begin again: {error}"
                );
                self.told.group.set_trouble(Some(&error.to_string()));
            }
        }
        self.patience.wait(&self.stop);
    }
}

impl Work for Copy {
    fn begin(&mut self, consumer: &Consumer) -> Result<(), String> {
        let producer = self.transactions.producer();
        let producer = producer.map_err(|error| error.to_string())?.client();
        if self.to.exactly_once {
            let clusters = [
                consumer.client().fetch_cluster_id(PATIENCE),
                producer.fetch_cluster_id(PATIENCE),
            ];
            if let [Some(source), Some(sink)] = &clusters
                && source != sink
            {
                return Err(format!(
                    "source and sink are different clusters ({source}, {sink}), and a transaction has one: say \
                     `exactly_once: false` in the sink"
                ));
            }
        }
        // Asked as a producer, some brokers would make the topic, with as few partitions as they like.
        let there = match self.to.exactly_once {
            true => consumer.fetch_metadata(Some(&self.to.topic), PATIENCE),
            false => producer.fetch_metadata(Some(&self.to.topic), PATIENCE),
        };
        let count = |metadata: &rdkafka::metadata::Metadata| {
            let topics = metadata.topics().iter();
            topics.map(|topic| topic.partitions().len()).sum::<usize>()
        };
        let there = there.map_err(|error| format!("{}: {error}", self.to.topic))?;
        let there = count(&there);
        for topic in &self.to.sources {
            let here = consumer.fetch_metadata(Some(topic), PATIENCE);
            let here = here.map_err(|error| format!("{topic}: {error}"))?;
            let here = count(&here);
            if here == 0 {
                return Err(format!("{topic}: there is no such topic"));
            }
            if there < here {
                return Err(format!(
                    "{} has {there} partitions, and {topic} has {here}: messages keep their partition, so give it \
                     as many",
                    self.to.topic
                ));
            }
        }
        Ok(())
    }

    fn take(&mut self, consumer: &Consumer, message: &BorrowedMessage<'_>) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let place = self.places.get_or(topic, partition, Place::default);
        if place.stopped.is_some() {
            return;
        }
        place.first.get_or_insert(offset);
        if self.rewind {
            return;
        }
        let value = message.payload();
        let stage = &self.pipeline.stage;
        stage
            .meter()
            .received
            .add(value.map_or(0, <[u8]>::len) as u64);
        let tagged = value.and_then(|value| stage.tag_value(value, Timestamp::now()));
        let value = tagged.as_deref().or(value);
        let bytes = value.map_or(0, <[u8]>::len) + message.key_len();
        let sent = self.transactions.send(Outgoing {
            topic: &self.to.topic,
            partition,
            key: message.key(),
            value,
            time: message.timestamp().to_millis(),
            headers: message.headers().map(|headers| headers.detach()),
            slot: self.slot(topic, partition),
        });
        let place = self.places.get_or(topic, partition, Place::default);
        match sent {
            Ok(()) => place.next = offset + 1,
            Err(error) => {
                let code = error.rdkafka_error_code();
                return match code.filter(|code| is_for_good(*code)) {
                    Some(code) => {
                        place.next = offset;
                        self.stop(consumer, topic, partition, &refusal(code, offset));
                    }
                    None => self.fail(consumer, &error),
                };
            }
        }
        let open = self.open.get_or_insert_with(|| Open {
            since: Instant::now(),
            bytes: 0,
            taken: Vec::new(),
        });
        open.bytes += bytes;
        if open.bytes > open.taken.len() * PIECE {
            open.taken.extend(self.pipeline.room.try_take(PIECE));
        }
    }

    fn tend(&mut self, consumer: &Consumer) {
        let is_due = self
            .open
            .as_ref()
            .is_some_and(|open| open.bytes >= self.most || open.since.elapsed() >= self.to.commit);
        if is_due {
            self.commit(consumer);
        }
        if self.rewind {
            self.begin_again(consumer);
        }
        if self.stopped > 0 {
            self.go_on(consumer);
        }
    }

    fn give_up(&mut self, consumer: &Consumer, list: &TopicPartitionList, lost: bool) {
        match (lost, self.open.is_some()) {
            (true, true) => self.fail(consumer, &KafkaError::Canceled),
            _ => self.commit(consumer),
        }
        for (topic, partition) in partitions(list) {
            let place = self.places.remove(&topic, partition);
            if place.is_some_and(|place| place.stopped.is_some()) {
                self.stopped -= 1;
            }
        }
    }

    fn finish(&mut self, consumer: &Consumer) {
        self.commit(consumer);
    }
}

fn refusal(code: RDKafkaErrorCode, offset: i64) -> String {
    format!("the message at {offset} is not taken: {code}")
}
