//! The figures of a pipeline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use poseur_matcher::{Matcher, Verdict};
use poseur_tagger::finding::Finding;
use poseur_tagger::{Counts, Observer};
use prometheus_client::metrics::histogram::Histogram;
use tracing::info;

use super::group::Group;
use super::lock;
use super::matches::{MatchEvent, Matches, Pace};
use crate::pipeline::Room;

/// The target of log lines about matches.
pub const MATCH: &str = "poseur::match";

/// A sink that failed and has not been tried since may be well again: after so long, nothing is known.
const FRESH: Duration = Duration::from_secs(30);

/// Upper bounds of latencies in seconds.
const LATENCIES: [f64; 16] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// What a pipeline has done since the process began.
#[derive(Debug)]
pub struct Meter {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// Bytes that came in, unpacked.
    pub received: Figure,
    /// Bytes that were accepted downstream, before they were packed.
    pub delivered: Figure,
    /// Batches that were accepted downstream.
    pub batches: Figure,
    /// Batches that the downstream has refused for good.
    pub refused: Figure,
    /// Batches that were given up: their senders will send them again.
    pub given_up: Figure,
    /// Batches that could not be taken apart, and were passed on as they are.
    pub opaque: Figure,
    /// Deliveries that were tried again.
    pub retries: Figure,
    /// Seconds from when a batch was read until the downstream had accepted it.
    pub latency: Histogram,
    counts: Mutex<Counts>,
    connections: AtomicI64,
    ended: Mutex<BTreeMap<&'static str, u64>>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    rules: Mutex<Tallies>,
    exceptions: Mutex<BTreeMap<String, Arc<Figure>>>,
    room: Mutex<Option<Room>>,
    matcher: Mutex<Option<Arc<Matcher>>>,
    listening: Mutex<Option<String>>,
    sink: Mutex<String>,
    is_failing: AtomicBool,
    failure: Mutex<Option<(Instant, String)>>,
    logs_matches: AtomicBool,
    matches: Arc<Matches>,
    pace: Pace,
    group: OnceLock<Arc<Group>>,
}

type Tallies = BTreeMap<String, Arc<Tally>>;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Figure(AtomicU64);

impl Figure {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What a rule has found.
#[derive(Debug)]
pub struct Tally {
    /// The rule's title.
    pub title: String,
    /// The rule's level.
    pub level: &'static str,
    /// Matches that nobody suppressed.
    pub matches: Figure,
    /// Matches that an exception suppressed.
    pub suppressed: Figure,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new("", Arc::default())
    }
}

impl Meter {
    /// For a pipeline; its matches are told to `matches`.
    pub fn new(pipeline: &str, matches: Arc<Matches>) -> Meter {
        Meter {
            pipeline: pipeline.into(),
            received: Figure::default(),
            delivered: Figure::default(),
            batches: Figure::default(),
            refused: Figure::default(),
            given_up: Figure::default(),
            opaque: Figure::default(),
            retries: Figure::default(),
            latency: Histogram::new(LATENCIES),
            counts: Mutex::default(),
            connections: AtomicI64::new(0),
            ended: Mutex::default(),
            refusals: Mutex::default(),
            rules: Mutex::default(),
            exceptions: Mutex::default(),
            room: Mutex::default(),
            matcher: Mutex::default(),
            listening: Mutex::default(),
            sink: Mutex::default(),
            is_failing: AtomicBool::new(false),
            failure: Mutex::default(),
            logs_matches: AtomicBool::new(false),
            matches,
            pace: Pace::default(),
            group: OnceLock::new(),
        }
    }

    /// Adds what a tagger has seen.
    pub fn add(&self, counts: Counts) {
        *lock(&self.counts) += counts;
    }

    /// Adds records that no tagger tells apart.
    pub fn add_records(&self, records: u64) {
        lock(&self.counts).records += records;
    }

    /// What taggers have seen.
    pub fn counts(&self) -> Counts {
        *lock(&self.counts)
    }

