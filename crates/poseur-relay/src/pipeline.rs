//! From a source to a sink: room, tags, delivery, retries.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::batch::{Batch, Packed};
use crate::compression::{Compression, UnpackError};
use crate::convert;
use crate::net::place::Peer;
use crate::sink::{Failure, Lane, Sink};
use crate::source::Ended;
use crate::stage::Stage;
use crate::telemetry::meter::Meter;

/// How often and how long a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The pause after the first failure. Each further one is twice as long, with up to half of it taken away at
    /// random, so that many stages do not come back at once.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// After this long the sender is told that it must come again.
    pub limit: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(10),
            limit: Duration::from_secs(60),
        }
    }
}

/// Memory for batches, in bytes, that a pipeline may use at once. Who finds none waits, and so does its sender.
///
/// What packed batches are unpacked to has as much again, apart: who holds a packed batch and waits for more of the same
/// room would keep it from others who do.
#[derive(Debug, Clone)]
pub struct Room {
    /// In kibibytes: a semaphore counts at most 2^29 on small machines.
    free: Arc<Semaphore>,
    unpacked: Arc<Semaphore>,
    all: u32,
}

/// What is packed is taken to be at most so many times as large when it is unpacked. One that is larger waits for room
/// once more, for as much as the largest needs, and is unpacked again.
const USUAL: usize = 32;

/// Room that is taken until this is dropped.
#[derive(Debug)]
pub struct Taken(OwnedSemaphorePermit);

impl Taken {
    /// Gives back what is not needed beyond so many bytes.
    fn shrink(&mut self, bytes: usize) {
        let left = self.0.num_permits();
        let unused = left.saturating_sub(kibibytes(bytes) as usize);
        drop(self.0.split(unused));
    }
}

impl Room {
    /// For so many bytes.
    pub fn new(bytes: usize) -> Room {
        let all = kibibytes(bytes);
        let [free, unpacked] = [(); 2].map(|()| Arc::new(Semaphore::new(all as usize)));
        Room {
            free,
            unpacked,
            all,
        }
    }

    /// Waits for so many bytes; of a batch larger than all of it, for all of it. Who waits longest is first.
    ///
    /// A batch takes its room in one piece: of two that each wait for more, neither would ever get it.
    pub async fn take(&self, bytes: usize) -> Taken {
        self.take_of(&self.free, bytes).await
    }

    /// Unpacks what came, if it is packed, with room for what it is unpacked to, at most `largest` bytes. What came is kept
    /// beside it: if nothing in it is changed, it can go on so.
    ///
    /// # Errors
    /// If it is damaged, or larger.
    pub async fn unpack(
        &self,
        compression: Compression,
        bytes: Bytes,
        largest: usize,
    ) -> Result<(Bytes, Option<Packed>, Option<Taken>), UnpackError> {
        if compression == Compression::None {
            return Ok((bytes, None, None));
        }
        let mut limit = bytes.len().saturating_mul(USUAL).min(largest);
        loop {
            let mut taken = self.take_of(&self.unpacked, limit).await;
            let mut unpacked = Vec::new();
            match compression.unpack(&bytes, limit, &mut unpacked) {
                // It is larger, or asks for a larger window. Who has room must not wait for more: of two that do, neither
                // would ever get it.
                Err(_) if limit < largest => limit = largest,
                outcome => {
                    outcome?;
                    // How large it is shows only now.
                    taken.shrink(unpacked.len());
                    let packed = Packed { compression, bytes };
                    return Ok((Bytes::from(unpacked), Some(packed), Some(taken)));
                }
            }
        }
    }

    /// So many bytes, if they are free.
    pub fn try_take(&self, bytes: usize) -> Option<Taken> {
        let wanted = kibibytes(bytes).min(self.all);
        let taken = self.free.clone().try_acquire_many_owned(wanted);
        taken.ok().map(Taken)
    }

