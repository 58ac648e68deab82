//! The tagger against the reference evaluator: the check that property tests and fuzz targets share.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_rule::model::Rule;
use poseur_tagger::{Lines, TagOptions, Tagger};

use crate::conformance::ids;
use crate::reference::json::{self, Value};
use crate::reference::{Outcome, verdicts};

/// The key of the default tag.
const KEY: &[u8] = b"poseur";

/// A matcher for rules, exceptions aside.
///
/// # Panics
/// If the rules cannot be compiled.
pub fn matcher(rules: Vec<Rule>, schema: Option<&str>) -> Arc<Matcher> {
    let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), schema);
    Arc::new(matcher.expect("rules that compile"))
}

/// What the reference evaluator says of a line: unreadable, or the records that match, each with
/// the position of its closing brace and the ids of its rules.
fn plain(
    rules: &[Rule],
    line: &[u8],
    at: Timestamp,
    schema: Option<&str>,
) -> Option<Vec<(usize, Vec<String>)>> {
    match verdicts(line, rules, at, schema) {
        Outcome::Unreadable(_) => None,
        Outcome::Records(records) => Some(
            records
                .into_iter()
                .filter(|record| !record.rules.is_empty())
                .map(|record| (record.brace, record.rules))
                .collect(),
        ),
        Outcome::Blank | Outcome::NoSuchSchema => Some(Vec::new()),
    }
}

/// Rules, and everything that judges by them.
pub struct Agreement {
    rules: Vec<Rule>,
    schema: Option<String>,
    matcher: Arc<Matcher>,
    lines: Lines,
    tagger: Tagger,
    thorough: Tagger,
}

impl Agreement {
    /// For rules and a forced schema.
    ///
    /// # Panics
    /// If the rules cannot be compiled.
    pub fn new(rules: &[Rule], schema: Option<&str>) -> Agreement {
        let matcher = matcher(rules.to_vec(), schema);
        let thorough = || Lines::new(matcher.clone()).check_all();
        Agreement {
            rules: rules.to_vec(),
            schema: schema.map(str::to_owned),
            lines: thorough(),
            tagger: Tagger::new(matcher.clone(), TagOptions::default()),
            thorough: Tagger::with_lines(thorough(), TagOptions::default()),
            matcher,
        }
    }

    /// What the tagger says of a line, in the reference's form.
    fn fast(&mut self, line: &[u8], at: Timestamp) -> Option<Vec<(usize, Vec<String>)>> {
        let mut hits = Vec::new();
        let before = self.lines.counts.all_unreadable();
        self.lines.read(line, at, &mut |hit| {
            let rules = hit
                .verdict
                .rules()
                .map(|rule| self.matcher.rules()[rule].id.clone());
            hits.push((hit.root.end - 1, rules.collect()));
            Ok(())
        });
        (self.lines.counts.all_unreadable() == before).then_some(hits)
    }

    /// Checks everything about one line (without its line feed): verdicts as the reference has
    /// them, the same output with and without candidate search, and tags that are the only change.
    /// Returns the output.
    ///
    /// # Panics
    /// If any of it is not so.
    pub fn check(&mut self, line: &[u8], at: Timestamp) -> Vec<u8> {
        let expected = plain(&self.rules, line, at, self.schema.as_deref());
        assert_eq!(
            self.fast(line, at),
            expected,
            "verdicts differ from the reference"
        );

        let output = self.tagger.tag(line, at).to_vec();
        let without_search = self.thorough.tag(line, at).to_vec();
        assert_eq!(
            output, without_search,
            "the candidate search changes the output"
        );

        let records = expected.unwrap_or_default();
        if records.is_empty() {
            assert_eq!(output, line, "a line without a match was changed");
        } else {
            assert_only_tags_added(line, &output, &records);
        }
        output
    }

    /// Checks a buffer of lines: each by itself, and that together they give the same output.
    ///
    /// # Panics
    /// If any of it is not so.
    pub fn check_lines(&mut self, buffer: &[u8], at: Timestamp) {
        let mut expected = Vec::new();
        for line in buffer.split_inclusive(|byte| *byte == b'\n') {
            let body = line.strip_suffix(b"\n").unwrap_or(line);
            expected.extend(self.check(body, at));
            expected.extend_from_slice(&line[body.len()..]);
        }
        let before = self.tagger.counts().records;
        assert_eq!(
            self.tagger.tag(buffer, at).to_vec(),
            expected,
            "lines influence each other"
        );
        let lines = buffer.split_inclusive(|byte| *byte == b'\n').count() as u64;
        assert_eq!(
            self.tagger.counts().records - before,
            lines,
            "lines are miscounted"
        );
    }
}

/// [`Agreement::check`] for rules that are used once.
///
/// # Panics
/// If anything is not as it should be.
pub fn check(rules: &[Rule], line: &[u8], at: Timestamp, schema: Option<&str>) {
    Agreement::new(rules, schema).check(line, at);
}

/// Checks that an output line is its input with a tag in each of these records and no other change.
///
/// # Panics
/// If it is not.
pub fn assert_only_tags_added(line: &[u8], output: &[u8], records: &[(usize, Vec<String>)]) {
    let mark = if line.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    let before = json::parse(&line[mark..]).expect("a matched line is valid");
    let after = json::parse(&output[mark..]).expect("a tagged line is valid");
    // Value for value: the same but for the tags.
    let mut tags = Vec::new();
    let stripped = strip(after.value, &mut Vec::new());
    assert_eq!(
        stripped,
        strip(before.value.clone(), &mut tags),
        "a value was changed"
    );

    // Byte for byte: where no key was there before, what is left after taking out what was put in
    // is the input.
    if tags.is_empty() {
        let mut rest = output;
        let mut done = 0;
        for (brace, rules) in records {
            let (same, tail) = rest.split_at(brace - done);
            assert_eq!(same, &line[done..*brace], "bytes before a tag were changed");
            let tail = tail.strip_prefix(b",").unwrap_or(tail);
            let tag = tail
                .strip_prefix(b"\"poseur\":")
                .expect("a tag before the closing brace");
            let length = object_length(tag);
            let Ok(parsed) = json::parse(&tag[..length]) else {
                panic!("the tag is not valid JSON");
            };
            assert_eq!(ids(&parsed.value), *rules, "the tag names other rules");
            assert!(
                std::str::from_utf8(&tag[..length]).is_ok(),
                "the tag is not UTF-8"
            );
            rest = &tag[length..];
            done = *brace;
        }
        assert_eq!(rest, &line[done..], "bytes after the last tag were changed");
    }
}

/// Length of the JSON object a text starts with, by counting braces outside strings.
fn object_length(text: &[u8]) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0, false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// A value without the members that have the tag's key, at every level; these go to `taken`.
fn strip(value: Value, taken: &mut Vec<Value>) -> Value {
    match value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| strip(item, taken)).collect())
        }
        Value::Map(members) => {
            let mut kept = Vec::new();
            for (key, value) in members {
                if key == KEY {
                    taken.push(value);
                } else {
                    kept.push((key, strip(value, taken)));
                }
            }
            Value::Map(kept)
        }
        scalar => scalar,
    }
}
