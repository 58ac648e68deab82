//! Real records, none of which matches, and positives that are one edit away from them.
//!
//! They are other people's data, used where they lie: beside the workspace, if they are there.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use poseur_rule::pack;
use poseur_tagger::{Style, Tagger};
use poseur_tests::tagging::{RULE_A, RULE_B, compile, tag, tagger, thorough, wrapped};
use serde_json::{Value, json};

/// Within thirty days of the one message among them.
fn now() -> Timestamp {
    "2026-08-01T00:00:00Z".parse().unwrap()
}

/// The records of a file; `None`, said aloud, if the folder is not there.
fn sample(name: &str) -> Option<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples");
    if !folder.is_dir() {
        println!("SKIPPED: no folder of real records beside the workspace");
        return None;
    }
    let path: PathBuf = folder.join(name);
    let bytes = fs::read(&path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut out = Vec::new();
        MultiGzDecoder::new(&*bytes).read_to_end(&mut out).unwrap();
        return Some(out);
    }
    Some(bytes)
}

fn taggers(style: Style) -> [Tagger; 2] {
    let matcher = compile(pack::built_in(), vec![]);
    [tagger(vec![], style), thorough(matcher, style)]
}

fn lines(buffer: &[u8]) -> impl Iterator<Item = &[u8]> {
    buffer
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
}

/// Checks that a file passes as it is, whole and line by line, and how many records it has.
fn assert_passes(name: &str, records: u64) {
    let Some(buffer) = sample(name) else { return };
    for mut tagger in taggers(Style::Namespace) {
        assert!(tagger.tag(&buffer, now()).is_unchanged(), "{name}");
        let counts = *tagger.counts();
        assert_eq!((counts.matched, counts.suppressed), (0, 0), "{name}");
        assert_eq!(counts.all_unreadable(), 0, "{name}");
        let mut seen = 0;
        for line in lines(&buffer) {
            seen += 1;
            assert!(
                tag(&mut tagger, line, now()) == line,
                "{name}: record {seen}"
            );
        }
        assert_eq!(seen, records, "{name}");
    }
}

#[test]
fn intake_tests_pass() {
    assert_passes("o365-intake-tests.ndjson", 73);
}

#[test]
fn the_audit_log_of_a_test_tenant_passes() {
    assert_passes("o365-audit-2021.ndjson.gz", 9_608);
}

#[test]
fn the_live_message_passes() {
    assert_passes("message-events-live.ndjson", 1);
}

