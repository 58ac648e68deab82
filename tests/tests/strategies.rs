//! Do the generators produce what they promise, and does the evaluator survive it?

use poseur_tests::reference::evaluate::holds;
use poseur_tests::reference::rules::{clauses_a, clauses_b, rule_a, rule_b};
use poseur_tests::reference::shape::{Forced, read};
use poseur_tests::reference::{Outcome, shape, verdicts};
use poseur_tests::strategies::document::{Style, render};
use poseur_tests::strategies::{self, Line, audit, config, external, now, random};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// So many lines, always the same.
fn sample<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).expect("a value").current())
        .collect()
}

/// The fewest clauses of a rule that any payload of the line fails.
fn fewest_failures(line: &Line, clauses: &[poseur_rule::model::Condition]) -> usize {
    let shape::Line::Records(records) = read(&line.0, Forced::Auto) else {
        return usize::MAX;
    };
    records
        .iter()
        .flat_map(|record| &record.payloads)
        .map(|payload| {
            let fails = |clause: &&_| !holds(clause, payload.schema, &payload.value, now());
            clauses.iter().filter(fails).count()
        })
        .min()
        .unwrap_or(usize::MAX)
}

#[test]
fn matches_and_near_misses_are_common() {
    let lines = sample(strategies::lines(), 2000);
    let (mut unreadable, mut matched, mut near, mut wrapped) = (0, 0, 0, 0);
    for line in &lines {
        match verdicts(&line.0, &[rule_a(), rule_b()], now(), None) {
            Outcome::Records(records) => {
                let any = records.iter().any(|judged| !judged.rules.is_empty());
                matched += usize::from(any);
                let one = fewest_failures(line, &clauses_a()) == 1
                    || fewest_failures(line, &clauses_b()) == 1;
                near += usize::from(!any && one);
                wrapped += usize::from(records.len() != 1);
            }
            _ => unreadable += 1,
        }
    }
    let percent = |count: usize| count * 100 / lines.len();
    let bytes: usize = lines.iter().map(|line| line.0.len()).sum();
    println!(
        "of {} lines, {} bytes on average: {} % match, {} % miss by one clause, {} % unreadable \
         or blank, {} % hold another number of records than one",
        lines.len(),
        bytes / lines.len(),
        percent(matched),
        percent(near),
        percent(unreadable),
        percent(wrapped),
    );
    assert!((20..=45).contains(&percent(matched)));
    assert!((20..=45).contains(&percent(near)));
    assert!((5..=25).contains(&percent(unreadable)));
}

#[test]
fn every_shape_matches_and_just_misses() {
    let kinds = [
        ("raw", audit::audit(true).boxed()),
        ("document", audit::audit(false).boxed()),
        ("row", external::external(false).boxed()),
        ("streamed", external::external(true).boxed()),
    ];
    for (name, kind) in kinds {
        let nodes = sample(kind, 1000);
        let (mut matched, mut near) = (0, 0);
        for node in &nodes {
            let line = Line(render(node, Style::default()));
            let fewest =
                fewest_failures(&line, &clauses_a()).min(fewest_failures(&line, &clauses_b()));
            matched += usize::from(fewest == 0);
            near += usize::from(fewest == 1);
        }
        let percent = |count: usize| count * 100 / nodes.len();
        println!(
            "{name}: {} % match, {} % miss by one clause",
            percent(matched),
            percent(near)
        );
        assert!((20..=60).contains(&percent(matched)), "{name}");
        assert!((20..=60).contains(&percent(near)), "{name}");
    }
}

#[test]
fn random_rules_hit_random_records() {
    let pairs = sample((random::lines(), random::rules()), 2000);
    let (mut rules, mut hits) = (0, 0);
    for (line, conditions) in &pairs {
        if let Outcome::Records(records) = verdicts(&line.0, conditions, now(), None) {
            for judged in records {
                rules += conditions.len();
                hits += judged.rules.len();
            }
        }
    }
    let percent = hits * 100 / rules;
    println!("{percent} % of {rules} random rules hit");
    assert!((15..=60).contains(&percent));
}

/// Every place where a tag goes is a closing brace, and they all differ.
fn sound(line: &Line, outcome: &Outcome) -> Result<(), TestCaseError> {
    if let Outcome::Records(records) = outcome {
        let mut braces: Vec<usize> = records.iter().map(|judged| judged.brace).collect();
        for brace in &braces {
            prop_assert_eq!(line.0.get(*brace), Some(&b'}'));
        }
        braces.sort_unstable();
        braces.dedup();
        prop_assert_eq!(braces.len(), records.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn lines_are_judged_without_harm(
        line in strategies::lines(),
        rules in random::rules(),
        schema in prop::option::of(prop::sample::select(
            vec!["auto", "ecs", "o365", "defender", "hunting", "envelope", "x"]
        )),
    ) {
        prop_assert!(!line.0.contains(&b'\n'));
        let mut rules = rules;
        rules.extend([rule_a(), rule_b()]);
        sound(&line, &verdicts(&line.0, &rules, now(), schema))?;
    }

    #[test]
    fn any_bytes_are_judged_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let line = Line(bytes);
        sound(&line, &verdicts(&line.0, &[rule_a(), rule_b()], now(), None))?;
    }

    #[test]
    fn a_mark_and_a_line_end_change_nothing(line in strategies::lines()) {
        let rules = [rule_a(), rule_b()];
        prop_assume!(!line.0.starts_with(b"\xEF\xBB\xBF"));
        let dressed = [b"\xEF\xBB\xBF", line.0.as_slice(), b"\r"].concat();
        let plain = verdicts(&line.0, &rules, now(), None);
        let dressed = verdicts(&dressed, &rules, now(), None);
        match (plain, dressed) {
            (Outcome::Records(plain), Outcome::Records(dressed)) => {
                for (one, other) in plain.iter().zip(&dressed) {
                    prop_assert_eq!(one.brace + 3, other.brace);
                    prop_assert_eq!(&one.rules, &other.rules);
                }
                prop_assert_eq!(plain.len(), dressed.len());
            }
            (plain, dressed) => prop_assert_eq!(plain, dressed),
        }
    }
}
