//! A member of a consumer group: a thread that asks for messages, and is told of partitions while it asks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, ClientContext, TopicPartitionList};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::client::{self, Told};
use super::copy::{Copy, ToTopic};
use super::hand_over::HandOver;
use super::places::partitions;
use crate::net::listen::Stop;
use crate::pipeline::{Pipeline, Retry};
use crate::source::Fetch;
use crate::{config, sink, source};

/// So long a member waits for a message before it looks after what it has.
const LOOK: Duration = Duration::from_millis(20);

pub(super) type Consumer = BaseConsumer<Member>;

/// What becomes of messages. Nothing of it is called while another is.
pub(super) trait Work: Send {
    /// Before the first message.
    ///
    /// # Errors
    /// If it cannot begin as things are.
    fn begin(&mut self, consumer: &Consumer) -> Result<(), String>;

    /// A message. Those of a partition come in order.
    fn take(&mut self, consumer: &Consumer, message: &BorrowedMessage<'_>);

    /// After each message, and whenever none has come for a moment.
    fn tend(&mut self, consumer: &Consumer);

    /// Partitions go to somebody else: what is under way for them is to be ended. If they are lost, they have gone already.
    fn give_up(&mut self, consumer: &Consumer, partitions: &TopicPartitionList, lost: bool);

    /// Nothing more comes: what is under way is to be ended.
    fn finish(&mut self, consumer: &Consumer);
}

/// What is called while messages are asked for.
pub(super) struct Member {
    work: Mutex<Box<dyn Work>>,
    told: Told,
}

impl Member {
    fn work(&self) -> MutexGuard<'_, Box<dyn Work>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.told.log(level, facility, line);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.told.statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.told.error(&error, reason);
    }
}

impl ConsumerContext for Member {
    fn pre_rebalance(&self, consumer: &Consumer, rebalance: &Rebalance<'_>) {
        let (pipeline, group) = (&*self.told.pipeline, &self.told.group);
        match rebalance {
            Rebalance::Assign(list) => {
                info!(pipeline, "got {}", names(list));
                group.set_trouble(None);
                group.assigned(partitions(list));
            }
            Rebalance::Revoke(list) => {
                let lost = consumer.assignment_lost();
                let how = if lost { "lost" } else { "gives up" };
                info!(pipeline, "{how} {}", names(list));
                self.work().give_up(consumer, list, lost);
                group.revoked(partitions(list));
            }
            Rebalance::Error(error) => warn!(pipeline, "rebalance: {error}"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            // Whoever has the partition then reads again what was delivered: that is at least once.
            warn!(pipeline = &*self.told.pipeline, "offsets: {error}");
        }
    }
}

fn names(list: &TopicPartitionList) -> String {
    let names = partitions(list).into_iter();
    let names: Vec<String> = names.map(|(topic, n)| format!("{topic} [{n}]")).collect();
    match names.is_empty() {
        true => "no partition".to_owned(),
        false => names.join(", "),
    }
}

/// Goes to the brokers for a pipeline.
#[derive(Debug)]
struct Fetcher {
    topics: Vec<String>,
    consumer: ClientConfig,
    /// `None`: to whatever sink there is.
    to_topic: Option<ToTopic>,
}

/// What goes to the brokers for a pipeline.
///
/// # Errors
/// If a secret is not where it is said to be, or librdkafka does not know a setting.
pub fn fetcher(
    source: &source::kafka::Config,
    name: &str,
    pipeline: &config::Pipeline,
) -> Result<Arc<dyn Fetch>, String> {
    let room = pipeline.room();
    let wrong = |reason| format!("source.settings: {reason}");
    let to_topic = match &pipeline.sink {
        sink::Config::Kafka(sink) => Some(ToTopic::new(source, sink, name, room)?),
        _ => None,
    };
    Ok(Arc::new(Fetcher {
        topics: source.topics.clone(),
        consumer: client::consumer(source, room).map_err(wrong)?,
        to_topic,
    }))
}

#[async_trait]
impl Fetch for Fetcher {
    async fn run(&self, pipeline: Arc<Pipeline>, stop: Stop) -> bool {
        let (done, ended) = oneshot::channel();
        let attendance = Attendance {
            topics: self.topics.clone(),
            consumer: self.consumer.clone(),
            to_topic: self.to_topic.clone(),
            runtime: tokio::runtime::Handle::current(),
            stop: stop.clone(),
            pipeline,
        };
        let thread = thread::Builder::new().name("kafka".to_owned());
        let started = thread.spawn(move || {
            attendance.run();
            let _ = done.send(());
        });
        if let Err(error) = started {
            error!("no thread: {error}");
            return false;
        }
        // Where the thread is waiting for a broker, nobody waits for it.
        tokio::select! {
            ended = ended => ended.is_ok(),
            () = stop.now.cancelled() => true,
        }
    }
}

/// A member's thread.
struct Attendance {
    topics: Vec<String>,
    consumer: ClientConfig,
    to_topic: Option<ToTopic>,
    runtime: tokio::runtime::Handle,
    stop: Stop,
    pipeline: Arc<Pipeline>,
}

impl Attendance {
    fn run(self) {
        let meter = self.pipeline.stage.meter();
        let told = Told {
            pipeline: meter.pipeline.clone(),
            group: meter.group(),
        };
        let mut patience = Patience::new(self.pipeline.retry());
        told.group.set_trouble(Some("it is not in its group yet"));
        while !self.stop.soon.is_cancelled() {
            let Err(reason) = self.attend(&told, &mut patience) else {
                return;
            };
            error!(pipeline = &*told.pipeline, "{reason}");
            told.group.set_trouble(Some(&reason));
            patience.wait(&self.stop);
        }
    }

