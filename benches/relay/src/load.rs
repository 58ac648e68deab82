//! What is sent, how fast, and what is made of the figures.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// Messages that are sent over and over.
pub struct Load {
    /// Each is sent at once.
    pub messages: Vec<Vec<u8>>,
    /// Bytes of records in all of them.
    pub bytes: usize,
    /// Records in all of them.
    pub records: u64,
    /// How many of these records match.
    pub matching: u64,
}

/// Sends on so many connections for so long. `send` sends until a moment and answers how many messages were
/// acknowledged.
pub fn throughput(
    connections: usize,
    seconds: u64,
    send: impl Fn(Instant) -> u64 + Sync,
) -> (u64, Duration) {
    let began = Instant::now();
    let deadline = began + Duration::from_secs(seconds);
    let sent = thread::scope(|scope| {
        let senders = (0..connections).map(|_| scope.spawn(|| send(deadline)));
        let senders: Vec<_> = senders.collect();
        let sent = senders.into_iter().map(|sender| sender.join());
        sent.map(|sent| sent.expect("a sender failed")).sum()
    });
    (sent, began.elapsed())
}

/// When to send.
pub struct Pace {
    next: Instant,
    pause: Duration,
    end: Instant,
    /// What is measured.
    pub times: Vec<Duration>,
}

impl Pace {
    /// Waits for the next moment to send; `None` after the last.
    pub fn next(&mut self) -> Option<Instant> {
        let at = self.next;
        if at >= self.end {
            return None;
        }
        thread::sleep(at.saturating_duration_since(Instant::now()));
        self.next += self.pause;
        // One that took longer than the pause delays the next: it is counted as it was.
        Some(Instant::now())
    }
}

/// Times, from the shortest to the longest.
pub struct Times(Vec<Duration>);

impl Times {
    /// The time that this share of all did not exceed.
    pub fn at(&self, share: f64) -> Duration {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
}

/// Sends at a pace on so many connections, a little apart from each other.
pub fn latency(
    connections: usize,
    seconds: u64,
    pause: Duration,
    send: impl Fn(&mut Pace) + Sync,
) -> Times {
    let barrier = Arc::new(Barrier::new(connections));
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let senders = (0..connections).map(|number| {
            let (barrier, send) = (barrier.clone(), &send);
            scope.spawn(move || {
                barrier.wait();
                let now = Instant::now();
                let mut pace = Pace {
                    next: now + pause.mul_f64(number as f64 / connections as f64),
                    pause,
                    end: now + Duration::from_secs(seconds),
                    times: Vec::new(),
                };
                send(&mut pace);
                pace.times
            })
        });
        let senders: Vec<_> = senders.collect();
        let times = senders.into_iter().map(|sender| sender.join());
        times
            .flat_map(|times| times.expect("a sender failed"))
            .collect()
    });
    times.sort_unstable();
    Times(times)
}

/// The one in the middle.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
