//! Normal forms: two conditions with the same normal form have the same verdict on every record.
//!
//! The reverse does not hold: conditions with different normal forms may still mean the same.

use crate::model::{Case, Condition, Field, Part, Pattern, Predicate, Test};

/// The normal form of a condition: names dropped, `not` only before tests and nested conditions,
/// parts flattened, sorted and each there once, constants folded, the letter case of patterns plain.
/// It has the same verdict on every record as the condition.
///
/// ```
/// use poseur_rule::model::{Condition, Field, Predicate, Test};
/// use poseur_rule::normal::normal;
///
/// let there = |name: &str| Condition::Test(Predicate {
///     field: Field::Name(name.to_owned()),
///     test: Test::Exists,
/// });
/// let not = |condition| Condition::Not(Box::new(condition));
/// let one = not(Condition::Any(vec![there("b"), not(there("a"))]));
/// let other = Condition::Named("x".to_owned(), Box::new(Condition::All(vec![
///     there("a"),
///     Condition::All(vec![not(there("b")), there("a")]),
/// ])));
/// assert_eq!(normal(&one), normal(&other));
/// ```
pub fn normal(condition: &Condition) -> Condition {
    form(condition, true)
}

/// The normal form of a condition, or of its opposite.
fn form(condition: &Condition, holds: bool) -> Condition {
    match condition {
        Condition::Named(_, part) => form(part, holds),
        Condition::Not(part) => form(part, !holds),
        // Not all is one that does not, and not any is all that do not.
        Condition::All(parts) => join(parts, holds, holds),
        Condition::Any(parts) => join(parts, !holds, holds),
        Condition::Nested { path, condition } => match normal(condition) {
            inner if inner == constant(false) => constant(!holds),
            inner => signed(
                Condition::Nested {
                    path: path.clone(),
                    condition: Box::new(inner),
                },
                holds,
            ),
        },
        Condition::Test(predicate) => test(predicate, holds),
    }
}

/// All of the parts, or any of them, each as it is or its opposite.
fn join(parts: &[Condition], all: bool, holds: bool) -> Condition {
    let mut flat = Vec::new();
    for part in parts {
        match (form(part, holds), all) {
            (Condition::All(inner), true) | (Condition::Any(inner), false) => flat.extend(inner),
            (other, _) => flat.push(other),
        }
    }
    // Constants of the one kind are gone by now: they are empty lists. One of the other decides.
    if flat.contains(&constant(!all)) {
        return constant(!all);
    }
    flat.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    flat.dedup();
    match flat.len() {
        1 => flat.remove(0),
        _ if all => Condition::All(flat),
        _ => Condition::Any(flat),
    }
}

/// People read tests first, then what is not to hold, then what is larger.
fn rank(condition: &Condition) -> u8 {
    match condition {
        Condition::Test(_) => 0,
        Condition::Not(_) => 1,
        Condition::Nested { .. } => 2,
        Condition::Any(_) => 3,
        Condition::All(_) => 4,
        Condition::Named(..) => 5,
    }
}

/// Always or never.
fn constant(holds: bool) -> Condition {
    match holds {
        true => Condition::All(Vec::new()),
        false => Condition::Any(Vec::new()),
    }
}

fn signed(condition: Condition, holds: bool) -> Condition {
    match holds {
        true => condition,
        false => Condition::Not(Box::new(condition)),
    }
}

fn test(predicate: &Predicate, holds: bool) -> Condition {
    let Predicate { field, test } = predicate;
    // Of a field with a name the two are opposites by definition.
    let (test, holds) = match (field, test) {
        (Field::Name(_), Test::Null) if !holds => (Test::Exists, true),
        (Field::Name(_), Test::Exists) if !holds => (Test::Null, true),
        (_, test) => (plain(test), holds),
    };
    let field = field.clone();
    signed(Condition::Test(Predicate { field, test }), holds)
}

