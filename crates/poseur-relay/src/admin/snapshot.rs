//! The state of all pipelines, for the live page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::Serialize;

use crate::telemetry::{Meter, Telemetry, metrics};

/// So many rates are kept: one a second.
const KEPT: usize = 60;

/// Rules with a match that are listed, those with most first.
const RULES: usize = 50;

/// What a pipeline does in a second: records and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    records: u64,
    bytes: u64,
}

/// What became of a pipeline's figures second by second.
#[derive(Debug)]
struct Past {
    at: Instant,
    totals: Totals,
    records: VecDeque<u64>,
    bytes: VecDeque<u64>,
}

/// Takes the state once a second.
#[derive(Debug, Default)]
pub(super) struct Sampler(BTreeMap<Arc<str>, Past>);

#[derive(Debug, Serialize)]
struct Snapshot<'a> {
    version: &'a str,
    /// Milliseconds since 1970.
    now: u64,
    /// Seconds.
    up: u64,
    not_ready: Vec<String>,
    reloads: Reloads,
    pipelines: Vec<Pipeline>,
}

#[derive(Debug, Serialize)]
struct Reloads {
    taken: u64,
    refused: u64,
    last_taken: Option<u64>,
    wrong: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Pipeline {
    name: String,
    listening: Option<String>,
    sink: String,
    failure: Option<String>,
    connections: i64,
    /// Connections that ended early.
    ended: u64,
    records: u64,
    received: u64,
    delivered: u64,
    matched: u64,
    matches: u64,
    suppressed: u64,
    unreadable: u64,
    opaque: u64,
    retries: u64,
    refused: u64,
    given_up: u64,
    expired: u64,
    room_used: usize,
    room: usize,
    /// By the second, the last one last.
    records_by_second: Vec<u64>,
    bytes_by_second: Vec<u64>,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
struct Rule {
    id: String,
    title: String,
    level: &'static str,
    matches: u64,
    suppressed: u64,
}

impl Sampler {
    /// The state now, as JSON in one line.
    pub(super) fn sample(&mut self, telemetry: &Telemetry, now: Instant) -> String {
        let meters = telemetry.meters();
        self.0
            .retain(|name, _| meters.iter().any(|meter| meter.pipeline == *name));
        let reloads = telemetry.reloads();
        let snapshot = Snapshot {
            version: metrics::VERSION,
            now: millis(SystemTime::now()),
            up: now.duration_since(telemetry.since).as_secs(),
            not_ready: telemetry.not_ready(),
            reloads: Reloads {
                taken: reloads.taken,
                refused: reloads.refused,
                last_taken: reloads.last_taken.map(millis),
                wrong: reloads.wrong,
            },
            pipelines: meters
                .iter()
                .map(|meter| self.pipeline(meter, now))
                .collect(),
        };
        // Names are texts and figures are numbers: there is nothing that JSON does not have.
        serde_json::to_string(&snapshot).unwrap_or_default()
    }

    fn pipeline(&mut self, meter: &Meter, now: Instant) -> Pipeline {
        let counts = meter.counts();
        let totals = Totals {
            records: counts.records,
            bytes: meter.received.get(),
        };
        let past = self.0.entry(meter.pipeline.clone());
        let past = past.or_insert_with(|| Past {
            at: now,
            totals,
            records: VecDeque::new(),
            bytes: VecDeque::new(),
        });
        past.note(totals, now);
        let (room_used, room) = meter.room();
        let rules = meter.rules().into_iter().map(|(id, tally)| Rule {
            id,
            title: tally.title.clone(),
            level: tally.level,
            matches: tally.matches.get(),
            suppressed: tally.suppressed.get(),
        });
        let mut rules: Vec<Rule> = rules
            .filter(|rule| rule.matches + rule.suppressed > 0)
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.matches));
        rules.truncate(RULES);
        Pipeline {
            name: meter.pipeline.to_string(),
            listening: meter.listening(),
            sink: meter.sink(),
            failure: meter.failure(),
            connections: meter.connections(),
            ended: meter.ended().values().sum(),
            records: totals.records,
            received: totals.bytes,
            delivered: meter.delivered.get(),
            matched: counts.matched,
            matches: counts.matches,
            suppressed: counts.suppressed,
            unreadable: counts.all_unreadable(),
            opaque: meter.opaque.get(),
            retries: meter.retries.get(),
            refused: meter.refused.get(),
            given_up: meter.given_up.get(),
            expired: meter.expired_exceptions(Timestamp::now()),
            room_used,
            room,
            records_by_second: past.records.iter().copied().collect(),
            bytes_by_second: past.bytes.iter().copied().collect(),
            rules,
        }
    }
}

impl Past {
    fn note(&mut self, totals: Totals, now: Instant) {
        let seconds = now.duration_since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let rate = |total: u64, before: u64| {
            (total.saturating_sub(before) as f64 / seconds).round() as u64
        };
        for (rates, rate) in [
            (&mut self.records, rate(totals.records, self.totals.records)),
            (&mut self.bytes, rate(totals.bytes, self.totals.bytes)),
        ] {
            if rates.len() == KEPT {
                rates.pop_front();
            }
            rates.push_back(rate);
        }
        (self.at, self.totals) = (now, totals);
    }
}

/// Milliseconds since 1970.
fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;

    #[test]
    fn rates_are_by_the_second() {
        let telemetry = Telemetry::default();
        let meter = telemetry.meter("a");
        let (mut sampler, start) = (Sampler::default(), Instant::now());
        let mut sample = |seconds: f64| -> Value {
            let at = start + Duration::from_secs_f64(seconds);
            serde_json::from_str(&sampler.sample(&telemetry, at)).unwrap()
        };
        sample(0.0);
        meter.received.add(1000);
        meter.add_records(10);
        sample(2.0);
        let snapshot = sample(3.0);
        let pipeline = &snapshot["pipelines"][0];
        assert_eq!(pipeline["records_by_second"], serde_json::json!([5, 0]));
        assert_eq!(pipeline["bytes_by_second"], serde_json::json!([500, 0]));
        assert_eq!(pipeline["name"], "a");
        for second in 4..100 {
            sample(f64::from(second));
        }
        let snapshot = sample(100.0);
        let kept = snapshot["pipelines"][0]["records_by_second"].as_array();
        assert_eq!(kept.unwrap().len(), KEPT);
    }
}
