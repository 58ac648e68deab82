//! Vector's protocol: requests beside a plain codec, and in a stage.

use bytes::Bytes;
use jiff::Timestamp;
use poseur_relay::batch::{Batch, Body, Form};
use poseur_relay::convert::{
    NotConvertible, events_to_lines, events_to_push, into, lines_to_events, lines_to_push,
    push_to_events, push_to_lines,
};
use poseur_relay::stage::Stage;
use poseur_tagger::TagOptions;
use poseur_tagger::protobuf::encode::MOST_READ;
use poseur_tests::conformance::check;
use poseur_tests::protobuf::{LogKind, Time, events_of, packed, records, request, unpacked};
use poseur_tests::reference::json;
use poseur_tests::strategies;
use poseur_tests::tagging::compile;
use proptest::prelude::*;

/// A record with the keys of its objects in order.
fn sorted(line: &[u8]) -> Vec<u8> {
    let value = json::parse(line).expect("a line of JSON").value;
    json::compact(&poseur_tests::protobuf::sorted(value))
}

proptest! {
    #![proptest_config(strategies::config(300))]

    #[test]
    fn requests_hold_what_the_plain_codec_finds(line in strategies::lines()) {
        let Some(mut fields) = packed(&line.0) else { return Ok(()) };
        let made = lines_to_push(&line.0);
        let found = records(&made).remove(0);
        // What is nested too deep for Vector's readers is kept as text.
        let text = line.0.trim_ascii();
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii();
        let whole = Some(LogKind::RawBytes(text.to_vec()));
        if found.get("message").is_some_and(|message| message.kind == whole) {
            prop_assert_eq!(found.len(), 1);
            let opened = line.0.iter().filter(|byte| b"{[".contains(byte)).count();
            prop_assert!(opened > MOST_READ / 4, "it is not deep");
            return Ok(());
        }
        prop_assert_eq!(&found, &fields);
        let [fields_form, value_form] = events_of(&fields).map(|event| request(&[event]));
        let lines = push_to_lines(&fields_form).unwrap();
        prop_assert_eq!(sorted(&lines), unpacked(&fields));
        prop_assert_eq!(push_to_lines(&value_form).unwrap(), lines.clone());

        let time = Timestamp::new(1_700_000_000, 1).unwrap();
        let events = push_to_events(&fields_form, time).unwrap();
        prop_assert_eq!(events_to_lines(&events).unwrap(), lines);
        let events = lines_to_events(&line.0, time);
        let found = records(&events_to_push(&events).unwrap()).remove(0);
        let (seconds, nanos) = (1_700_000_000, 1);
        let time = LogKind::Timestamp(Time { seconds, nanos }).into();
        fields.entry("timestamp".to_owned()).or_insert(time);
        prop_assert_eq!(found, fields);
    }
}

#[test]
fn requests_are_tagged_and_fit_every_sink() {
    const ROW: &str = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
    let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
    let stage = Stage::new(matcher, TagOptions::default());
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let batch = |request: Bytes| Batch::new(Bytes::new(), Body::Push(request.into()));

    let other = lines_to_push(b"{\"a\":1}\n");
    let tagged = stage.tag(batch(other.clone()), now);
    let same = tagged.body.pieces().to_bytes();
    assert!(std::ptr::eq(&same[..], &other[..]));
    let tagged = stage.tag(batch(lines_to_push(ROW.as_bytes())), now);
    assert_eq!(stage.counts().0.matched, 1);
    let record = records(&tagged.body.pieces().to_bytes()).remove(0);
    assert!(record.contains_key("poseur") && record.len() == 4);
    let row = lines_to_push(ROW.as_bytes());
    let cut = row.slice(..row.len() - 1);
    assert_eq!(stage.tag(batch(cut.clone()), now), batch(cut));
    assert_eq!(stage.counts().1, 1, "a request that cannot be taken apart");

    let lines = into(tagged.clone(), Form::Lines, now).unwrap();
    let events = into(tagged.clone(), Form::Events, now).unwrap();
    let bytes = |batch: &Batch| batch.body.pieces().to_bytes();
    assert_eq!(events_to_lines(&bytes(&events)).unwrap(), bytes(&lines));
    let back = into(lines, Form::Push, now).unwrap();
    assert_eq!(records(&back.body.pieces().to_bytes()), [record]);
    assert_eq!(into(tagged.clone(), Form::Any, now), Ok(tagged));
    let metric = batch(Bytes::from_static(b"\x0A\x03\x12\x01\x00"));
    let refused = into(metric, Form::Events, now);
    assert_eq!(refused, Err(NotConvertible::NoLogs(1)));
}

/// Tagged as a request and sent on as anything, or tagged as anything and sent on as a request: the tags are the same.
#[test]
fn the_conformance_suite_through_every_form() {
    let now = strategies::now();
    let matcher = compile(poseur_rule::pack::built_in(), Vec::new());
    let stage = Stage::new(matcher, TagOptions::default());
    let lines = |record: &[u8]| Bytes::from([record, b"\n"].concat());
    for (tagged_as, sent_as) in [
        (Form::Push, Form::Lines),
        (Form::Push, Form::Events),
        (Form::Lines, Form::Push),
        (Form::Events, Form::Push),
    ] {
        check(now, |record| {
            let batch = Batch::new(Bytes::new(), Body::Lines(lines(record).into()));
            let batch = stage.tag(into(batch, tagged_as, now).unwrap(), now);
            let batch = into(batch, sent_as, now).unwrap();
            let batch = into(batch, Form::Lines, now).unwrap();
            batch.body.pieces().to_bytes().to_vec()
        });
    }
}

/// Whatever a line nests, it goes on: as it is, or as text where it is deeper than anybody reads.
#[test]
fn deep_lines_stay_within_the_stack() {
    const DEPTH: usize = 100_000;
    let time = Timestamp::UNIX_EPOCH;
    let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
    let maps = "{\"a\":".repeat(DEPTH) + "1" + &"}".repeat(DEPTH);
    for line in [
        open.clone(),
        format!("{open}{close}"),
        format!("{{\"a\":{open}{close}}}"),
        format!("[{{\"a\":{open}{close}}}]"),
        maps,
    ] {
        let text = LogKind::RawBytes(line.clone().into_bytes());
        let logs = records(&lines_to_push(line.as_bytes()));
        assert_eq!(logs.len(), 1);
        assert_eq!(logs[0]["message"].kind, Some(text));
        let back = events_to_lines(&lines_to_events(line.as_bytes(), time)).unwrap();
        let expected = format!("{}\n", serde_json::json!({ "log": line }));
        assert!(back == expected.as_bytes(), "{:.80}", line);
    }
}