/// A test with its letters in lower case, if their case does not count, and without mention of letter
/// case, if it has no letters.
fn plain(test: &Test) -> Test {
    match test {
        Test::Text(pattern, Case::Ascii) => {
            let parts = pattern.parts().iter().map(|part| match part {
                Part::Literal(text) => Part::Literal(text.to_ascii_lowercase()),
                wildcard => wildcard.clone(),
            });
            let pattern = Pattern::new(parts);
            let literals = pattern.parts().iter().map(|part| match part {
                Part::Literal(text) => text.as_str(),
                Part::Run | Part::One => "",
            });
            let case = case_of(literals);
            Test::Text(pattern, case)
        }
        Test::Term {
            text,
            case: Case::Ascii,
            start,
            end,
        } => Test::Term {
            text: text.to_ascii_lowercase(),
            case: case_of([text.as_str()]),
            start: *start,
            end: *end,
        },
        other => other.clone(),
    }
}

/// How literals whose letter case does not count are compared: without letters it cannot.
fn case_of<'t>(literals: impl IntoIterator<Item = &'t str>) -> Case {
    let mut bytes = literals.into_iter().flat_map(str::bytes);
    match bytes.any(|byte| byte.is_ascii_alphabetic()) {
        true => Case::Ascii,
        false => Case::Exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Comparison;

    fn test(name: &str, test: Test) -> Condition {
        Condition::Test(Predicate {
            field: Field::Name(name.to_owned()),
            test,
        })
    }

    fn there(name: &str) -> Condition {
        test(name, Test::Exists)
    }

    fn is(text: &str, case: Case) -> Condition {
        test("f", Test::Text(Pattern::equals(text), case))
    }

    fn not(part: Condition) -> Condition {
        Condition::Not(Box::new(part))
    }

    fn nested(condition: Condition) -> Condition {
        Condition::Nested {
            path: "p".to_owned(),
            condition: Box::new(condition),
        }
    }

    #[test]
    fn the_same_and_not_the_same() {
        use Condition::{All, Any};
        let (always, never) = (All(vec![]), Any(vec![]));
        let (a, b, c) = (there("a"), there("b"), is("c", Case::Exact));
        let before = |limit: &str| {
            let ordered = Test::Ordered(Comparison::Less, limit.to_owned());
            test("f", ordered)
        };
        let same = [
            (All(vec![a.clone()]), a.clone()),
            (
                Any(vec![Any(vec![a.clone(), b.clone()]), a.clone()]),
                Any(vec![b.clone(), a.clone()]),
            ),
            (not(not(c.clone())), c.clone()),
            (
                not(All(vec![c.clone(), not(b.clone())])),
                Any(vec![not(c.clone()), b.clone()]),
            ),
            (All(vec![a.clone(), always.clone()]), a.clone()),
            (All(vec![a.clone(), never.clone()]), never.clone()),
            (Any(vec![a.clone(), not(never.clone())]), always.clone()),
            (not(All(vec![])), never.clone()),
            (not(there("a")), test("a", Test::Null)),
            (nested(All(vec![never.clone(), a.clone()])), never.clone()),
            (not(nested(never.clone())), always.clone()),
            (nested(not(not(a.clone()))), nested(a.clone())),
            (is("1-É", Case::Ascii), is("1-É", Case::Exact)),
            (is("aB", Case::Ascii), is("Ab", Case::Ascii)),
        ];
        for (one, other) in same {
            assert_eq!(normal(&one), normal(&other));
        }
        let different = [
            (is("a", Case::Ascii), is("a", Case::Exact)),
            (is("É", Case::Ascii), is("é", Case::Ascii)),
            (nested(always.clone()), always.clone()),
            (not(nested(a.clone())), nested(not(a.clone()))),
            (not(before("1")), before("1")),
            (Any(vec![a.clone(), b.clone()]), All(vec![a, b])),
            (
                not(test("f", Test::Bool(true))),
                test("f", Test::Bool(false)),
            ),
        ];
        for (one, other) in different {
            assert_ne!(normal(&one), normal(&other));
        }
    }
}
