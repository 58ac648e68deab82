//! Explanations agree with verdicts, and show what the record holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_matcher::explain::{self, Explanation, What};
use poseur_matcher::program::PredicateId;
use poseur_rule::exception::{Exception, Ground, Trusted};
use poseur_rule::expression::ColumnType;
use poseur_rule::model::{Field, Rule, Test};
use poseur_rule::pack;
use poseur_tagger::Lines;
use poseur_tests::reference::evaluate;
use poseur_tests::reference::shape::{self, Forced, Line, Schema};
use poseur_tests::strategies::{self, config, now, random};
use poseur_tests::tagging::compile;
use proptest::prelude::*;

/// By place of the record's closing brace: which rules matched or were suppressed.
type Decided = BTreeMap<usize, Vec<usize>>;

/// The same, with the explanations of what was judged for the record.
type Explained = Vec<(usize, Vec<Explanation>)>;

/// Told of a predicate.
type SeePredicate<'a> = dyn FnMut(Seen<'_>) + 'a;

/// A predicate as it is explained.
struct Seen<'a> {
    id: PredicateId,
    texts: &'a [String],
    more: bool,
    holds: bool,
    /// It is about one object inside the record, and so are its values.
    nested: bool,
}

/// Who is trusted does not change what holds.
fn exceptions() -> Vec<Exception> {
    let mut trusted = Trusted::builder();
    for domain in ["corp.example", "evil.example", ".example.com"] {
        trusted.domain(domain).unwrap();
    }
    vec![Exception {
        id: "e".to_owned(),
        reason: "r".to_owned(),
        owner: None,
        expires: None,
        rules: None,
        ground: Ground::Trusted(trusted.build()),
        place: poseur_rule::error::Place::new("test", 1, 1),
    }]
}

/// What is decided about a line, and how it is explained; `None` if it is unreadable.
fn both(matcher: &Arc<Matcher>, line: &[u8]) -> Option<(Decided, Explained)> {
    let mut lines = Lines::new(matcher.clone()).check_all();
    let mut decided = Decided::new();
    lines.read(line, now(), &mut |hit| {
        let suppressed = hit.verdict.suppressed.iter().map(|entry| entry.rule);
        let mut rules: Vec<usize> = hit.verdict.rules().chain(suppressed).collect();
        rules.sort_unstable();
        rules.dedup();
        decided.insert(hit.root.end - 1, rules);
        Ok(())
    });
    let unreadable = lines.counts.all_unreadable() > 0;
    let explained = lines.explain(line, now());
    if line.trim_ascii().is_empty() || line == b"\xEF\xBB\xBF" {
        return None;
    }
    assert_eq!(explained.is_err(), unreadable);
    let explained = explained.ok()?;
    let explained = explained
        .into_iter()
        .map(|(root, explanations)| (root.end - 1, explanations));
    Some((decided, explained.collect()))
}

/// A clause holds as its parts say.
fn check_clause(clause: &explain::Explained, nested: bool, see: &mut SeePredicate<'_>) {
    let inner = nested || matches!(clause.what, What::Nested { .. });
    let mut all = |parts: &[explain::Explained]| -> Vec<bool> {
        parts
            .iter()
            .map(|part| {
                check_clause(part, inner, see);
                part.holds
            })
            .collect()
    };
    let holds = match &clause.what {
        What::All(parts) => all(parts).into_iter().all(|holds| holds),
        What::Any(parts) => all(parts).into_iter().any(|holds| holds),
        What::Not(part) => !all(std::slice::from_ref(part))[0],
        What::Named(_, part) => all(std::slice::from_ref(part))[0],
        What::Nested { object, .. } => {
            let object = object.as_deref();
            object.is_some_and(|object| all(std::slice::from_ref(object))[0])
        }
        What::Predicate {
            id,
            values: texts,
            more,
        } => {
            see(Seen {
                id: *id,
                texts,
                more: *more,
                holds: clause.holds,
                nested,
            });
            clause.holds
        }
    };
    assert_eq!(clause.holds, holds, "{clause:?}");
}

fn schema(name: &str) -> Schema {
    match name {
        "ecs" => Schema::Ecs,
        "o365" => Schema::O365,
        "defender" => Schema::Defender,
        "hunting" => Schema::Hunting,
        other => panic!("records are not judged as {other}"),
    }
}

