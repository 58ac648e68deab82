//! Server-sent events: the state each second, and matches as they happen.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::snapshot::Sampler;
use crate::telemetry::Telemetry;
use crate::telemetry::matches::MatchEvent;

/// So many may watch at once.
const WATCHERS: usize = 32;

/// How often the state is told.
const STATE: Duration = Duration::from_secs(1);

/// How often matches are told, if there are any.
const MATCHES: Duration = Duration::from_millis(200);

/// What is told to all who watch.
#[derive(Debug)]
pub(super) struct Live {
    telemetry: Arc<Telemetry>,
    state: watch::Receiver<Bytes>,
    seats: Arc<Semaphore>,
    /// Tells this process's events from those of an earlier one.
    process: String,
}

/// A stream of events.
pub(super) struct Events(mpsc::Receiver<Bytes>);

impl Live {
    /// Begins to note the state each second, until it is told to stop.
    pub(super) fn begin(telemetry: Arc<Telemetry>, stop: CancellationToken) -> Live {
        let (told, state) = watch::channel(Bytes::new());
        let began = telemetry.began.duration_since(UNIX_EPOCH);
        let process = format!("{:x}", began.map_or(0, |since| since.as_nanos()));
        let all = telemetry.clone();
        tokio::spawn(async move {
            let (mut sampler, mut ticks) = (Sampler::default(), interval(STATE));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                let state = sampler.sample(&all, Instant::now());
                told.send_replace(Bytes::from(format!("event: state\ndata: {state}\n\n")));
            }
        });
        Live {
            telemetry,
            state,
            seats: Arc::new(Semaphore::new(WATCHERS)),
            process,
        }
    }

    /// Events for somebody who has seen all up to `last`; `None` if too many watch already.
    pub(super) fn watch(&self, last: Option<&str>) -> Option<Events> {
        let seat = self.seats.clone().try_acquire_owned().ok()?;
        let last = last.and_then(|last| last.strip_prefix(&self.process)?.strip_prefix('-'));
        let seen = last.and_then(|last| last.parse().ok()).unwrap_or(0);
        let (told, events) = mpsc::channel(1);
        let watcher = Watcher {
            telemetry: self.telemetry.clone(),
            state: self.state.clone(),
            process: self.process.clone(),
            told,
            seen,
            _seat: seat,
        };
        tokio::spawn(watcher.run());
        Some(Events(events))
    }
}

struct Watcher {
    telemetry: Arc<Telemetry>,
    state: watch::Receiver<Bytes>,
    process: String,
    told: mpsc::Sender<Bytes>,
    seen: u64,
    _seat: OwnedSemaphorePermit,
}

impl Watcher {
    /// Tells until nobody listens, or the process ends. While somebody is slow nothing is kept for them: they get the
    /// newest state, and of the matches those that are still there.
    async fn run(mut self) {
        let mut ticks = interval(MATCHES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.state.mark_changed();
        loop {
            let event = tokio::select! {
                changed = self.state.changed() => match changed {
                    Ok(()) => self.state.borrow_and_update().clone(),
                    Err(_) => return,
                },
                _ = ticks.tick() => self.matches(),
                () = self.told.closed() => return,
            };
            if !event.is_empty() && self.told.send(event).await.is_err() {
                return;
            }
        }
    }

    fn matches(&mut self) -> Bytes {
        let new = self.telemetry.matches.since(self.seen);
        let Some(last) = new.last().map(|last| last.number) else {
            return Bytes::new();
        };
        self.seen = last;
        let new: Vec<&MatchEvent> = new.iter().map(|event| &**event).collect();
        let new = serde_json::to_string(&new).unwrap_or_default();
        let mut event = String::with_capacity(new.len() + 64);
        // Writing into memory does not fail.
        let _ = write!(
            event,
            "event: matches\nid: {}-{last}\ndata: {new}\n\n",
            self.process
        );
        Bytes::from(event)
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.0.poll_recv(context);
        next.map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}
