//! Matches as they happen, for those who look on.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use poseur_tagger::finding::Finding;
use serde::Serialize;

use super::lock;

/// So many are kept for those who come later.
pub const KEPT: usize = 200;

/// Of a pipeline, so many in [`PACE`] are told of in detail. Who looks on cannot read more, and a match should cost no
/// more than its tag. All are counted.
const TOLD: u32 = 50;
const PACE: Duration = Duration::from_secs(1);

/// Characters of a text, and items of a list. They are an attacker's to choose.
const LONGEST: usize = 200;
const MOST: usize = 8;

/// A match, or one that an exception suppressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatchEvent {
    /// Counted from 1 since the process began.
    pub number: u64,
    /// When it was seen, in milliseconds since 1970.
    pub seen: u64,
    /// The pipeline.
    pub pipeline: String,
    /// The rule's id.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// The rule's level.
    pub level: &'static str,
    /// When it happened, as the record says.
    pub time: Option<String>,
    /// Who did it.
    pub who: Option<String>,
    /// Against whom; the first of them.
    pub whom: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// What satisfied the rule; the first of it.
    pub on: Vec<OnEvent>,
    /// The exception that suppressed it: its id and its reason.
    pub suppressed: Option<(String, String)>,
}

/// What satisfied a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnEvent {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What the rule looks for.
    pub keyword: String,
}

impl MatchEvent {
    /// With everything that is told of a finding; not numbered yet.
    pub fn new(pipeline: &str, finding: &Finding<'_>) -> MatchEvent {
        let rule = finding.rule();
        let mut whom = finding.whom();
        let more = whom.len().saturating_sub(MOST);
        whom.truncate(MOST);
        let on = finding.on().take(MOST).map(|on| OnEvent {
            field: clip(&on.field),
            value: clip(&on.value),
            keyword: clip(&on.keyword),
        });
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        MatchEvent {
            number: 0,
            seen: since_1970.map_or(0, |since| since.as_millis() as u64),
            pipeline: pipeline.to_owned(),
            rule: clip(&rule.id),
            title: clip(&rule.title),
            level: rule.level.as_str(),
            time: finding.time().map(|time| clip(&time)),
            who: finding.who().map(|who| clip(&who)),
            whom: whom.iter().map(|whom| clip(whom)).collect(),
            more,
            on: on.collect(),
            suppressed: finding
                .exception()
                .map(|exception| (clip(&exception.id), clip(&exception.reason))),
        }
    }
}

/// A text that is not too long.
fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The newest matches of a process. Nobody who writes waits for those who read: who is slow misses some.
#[derive(Debug, Default)]
pub struct Matches(Mutex<Newest>);

#[derive(Debug, Default)]
struct Newest {
    last: u64,
    events: VecDeque<Arc<MatchEvent>>,
}

impl Matches {
    /// Takes one, and gives it its number.
    pub fn push(&self, mut event: MatchEvent) {
        let mut newest = lock(&self.0);
        newest.last += 1;
        event.number = newest.last;
        if newest.events.len() == KEPT {
            newest.events.pop_front();
        }
        newest.events.push_back(Arc::new(event));
    }

    /// Those that are still there and came after this number, in their order.
    pub fn since(&self, number: u64) -> Vec<Arc<MatchEvent>> {
        let newest = lock(&self.0);
        let new = newest.events.iter().rev();
        let mut new: Vec<_> = new
            .take_while(|event| event.number > number)
            .cloned()
            .collect();
        new.reverse();
        new
    }
}

/// Lets so many in a time pass.
#[derive(Debug)]
pub struct Pace(Mutex<(Instant, u32)>);

impl Default for Pace {
    fn default() -> Pace {
        Pace(Mutex::new((Instant::now(), 0)))
    }
}

impl Pace {
    /// Whether one more may pass.
    pub fn allows(&self, now: Instant) -> bool {
        let mut pace = lock(&self.0);
        if now.duration_since(pace.0) >= PACE {
            *pace = (now, 0);
        }
        pace.1 = pace.1.saturating_add(1);
        pace.1 <= TOLD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> MatchEvent {
        MatchEvent {
            number: 0,
            seen: 0,
            pipeline: "a".into(),
            rule: "r".into(),
            title: "t".into(),
            level: "high",
            time: None,
            who: None,
            whom: Vec::new(),
            more: 0,
            on: Vec::new(),
            suppressed: None,
        }
    }

    #[test]
    fn the_newest_are_kept() {
        let matches = Matches::default();
        assert!(matches.since(0).is_empty());
        for _ in 0..KEPT + 5 {
            matches.push(event());
        }
        let numbers = |since| -> Vec<u64> {
            let events = matches.since(since);
            events.iter().map(|event| event.number).collect()
        };
        let last = (KEPT + 5) as u64;
        assert_eq!(numbers(0), (6..=last).collect::<Vec<_>>());
        assert_eq!(numbers(last - 2), [last - 1, last]);
        assert!(numbers(last).is_empty());
        assert!(numbers(last + 7).is_empty());
    }

    #[test]
    fn a_flood_is_told_of_in_part() {
        let (pace, now) = (Pace::default(), Instant::now());
        let allowed = |now| (0..1000).filter(|_| pace.allows(now)).count();
        assert_eq!(allowed(now), TOLD as usize);
        assert_eq!(allowed(now + PACE / 2), 0);
        assert_eq!(allowed(now + PACE * 2), TOLD as usize);
    }

    #[test]
    fn texts_end_somewhere() {
        assert_eq!(clip("é"), "é");
        assert_eq!(clip(&"é".repeat(LONGEST)), "é".repeat(LONGEST));
        let long = clip(&"é".repeat(100_000));
        assert_eq!(long, "é".repeat(LONGEST) + "…");
    }
}
