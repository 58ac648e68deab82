//! MessagePack: the same verdicts and tags as for the same record as JSON, and nothing else changed.

use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_rule::model::Rule;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::msgpack::head::nesting;
use poseur_tagger::{Style, TagOptions};
use poseur_tests::agreement::matcher;
use poseur_tests::msgpack::{TIMES, packed, unpacked};
use poseur_tests::strategies::{self, config, now, random};
use poseur_tests::tagging::styled;
use proptest::prelude::*;
use rmpv::Value;

const STYLES: [Style; 3] = [Style::Namespace, Style::Ecs, Style::Minimal];

fn chunk_tagger(matcher: Arc<Matcher>, style: Style) -> ChunkTagger {
    let options = TagOptions {
        style,
        ..TagOptions::default()
    };
    ChunkTagger::new(matcher, options)
}

fn agree(rules: &[Rule], line: &[u8]) {
    let Some(map) = packed(line) else { return };
    let json = unpacked(&map);
    assert_eq!(packed(&json).as_ref(), Some(&map), "from JSON and back");
    let matcher = matcher(rules.to_vec(), None);
    for style in STYLES {
        let tagged = styled(matcher.clone(), style).tag(&json, now()).to_vec();
        let expected = packed(&tagged).expect("a tagged record is readable");
        let mut chunks = chunk_tagger(matcher.clone(), style);
        for time in TIMES {
            let event = [time, &map].concat();
            let found = chunks.tag(&event, now()).unwrap().to_vec();
            assert_eq!(found, [time, &expected].concat(), "{style:?}");
        }
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn built_in_rules_agree_with_json(line in strategies::lines()) {
        agree(&poseur_rule::pack::built_in(), &line.0);
    }

    #[test]
    fn random_rules_agree_with_json(rules in random::rules(), line in random::lines()) {
        agree(&rules, &line.0);
    }
}

/// Anything that MessagePack can say, with texts that rules are about.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z \"\\\\]{0,40}".prop_map(Value::from),
        prop::sample::select(vec![
            "ChatCreated",
            "MicrosoftTeams",
            "Help Desk",
            "OneOnOne"
        ])
        .prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Binary),
        (any::<i8>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::Array),
            prop::collection::vec((inner.clone(), inner), 0..20).prop_map(Value::Map),
        ]
    })
}

fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    rmpv::encode::write_value(&mut out, value).unwrap();
    out
}

/// A record that matches rule A, with members that no rule asks for.
fn matching(more: Vec<(Value, Value)>) -> Value {
    let text = |text: &str| Value::from(text);
    let flags = [
        ("HasForeignTenantUsers", true),
        ("HasGuestUsers", false),
        ("HasOtherGuestUsers", false),
    ];
    let flags = flags.map(|(name, flag)| (text(name), Value::from(flag)));
    let mut members = vec![
        (text("Workload"), text("MicrosoftTeams")),
        (text("Operation"), text("ChatCreated")),
        (text("RecordType"), Value::from(25)),
        (text("CreationTime"), text("2026-11-20T08:00:00")),
        (text("UserId"), text("helpdesk@fabrikam.example")),
        (text("CommunicationType"), text("OneOnOne")),
        (text("ParticipantInfo"), Value::Map(flags.into())),
    ];
    let unknown = more.into_iter().filter(|(key, _)| {
        let known = members.iter().any(|(name, _)| name == key);
        !known && key.as_str() != Some("poseur")
    });
    let unknown: Vec<_> = unknown.collect();
    members.splice(3..3, unknown);
    Value::Map(members)
}

/// What stands in a map after its head.
fn contents(map: &[u8]) -> &[u8] {
    &map[match map[0] {
        0xDE => 3,
        0xDF => 5,
        _ => 1,
    }..]
}

