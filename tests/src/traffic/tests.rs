//! The truth the generator tells, checked against a slow reading of the records by a JSON library; and the pins that
//! keep the bytes the same.

use std::collections::HashSet;

use clap::ValueEnum;
use serde_json::Value;

use super::*;

/// Records per kind and shape. Enough for every branch of the generator to be taken many times.
const RECORDS: u64 = 20_000;

const AUDIT: &[Kind] = &[Kind::Teams, Kind::Mixed, Kind::Exchange, Kind::Entra];

/// What the check finds in one record.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    candidate: bool,
    a: bool,
    b: bool,
}

fn object(value: &Value) -> Option<&serde_json::Map<String, Value>> {
    value.as_object()
}

/// The records a line holds.
fn records(line: Value) -> Vec<Value> {
    let text = |value: Option<&Value>| {
        value
            .and_then(Value::as_str)
            .map(|text| serde_json::from_str(text).unwrap())
    };
    let inner = match &line {
        Value::Array(items) => return items.clone(),
        Value::Object(fields) => fields
            .get("o365audit")
            .cloned()
            .or_else(|| text(fields.get("message")))
            .or_else(|| text(fields.get("log")))
            .or_else(|| text(fields.get("event.original")))
            .or_else(|| text(fields.get("event").and_then(|event| event.get("original")))),
        _ => panic!("a line is an object or an array"),
    };
    match (inner, line.get("records")) {
        (Some(inner), _) => vec![inner],
        (None, Some(items)) => items.as_array().unwrap().clone(),
        (None, None) => vec![line],
    }
}

/// All values at a path, under nested and dotted keys.
fn at<'a>(value: &'a Value, path: &str, found: &mut Vec<&'a Value>) {
    if path.is_empty() {
        found.push(value);
        return;
    }
    for (key, member) in object(value).into_iter().flatten() {
        match path.strip_prefix(key.as_str()) {
            Some("") => at(member, "", found),
            Some(rest) if rest.starts_with('.') => at(member, &rest[1..], found),
            _ => {}
        }
    }
}

fn one<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = Vec::new();
    at(value, path, &mut found);
    assert!(found.len() <= 1, "{path} is there {} times", found.len());
    found.pop()
}

fn leaf(value: &Value, wanted: &[&str]) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| leaf(item, wanted)),
        Value::Object(fields) => fields.values().any(|field| leaf(field, wanted)),
        Value::String(text) => wanted.contains(&text.as_str()),
        _ => false,
    }
}

