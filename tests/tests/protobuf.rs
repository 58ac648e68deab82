//! Vector's protocol: the same verdicts and tags as for the same record as JSON, and nothing else changed.

use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_matcher::record::{Handle, Record};
use poseur_rule::model::Rule;
use poseur_tagger::json::document::Pool;
use poseur_tagger::protobuf::document::Log;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tagger::{Style, TagOptions};
use poseur_tests::agreement::matcher;
use poseur_tests::protobuf::{
    Event, EventWrapper, LogKind, Named, PushEventsRequest, Time, events_of, nothing_but_tags,
    packed, records, request, sorted, unpacked,
};
use poseur_tests::reference::json;
use poseur_tests::strategies::{self, config, now, random};
use poseur_tests::tagging::{sigma_rule, styled};
use proptest::prelude::*;
use prost::Message;

const STYLES: [Style; 3] = [Style::Namespace, Style::Ecs, Style::Minimal];

fn options(style: Style) -> TagOptions {
    TagOptions {
        style,
        ..TagOptions::default()
    }
}

fn push_tagger(matcher: Arc<Matcher>, style: Style) -> PushTagger {
    PushTagger::new(matcher, options(style))
}

/// A metric, which holds what records are known by.
fn metric() -> EventWrapper {
    let name = "ChatCreated IsExternalThread Help Desk".to_owned();
    EventWrapper {
        event: Some(Event::Metric(Named { name })),
    }
}

fn agree(rules: &[Rule], line: &[u8]) {
    let Some(fields) = packed(line) else { return };
    let json = unpacked(&fields);
    assert_eq!(packed(&json).as_ref(), Some(&fields), "from JSON and back");
    let matcher = matcher(rules.to_vec(), None);
    let trace = EventWrapper {
        event: Some(Event::Trace(poseur_tests::protobuf::ValueMap {
            fields: fields.clone(),
        })),
    };
    for style in STYLES {
        let tagged = styled(matcher.clone(), style).tag(&json, now()).to_vec();
        let expected = packed(&tagged).expect("a tagged record is readable");
        let mut tagger = push_tagger(matcher.clone(), style);
        for event in events_of(&fields) {
            let request = request(&[metric(), event.clone(), trace.clone(), event]);
            let unreadable = tagger.counts().all_unreadable();
            let found = tagger.tag(&request, now()).unwrap();
            if PushEventsRequest::decode(&request[..]).is_err() {
                // The plain codec does not go as deep.
                continue;
            }
            if tagged == json {
                let pieces: Vec<_> = found.slices().collect();
                let is_same = pieces.len() == 1 && std::ptr::eq(pieces[0], &request[..]);
                assert!(is_same, "what is unchanged is the same memory");
            }
            let found = found.to_vec();
            assert_eq!(
                records(&found),
                [expected.clone(), expected.clone()],
                "{style:?}"
            );
            nothing_but_tags(&request, &found, &options(style));
            assert_eq!(tagger.counts().all_unreadable(), unreadable);
        }
    }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn built_in_rules_agree_with_json(line in strategies::lines()) {
        agree(&poseur_rule::pack::built_in(), &line.0);
    }

    #[test]
    fn random_rules_agree_with_json(rules in random::rules(), line in random::lines()) {
        agree(&rules, &line.0);
    }
}

/// Wire bytes that no encoder writes, but that mean something.
mod wild {
    use super::*;

    /// A number in more bytes than it takes, if that is asked for.
    pub fn varint(mut number: u64, more: usize, out: &mut Vec<u8>) {
        let start = out.len();
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
        let more = more.min(10 - (out.len() - start));
        if more > 0 {
            *out.last_mut().unwrap() |= 0x80;
            out.resize(out.len() + more - 1, 0x80);
            out.push(0);
        }
    }

    pub fn field(number: u32, more: usize, contents: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        varint(u64::from(number << 3 | 2), more, &mut out);
        varint(contents.len() as u64, more, &mut out);
        [&out, contents].concat()
    }

    fn number(number: u32, value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        varint(u64::from(number << 3), 0, &mut out);
        varint(value, 0, &mut out);
        out
    }

