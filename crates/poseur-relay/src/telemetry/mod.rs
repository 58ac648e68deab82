//! What a process tells of itself: figures, matches as they happen, a log that does not flood.
//!
//! A pipeline counts on its [`Meter`]. Meters outlive a reload, so that figures go on.

pub mod group;
pub mod matches;
pub mod meter;
pub mod metrics;
pub mod quiet;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use matches::Matches;
pub use meter::Meter;

/// What a process tells of itself.
#[derive(Debug)]
pub struct Telemetry {
    /// When the process began.
    pub began: SystemTime,
    /// The same, on a clock that nobody sets.
    pub since: Instant,
    /// Matches of all pipelines.
    pub matches: Arc<Matches>,
    meters: Mutex<BTreeMap<String, Arc<Meter>>>,
    reloads: Mutex<Reloads>,
}

/// How reading again what an operator changed went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloads {
    /// So often it was taken.
    pub taken: u64,
    /// So often it was refused, and the old state stayed.
    pub refused: u64,
    /// When something was last taken: at the start, for a beginning.
    pub last_taken: Option<SystemTime>,
    /// What is wrong now, by what was to be read: the configuration, or a pipeline's rules.
    pub wrong: BTreeMap<String, String>,
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry {
            began: SystemTime::now(),
            since: Instant::now(),
            matches: Arc::default(),
            meters: Mutex::default(),
            reloads: Mutex::new(Reloads {
                last_taken: Some(SystemTime::now()),
                ..Reloads::default()
            }),
        }
    }
}

impl Telemetry {
    /// The meter of a pipeline: the one it had before, if it had one.
    pub fn meter(&self, pipeline: &str) -> Arc<Meter> {
        let mut meters = lock(&self.meters);
        match meters.get(pipeline) {
            Some(meter) => meter.clone(),
            None => {
                let meter = Arc::new(Meter::new(pipeline, self.matches.clone()));
                meters.insert(pipeline.to_owned(), meter.clone());
                meter
            }
        }
    }

    /// The meters of all pipelines, in the order of their names.
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        lock(&self.meters).values().cloned().collect()
    }

    /// Forgets all pipelines but these.
    pub fn retain(&self, is_wanted: impl Fn(&str) -> bool) {
        lock(&self.meters).retain(|name, _| is_wanted(name));
    }

    /// Notes how reading something again went: the configuration, or a pipeline's rules.
    pub fn reloaded(&self, what: &str, outcome: Result<(), String>) {
        let mut reloads = lock(&self.reloads);
        match outcome {
            Ok(()) => {
                reloads.taken += 1;
                reloads.last_taken = Some(SystemTime::now());
                reloads.wrong.remove(what);
            }
            Err(reason) => {
                reloads.refused += 1;
                reloads.wrong.insert(what.to_owned(), reason);
            }
        }
    }

    /// How reading again went.
    pub fn reloads(&self) -> Reloads {
        lock(&self.reloads).clone()
    }

    /// Why the process should not be sent anything now; empty if it may.
    pub fn not_ready(&self) -> Vec<String> {
        let meters = self.meters();
        let mut reasons: Vec<String> = meters.iter().flat_map(|meter| meter.not_ready()).collect();
        if meters.is_empty() {
            reasons.push("no pipeline has been started".to_owned());
        }
        reasons
    }
}

/// A thread that panicked has left nothing half done: what is behind these locks changes at once.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
