//! Kusto as the front end and the matcher take it, against the twin that knows neither.

use std::sync::LazyLock;

use poseur_rule::kusto as front_end;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::kusto::expression::Row;
use poseur_tests::kusto::{self, Value, random};
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

fn records() -> impl Strategy<Value = Vec<Line>> {
    let line = (random::record(), styles())
        .prop_map(|(node, style)| Line(without_feeds(render(&node, style))));
    proptest::collection::vec(line, 1..5)
}

proptest! {
    #![proptest_config(config(5_000))]

    #[test]
    fn means_what_it_says(
        condition in random::condition(),
        records in records(),
        seed in prop_oneof![Just(0), any::<u64>()],
    ) {
        let text = kusto::print(&condition, seed);
        let read = front_end::read_query("query.kql", &text, &TYPES);
        prop_assert!(read.errors.is_empty(), "refused: {:?}\n{text}", read.errors);
        prop_assert_eq!(read.rules.len(), 1);
        let mut lines = Lines::new(matcher(read.rules.clone(), Some("ecs")));
        for line in records {
            let record = &json::parse(&line.0).unwrap().value;
            let ticks = now().as_nanosecond().div_euclid(100) as i64;
            let value = kusto::evaluate(&condition, Row { record, now: ticks });
            let expected = value.to_bool() == Value::Bool(true);

            let model = match verdicts(&line.0, &read.rules, now(), Some("ecs")) {
                Outcome::Records(records) => records.iter().any(|record| !record.rules.is_empty()),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(
                model, expected, "the front end: {:?}\n{}\non {:?}", read.rules[0].condition, text, line
            );

            let mut found = false;
            lines.read(&line.0, now(), &mut |_| {
                found = true;
                Ok(())
            });
            prop_assert_eq!(found, expected, "the matcher: {}\non {:?}", text, line);
        }
    }
}