    /// Fields that no message of ours has.
    fn unknown() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => Just(Vec::new()),
            1 => (20..99_u32, any::<u64>()).prop_map(|(field, value)| number(field, value)),
            1 => (20..99_u32, prop::collection::vec(any::<u8>(), 0..9))
                .prop_map(|(number, bytes)| field(number, 0, &bytes)),
        ]
    }

    fn key() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-c]",
            "[a-zé.]{0,12}",
            prop::sample::select(vec![
                "poseur",
                "tags",
                "log",
                "message",
                "Operation",
                "rule.id"
            ])
            .prop_map(str::to_owned),
        ]
    }

    /// The contents of a `Value`.
    pub fn value() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            Just(Vec::new()),
            Just(number(9, 0)),
            any::<bool>().prop_map(|truth| number(6, truth.into())),
            any::<i64>().prop_map(|integer| number(4, integer as u64)),
            any::<f64>().prop_map(|float| [&[0x29][..], &float.to_le_bytes()].concat()),
            ("[a-z \"\\\\]{0,40}", 0..2_usize).prop_map(|(text, more)| field(
                1,
                more,
                text.as_bytes()
            )),
            prop::sample::select(vec![
                "ChatCreated",
                "MicrosoftTeams",
                "Help Desk",
                "{\"a\":[1]}"
            ])
            .prop_map(|text| field(1, 0, text.as_bytes())),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| field(1, 0, &bytes)),
            (any::<i64>(), any::<i32>(), -2_i64..2_000_000_000, 0..5_u32).prop_map(
                |(any, nanos, seconds, digits)| {
                    let (seconds, nanos) = match digits {
                        4 => (any, nanos),
                        _ => (
                            seconds,
                            (nanos.unsigned_abs() % 1000 * 1000_u32.pow(digits.min(2))) as i32,
                        ),
                    };
                    field(2, 0, &Time { seconds, nanos }.encode_to_vec())
                }
            ),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                (map(inner.clone()), 0..3_usize).prop_map(|(map, more)| field(7, more, &map)),
                (prop::collection::vec((inner, unknown(), 0..2_usize), 0..9)).prop_map(|items| {
                    let items = items.iter();
                    let items = items.map(|(item, unknown, more)| {
                        [&field(1, *more, item)[..], unknown].concat()
                    });
                    field(8, 0, &items.collect::<Vec<_>>().concat())
                }),
            ]
        })
    }

    /// The entries of a map, in any order, some more than once.
    pub fn map(value: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
        let entry = (key(), value, unknown(), 0..4_usize, 0..2_usize);
        prop::collection::vec(entry, 0..9).prop_map(|entries| {
            let entries = entries.iter().map(|(key, value, unknown, form, more)| {
                let (key, value) = (field(1, 0, key.as_bytes()), field(2, *more, value));
                let parts: [&[u8]; 3] = match form {
                    0 => [&value, unknown, &key],
                    1 => [&key, unknown, b""],
                    _ => [&key, &value, unknown],
                };
                [&field(1, *more, &parts.concat())[..], unknown].concat()
            });
            entries.collect::<Vec<_>>().concat()
        })
    }
}

/// A record that matches rule A.
const MATCH: &str = r#"{"Workload":"MicrosoftTeams","Operation":"ChatCreated","RecordType":25,"CreationTime":"2026-02-28T08:00:00","UserId":"helpdesk@fabrikam.example","CommunicationType":"OneOnOne","ParticipantInfo":{"HasForeignTenantUsers":true,"HasGuestUsers":false,"HasOtherGuestUsers":false}}"#;

/// The entries of [`MATCH`].
fn matching() -> Vec<u8> {
    let fields = packed(MATCH.as_bytes()).unwrap();
    poseur_tests::protobuf::ValueMap { fields }.encode_to_vec()
}

