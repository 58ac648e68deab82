//! A log that does not flood: of one kind of message of one pipeline, so many in a time, and then how many more
//! there were.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, error, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::lock;
use super::meter::MATCH;

/// The target of lines that say how many more there were.
const MORE: &str = "poseur::more";

/// So many messages of a kind pass in [`INTERVAL`].
pub const BURST: u64 = 20;

/// See [`BURST`].
pub const INTERVAL: Duration = Duration::from_secs(30);

/// A layer that stops what is too much. [`Quiet::tell`] is to be called every few seconds. A line for each match is what
/// an operator has asked for: these are not counted.
#[derive(Debug, Clone, Default)]
pub struct Quiet(Arc<Mutex<HashMap<Kind, Seen>>>);

/// The place in the program, and the pipeline.
type Kind = (Identifier, Option<String>);

#[derive(Debug)]
struct Seen {
    since: Instant,
    count: u64,
    level: Level,
    message: String,
}

impl Quiet {
    /// Whether one more may pass.
    fn passes(
        &self,
        kind: Kind,
        level: Level,
        text: impl FnOnce() -> String,
        now: Instant,
    ) -> bool {
        let mut seen = lock(&self.0);
        let seen = seen.entry(kind).or_insert_with(|| Seen {
            since: now,
            count: 0,
            level,
            message: String::new(),
        });
        seen.count += 1;
        if seen.count == BURST + 1 {
            seen.message = text();
        }
        seen.count <= BURST
    }

    /// What was stopped in the intervals that are over: pipeline, level, and the line that says so.
    fn over(&self, now: Instant) -> Vec<(Option<String>, Level, String)> {
        let mut over = Vec::new();
        lock(&self.0).retain(|(_, pipeline), seen| {
            if now.duration_since(seen.since) < INTERVAL {
                return true;
            }
            let more = seen.count.saturating_sub(BURST);
            if more > 0 {
                let line = format!("{more} more like this: {}", seen.message);
                over.push((pipeline.clone(), seen.level, line));
            }
            false
        });
        over
    }

    /// Says in the log what was stopped in intervals that are over.
    pub fn tell(&self) {
        self.tell_until(Instant::now());
    }

    /// Says in the log what was stopped so far: nothing more will come.
    pub fn tell_all(&self) {
        self.tell_until(Instant::now() + INTERVAL);
    }

    fn tell_until(&self, now: Instant) {
        for (pipeline, level, line) in self.over(now) {
            match level {
                Level::ERROR => error!(target: MORE, pipeline, "{line}"),
                Level::WARN => warn!(target: MORE, pipeline, "{line}"),
                _ => info!(target: MORE, pipeline, "{line}"),
            }
        }
    }
}

impl<S: Subscriber> Layer<S> for Quiet {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if [MATCH, MORE].contains(&metadata.target()) {
            return true;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let kind = (metadata.callsite(), fields.pipeline);
        self.passes(kind, *metadata.level(), || fields.message, Instant::now())
    }
}

/// What is looked at of an event.
#[derive(Default)]
struct Fields {
    pipeline: Option<String>,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "pipeline" {
            self.pipeline = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "pipeline" => self.pipeline = Some(format!("{value:?}")),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Notes what passes.
    #[derive(Clone, Default)]
    struct Passed(Arc<AtomicU64>);

    impl<S: Subscriber> Layer<S> for Passed {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn so_many_pass_and_the_rest_is_counted() {
        let (quiet, passed) = (Quiet::default(), Passed::default());
        let log = tracing_subscriber::registry()
            .with(passed.clone())
            .with(quiet.clone());
        tracing::subscriber::with_default(log, || {
            for number in 0..100 {
                for pipeline in ["a", "b"] {
                    warn!(pipeline, "number {number}");
                }
                info!(target: MATCH, pipeline = "a", "match");
            }
            info!("another kind");
        });
        assert_eq!(passed.0.load(Relaxed), 2 * BURST + 100 + 1);
        let now = Instant::now();
        assert!(quiet.over(now).is_empty());
        let mut over = quiet.over(now + INTERVAL);
        over.sort_by(|one, other| one.0.cmp(&other.0));
        let line = |pipeline: &str| {
            let first = format!("{} more like this: number {BURST}", 100 - BURST);
            (Some(pipeline.to_owned()), Level::WARN, first)
        };
        assert_eq!(over, [line("a"), line("b")]);
        assert!(quiet.over(now + INTERVAL * 2).is_empty());
    }
}