    /// Whether there is a line in the log for each match.
    pub fn log_matches(&self, log: bool) {
        self.logs_matches.store(log, Relaxed);
    }

    /// From now on, by this matcher: counts its rules and exceptions, and nobody else's. The answer is to be told of the
    /// verdicts of its taggers.
    pub fn observer(self: &Arc<Meter>, matcher: Arc<Matcher>) -> Arc<dyn Observer> {
        *lock(&self.matcher) = Some(matcher.clone());
        let rules = self.tallies(&matcher);
        let mut known = lock(&self.exceptions);
        let old = std::mem::take(&mut *known);
        let mut exceptions = Vec::new();
        for exception in matcher.exceptions() {
            let figure = old.get(&exception.id).cloned().unwrap_or_default();
            let figure = known.entry(exception.id.clone()).or_insert(figure);
            exceptions.push(figure.clone());
        }
        drop(known);
        Arc::new(Watcher {
            meter: self.clone(),
            matcher,
            rules,
            exceptions,
        })
    }

    /// The tallies of a matcher's rules, by their numbers. Those of other rules are forgotten.
    fn tallies(&self, matcher: &Matcher) -> Vec<Arc<Tally>> {
        let mut known = lock(&self.rules);
        let old = std::mem::take(&mut *known);
        let mut tallies = Vec::new();
        for rule in matcher.rules() {
            let same = old.get(&rule.id).cloned();
            let same =
                same.filter(|old| old.title == rule.title && old.level == rule.level.as_str());
            let tally = known.entry(rule.id.clone()).or_insert_with(|| {
                same.unwrap_or_else(|| {
                    Arc::new(Tally {
                        title: rule.title.clone(),
                        level: rule.level.as_str(),
                        matches: Figure::default(),
                        suppressed: Figure::default(),
                    })
                })
            });
            tallies.push(tally.clone());
        }
        tallies
    }

    /// What each rule has found, by id.
    pub fn rules(&self) -> BTreeMap<String, Arc<Tally>> {
        lock(&self.rules).clone()
    }

    /// How many matches each exception has suppressed, by id.
    pub fn exceptions(&self) -> BTreeMap<String, Arc<Figure>> {
        lock(&self.exceptions).clone()
    }

    /// How many exceptions are no longer in force.
    pub fn expired_exceptions(&self, now: Timestamp) -> u64 {
        let matcher = lock(&self.matcher);
        let exceptions = matcher.iter().flat_map(|matcher| matcher.exceptions());
        exceptions
            .filter(|exception| !exception.is_active(now))
            .count() as u64
    }

    /// Whose memory is in use.
    pub fn set_room(&self, room: Room) {
        *lock(&self.room) = Some(room);
    }

    /// Bytes in use, and bytes there are.
    pub fn room(&self) -> (usize, usize) {
        let room = lock(&self.room);
        room.as_ref()
            .map_or((0, 0), |room| (room.used(), room.size()))
    }

    /// Counts a connection until the answer is dropped.
    pub fn connected(self: &Arc<Meter>) -> Connected {
        self.connections.fetch_add(1, Relaxed);
        Connected(self.clone())
    }

    /// Connections now.
    pub fn connections(&self) -> i64 {
        self.connections.load(Relaxed)
    }

    /// Counts a connection that ended early, for this kind of reason.
    pub fn ended_early(&self, reason: &'static str) {
        *lock(&self.ended).entry(reason).or_default() += 1;
    }