proptest! {
    #![proptest_config(config(2_000))]

    /// What is read is what the plain codec reads, whatever the order of members, and however they are written.
    #[test]
    fn reads_what_the_plain_codec_reads(map in wild::map(wild::value()), in_value in any::<bool>()) {
        let log = match in_value {
            true => wild::field(2, 1, &wild::field(7, 0, &map)),
            false => map,
        };
        let request = wild::field(1, 0, &wild::field(1, 2, &log));
        let pool = Pool::default();
        let end = request.len();
        let log = Log::new(&request, Handle { start: 0, end }, &pool).unwrap().unwrap();
        prop_assert_eq!(log.check(), Ok(()));
        let mut found = Vec::new();
        log.write_json(log.root(), &mut found);
        let plain = records(&request).remove(0);
        let plain = json::compact(&json::parse(&unpacked(&plain)).unwrap().value);
        prop_assert_eq!(
            json::compact(&sorted(json::parse(&found).unwrap().value)),
            plain
        );
    }

    /// Any request: events that match and others, of every form.
    #[test]
    fn nothing_but_tags_is_added(
        events in prop::collection::vec(
            (any::<bool>(), any::<bool>(), wild::map(wild::value()), 0..3_usize),
            0..6,
        ),
        style in prop::sample::select(STYLES.to_vec()),
    ) {
        let mut tagger = push_tagger(matcher(poseur_rule::pack::built_in(), None), style);
        let mut matches = 0;
        let events: Vec<_> = events.into_iter().map(|(is_match, in_value, map, more)| {
            // The last of members with the same key counts, so what matches comes last.
            let mut fields = map;
            if is_match {
                matches += 1;
                fields.extend_from_slice(&matching());
            }
            let log = match in_value {
                true => wild::field(2, more, &wild::field(7, more, &fields)),
                false => fields,
            };
            wild::field(1, more, &wild::field(1, more, &log))
        }).collect();
        let request = events.concat();
        let tagged = tagger.tag(&request, now()).unwrap().to_vec();
        nothing_but_tags(&request, &tagged, &options(style));
        let after = PushEventsRequest::decode(&tagged[..]).unwrap();
        prop_assert_eq!(after.events.len(), events.len());
        let counts = *tagger.counts();
        // A tag whose value is missing cannot be replaced.
        prop_assert!(counts.matched == matches, "{:?}", counts);
        if style == Style::Minimal && counts.all_unreadable() == 0 {
            let tags = records(&tagged);
            let is_tag = |value: &poseur_tests::protobuf::LogValue| match &value.kind {
                Some(LogKind::Map(map)) => map.fields.contains_key("rules"),
                _ => false,
            };
            let tags = tags.iter().filter(|record| record.get("poseur").is_some_and(is_tag));
            prop_assert!(tags.count() as u64 >= matches);
        }
    }

    /// Whatever is wrong with a request: no panic, and it is still one if it was one.
    #[test]
    fn broken_requests_are_refused_or_left_alone(
        mut noise in prop::collection::vec(any::<u8>(), 0..40),
        at in 0..700_usize,
        over in any::<bool>(),
        cut in prop::option::of(0..700_usize),
    ) {
        let event = &events_of(&packed(MATCH.as_bytes()).unwrap())[0];
        let mut request = request(&[event.clone(), event.clone()]);
        let at = at.min(request.len());
        let replaced = match over {
            true => at..(at + noise.len()).min(request.len()),
            false => at..at,
        };
        request.splice(replaced, noise.drain(..));
        request.truncate(cut.unwrap_or(usize::MAX));
        for style in STYLES {
            let mut tagger = push_tagger(matcher(poseur_rule::pack::built_in(), None), style);
            if let Ok(tagged) = tagger.tag(&request, now()) {
                let tagged = tagged.to_vec();
                if PushEventsRequest::decode(&request[..]).is_ok() {
                    prop_assert!(PushEventsRequest::decode(&tagged[..]).is_ok());
                    nothing_but_tags(&request, &tagged, &options(style));
                }
            }
        }
    }
}

/// Who receives a request may lose all of it for one record that nests too deep: no tag makes one.
#[test]
fn no_tag_makes_an_event_nest_too_deep() {
    const MATCH: &str = r#"{"Timestamp":"2026-02-28T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
    let nested = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        MATCH.replace("\"Help Desk\"", &format!(r#"{open}"Help Desk"{close}"#))
    };
    let in_maps = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
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
    let mut seen = std::collections::BTreeSet::new();
    for record in (1..=47)
        .flat_map(|levels| [nested(levels), in_text(&nested(levels))])
        .chain((1..=31).flat_map(|levels| [in_maps(levels), in_text(&in_maps(levels))]))
        .chain([in_text(&nested(120)), in_text(&in_maps(120))])
        .chain((1..=18).map(in_batches))
    {
        let matcher = matcher(poseur_rule::pack::built_in(), None);
        let mut tagger = push_tagger(matcher, Style::Namespace);
        for event in events_of(&packed(record.as_bytes()).unwrap()) {
            let request = request(&[event]);
            if PushEventsRequest::decode(&request[..]).is_err() {
                continue;
            }
            let tagged = tagger.tag(&request, now()).unwrap().to_vec();
            let json = unpacked(&records(&tagged)[0]);
            let json = String::from_utf8(json).unwrap();
            seen.insert(match &json {
                json if !json.contains("\"poseur\"") => "none",
                json if !json.contains("\"context\"") => "minimal",
                json if json.contains(r#""RecipientDetails":"[["#) => "text",
                _ => "namespace",
            });
        }
        assert_eq!(tagger.counts().all_unreadable(), 0, "{record}");
        assert!(tagger.counts().matched > 0, "{record}");
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

/// A point in time reads as text, though this text does not stand in the request.
#[test]
fn points_in_time_are_text() {
    let detection = "  sent:\n    labels.when|cased: '2026-02-28T12:00:00.500Z'\n  condition: sent";
    let rules = sigma_rule("aaaaaaaa-0000-4000-8000-000000000001", detection, "");
    let mut tagger = push_tagger(matcher(rules, Some("ecs")), Style::Minimal);
    for (nanos, expected) in [(500_000_000, true), (0, false)] {
        let seconds = 1_772_280_000;
        let mut fields = packed(br#"{"labels":{"when":""}}"#).unwrap();
        let Some(LogKind::Map(labels)) = &mut fields.get_mut("labels").unwrap().kind else {
            panic!("no map");
        };
        let time = LogKind::Timestamp(Time { seconds, nanos });
        labels.fields.insert("when".to_owned(), time.into());
        let request = request(&events_of(&fields));
        let tagged = tagger.tag(&request, now()).unwrap().to_vec();
        let is_tagged = |fields: &std::collections::BTreeMap<_, _>| fields.contains_key("poseur");
        assert!(
            records(&tagged)
                .iter()
                .all(|fields| is_tagged(fields) == expected)
        );
    }
}
