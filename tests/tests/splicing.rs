//! Whatever the style, what is no tag is the input.

use poseur_rule::pack;
use poseur_tagger::Style;
use poseur_tests::splicing::check;
use poseur_tests::strategies::{self, config, now, random};
use poseur_tests::tagging::compile;
use proptest::prelude::*;

fn styles() -> impl Strategy<Value = Style> {
    prop::sample::select(vec![Style::Namespace, Style::Ecs, Style::Minimal])
}

proptest! {
    #![proptest_config(config(3_000))]

    #[test]
    fn on_the_built_in_rules(line in strategies::lines(), style in styles()) {
        check(&compile(pack::built_in(), vec![]), &line.0, now(), style);
    }

    #[test]
    fn on_random_rules(rules in random::rules(), line in random::lines(), style in styles()) {
        check(&compile(rules, vec![]), &line.0, now(), style);
    }

    /// A rule that nearly everything satisfies: what stands in the tag's way is what matters.
    #[test]
    fn on_any_object(extra in strategies::extra::members(), seed in any::<u64>(), style in styles()) {
        let mut node = strategies::document::Node::map([("kind", strategies::document::Node::Null)]);
        strategies::extra::add(&mut node, extra, &mut strategies::dice::Dice::new(seed));
        let spelled = strategies::document::Style { escapes: 10, space: 10, shuffled: 50, seed };
        let mut line = strategies::document::render(&node, spelled);
        line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        let rules = poseur_tests::tagging::sigma_rule("n", "  k: {none|exists: true}\n  condition: not k", "tags: [attack.t1566, attack.t1566.003]\nposeur: {risk_score: 3}");
        check(&compile(rules, vec![]), &line, now(), style);
    }
}

#[test]
fn the_check_sees_what_is_made() {
    let rules = || poseur_tests::tagging::sigma_rule("n", "  s: {a: 1}\n  condition: s", "");
    let matcher = compile(rules(), vec![]);
    for (line, style, made) in [
        (&br#"{"a":2}"#[..], Style::Minimal, 0),
        (br#"{"a":1}"#, Style::Minimal, 1),
        (br#"[{"a":1},{"a":1,"poseur":{}}]"#, Style::Namespace, 2),
        (br#"{"a":1,"poseur":1,"poseur":[2]}"#, Style::Minimal, 2),
        (br#"{"a":1,"tags":["x"]}"#, Style::Ecs, 2),
        (br#"{"a":1,"tags":[],"rule":1,"threat":1}"#, Style::Ecs, 1),
        (
            br#"{"a":1,"tags":["poseur"],"rule":1,"threat":1}"#,
            Style::Ecs,
            0,
        ),
    ] {
        assert_eq!(
            check(&matcher, line, now(), style),
            made,
            "{}",
            line.escape_ascii()
        );
    }
}