fn rule_a(record: &Value) -> Found {
    let ecs = record.get("Operation").is_none();
    let audit = |name: &str| {
        one(
            record,
            &if ecs {
                format!("o365.audit.{name}")
            } else {
                name.to_owned()
            },
        )
    };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let flag = |name: &str| match audit(&format!("ParticipantInfo.{name}")) {
        Some(Value::Bool(flag)) => Some(*flag),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let (action, success, provider, email, name);
    if ecs {
        assert_eq!(text(one(record, "data_stream.dataset")), "o365.audit");
        action = text(one(record, "event.action"));
        success = text(one(record, "event.outcome")) == "success";
        provider = text(one(record, "event.provider"));
        email = text(one(record, "user.email"));
        name = text(one(record, "user.name"));
    } else {
        action = text(audit("Operation"));
        success = !matches!(
            text(audit("ResultStatus")).to_lowercase().as_str(),
            "failed" | "false"
        );
        provider = text(audit("Workload"));
        let user = text(audit("UserId"));
        let whole = user.matches('@').count() == 1;
        name = if whole {
            user.split('@').next().unwrap().to_owned()
        } else {
            String::new()
        };
        email = if whole { user } else { String::new() };
    }
    let members = audit("Members").is_some_and(|members| {
        leaf(
            members,
            &[
                "Help Desk",
                "Help Desk Team",
                "Help Desk IT",
                "IT Help Desk",
                "Microsoft Security",
                "Microsoft  Security",
                "Microsoft Support",
            ],
        )
    });
    let in_email =
        "helpdesk help.desk help-desk help_desk ithelp it.help itsupport it.support it-support"
            .split(' ')
            .any(|keyword| email.contains(keyword));
    let in_name = ["helpdesk", "help-desk", "ithelp", "itsupport"]
        .iter()
        .any(|keyword| name.contains(keyword));
    let candidate = action == "ChatCreated";
    let a = candidate
        && success
        && provider == "MicrosoftTeams"
        && flag("HasForeignTenantUsers") == Some(true)
        && flag("HasGuestUsers") == Some(false)
        && flag("HasOtherGuestUsers") == Some(false)
        && text(audit("CommunicationType")) == "OneOnOne"
        && (members || in_email || in_name);
    Found {
        candidate,
        a,
        b: false,
    }
}

fn rule_b(record: &Value) -> Found {
    let row = record.get("properties").unwrap_or(record);
    let external = match &row["IsExternalThread"] {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let recipients = match &row["RecipientDetails"] {
        // Read and written again: no escapes hide anything.
        Value::String(text) => serde_json::from_str::<Value>(text).unwrap(),
        native => native.clone(),
    };
    assert!(recipients.is_array());
    let text = recipients.to_string().to_ascii_lowercase();
    let has = |word: &str| text.contains(word);
    let words =
        has("help") && has("desk") || has("it") && has("support") || has("working") && has("home");
    let sent: jiff::Timestamp = row["Timestamp"].as_str().unwrap().parse().unwrap();
    let age = DEFAULT_AT - sent.as_second();
    assert!(age > 0);
    Found {
        candidate: external,
        a: false,
        b: external && words && age < 30 * 86_400,
    }
}

fn check(config: &Config) {
    let mut traffic = Traffic::new(config.clone()).unwrap();
    let mut line = Vec::new();
    let mut sum = Truths::default();
    while sum.records < RECORDS {
        line.clear();
        let truth = traffic.next(&mut line);
        sum.add(truth, line.len());
        let text = std::str::from_utf8(&line).unwrap();
        let text = text
            .strip_suffix(if config.crlf { "\r\n" } else { "\n" })
            .unwrap();
        assert!(
            text.bytes().all(|byte| byte >= 0x20),
            "one line, no control characters"
        );
        let mut found = Truth {
            escaped: truth.escaped,
            ..Truth::default()
        };
        for record in records(serde_json::from_str(text).unwrap()) {
            let one = match config.kind {
                Kind::MessageEvents => rule_b(&record),
                _ => rule_a(&record),
            };
            found += Truth {
                records: 1,
                candidates: u32::from(one.candidate),
                matches_a: u32::from(one.a),
                matches_b: u32::from(one.b),
                escaped: 0,
            };
        }
        assert_eq!(found, truth, "{text}");
        assert_eq!(text.contains("\\u00"), truth.escaped > 0, "{text}");
    }
    let share = |count: u64| count as f64 / sum.records as f64;
    let near = |count: u64, rate: f64| (share(count) - rate).abs() < rate * 0.25 + 0.002;
    let quiet = matches!(config.kind, Kind::Exchange | Kind::Entra);
    let rate = |rate: f64| if quiet { 0.0 } else { rate };
    assert!(near(sum.candidates, rate(config.candidates())), "{sum:?}");
    assert!(
        near(sum.matches_a + sum.matches_b, rate(config.match_rate)),
        "{sum:?}"
    );
    assert!(near(sum.escaped, config.escape_rate), "{sum:?}");
}

/// Candidates, matches and escapes far more often than in real traffic, so that each sort of them is met.
fn dense(kind: Kind, shape: Shape) -> Config {
    let candidate_rate = Some(if kind == Kind::MessageEvents {
        0.6
    } else {
        0.4
    });
    Config {
        candidate_rate,
        match_rate: 0.1,
        escape_rate: 0.3,
        size: None,
        ..Config::new(kind, shape)
    }
}

fn check_all(kinds: &[Kind], shapes: &[Shape]) {
    for &kind in kinds {
        for &shape in shapes {
            check(&dense(kind, shape));
        }
    }
}

#[test]
fn truth_is_right_for_raw_records() {
    check_all(AUDIT, &[Shape::O365]);
}

#[test]
fn truth_is_right_for_ecs_documents() {
    check_all(AUDIT, &[Shape::Ecs, Shape::EcsDotted, Shape::EcsMixed]);
}

#[test]
fn truth_is_right_in_envelopes() {
    let strings = [
        Shape::EnvelopeMessage,
        Shape::EnvelopeOriginal,
        Shape::EnvelopeLog,
    ];
    check_all(AUDIT, &strings);
    check_all(&[Kind::MessageEvents], &strings);
    check_all(AUDIT, &[Shape::EnvelopeO365Audit]);
}

#[test]
fn truth_is_right_in_batches_and_mixtures() {
    let shapes = [Shape::BatchRecords, Shape::BatchArray, Shape::All];
    check_all(AUDIT, &shapes);
    check_all(&[Kind::MessageEvents], &shapes);
}

#[test]
fn truth_is_right_for_message_events() {
    check_all(&[Kind::MessageEvents], &[Shape::Defender, Shape::Hunting]);
}

#[test]
fn truth_is_right_as_configured_by_default() {
    for kind in [Kind::Teams, Kind::Mixed, Kind::MessageEvents] {
        check(&Config {
            crlf: true,
            seed: 7,
            ..Config::new(kind, Shape::All)
        });
    }
    check(&Config {
        escape_rate: 0.0,
        ..Config::new(Kind::Mixed, Shape::All)
    });
}

#[test]
fn sizes_come_out_as_asked() {
    for kind in Kind::value_variants() {
        for shape in [
            Shape::O365,
            Shape::EcsMixed,
            Shape::Defender,
            Shape::Hunting,
        ] {
            for size in [1600, 8000] {
                if !shape.fits(*kind) {
                    continue;
                }
                let (_, truths) = generate_bytes(
                    Config {
                        size: Some(size),
                        ..Config::new(*kind, shape)
                    },
                    4_000_000,
                );
                let average = truths.bytes / truths.records;
                // ECS documents say many things twice; small ones cannot be had.
                let least = if shape == Shape::EcsMixed { 2500 } else { size };
                let most = size.max(least) as u64 * 103 / 100;
                assert!(
                    (size as u64 * 97 / 100..=most).contains(&average),
                    "{kind:?} {shape:?} {size}: {average}"
                );
            }
        }
    }
}

#[test]
fn lines_follow_each_other_without_repeating() {
    let (bytes, truths) = generate_bytes(Config::new(Kind::Mixed, Shape::All), 2_000_000);
    let lines: HashSet<&[u8]> = bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len() as u64, truths.lines);
    assert_eq!(bytes.len() as u64, truths.bytes);
}

#[test]
fn a_misfit_is_refused() {
    assert!(Traffic::new(Config::new(Kind::MessageEvents, Shape::Ecs)).is_err());
    assert!(Traffic::new(Config::new(Kind::Teams, Shape::Defender)).is_err());
    assert!(
        Traffic::new(Config {
            match_rate: 1.5,
            ..Config::new(Kind::Teams, Shape::O365)
        })
        .is_err()
    );
    assert!(
        Traffic::new(Config {
            batch: 0,
            ..Config::new(Kind::Teams, Shape::BatchArray)
        })
        .is_err()
    );
}

/// FNV-1a: short enough to stand here, and all a pin needs.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let pins = [
        (Kind::Teams, 0x4467_ff05_bf6c_eeb4),
        (Kind::Exchange, 0x8529_63fc_ba47_cfaa),
        (Kind::Entra, 0xead5_ae64_4ac8_7dcb),
        (Kind::Mixed, 0x8b1b_17c9_28c9_0260),
        (Kind::MessageEvents, 0x5a6e_bb95_cda2_ff8e),
    ];
    let found = pins.map(|(kind, _)| {
        let (bytes, _) = generate_bytes(Config::new(kind, Shape::All), 300_000);
        (kind, hash(&bytes))
    });
    // A change here is a change of every published figure and of the shipped samples: make it on purpose.
    assert_eq!(found, pins, "{found:#x?}");
    let (other, _) = generate_bytes(
        Config {
            seed: 2,
            ..Config::new(Kind::Teams, Shape::All)
        },
        300_000,
    );
    assert_ne!(hash(&other), found[0].1);
}
