//! Kuery as the front end and the matcher take it, against the twin that knows neither.

use poseur_rule::elastic;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::kuery::evaluate::Judge;
use poseur_tests::kuery::{self, random};
use poseur_tests::reference::json;
use poseur_tests::strategies::document::render;
use poseur_tests::strategies::{Line, config, now, styles};
use proptest::prelude::*;

fn documents() -> impl Strategy<Value = Vec<Line>> {
    let line = (random::document(), styles()).prop_map(|(node, style)| Line(render(&node, style)));
    proptest::collection::vec(line, 1..4)
}

proptest! {
    #![proptest_config(config(6_000))]

    #[test]
    fn means_what_it_says(
        query in random::query(),
        documents in documents(),
        seed in prop_oneof![Just(0), any::<u64>()],
    ) {
        let text = kuery::print(&query, seed);
        let mut types = Types::built_in();
        types.add("types.yml", &random::page()).unwrap();
        let read = elastic::read("rule.toml", &kuery::rule_file(&text, seed), &types);
        prop_assert!(read.errors.is_empty(), "{text:?} is refused: {:?}", read.errors);
        prop_assert_eq!(read.rules.len(), 1);
        let mut lines = Lines::new(matcher(read.rules, Some("ecs")));
        let judge = Judge { types: random::TYPES, now: now().as_nanosecond() };
        for line in documents {
            let parsed = json::parse(&line.0).unwrap();
            let mut found = false;
            lines.read(&line.0, now(), &mut |_| {
                found = true;
                Ok(())
            });
            let expected = kuery::holds(&query, &parsed.value, judge);
            prop_assert_eq!(found, expected, "{:?} on {:?}", text, line);
        }
    }
}
