//! Many rules together decide as each of them does alone.

use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_rule::elastic;
use poseur_rule::model::{Case, Condition, Pattern, Rule, Test};
use poseur_rule::normal::normal;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::{Agreement, matcher};
use poseur_tests::reference::rules::{rule, test};
use poseur_tests::rules::{Generated, Options, generate};
use poseur_tests::strategies::{config, now, random};
use proptest::prelude::*;

/// Ids of the rules that match, record by record.
fn verdicts(matcher: &Arc<Matcher>, lines: &[u8]) -> Vec<(usize, Vec<String>)> {
    let mut reader = Lines::new(matcher.clone()).check_all();
    let mut found = Vec::new();
    reader.read(lines, now(), &mut |hit| {
        let ids = hit
            .verdict
            .rules()
            .map(|rule| matcher.rules()[rule].id.clone());
        found.push((hit.line.start + hit.root.start, ids.collect()));
        Ok(())
    });
    found
}

/// The same, one rule at a time: a rule that is alone is always tried.
fn one_by_one(rules: &[Rule], lines: &[u8]) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    for rule in rules {
        for (place, ids) in verdicts(&matcher(vec![rule.clone()], None), lines) {
            match found.iter_mut().find(|(known, _)| *known == place) {
                Some((_, known)) => known.extend(ids),
                None => found.push((place, ids)),
            }
        }
    }
    found.sort_unstable();
    found
}

fn sorted(mut found: Vec<(usize, Vec<String>)>) -> Vec<(usize, Vec<String>)> {
    found.sort_unstable();
    found
}

/// Conditions most of which want one of a few values in one of a few fields.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    const FIELDS: [&str; 5] = ["event.action", "a", "b.c", "event.outcome", "Subject"];
    const VALUES: [&str; 9] = [
        "x",
        "X",
        "xy",
        "",
        "1",
        "10",
        "true",
        "success",
        "added-users-to-group",
    ];
    let equal = (
        prop::sample::select(FIELDS.to_vec()),
        proptest::collection::vec(prop::sample::select(VALUES.to_vec()), 1..4),
        prop::sample::select(vec![Case::Exact, Case::Ascii]),
    );
    let equal = equal.prop_map(|(field, values, case)| {
        let one = |value| test(field, Test::Text(Pattern::equals(value), case));
        Condition::Any(values.into_iter().map(one).collect())
    });
    let condition = prop_oneof![
        4 => (equal.clone(), random::condition())
            .prop_map(|(equal, other)| Condition::All(vec![other, equal])),
        2 => equal.clone(),
        1 => equal.prop_map(|equal| Condition::Not(Box::new(equal))),
        2 => random::condition(),
    ];
    proptest::collection::vec(condition, 3..25).prop_map(|conditions| {
        let numbered = conditions.into_iter().enumerate();
        numbered
            .map(|(number, condition)| rule(&format!("rule-{number:02}"), condition))
            .collect()
    })
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn random_rules(
        rules in rules(),
        lines in proptest::collection::vec(random::lines(), 1..6),
    ) {
        let mut together = Agreement::new(&rules, None);
        let mut buffer = Vec::new();
        for line in &lines {
            together.check(&line.0, now());
            buffer.extend_from_slice(&line.0);
            buffer.push(b'\n');
        }
        let found = verdicts(&matcher(rules.clone(), None), &buffer);
        prop_assert_eq!(sorted(found), one_by_one(&rules, &buffer));
    }
}

#[test]
fn generated_files_read_as_the_generated_rules() {
    let types = Types::built_in();
    for options in [Options::default(), Options::walking()] {
        for made in generate(&options) {
            let read = elastic::read("generated.toml", &made.toml(), &types);
            assert_eq!(read.errors, [], "{}", made.toml());
            let (read, rule) = (&read.rules[0], made.rule());
            assert_eq!((&read.id, &read.title), (&rule.id, &rule.title));
            assert_eq!(read.log_source, rule.log_source);
            assert_eq!(
                normal(&read.condition),
                normal(&rule.condition),
                "{}",
                made.query
            );
        }
    }
}

#[test]
fn rules_of_the_public_shape() {
    let made = generate(&Options {
        count: 150,
        o365: 0.2,
        ..Options::walking()
    });
    let rules: Vec<Rule> = made.iter().map(Generated::rule).collect();
    let (mut buffer, mut met) = (String::new(), 0);
    let all = matcher(rules.clone(), None);
    for (seed, rule) in (0..).zip(&made) {
        for faults in [0.0, 0.1, 0.3] {
            let record = rule.record(seed, faults) + "\n";
            let found = verdicts(&all, record.as_bytes());
            let ids = found.into_iter().flat_map(|(_, ids)| ids);
            met += (faults == 0.0 && ids.into_iter().any(|id| id == rule.id)) as usize;
            buffer += &record;
        }
    }
    // Some rules contradict themselves; but for these, a record that has what a rule asks for matches.
    assert!(met > made.len() * 9 / 10, "{met} of {}", made.len());
    let found = verdicts(&all, buffer.as_bytes());
    assert_eq!(sorted(found), one_by_one(&rules, buffer.as_bytes()));
}