    /// Is a member until it is told to stop.
    fn attend(&self, told: &Told, patience: &mut Patience) -> Result<(), String> {
        let (pipeline, stop) = (self.pipeline.clone(), self.stop.clone());
        let work: Box<dyn Work> = match &self.to_topic {
            Some(to) => Box::new(Copy::new(to, pipeline, told.clone(), stop)?),
            None => Box::new(HandOver::new(
                pipeline,
                self.runtime.clone(),
                told.clone(),
                stop,
            )),
        };
        let member = Member {
            work: Mutex::new(work),
            told: told.clone(),
        };
        let consumer: Consumer = self
            .consumer
            .create_with_context(member)
            .map_err(|error| error.to_string())?;
        let member = consumer.context().clone();
        member.work().begin(&consumer)?;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let subscribed = consumer.subscribe(&topics);
        subscribed.map_err(|error| error.to_string())?;
        while !self.stop.soon.is_cancelled() {
            let polled = consumer.poll(LOOK);
            let mut work = member.work();
            match polled {
                Some(Ok(message)) => {
                    patience.renew();
                    told.group.set_trouble(None);
                    work.take(&consumer, &message);
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return Err(error.to_string());
                }
                // The others were told of as they came.
                Some(Err(_)) | None => {}
            }
            work.tend(&consumer);
        }
        member.work().finish(&consumer);
        Ok(())
    }
}

/// Pauses that become longer.
#[derive(Debug)]
pub(super) struct Patience {
    retry: Retry,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(retry: Retry) -> Patience {
        Patience {
            pause: retry.first,
            retry,
        }
    }

    /// It went well.
    pub(super) fn renew(&mut self) {
        self.pause = self.retry.first;
    }

    /// Waits, but not if nothing new is to be taken.
    pub(super) fn wait(&mut self, stop: &Stop) {
        let until = std::time::Instant::now() + self.pause;
        while std::time::Instant::now() < until && !stop.soon.is_cancelled() {
            thread::sleep(LOOK.min(self.pause));
        }
        self.pause = (self.pause * 2).min(self.retry.longest);
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").finish_non_exhaustive()
    }
}
