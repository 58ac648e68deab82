//! The matcher beside the program exported from it.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_rule::exception::Exception;
use poseur_rule::model::Rule;
use poseur_tagger::{Style, TagOptions, Tagger};
use poseur_tests::reference::json;
use poseur_vrl::export::Export;
use vrl::value::Value;

use crate::program::{Program, line};

/// The matcher beside the program exported from it.
pub struct Both {
    tagger: Tagger,
    /// The exported program.
    pub program: Program,
    at: Timestamp,
}

/// What both said about an event.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// It has a tag.
    pub tagged: bool,
    /// A match was suppressed, for sure if the style says so.
    pub suppressed: bool,
}

impl Both {
    /// Compiles and exports. `at` is now.
    ///
    /// # Errors
    /// What cannot be compiled or exported, in words.
    pub fn new(
        rules: Vec<Rule>,
        exceptions: Vec<Exception>,
        schema: Option<&str>,
        style: Style,
        at: Timestamp,
    ) -> Result<Both, String> {
        let matcher = Matcher::new(rules, exceptions, schema::built_in(), schema)
            .map_err(|error| error.to_string())?;
        let matcher = Arc::new(matcher);
        let options = TagOptions {
            style,
            ..TagOptions::default()
        };
        let export = Export::new(&matcher, schema, options.clone(), Some(at));
        let source = export.vrl().map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("\n")
        })?;
        Ok(Both {
            tagger: Tagger::new(matcher, options),
            program: Program::new(&source),
            at,
        })
    }

    /// Compares what both make of an event.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn check(&mut self, event: Value) -> Told {
        let before = line(&event);
        let expected = self.tagger.tag(&before, self.at).to_vec();
        let tagged = expected != before;
        let mut expected: Value = serde_json::from_slice(&expected).expect("a tagged line is JSON");
        without_on(&mut expected);
        let text = String::from_utf8_lossy(&line(&self.program.run(event))).into_owned();
        // Both are read again: that may round a float in its last digit.
        let answer: Value = serde_json::from_str(&text).expect("an event is JSON");
        assert_eq!(
            String::from_utf8_lossy(&line(&answer)),
            String::from_utf8_lossy(&line(&expected)),
            "of {}",
            String::from_utf8_lossy(&before)
        );
        let marks = ["\"suppressed\":[", "\"rules\":[]", "-suppressed\""];
        Told {
            tagged,
            suppressed: marks.iter().any(|mark| text.contains(mark)),
        }
    }
}

/// The program does not say which values satisfied a rule.
fn without_on(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::Array(matches)) = members.get_mut("matches") {
                for found in matches {
                    if let Value::Object(found) = found {
                        found.remove("on");
                    }
                }
            }
            members.values_mut().for_each(without_on);
        }
        Value::Array(items) => items.iter_mut().for_each(without_on),
        _ => {}
    }
}

/// The event as the reference evaluator reads it.
///
/// # Panics
/// Never: an event is JSON.
pub fn plain(event: &Value) -> json::Value {
    json::parse(&line(event)).expect("events are JSON").value
}

/// Whether a JSON text in a string of the event holds what VRL's `parse_json` does not keep: equal keys in one
/// object, numbers beyond 64-bit floats, 128 levels. docs/export.md says so.
pub fn loses(value: &json::Value, embedded: bool) -> bool {
    match value {
        json::Value::Map(members) => {
            let mut keys: Vec<&Vec<u8>> = members.iter().map(|(key, _)| key).collect();
            keys.sort();
            let same = keys.windows(2).any(|pair| pair[0] == pair[1]);
            embedded && same || members.iter().any(|(_, value)| loses(value, embedded))
        }
        json::Value::List(items) => items.iter().any(|item| loses(item, embedded)),
        json::Value::Number(number) => embedded && !number.parse::<f64>().is_ok_and(f64::is_finite),
        json::Value::Text(text) => {
            match json::parse(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text)) {
                Ok(parsed) => depth(&parsed.value) >= 127 || loses(&parsed.value, true),
                Err(_) => false,
            }
        }
        _ => false,
    }
}

fn depth(value: &json::Value) -> usize {
    match value {
        json::Value::Map(members) => {
            1 + members
                .iter()
                .map(|(_, value)| depth(value))
                .max()
                .unwrap_or(0)
        }
        json::Value::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