/// Checks that a record, as it is and in every wrapping, gets one tag of one rule, at the right
/// place, and no other change; and that in another style it is found too.
fn assert_tagged(record: &str, rule: &str) {
    for (wrapping, line) in wrapped(record.as_bytes()) {
        let outputs = taggers(Style::Namespace).map(|mut tagger| tag(&mut tagger, &line, now()));
        assert!(outputs[0] == outputs[1], "{wrapping}");
        let output = String::from_utf8(outputs[0].clone()).unwrap();
        let line = String::from_utf8(line).unwrap();
        let value = |text: &str| -> Value {
            serde_json::from_str(text.trim_start_matches('\u{FEFF}')).unwrap()
        };
        let (before, mut after) = (value(&line), value(&output));
        let mut tags = Vec::new();
        let records = match &mut after {
            Value::Object(map) if map.contains_key("records") => &mut map["records"],
            other => other,
        };
        match records {
            Value::Array(items) => items.iter_mut().for_each(|item| tags.extend(take(item))),
            record => tags.extend(take(record)),
        }
        assert_eq!(after, before, "{wrapping}");
        let [tag] = &tags[..] else {
            panic!("{wrapping}: {} tags", tags.len());
        };
        assert_eq!(tag["rules"], json!([rule]), "{wrapping}");
        // The tag and its comma were put in at one place.
        let same = line
            .bytes()
            .zip(output.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let rest = line.len() - same;
        assert!(output.ends_with(&line[same..]), "{wrapping}");
        let made = &output[same..output.len() - rest];
        assert!(
            made.starts_with(",\"poseur\":{\"rules\":[\"") && made.ends_with('}'),
            "{wrapping}: {made}"
        );
        for style in [Style::Minimal, Style::Ecs] {
            for mut tagger in taggers(style) {
                assert!(!tagger.tag(line.as_bytes(), now()).is_unchanged());
                assert_eq!(tagger.counts().matches, 1, "{wrapping} {style:?}");
            }
        }
    }
}

fn take(record: &mut Value) -> Option<Value> {
    record.as_object_mut()?.remove("poseur")
}

/// Replaces a text that stands in a record, once.
fn edited(record: &str, from: &str, to: &str) -> String {
    assert_eq!(record.matches(from).count(), 1, "one {from}");
    record.replace(from, to)
}

#[test]
fn foreign_chats_one_edit_away() {
    let Some(buffer) = sample("o365-intake-tests.ndjson") else {
        return;
    };
    let mut foreign = 0;
    for line in lines(&buffer) {
        let line = std::str::from_utf8(line).unwrap().trim_end();
        let record: Value = serde_json::from_str(line).unwrap();
        if record["Operation"] != "ChatCreated"
            || record["CommunicationType"] != "OneOnOne"
            || record["ParticipantInfo"]["HasForeignTenantUsers"] != true
        {
            continue;
        }
        foreign += 1;
        let text = |value: &Value| value.to_string();
        let name = text(&record["Members"][0]["DisplayName"]);
        let posing = edited(
            line,
            &format!("\"DisplayName\":{name}"),
            "\"DisplayName\":\"Help Desk\"",
        );
        assert_tagged(&posing, RULE_A);
        let user = text(&record["UserId"]);
        let posing = edited(
            line,
            &format!("\"UserId\":{user}"),
            "\"UserId\":\"it-support@example.test\"",
        );
        assert_tagged(&posing, RULE_A);
        // Escapes hide nothing.
        assert_tagged(&posing.replace("ChatCreated", r"Ch\u0061tCreated"), RULE_A);
        // What makes it a positive is looked at: without, it passes.
        for (from, to) in [
            ("it-support@", "it-Support@"),
            ("it-support@", "it-support@a@"),
            (
                "\"HasForeignTenantUsers\":true",
                "\"HasForeignTenantUsers\":false",
            ),
            ("\"HasGuestUsers\":false,", ""),
            (
                "\"HasOtherGuestUsers\":false",
                "\"HasOtherGuestUsers\":null",
            ),
            (
                "\"Operation\":\"ChatCreated\"",
                "\"Operation\":\"ChatUpdated\"",
            ),
            (
                "\"CommunicationType\":\"OneOnOne\"",
                "\"CommunicationType\":\"GroupChat\"",
            ),
            (
                "\"Workload\":\"MicrosoftTeams\"",
                "\"Workload\":\"SharePoint\"",
            ),
            (
                "\"UserType\":0",
                "\"UserType\":0,\"ResultStatus\":\"Failed\"",
            ),
        ] {
            let line = edited(&posing, from, to);
            for (wrapping, line) in wrapped(line.as_bytes()) {
                for mut tagger in taggers(Style::Namespace) {
                    assert!(tagger.tag(&line, now()).is_unchanged(), "{to} {wrapping}");
                }
            }
        }
    }
    assert_eq!(foreign, 3);
}

#[test]
fn the_live_message_two_edits_away() {
    let Some(buffer) = sample("message-events-live.ndjson") else {
        return;
    };
    let line = std::str::from_utf8(&buffer).unwrap().trim_end();
    let external = edited(
        line,
        "\"IsExternalThread\": false",
        "\"IsExternalThread\": true",
    );
    let posing = |record: &str, name: &str| {
        edited(
            record,
            "\"RecipientDisplayName\": \"teamtest\"",
            &format!("\"RecipientDisplayName\": {name}"),
        )
    };
    let positive = posing(&external, "\"IT Support\"");
    assert_tagged(&positive, RULE_B);
    assert_tagged(&posing(&external, r#""\u0049T Support""#), RULE_B);
    // As a row of its own.
    let row = &positive[positive.find("{\"Timestamp\"").unwrap()..];
    let row = &row[..row.rfind(", \"Tenant\"").unwrap()];
    assert_tagged(row, RULE_B);
    // One of the two edits is not enough, and neither is a message that is too old.
    let mut passing = vec![external.clone(), posing(line, "\"IT Support\"")];
    passing.push(positive.replace("2026-07-23T09:06:30.965Z", "2026-07-01T09:06:30.965Z"));
    passing.push(posing(&external, "\"I Tsupport\""));
    for line in passing {
        for (wrapping, line) in wrapped(line.as_bytes()) {
            for mut tagger in taggers(Style::Namespace) {
                assert!(tagger.tag(&line, now()).is_unchanged(), "{wrapping}");
            }
        }
    }
    let late = "2026-08-22T09:06:30.965Z".parse().unwrap();
    let in_time = "2026-08-22T09:06:30.964999999Z".parse().unwrap();
    let mut tagger = tagger(vec![], Style::Minimal);
    assert!(tagger.tag(positive.as_bytes(), late).is_unchanged());
    assert!(!tagger.tag(positive.as_bytes(), in_time).is_unchanged());
}
