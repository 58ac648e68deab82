//! The fast path against the slow, obviously right twin.

use poseur_tests::agreement::check;
use poseur_tests::strategies::{self, config, now, random};
use proptest::prelude::*;

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn on_the_built_in_rules(line in strategies::lines()) {
        check(&poseur_rule::pack::built_in(), &line.0, now(), None);
    }
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn on_random_rules(rules in random::rules(), line in random::lines()) {
        check(&rules, &line.0, now(), None);
    }

    #[test]
    fn on_forced_schemas(
        line in strategies::lines(),
        schema in prop::sample::select(vec!["o365", "ecs", "defender", "hunting", "envelope"]),
    ) {
        check(&poseur_rule::pack::built_in(), &line.0, now(), Some(schema));
    }

    #[test]
    fn on_any_json(rules in random::rules(), mut line in strategies::any_json()) {
        // A line ends at a line feed.
        line.0.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        check(&rules, &line.0, now(), None);
    }
}
