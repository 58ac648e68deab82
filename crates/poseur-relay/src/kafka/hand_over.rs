//! From topics to any other sink: values as lines, one batch of a partition after the other. An offset is committed when the
//! sink's downstream has accepted what lies before it.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::client::Told;
use super::member::{Consumer, Work};
use super::places::{Places, only, partitions};
use crate::batch::{Batch, Body};
use crate::convert::in_lines;
use crate::net::listen::Stop;
use crate::pipeline::{Pipeline, Taken, Undelivered};

/// Lines are delivered together up to about so many bytes, and as soon as no more are there.
const TOGETHER: usize = 256 << 10;

/// So often deliveries are looked after.
const LOOK: Duration = Duration::from_millis(20);

/// How often it is looked whether there is room, or a lane has ended.
const PAUSE: Duration = Duration::from_millis(1);

/// So often offsets are committed.
const COMMIT: Duration = Duration::from_secs(1);

/// A message waits for room so long; then its partition is left alone until there is some, so that the brokers hear of this
/// member meanwhile.
const NO_ROOM: Duration = Duration::from_secs(1);

/// Whoever gets a partition waits so long for what is on its way.
const HANDING_OVER: Duration = Duration::from_secs(20);

/// Where a partition begins again, and seeks take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands messages to a sink.
pub(super) struct HandOver {
    pipeline: Arc<Pipeline>,
    runtime: Handle,
    told: Told,
    stop: Stop,
    places: Places<Place>,
    looked: Instant,
    committed: Instant,
}

/// A partition.
struct Place {
    /// The next offset to take.
    next: i64,
    /// Everything before it is committed.
    committed: i64,
    /// `None` while nothing is taken from the partition.
    lane: Option<Lane>,
    halt: Option<Halt>,
}

/// What delivers a partition's messages.
struct Lane {
    messages: UnboundedSender<Lines>,
    task: JoinHandle<()>,
    state: Arc<State>,
}

/// How far a lane is.
struct State {
    /// Everything before it is delivered.
    delivered: AtomicI64,
    /// Why what follows never will be.
    refused: Mutex<Option<String>>,
}

/// Why nothing is taken from a partition.
enum Halt {
    /// What is next was refused. It is tried again then.
    Refused(Instant),
    /// Until there is room.
    NoRoom,
}

/// What a message has become.
struct Lines {
    lines: Vec<u8>,
    /// The offset after it.
    next: i64,
    taken: Option<Taken>,
}

impl HandOver {
    pub(super) fn new(pipeline: Arc<Pipeline>, runtime: Handle, told: Told, stop: Stop) -> Self {
        HandOver {
            pipeline,
            runtime,
            told,
            stop,
            places: Places::default(),
            looked: Instant::now(),
            committed: Instant::now(),
        }
    }

    fn lane(&self, from: i64) -> Lane {
        let (messages, lines) = unbounded_channel();
        let state = Arc::new(State {
            delivered: AtomicI64::new(from),
            refused: Mutex::default(),
        });
        let delivery = deliver(self.pipeline.clone(), lines, state.clone());
        Lane {
            messages,
            task: self.runtime.spawn(delivery),
            state,
        }
    }

