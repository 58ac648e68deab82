//! The conformance suite: records that every host of the matcher judges, and what the reference evaluator says
//! of each.
//!
//! A host is anything that takes a record and gives it back, tagged or not: the tagger of lines, that
//! of MessagePack, the shared object, the WebAssembly module, the VRL functions, the exported VRL program. The
//! records are such that all of them read the same: see [`Case::record`].

use jiff::Timestamp;
use poseur_rule::model::Rule;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config as Runs, RngAlgorithm, TestRng, TestRunner};

use crate::reference::json::{self, Value};
use crate::reference::{Outcome, verdicts};
use crate::strategies;
use crate::traffic::{Config, Kind, Shape, Traffic};

/// Lines of each kind of traffic.
const LINES: usize = 1_500;

/// Lines around the edges of the built-in rules.
const EDGES: usize = 3_000;

/// A record and what it is to be told of.
#[derive(Debug, Clone)]
pub struct Case {
    /// A JSON object in one line: UTF-8, keys sorted and none twice, whole numbers of at most 15 digits, 60
    /// levels, no tag yet; the same holds for JSON inside its strings.
    pub record: Vec<u8>,
    /// The ids of its rules. One list for the record, or for each one in it that is tagged by itself, in
    /// order; records that match nothing have none.
    pub rules: Vec<Vec<String>>,
}

/// The suite for these rules: traffic of all kinds in all shapes, and records around every edge of the
/// built-in rules. The same records each time, but for the times in the traffic, which lie before `at`.
pub fn suite(rules: &[Rule], at: Timestamp) -> Vec<Case> {
    let mut lines = Vec::new();
    for kind in [Kind::Teams, Kind::Mixed, Kind::MessageEvents] {
        let mut config = Config::new(kind, Shape::All);
        config.at = at.as_second();
        config.candidate_rate = Some(0.5);
        config.match_rate = 0.25;
        config.escape_rate = 0.1;
        let mut traffic = Traffic::new(config).expect("the configuration holds together");
        for _ in 0..LINES {
            let mut line = Vec::new();
            traffic.next(&mut line);
            lines.push(line);
        }
    }
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Runs::default(), random);
    lines.extend((0..EDGES).map(|_| {
        let line = strategies::lines().new_tree(&mut runner);
        line.expect("a line can be made").current().0
    }));
    let records = lines.iter().flat_map(|line| records(line));
    let case = |record: Vec<u8>| Case {
        rules: expected(rules, &record, at),
        record,
    };
    records.map(case).collect()
}

/// Runs the suite for the built-in rules through a host, which answers with the record as JSON.
/// Returns the number of records and of those that were tagged.
///
/// # Panics
/// If an answer holds other tags than expected, or a tag too many, or if the suite proves nothing.
pub fn check(at: Timestamp, mut host: impl FnMut(&[u8]) -> Vec<u8>) -> (usize, usize) {
    let cases = suite(&poseur_rule::pack::built_in(), at);
    let tagged = cases.iter().filter(|case| case.check(&host(&case.record)));
    proves((cases.len(), tagged.count()))
}

/// The same for a host that takes many records at once, and answers with one record for each, in their order.
///
/// # Panics
/// As [`check`], and if a record is missing, or holds something else than it did beside its tags.
pub fn check_together(cases: &[Case], answers: &[Vec<u8>]) -> (usize, usize) {
    assert_eq!(answers.len(), cases.len(), "a record for each");
    let pairs = cases.iter().zip(answers);
    let tagged = pairs.filter(|(case, answer)| {
        let is_tagged = case.check(answer);
        let [record, bare] = [&case.record, *answer].map(|json| untagged(json));
        assert!(
            record == bare,
            "{}\ncame out as {}",
            String::from_utf8_lossy(&case.record),
            String::from_utf8_lossy(answer)
        );
        is_tagged
    });
    proves((cases.len(), tagged.count()))
}

fn proves((all, tagged): (usize, usize)) -> (usize, usize) {
    assert!(
        all > 4_000 && tagged > 1_000,
        "{tagged} of {all} prove little"
    );
    (all, tagged)
}

