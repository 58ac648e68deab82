//! The exported VRL program says what the matcher says, event by event.
#![cfg(feature = "vrl")]

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use poseur_conformance::both::{Both, loses, plain};
use poseur_conformance::program::{events, line};
use poseur_rule::pack;
use poseur_tagger::Style;
use poseur_tests::conformance;
use poseur_tests::strategies;
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Traffic};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

const SHAPES: [Shape; 12] = [
    Shape::O365,
    Shape::Ecs,
    Shape::EcsDotted,
    Shape::EcsMixed,
    Shape::EnvelopeMessage,
    Shape::EnvelopeOriginal,
    Shape::EnvelopeLog,
    Shape::EnvelopeO365Audit,
    Shape::Defender,
    Shape::Hunting,
    Shape::BatchRecords,
    Shape::BatchArray,
];

#[test]
fn all_shapes_of_traffic() {
    let at = Timestamp::from_second(DEFAULT_AT).unwrap();
    for style in [Style::Minimal, Style::Namespace, Style::Ecs] {
        let mut both = Both::new(pack::built_in(), Vec::new(), None, style, at).unwrap();
        assert_eq!(both.program.warnings, "");
        let (mut count, mut tagged) = (0, 0);
        for kind in [Kind::Teams, Kind::Mixed, Kind::MessageEvents] {
            for shape in SHAPES.into_iter().filter(|shape| shape.fits(kind)) {
                let mut config = Config::new(kind, shape);
                config.candidate_rate = Some(0.6);
                config.match_rate = 0.3;
                config.escape_rate = 0.1;
                let mut traffic = Traffic::new(config).unwrap();
                let mut text = Vec::new();
                for _ in 0..50 {
                    text.clear();
                    traffic.next(&mut text);
                    for event in events(text.trim_ascii_end()) {
                        count += 1;
                        tagged += usize::from(both.check(event).tagged);
                    }
                }
            }
        }
        assert!(count > 1000 && tagged * 10 > count, "{tagged} of {count}");
        println!("{style:?}: {count} events, {tagged} tagged");
    }
}

#[test]
fn the_conformance_suite() {
    let at = strategies::now();
    let rules = pack::built_in();
    let mut both = Both::new(rules, Vec::new(), None, Style::Namespace, at).unwrap();
    let (all, tagged) = conformance::check(at, |record| {
        let event = serde_json::from_slice(record).expect("a record is JSON");
        line(&both.program.run(event))
    });
    println!("{tagged} of {all} records tagged");
}

/// Records around every edge of the built-in rules.
#[test]
fn edges_of_the_built_in_rules() {
    let both = Both::new(
        pack::built_in(),
        Vec::new(),
        None,
        Style::Minimal,
        strategies::now(),
    )
    .unwrap();
    let both = RefCell::new(both);
    let (tagged, lost) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new_with_rng(
        strategies::config(1000),
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let outcome = runner.run(&strategies::lines(), |line| {
        for event in events(&line.0) {
            if loses(&plain(&event), false) {
                lost.set(lost.get() + 1);
            } else {
                tagged.set(tagged.get() + usize::from(both.borrow_mut().check(event).tagged));
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{} tagged, {} left out", tagged.get(), lost.get());
    assert!(tagged.get() > 100, "{} tagged", tagged.get());
    assert!(lost.get() < 300, "{} left out", lost.get());
}

/// Random rules on random records: what is not refused agrees.
#[test]
fn random_rules() {
    let seeded = || TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(strategies::config(1), seeded());
    let mut draw = TestRunner::new_with_rng(strategies::config(1), seeded());
    let (mut exported, mut refused, mut tagged, mut checked) = (0, 0, 0, 0);
    while exported < 40 {
        let rules = strategies::random::rules()
            .new_tree(&mut runner)
            .unwrap()
            .current();
        let Ok(mut both) = Both::new(rules, Vec::new(), None, Style::Minimal, strategies::now())
        else {
            refused += 1;
            continue;
        };
        exported += 1;
        for _ in 0..30 {
            let line = strategies::random::lines()
                .new_tree(&mut draw)
                .unwrap()
                .current();
            for event in events(&line.0) {
                if !loses(&plain(&event), false) {
                    checked += 1;
                    tagged += usize::from(both.check(event).tagged);
                }
            }
        }
    }
    println!("{exported} exported, {refused} refused, {tagged} of {checked} tagged");
    assert!(tagged > 50 && refused < 2000);
}
