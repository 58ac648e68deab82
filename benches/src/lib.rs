//! What the benchmarks share: traffic in memory, and the peers' plain way to do the same job.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_rule::elastic;
use poseur_rule::model::Rule;
use poseur_rule::types::Types;
use poseur_tagger::{TagOptions, Tagger};
use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES, NAME_WORDS, RULE_A};
use poseur_tests::rules::{Generated, Options, generate};
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Truths, generate_bytes};
use serde_json::{Value, json};

/// A stream of records in memory, and what is true of it.
pub struct Traffic {
    /// NDJSON.
    pub bytes: Vec<u8>,
    /// How many records match, by the generator's own account.
    pub truths: Truths,
}

impl Traffic {
    /// Generates about so many bytes.
    ///
    /// # Panics
    /// If the configuration makes no sense.
    pub fn new(config: Config, bytes: usize) -> Traffic {
        let (bytes, truths) = generate_bytes(config, bytes);
        Traffic { bytes, truths }
    }

    /// Teams audit records: 1 % `ChatCreated`, 0.1 % matching, this share with `\u00` escapes.
    pub fn teams(bytes: usize, escapes: f64) -> Traffic {
        let mut config = Config::new(Kind::Teams, Shape::O365);
        config.escape_rate = escapes;
        Traffic::new(config, bytes)
    }

    /// Teams audit records that are all `ChatCreated`; 0.1 % match.
    pub fn all_candidates(bytes: usize) -> Traffic {
        let mut config = Config::new(Kind::Teams, Shape::O365);
        config.candidate_rate = Some(1.0);
        Traffic::new(config, bytes)
    }

    /// Teams audit records that all match rule A.
    pub fn all_matching(bytes: usize) -> Traffic {
        let mut config = Config::new(Kind::Teams, Shape::O365);
        config.candidate_rate = Some(1.0);
        config.match_rate = 1.0;
        Traffic::new(config, bytes)
    }

    /// MessageEvents as Defender streams them: 30 % of external threads, 1 % matching.
    pub fn message_events(bytes: usize) -> Traffic {
        let mut config = Config::new(Kind::MessageEvents, Shape::Defender);
        config.match_rate = 0.01;
        Traffic::new(config, bytes)
    }

    /// The present moment of the generated traffic.
    pub fn now() -> Timestamp {
        Timestamp::from_second(DEFAULT_AT).unwrap_or_default()
    }
}

/// A tagger with the built-in rules.
///
/// # Panics
/// Never: the built-in rules compile.
pub fn tagger() -> Tagger {
    tagger_with(&[])
}

/// The built-in rules and these.
pub fn with_built_in(more: &[Rule]) -> Vec<Rule> {
    let mut rules = poseur_rule::pack::built_in();
    rules.extend_from_slice(more);
    rules
}

/// A tagger with the built-in rules and others.
///
/// # Panics
/// If these do not compile.
pub fn tagger_with(more: &[Rule]) -> Tagger {
    let rules = with_built_in(more);
    let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), None);
    Tagger::new(
        Arc::new(matcher.expect("the rules compile")),
        TagOptions::default(),
    )
}

/// Five hundred generated rules, the built-in ones included. None matches Teams traffic.
pub fn five_hundred(options: Options) -> Vec<Rule> {
    let options = Options {
        count: 498,
        ..options
    };
    generate(&options).iter().map(Generated::rule).collect()
}

/// The same as Elastic's files, the built-in ones left out.
pub fn five_hundred_files(options: Options) -> Vec<String> {
    let options = Options {
        count: 498,
        ..options
    };
    generate(&options).iter().map(Generated::toml).collect()
}

/// Loads the built-in rules and rule files, from their text to a tagger that is ready.
///
/// # Panics
/// If a file does not load.
pub fn load(files: &[String]) -> Tagger {
    let types = Types::built_in();
    let mut rules = Vec::new();
    for text in files {
        let read = elastic::read("generated.toml", text, &types);
        assert_eq!(read.errors, []);
        rules.extend(read.rules);
    }
    tagger_with(&rules)
}

/// A rule without a literal that matching records hold: with it every record is walked.
pub fn walker() -> Rule {
    let walkers = Options {
        count: 1,
        o365: 1.0,
        unwitnessed: 1.0,
        ..Options::default()
    };
    generate(&walkers)[0].rule()
}

/// Buffers as a stream would hand them over: whole lines, about a mebibyte.
pub fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let target = rest.len().min(1 << 20);
        let end = match memchr::memrchr(b'\n', &rest[..target]) {
            Some(at) => at + 1,
            None => target,
        };
        let (chunk, after) = rest.split_at(end);
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// The plain way: parse a line with serde_json, test rule A by hand, add a key, write it back.
/// Returns whether the record matched.
pub fn parse_and_write(line: &[u8], out: &mut Vec<u8>) -> bool {
    let Ok(mut record) = serde_json::from_slice::<Value>(line) else {
        out.extend_from_slice(line);
        return false;
    };
    let matched = rule_a(&record);
    if matched {
        record["poseur"] = json!({"rules": [RULE_A]});
    }
    // Writing to memory does not fail.
    let _ = serde_json::to_writer(&mut *out, &record);
    out.push(b'\n');
    matched
}

/// Rule A by hand, on a raw record.
pub fn rule_a(record: &Value) -> bool {
    let gates = record["Operation"] == "ChatCreated"
        && record["Workload"] == "MicrosoftTeams"
        && record["CommunicationType"] == "OneOnOne"
        && record["ParticipantInfo"]["HasOtherGuestUsers"] == false
        && record["ParticipantInfo"]["HasGuestUsers"] == false
        && record["ParticipantInfo"]["HasForeignTenantUsers"] == true
        && !matches!(
            record["ResultStatus"]
                .as_str()
                .map(str::to_lowercase)
                .as_deref(),
            Some("failed" | "false")
        );
    if !gates {
        return false;
    }
    let user = record["UserId"].as_str().unwrap_or_default();
    let parts: Vec<&str> = user.split('@').collect();
    let by_user = parts.len() == 2
        && (EMAIL_WORDS.iter().any(|word| user.contains(word))
            || NAME_WORDS.iter().any(|word| parts[0].contains(word)));
    by_user || any_leaf(&record["Members"], &|text| MEMBER_NAMES.contains(&text))
}

fn any_leaf(value: &Value, test: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => test(text),
        Value::Array(items) => items.iter().any(|item| any_leaf(item, test)),
        Value::Object(members) => members.values().any(|value| any_leaf(value, test)),
        _ => false,
    }
}