    /// Connections that ended early, by kind of reason.
    pub fn ended(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.ended).clone()
    }

    /// Counts a request that the source itself has refused, for this kind of reason.
    pub fn turned_away(&self, reason: &'static str) {
        *lock(&self.refusals).entry(reason).or_default() += 1;
    }

    /// Requests that the source itself has refused, by kind of reason.
    pub fn refusals(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.refusals).clone()
    }

    /// The figures of the member of a Kafka consumer group that the source is; made when they are first asked for.
    pub fn group(&self) -> Arc<Group> {
        self.group.get_or_init(Arc::default).clone()
    }

    /// The same, if the source is a member of a group.
    pub fn known_group(&self) -> Option<&Arc<Group>> {
        self.group.get()
    }

    /// Where the source listens; `None` if it does not, or no longer.
    pub fn set_listening(&self, place: Option<String>) {
        *lock(&self.listening) = place;
    }

    /// Where the source listens.
    pub fn listening(&self) -> Option<String> {
        lock(&self.listening).clone()
    }

    /// Where batches go.
    pub fn set_sink(&self, sink: String) {
        *lock(&self.sink) = sink;
    }

    /// Where batches go; empty if nobody has said.
    pub fn sink(&self) -> String {
        lock(&self.sink).clone()
    }

    /// The downstream has accepted a batch of so many bytes, so long after it was read.
    pub fn accepted(&self, bytes: usize, after: Duration) {
        self.batches.add(1);
        self.delivered.add(bytes as u64);
        self.latency.observe(after.as_secs_f64());
        if self.is_failing.load(Relaxed) {
            *lock(&self.failure) = None;
            self.is_failing.store(false, Relaxed);
        }
    }

    /// The downstream could not be reached, or did not answer as it should.
    pub fn failed(&self, reason: &str) {
        *lock(&self.failure) = Some((Instant::now(), reason.to_owned()));
        self.is_failing.store(true, Relaxed);
    }

    /// Why the downstream fails, if it was so a short while ago.
    pub fn failure(&self) -> Option<String> {
        let failure = lock(&self.failure);
        let failure = failure.as_ref().filter(|(at, _)| at.elapsed() < FRESH);
        failure.map(|(_, reason)| reason.clone())
    }

    /// Why nothing should be sent here now; empty if it may.
    pub fn not_ready(&self) -> Vec<String> {
        let name = &self.pipeline;
        let source = self.listening().is_none();
        let source = source.then(|| format!("{name}: the source does not listen"));
        let sink = self.failure();
        let sink = sink.map(|reason| format!("{name}: the sink fails: {reason}"));
        let group = self.known_group().map(|group| group.not_ready());
        let group = group.into_iter().flatten();
        let group = group.map(|reason| format!("{name}: {reason}"));
        source.into_iter().chain(sink).chain(group).collect()
    }
}

/// A connection that is counted.
#[derive(Debug)]
pub struct Connected(Arc<Meter>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

/// Counts and tells of the verdicts of one matcher.
#[derive(Debug)]
struct Watcher {
    meter: Arc<Meter>,
    matcher: Arc<Matcher>,
    rules: Vec<Arc<Tally>>,
    exceptions: Vec<Arc<Figure>>,
}

impl Observer for Watcher {
    fn observe(&self, verdict: &Verdict) {
        for found in &verdict.matches {
            self.rules[found.rule].matches.add(1);
        }
        for found in &verdict.suppressed {
            self.rules[found.rule].suppressed.add(1);
            self.exceptions[found.exception].add(1);
        }
        let is_told = self.meter.pace.allows(Instant::now());
        let is_logged = self.meter.logs_matches.load(Relaxed);
        if !is_told && !is_logged {
            return;
        }
        for finding in Finding::all(&self.matcher, verdict, true) {
            let event = MatchEvent::new(&self.meter.pipeline, &finding);
            if is_logged {
                log(&event);
            }
            if is_told {
                self.meter.matches.push(event);
            }
        }
    }
}

/// A line about a match. Its texts are an attacker's: as fields that are strings they are quoted and escaped.
fn log(event: &MatchEvent) {
    let on = event.on.iter();
    let on: Vec<String> = on
        .map(|on| format!("{}: {} ({})", on.field, on.value, on.keyword))
        .collect();
    info!(
        target: MATCH,
        pipeline = event.pipeline,
        rule = event.rule,
        title = event.title,
        level = event.level,
        time = event.time,
        who = event.who,
        whom = event.whom.join(", "),
        on = on.join("; "),
        suppressed_by = event.suppressed.as_ref().map(|(id, _)| id),
        "match"
    );
}
