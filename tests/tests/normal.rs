//! A normal form means what the condition means, and dressing a condition up does not change it.

use poseur_rule::model::{Case, Condition, Part, Pattern, Predicate, Test};
use poseur_rule::normal::normal;
use poseur_tests::reference::rules::rule;
use poseur_tests::reference::{Outcome, verdicts};
use poseur_tests::strategies::{config, now, random};
use proptest::prelude::*;

/// The same condition written another way: each bit of `seed` decides about one thing.
fn dressed(condition: &Condition, seed: &mut u64) -> Condition {
    let mut bit = || {
        *seed = seed.rotate_right(1).wrapping_mul(0xD134_2543_DE82_EF95) | 1;
        *seed >> 63 == 1
    };
    let (name, twice, turned, again, alone) = (bit(), bit(), bit(), bit(), bit());
    let not = |part: Condition| Condition::Not(Box::new(part));
    let all = |parts: &[Condition], seed: &mut u64| -> Vec<Condition> {
        let mut parts: Vec<Condition> = parts.iter().map(|part| dressed(part, seed)).collect();
        if again && !parts.is_empty() {
            parts.push(parts[0].clone());
        }
        if turned {
            parts.reverse();
        }
        parts
    };
    let plain = match condition {
        // De Morgan.
        Condition::All(parts) if twice => {
            let parts = all(parts, seed).into_iter().map(not).collect();
            not(Condition::Any(parts))
        }
        Condition::Any(parts) if twice => {
            let parts = all(parts, seed).into_iter().map(not).collect();
            not(Condition::All(parts))
        }
        Condition::All(parts) => Condition::All(all(parts, seed)),
        Condition::Any(parts) => Condition::Any(all(parts, seed)),
        Condition::Not(part) => not(dressed(part, seed)),
        Condition::Named(_, part) => dressed(part, seed),
        Condition::Nested { path, condition } => Condition::Nested {
            path: path.clone(),
            condition: Box::new(dressed(condition, seed)),
        },
        Condition::Test(Predicate {
            field,
            test: Test::Text(pattern, Case::Ascii),
        }) if turned => {
            let parts = pattern.parts().iter().map(|part| match part {
                Part::Literal(text) => Part::Literal(text.to_ascii_uppercase()),
                wildcard => wildcard.clone(),
            });
            Condition::Test(Predicate {
                field: field.clone(),
                test: Test::Text(Pattern::new(parts), Case::Ascii),
            })
        }
        Condition::Test(_) if twice => not(not(condition.clone())),
        Condition::Test(_) => condition.clone(),
    };
    let plain = match name {
        true => Condition::Named("a name".to_owned(), Box::new(plain)),
        false => plain,
    };
    match alone {
        true => Condition::All(vec![Condition::Any(vec![plain])]),
        false => plain,
    }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn it_means_the_same(line in random::lines(), condition in random::condition()) {
        let rules = [rule("as written", condition.clone()), rule("normal", normal(&condition))];
        if let Outcome::Records(records) = verdicts(&line.0, &rules, now(), None) {
            for judged in records {
                prop_assert_ne!(judged.rules.len(), 1, "only {:?}", judged.rules);
            }
        }
    }

    #[test]
    fn dress_does_not_matter(condition in random::condition(), seed in any::<u64>()) {
        let mut seed = seed | 1;
        let other = dressed(&condition, &mut seed);
        prop_assert_eq!(normal(&other), normal(&condition));
        prop_assert_eq!(normal(&normal(&condition)), normal(&condition));
        prop_assert!(normal(&condition).depth() <= condition.depth());
    }

    #[test]
    fn equal_forms_mean_equal_verdicts(
        line in random::lines(), conditions in proptest::collection::vec(random::condition(), 2..6),
    ) {
        // Many pairs of small conditions have one form.
        let rules: Vec<_> = conditions.iter().map(|condition| rule("x", condition.clone())).collect();
        for (one, first) in conditions.iter().zip(&rules) {
            for (other, second) in conditions.iter().zip(&rules) {
                if normal(one) != normal(other) {
                    continue;
                }
                let of = |rule: &poseur_rule::model::Rule| verdicts(&line.0, std::slice::from_ref(rule), now(), None);
                prop_assert_eq!(of(first), of(second));
            }
        }
    }
}