impl Case {
    /// Whether the record was tagged, as it must be.
    fn check(&self, answer: &[u8]) -> bool {
        let text = String::from_utf8_lossy(answer);
        let found = found(answer).unwrap_or_else(|| panic!("no JSON: {text}"));
        let record = String::from_utf8_lossy(&self.record);
        assert_eq!(
            found, self.rules,
            "the rules of {record}\ncame out as {text}"
        );
        !found.is_empty()
    }
}

/// A record without its tags, its keys in the order of the alphabet: so some hosts keep them.
fn untagged(record: &[u8]) -> Option<Vec<u8>> {
    let value = json::parse(record).ok()?.value;
    Some(json::compact(&without_tags(value)))
}

fn without_tags(value: Value) -> Value {
    match value {
        Value::Map(mut members) => {
            members.retain(|(key, _)| key != b"poseur");
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members.into_iter();
            Value::Map(
                members
                    .map(|(key, value)| (key, without_tags(value)))
                    .collect(),
            )
        }
        Value::List(items) => Value::List(items.into_iter().map(without_tags).collect()),
        other => other,
    }
}

/// The ids in the tags of a record, in order; `None` if it is no JSON.
fn found(record: &[u8]) -> Option<Vec<Vec<String>>> {
    let mut found = Vec::new();
    collect(&json::parse(record).ok()?.value, &mut found);
    Some(found)
}

fn collect(value: &Value, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Map(members) => {
            for (key, value) in members {
                match key.as_slice() {
                    b"poseur" => found.push(ids(value)),
                    _ => collect(value, found),
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The ids in a tag.
pub fn ids(tag: &Value) -> Vec<String> {
    let Value::Map(members) = tag else {
        return Vec::new();
    };
    let rules = members.iter().find(|(key, _)| key == b"rules");
    let Some((_, Value::List(ids))) = rules else {
        return Vec::new();
    };
    let text = |id: &Value| match id {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    ids.iter().map(text).collect()
}

/// What the reference evaluator says.
fn expected(rules: &[Rule], record: &[u8], at: Timestamp) -> Vec<Vec<String>> {
    let Outcome::Records(records) = verdicts(record, rules, at, None) else {
        return Vec::new();
    };
    let rules = records.into_iter().map(|record| record.rules);
    rules.filter(|rules| !rules.is_empty()).collect()
}

/// The records of a line, as every host can have them.
fn records(line: &[u8]) -> Vec<Vec<u8>> {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let records = match json::parse(line).map(|parsed| parsed.value) {
        Ok(Value::List(items)) => items,
        Ok(record) => vec![record],
        Err(_) => Vec::new(),
    };
    let records = records.into_iter().filter_map(|record| settled(record, 60));
    let records = records.filter(|record| matches!(record, Value::Map(_)));
    records.map(|record| json::compact(&record)).collect()
}

/// The value with its keys sorted; `None` if some host could read another one.
fn settled(value: Value, depth: usize) -> Option<Value> {
    Some(match value {
        Value::Map(members) => {
            let depth = depth.checked_sub(1)?;
            let mut all = Vec::new();
            for (key, value) in members {
                if key == b"poseur" || std::str::from_utf8(&key).is_err() {
                    return None;
                }
                all.push((key, settled(value, depth)?));
            }
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            if all.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return None;
            }
            Value::Map(all)
        }
        Value::List(items) => {
            let depth = depth.checked_sub(1)?;
            let items = items.into_iter().map(|item| settled(item, depth));
            Value::List(items.collect::<Option<_>>()?)
        }
        Value::Number(number) => {
            let digits = number.strip_prefix('-').unwrap_or(&number);
            let whole = digits.len() <= 15 && digits.bytes().all(|digit| digit.is_ascii_digit());
            (whole && number != "-0").then_some(Value::Number(number))?
        }
        Value::Text(text) => {
            std::str::from_utf8(&text).ok()?;
            let inside = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text);
            match json::parse(inside) {
                Ok(parsed) => match settled(parsed.value, depth)? {
                    inside @ (Value::Map(_) | Value::List(_)) => {
                        Value::Text(json::compact(&inside))
                    }
                    _ => Value::Text(text),
                },
                Err(json::Fault::TooDeep) => return None,
                Err(json::Fault::Syntax) => Value::Text(text),
            }
        }
        other => other,
    })
}