    /// Waits for room, but not for ever.
    fn room(&self, bytes: usize) -> Option<Taken> {
        let since = Instant::now();
        loop {
            let taken = self.pipeline.room.try_take(bytes);
            if taken.is_some() || since.elapsed() > NO_ROOM || self.stop.soon.is_cancelled() {
                return taken;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Partitions of which something was refused stop, and those that were stopped long enough go on.
    fn look(&mut self, consumer: &Consumer) {
        let (now, retry) = (Instant::now(), self.pipeline.retry());
        let room = &self.pipeline.room;
        let has_room = room.used() <= room.size() / 2;
        let (pipeline, group) = (&*self.told.pipeline, &self.told.group);
        for (topic, partition, place) in self.places.each() {
            if let Some(lane) = &place.lane {
                let refused = lane.state.refused.lock();
                let refused = refused.unwrap_or_else(PoisonError::into_inner).take();
                if let Some(reason) = refused {
                    place.next = lane.state.delivered.load(Relaxed);
                    place.halt = Some(Halt::Refused(now + retry.limit));
                    // If it cannot be paused, its messages are left aside when they come.
                    let _ = consumer.pause(&only(topic, partition));
                    group.stopped(topic, partition, Some(&reason));
                    error!(
                        pipeline,
                        "{topic} [{partition}] is stopped for {:?}: {reason}", retry.limit
                    );
                }
            }
            let goes_on = match place.halt {
                Some(Halt::Refused(until)) => until < now,
                Some(Halt::NoRoom) => has_room,
                None => false,
            };
            if goes_on {
                let next = Offset::Offset(place.next);
                let resumed = consumer.resume(&only(topic, partition));
                let sought = resumed.and_then(|()| consumer.seek(topic, partition, next, PATIENCE));
                if sought.is_ok() {
                    if matches!(place.halt, Some(Halt::Refused(_))) {
                        info!(pipeline, "{topic} [{partition}] goes on");
                        place.lane = None;
                        group.stopped(topic, partition, None);
                    }
                    place.halt = None;
                }
            }
        }
    }

    /// What is delivered and not committed.
    fn delivered(&mut self) -> TopicPartitionList {
        let group = self.told.group.clone();
        for (topic, partition, place) in self.places.each() {
            if let Some(lane) = &place.lane {
                group.reached(topic, partition, lane.state.delivered.load(Relaxed));
            }
        }
        self.places.offsets(|place| {
            let delivered = place.lane.as_ref()?.state.delivered.load(Relaxed);
            let is_new = delivered > place.committed;
            place.committed = delivered;
            is_new.then_some(delivered)
        })
    }

    /// Waits for what is on its way, commits it, and forgets these partitions.
    fn end(&mut self, consumer: &Consumer, list: &[(String, i32)], limit: Duration, lost: bool) {
        let until = Instant::now() + limit;
        for (topic, partition) in list {
            let place = self.places.get(topic, *partition);
            let Some(lane) = place.and_then(|place| place.lane.as_mut()) else {
                continue;
            };
            // Nothing more comes.
            lane.messages = unbounded_channel().0;
            while !lost && !lane.task.is_finished() && Instant::now() < until {
                if self.stop.now.is_cancelled() {
                    break;
                }
                thread::sleep(PAUSE);
            }
            // What it has not delivered is delivered by whoever has the partition then, or by us, another time.
            lane.task.abort();
        }
        let offsets = self.delivered();
        if !lost
            && offsets.count() > 0
            && let Err(error) = consumer.commit(&offsets, CommitMode::Sync)
        {
            warn!(pipeline = &*self.told.pipeline, "offsets: {error}");
        }
        for (topic, partition) in list {
            self.places.remove(topic, *partition);
        }
    }
}

impl Work for HandOver {
    fn begin(&mut self, _: &Consumer) -> Result<(), String> {
        Ok(())
    }

    fn take(&mut self, consumer: &Consumer, message: &BorrowedMessage<'_>) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let new = || Place {
            next: offset,
            committed: offset,
            lane: None,
            halt: None,
        };
        let place = self.places.get_or(topic, partition, new);
        if place.halt.is_some() {
            return;
        }
        let lane = place.lane.is_none().then(|| self.lane(offset));
        let mut lines = Vec::new();
        if let Some(value) = message.payload() {
            lines.extend_from_slice(&in_lines(value));
            if !matches!(lines.last(), None | Some(b'\n')) {
                lines.push(b'\n');
            }
        }
        let taken = match lines.is_empty() {
            // A line says nothing of a message without a value.
            true => None,
            false => match self.room(lines.len()) {
                Some(taken) => Some(taken),
                None => {
                    let place = self.places.get_or(topic, partition, new);
                    (place.next, place.halt) = (offset, Some(Halt::NoRoom));
                    let _ = consumer.pause(&only(topic, partition));
                    return;
                }
            },
        };
        let place = self.places.get_or(topic, partition, new);
        place.next = offset + 1;
        let lane = place.lane.get_or_insert_with(|| lane.expect("was made"));
        // If nobody takes it any more, something before it was refused, and it comes again.
        let _ = lane.messages.send(Lines {
            lines,
            next: offset + 1,
            taken,
        });
    }

    fn tend(&mut self, consumer: &Consumer) {
        if self.looked.elapsed() < LOOK {
            return;
        }
        self.looked = Instant::now();
        self.look(consumer);
        if self.committed.elapsed() >= COMMIT {
            self.committed = Instant::now();
            let offsets = self.delivered();
            if offsets.count() > 0
                && let Err(error) = consumer.commit(&offsets, CommitMode::Async)
            {
                warn!(pipeline = &*self.told.pipeline, "offsets: {error}");
            }
        }
    }

    fn give_up(&mut self, consumer: &Consumer, list: &TopicPartitionList, lost: bool) {
        self.end(consumer, &partitions(list), HANDING_OVER, lost);
    }

    fn finish(&mut self, consumer: &Consumer) {
        let places = self.places.each();
        let all: Vec<(String, i32)> = places
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect();
        self.end(consumer, &all, Duration::MAX / 4, false);
    }
}

/// Delivers what comes, until nothing more comes or something is refused.
async fn deliver(
    pipeline: Arc<Pipeline>,
    mut messages: UnboundedReceiver<Lines>,
    state: Arc<State>,
) {
    let mut way = pipeline.way();
    while let Some(first) = messages.recv().await {
        let Lines {
            mut lines,
            mut next,
            taken,
        } = first;
        let mut all_taken = vec![taken];
        while lines.len() < TOGETHER
            && let Ok(more) = messages.try_recv()
        {
            lines.extend_from_slice(&more.lines);
            next = more.next;
            all_taken.push(more.taken);
        }
        let lines = Bytes::from(lines);
        while !lines.is_empty() {
            let batch = Batch::new(Bytes::new(), Body::Lines(lines.clone().into()));
            match way.deliver(batch).await {
                Ok(()) => break,
                Err(Undelivered::Refused(reason)) => {
                    let refused = state.refused.lock();
                    *refused.unwrap_or_else(PoisonError::into_inner) = Some(reason);
                    return;
                }
                // It was tried for long, and there is nobody else who would send it again.
                Err(error @ Undelivered::Unavailable(..)) => {
                    let pipeline = &*pipeline.stage.meter().pipeline;
                    warn!(pipeline, "{error}");
                }
            }
        }
        state.delivered.store(next, Relaxed);
        drop(all_taken);
    }
}
