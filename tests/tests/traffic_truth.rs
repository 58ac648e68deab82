//! The truth that comes with generated traffic, against the reference evaluator: two accounts of what matches, made
//! apart from each other. (The generator's own tests hold a third, for the two rules alone.)

use clap::ValueEnum;
use jiff::Timestamp;
use poseur_rule::model::Rule;
use poseur_tests::reference::rules::{rule_a, rule_b};
use poseur_tests::reference::{Judged, Outcome, verdicts};
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Traffic};

/// The reference is slow on purpose; the generator's own tests look at many more.
const LINES: usize = 500;

#[test]
fn the_reference_finds_what_the_generator_put_there() {
    let at = Timestamp::from_second(DEFAULT_AT).unwrap();
    let rules = [rule_a(), rule_b()];
    let mut matches = 0;
    for &kind in Kind::value_variants() {
        for &shape in Shape::value_variants() {
            let config = Config {
                candidate_rate: Some(0.5),
                match_rate: 0.2,
                escape_rate: 0.3,
                size: None,
                batch: 2,
                ..Config::new(kind, shape)
            };
            let Ok(mut traffic) = Traffic::new(config) else {
                continue;
            };
            let mut line = Vec::new();
            for _ in 0..LINES {
                line.clear();
                let truth = traffic.next(&mut line);
                let Outcome::Records(judged) = verdicts(&line[..line.len() - 1], &rules, at, None)
                else {
                    panic!("unreadable: {}", String::from_utf8_lossy(&line));
                };
                let count = |rule: &Rule| {
                    let has = |one: &&Judged| one.rules.contains(&rule.id);
                    judged.iter().filter(has).count() as u32
                };
                let found = (judged.len() as u32, count(&rules[0]), count(&rules[1]));
                let told = (truth.records, truth.matches_a, truth.matches_b);
                assert_eq!(
                    found,
                    told,
                    "{kind:?} {shape:?}: {}",
                    String::from_utf8_lossy(&line)
                );
                matches += found.1 + found.2;
            }
        }
    }
    assert!(matches > 2_000, "{matches}");
}