proptest! {
    #![proptest_config(config(2_000))]

    /// Any chunk: events that match and others, of every form.
    #[test]
    fn nothing_but_tags_is_added(
        events in prop::collection::vec((any::<bool>(), 0..2_usize, value(), value()), 0..8),
    ) {
        let mut chunks = chunk_tagger(matcher(poseur_rule::pack::built_in(), None), Style::Namespace);
        let (mut chunk, mut known) = (Vec::new(), Vec::new());
        for (matches, time, any, more) in events {
            let event = match (matches, more) {
                (true, Value::Map(more)) => [TIMES[time], &bytes(&matching(more))].concat(),
                (true, _) => [TIMES[time], &bytes(&matching(Vec::new()))].concat(),
                (false, _) => bytes(&any),
            };
            chunk.extend_from_slice(&event);
            known.push((matches.then_some(TIMES[time].len()), event));
        }
        let tagged = chunks.tag(&chunk, now()).unwrap().to_vec();
        let mut rest = &tagged[..];
        for (record, event) in known {
            let Some(record) = record else {
                prop_assert!(rest.starts_with(&event));
                rest = &rest[event.len()..];
                continue;
            };
            prop_assert!(rest.starts_with(&event[..record]));
            rest = &rest[record..];
            let whole = rest;
            let map = rmpv::decode::read_value(&mut rest).unwrap();
            let members = map.as_map().unwrap();
            let (key, tag) = members.last().unwrap();
            prop_assert_eq!(key, &Value::from("poseur"));
            let before = contents(&event[record..]);
            let length = members.len() as u64;
            prop_assert_eq!(length, Value::as_map(&rmpv::decode::read_value(&mut &event[record..]).unwrap()).unwrap().len() as u64 + 1);
            let after = contents(&whole[..whole.len() - rest.len()]);
            prop_assert!(after.starts_with(before));
            prop_assert_eq!(&after[before.len()..], [bytes(key), bytes(tag)].concat());
        }
        prop_assert!(rest.is_empty());
    }

    /// Whatever is wrong with a chunk: no panic, and what was before that place is as it was.
    #[test]
    fn broken_chunks_are_refused_or_left_alone(
        mut chunk in prop::collection::vec(any::<u8>(), 0..400),
        at in 0..400_usize,
        cut in 0..600_usize,
    ) {
        let event = [TIMES[0], &bytes(&matching(Vec::new()))].concat();
        let at = at.min(chunk.len());
        chunk.splice(at..at, event);
        chunk.truncate(cut);
        let mut chunks = chunk_tagger(matcher(poseur_rule::pack::built_in(), None), Style::Ecs);
        if let Ok(tagged) = chunks.tag(&chunk, now()) {
            prop_assert!(tagged.len() >= chunk.len());
        }
    }
}

/// Who receives a chunk may lose all of it for one record that nests too deep: no tag makes one.
#[test]
fn no_tag_makes_an_event_nest_too_deep() {
    const MATCH: &str = r#"{"Timestamp":"2026-02-28T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        MATCH.replace("\"Help Desk\"", &format!(r#"{open}"Help Desk"{close}"#))
    };
    let in_text = |record: &str| {
        let record = record.replace('"', "\\\"");
        format!(r#"{{"log":"{record}"}}"#)
    };
    let in_batches = |levels: usize| {
        let (open, close) = (r#"{"records":["#.repeat(levels), "]}".repeat(levels));
        format!("{open}{MATCH}{close}")
    };
    // The style in which each record is tagged, if it is.
    for (record, expected) in [
        (in_text(&nested(3)), Some("namespace")),
        (in_text(&nested(16)), Some("namespace")),
        (in_text(&nested(17)), Some("text")),
        (in_text(&nested(100)), Some("text")),
        (nested(20), Some("text")),
        (nested(60), Some("text")),
        (in_batches(4), Some("namespace")),
        (in_batches(10), Some("minimal")),
        (in_batches(11), None),
        (in_batches(15), None),
    ] {
        let matcher = matcher(poseur_rule::pack::built_in(), None);
        let mut chunks = chunk_tagger(matcher, Style::Namespace);
        let event = [TIMES[0], &packed(record.as_bytes()).unwrap()].concat();
        let tagged = chunks.tag(&event, now()).unwrap().to_vec();
        let deepest = |event: &[u8]| nesting(event, TIMES[0].len(), 300).unwrap().0;
        assert!(deepest(&tagged) <= deepest(&event).max(24), "{record}");
        let json = unpacked(&tagged[TIMES[0].len()..]);
        let json = String::from_utf8(json).unwrap();
        let style = match &json {
            json if !json.contains("\"poseur\"") => None,
            json if !json.contains("\"context\"") => Some("minimal"),
            json if json.contains(r#""RecipientDetails":"[["#) => Some("text"),
            _ => Some("namespace"),
        };
        assert_eq!(style, expected, "{record} became {json}");
    }
}