fn check(rules: Vec<Rule>, line: &[u8]) {
    let matcher = compile(rules, exceptions());
    let Some((decided, explained)) = both(&matcher, line) else {
        return;
    };
    let Line::Records(records) = shape::read(line, Forced::Auto) else {
        panic!("the reference cannot read it");
    };
    assert_eq!(explained.len(), records.len(), "records");
    for ((brace, explanations), record) in explained.iter().zip(&records) {
        assert_eq!(*brace, record.brace);
        let mut held = Vec::new();
        assert_eq!(explanations.len(), record.payloads.len(), "payloads");
        for (explanation, payload) in explanations.iter().zip(&record.payloads) {
            assert_eq!(schema(&explanation.schema), payload.schema);
            assert_eq!(explanation.rules.len(), matcher.rules().len());
            for (number, rule) in explanation.rules.iter().enumerate() {
                assert_eq!(rule.rule, number);
                assert_eq!(rule.holds, rule.clause.holds, "{rule:?}");
                check_clause(&rule.clause, false, &mut |seen| {
                    let Seen {
                        id,
                        texts,
                        more,
                        holds,
                        nested,
                    } = seen;
                    let predicate = &matcher.predicate(id).predicate;
                    let values =
                        evaluate::values(&predicate.field, payload.schema, &payload.value, now());
                    // The two readers may meet a field's paths in different orders.
                    let mut expected: Vec<String> = values
                        .scalars
                        .iter()
                        .map(|value| String::from_utf8_lossy(&value.text()).into_owned())
                        .collect();
                    // A value that several names of a pattern lead to counts once; it may be shown
                    // more than once.
                    let pattern = matches!(predicate.field, Field::Like(_));
                    assert!(
                        pattern || nested || more == (expected.len() > texts.len()),
                        "{predicate:?}"
                    );
                    // A moment is shown as it is written; the reference knows it as a moment.
                    if let Field::Column(column) = &predicate.field
                        && matches!(column.kind, ColumnType::DateTime | ColumnType::TimeSpan)
                    {
                        assert!(texts.len() <= expected.len(), "{predicate:?}");
                    } else if more || nested {
                        let known = texts.iter().all(|text| expected.contains(text));
                        assert!(known, "{predicate:?}: {texts:?} of {expected:?}");
                    } else {
                        let mut texts = texts.to_vec();
                        texts.sort_unstable();
                        expected.sort_unstable();
                        if pattern {
                            texts.dedup();
                            expected.dedup();
                        }
                        assert_eq!(texts, expected, "{predicate:?}");
                    }
                    match predicate.test {
                        Test::Exists | Test::Null if nested => {}
                        Test::Exists => assert_eq!(holds, values.exists),
                        Test::Null => assert_eq!(holds, !values.exists),
                        // Nothing else holds of no value.
                        _ => assert!(!holds || !texts.is_empty(), "{predicate:?}"),
                    }
                });
                held.extend(rule.holds.then_some(number));
            }
        }
        held.sort_unstable();
        held.dedup();
        let matched = decided.get(brace).cloned().unwrap_or_default();
        assert_eq!(held, matched, "matched or suppressed");
    }
    let braces: Vec<usize> = explained.iter().map(|(brace, _)| *brace).collect();
    assert!(decided.keys().all(|brace| braces.contains(brace)));
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn agrees_on_the_built_in_rules(line in strategies::lines()) {
        check(pack::built_in(), &line.0);
    }

    #[test]
    fn agrees_on_random_rules(rules in random::rules(), line in random::lines()) {
        check(rules, &line.0);
    }
}

#[test]
fn a_suppressed_match_is_explained_as_one_that_holds() {
    let line = br#"{"Timestamp":"2026-02-20T08:00:00Z","IsExternalThread":true,"RecipientDetails":[{"RecipientDisplayName":"Help Desk","RecipientSmtpAddress":"x@corp.example"}]}"#;
    let matcher = compile(pack::built_in(), exceptions());
    let (decided, explained) = both(&matcher, line).unwrap();
    assert_eq!(decided, Decided::from([(line.len() - 1, vec![1])]));
    let rules = &explained[0].1[0].rules;
    assert_eq!([rules[0].holds, rules[1].holds], [false, true]);
    let mut lines = Lines::new(matcher);
    lines.read(line, now(), &mut |_| Ok(()));
    assert_eq!((lines.counts.matches, lines.counts.suppressed), (0, 1));
}

#[test]
fn at_most_eight_values_are_shown() {
    for count in [0, 1, 7, 8, 9, 20] {
        let list: Vec<String> = (0..count).map(|n| format!("\"v{n}\"")).collect();
        let line = format!(r#"{{"event":{{"action":[{}]}}}}"#, list.join(","));
        let matcher = compile(pack::built_in(), vec![]);
        let explained = Lines::new(matcher.clone())
            .explain(line.as_bytes(), now())
            .unwrap();
        let mut count_seen = 0;
        check_clause(&explained[0].1[0].rules[0].clause, false, &mut |seen| {
            let Seen {
                id, texts, more, ..
            } = seen;
            let Field::Name(name) = &matcher.predicate(id).predicate.field else {
                return;
            };
            if name == "event.action" {
                count_seen += 1;
                let shown: Vec<String> = (0..count.min(8)).map(|n| format!("v{n}")).collect();
                assert_eq!((texts, more), (&shown[..], count > 8));
            }
        });
        assert_eq!(count_seen, 1);
    }
}