    async fn take_of(&self, free: &Arc<Semaphore>, bytes: usize) -> Taken {
        let wanted = kibibytes(bytes).min(self.all);
        let taken = free.clone().acquire_many_owned(wanted).await;
        Taken(taken.expect("the semaphore is never closed"))
    }

    /// Bytes there are.
    pub fn size(&self) -> usize {
        self.all as usize * 1024
    }

    /// Bytes in use, to a kibibyte.
    pub fn used(&self) -> usize {
        (self.all as usize - self.free.available_permits()) * 1024
    }
}

fn kibibytes(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(1024))
        .unwrap_or(u32::MAX)
        .max(1)
}

/// Why a batch was not delivered. Its sender must not get an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// The downstream was not to be reached within [`Retry::limit`]: the sender is to come again.
    #[error("not delivered for {0:?}: {1}")]
    Unavailable(Duration, String),
    /// The downstream will never take it.
    #[error("refused: {0}")]
    Refused(String),
}

/// A source's way to a sink.
#[derive(Debug)]
pub struct Pipeline {
    /// Its rules.
    pub stage: Stage,
    /// Memory for its batches.
    pub room: Room,
    /// Where batches go, and how. It can be replaced while batches are on their way.
    out: Mutex<Arc<Out>>,
    /// Why connections ended early, the newest last.
    ends: Mutex<VecDeque<String>>,
}

/// Where batches go, and how deliveries are tried again.
#[derive(Debug)]
pub struct Out {
    /// The downstream.
    pub sink: Box<dyn Sink>,
    /// How deliveries are tried again.
    pub retry: Retry,
}

/// So many early ends are remembered.
const ENDS: usize = 16;

impl Pipeline {
    /// From its parts.
    pub fn new(stage: Stage, room: Room, out: Out) -> Pipeline {
        stage.meter().set_room(room.clone());
        Pipeline {
            stage,
            room,
            out: Mutex::new(Arc::new(out)),
            ends: Mutex::default(),
        }
    }

    /// A way for batches that must stay in order.
    pub fn way(self: &Arc<Pipeline>) -> Way {
        let out = self.out();
        Way {
            lane: None,
            out,
            pipeline: self.clone(),
        }
    }

    /// From now on, batches go elsewhere. Those that are on their way end as they began.
    pub fn redirect(&self, out: Out) {
        *lock(&self.out) = Arc::new(out);
    }

    /// How deliveries are tried again.
    pub fn retry(&self) -> Retry {
        self.out().retry
    }

    fn out(&self) -> Arc<Out> {
        lock(&self.out).clone()
    }

    /// Notes why a connection ended early.
    pub fn ended(&self, peer: &Peer, reason: &Ended) {
        let meter = self.stage.meter();
        meter.ended_early(reason.kind());
        warn!(pipeline = &*meter.pipeline, %peer, "connection ended: {reason}");
        let mut ends = lock(&self.ends);
        ends.truncate(ENDS - 1);
        ends.push_front(reason.to_string());
    }

    /// Notes why a request was refused that the downstream has never seen.
    pub fn turned_away(&self, peer: &Peer, kind: &'static str, reason: &str) {
        let meter = self.stage.meter();
        meter.turned_away(kind);
        warn!(pipeline = &*meter.pipeline, %peer, "request refused: {reason}");
    }

    /// Why the last connections ended early, the newest first.
    pub fn ends(&self) -> Vec<String> {
        lock(&self.ends).iter().cloned().collect()
    }
}

/// A thread that panicked has left nothing half done: what is behind these locks changes at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Delivers batches one after the other.
pub struct Way {
    pipeline: Arc<Pipeline>,
    out: Arc<Out>,
    /// `None` before the first delivery, and after one that was given up halfway, by a sender that is gone: nobody knows
    /// what that has left on a connection.
    lane: Option<Box<dyn Lane>>,
}

