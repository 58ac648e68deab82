//! Kuery as the front end and the matcher take it, against the twin that knows neither.

use std::sync::LazyLock;

use poseur_rule::elastic;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::kuery::evaluate::Judge;
use poseur_tests::kuery::{self, random};
use poseur_tests::reference::json;
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::strategies::document::render;
use poseur_tests::strategies::{Line, config, now, styles, without_feeds};
use proptest::prelude::*;

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let mut types = Types::built_in();
    types.add("types.yml", &random::page()).unwrap();
    types
});

fn documents() -> impl Strategy<Value = Vec<Line>> {
    let line = (random::document(), styles())
        .prop_map(|(node, style)| Line(without_feeds(render(&node, style))));
    proptest::collection::vec(line, 1..4)
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn means_what_it_says(
        query in random::query(),
        documents in documents(),
        seed in prop_oneof![Just(0), any::<u64>()],
    ) {
        let text = kuery::print(&query, seed);
        let read = elastic::read("rule.toml", &kuery::rule_file(&text, seed), &TYPES);
        prop_assert!(read.errors.is_empty(), "{text:?} is refused: {:?}", read.errors);
        prop_assert_eq!(read.rules.len(), 1);
        let mut lines = Lines::new(matcher(read.rules.clone(), Some("ecs")));
        let judge = Judge { types: random::TYPES, now: now().as_nanosecond() };
        for line in documents {
            let parsed = json::parse(&line.0).unwrap();
            let expected = kuery::holds(&query, &parsed.value, judge);

            let model = match verdicts(&line.0, &read.rules, now(), Some("ecs")) {
                Outcome::Records(records) => records.iter().any(|record| !record.rules.is_empty()),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(model, expected, "the front end: {:?} on {:?}", text, line);

            let mut found = false;
            lines.read(&line.0, now(), &mut |_| {
                found = true;
                Ok(())
            });
            prop_assert_eq!(found, expected, "the matcher: {:?} on {:?}", text, line);
        }
    }
}