impl Way {
    /// The pipeline it belongs to.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// Tags a batch and delivers it; returns when the downstream has accepted it.
    ///
    /// # Errors
    /// If it has not. Nothing is known then about what the downstream has of it.
    pub async fn deliver(&mut self, batch: Batch) -> Result<(), Undelivered> {
        let (meter, began) = (self.pipeline.stage.meter(), Instant::now());
        meter.received.add(batch.body.pieces().len() as u64);
        let out = self.pipeline.out();
        if !Arc::ptr_eq(&out, &self.out) {
            self.lane = None;
            self.out = out;
        }
        let now = Timestamp::now();
        let batch = self.pipeline.stage.tag(batch, now);
        let batch = convert::into(batch, self.out.sink.form(), now);
        let batch = batch.map_err(|error| {
            meter.refused.add(1);
            Undelivered::Refused(error.to_string())
        })?;
        // Whoever gives up this delivery drops the lane with it.
        let mut lane = self.lane.take().unwrap_or_else(|| self.out.sink.lane());
        let outcome = attempts(&mut *lane, &batch, self.out.retry, meter, began).await;
        self.lane = Some(lane);
        outcome
    }
}

/// Tries a delivery until it succeeds, is refused, or has taken too long.
async fn attempts(
    lane: &mut dyn Lane,
    batch: &Batch,
    retry: Retry,
    meter: &Meter,
    began: Instant,
) -> Result<(), Undelivered> {
    let mut pause = retry.first;
    loop {
        let reason = match lane.deliver(batch).await {
            Ok(()) => {
                meter.accepted(batch.body.pieces().len(), began.elapsed());
                return Ok(());
            }
            Err(Failure::Refused(reason)) => {
                meter.refused.add(1);
                return Err(Undelivered::Refused(reason));
            }
            Err(Failure::Unavailable(reason)) => reason,
        };
        meter.failed(&reason);
        let pause_now = pause.mul_f64(1.0 - fraction() / 2.0);
        if began.elapsed() + pause_now > retry.limit {
            meter.given_up.add(1);
            return Err(Undelivered::Unavailable(began.elapsed(), reason));
        }
        meter.retries.add(1);
        sleep(pause_now).await;
        pause = (pause * 2).min(retry.longest);
    }
}

/// A number from 0 to 1 that nobody foresees; if there is no randomness, 0.
fn fraction() -> f64 {
    let bits = getrandom::u32().unwrap_or(0);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pieces::Pieces;

    #[tokio::test]
    async fn what_is_unpacked_takes_as_much_room_as_it_is_large() {
        let room = Room::new(1 << 20);
        let free = || room.unpacked.available_permits();
        let body = Pieces::from(Bytes::from(vec![b' '; 512 << 10]));
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bytes = compression.pack(&body).to_bytes();
            assert!(bytes.len() * USUAL < body.len(), "it is a usual one");
            let unpack = |largest| room.unpack(compression, bytes.clone(), largest);
            let (unpacked, packed, taken) = unpack(1 << 20).await.unwrap();
            assert_eq!((unpacked, free()), (body.to_bytes(), 512));
            let came = Packed {
                compression,
                bytes: bytes.clone(),
            };
            assert_eq!(packed, Some(came));
            drop(taken);
            for largest in [body.len() - 1, 1] {
                let error = unpack(largest).await.unwrap_err();
                assert!(matches!(error, UnpackError::TooLarge(limit) if limit == largest));
            }
            assert_eq!(free(), 1024);
        }
        // A frame of three bytes with a window of 16 MiB, which is what is allowed to be there at once.
        let wide = Bytes::from_static(b"\x28\xB5\x2F\xFD\x00\x70\x19\x00\x00abc");
        let unpacked = room.unpack(Compression::Zstd, wide, 16 << 20).await;
        assert_eq!(unpacked.unwrap().0, "abc");
        let bytes = Bytes::from_static(b"{}");
        let (same, packed, taken) = room
            .unpack(Compression::None, bytes.clone(), 1)
            .await
            .unwrap();
        assert_eq!((same, packed), (bytes, None));
        assert!(taken.is_none() && free() == 1024);
    }
}
