//! Rules in plain words.

use std::time::Duration;

use poseur_rule::model::{
    Case, Comparison, Condition, Field, Moment, Part, Pattern, Relation, Test, Words,
};

use crate::terminal::harmless;

/// A predicate in words: `user.email contains "helpdesk"`.
pub fn predicate(field: &Field, test: &Test) -> String {
    let label = field.label();
    let field = match field {
        Field::Any => "any value",
        _ => &harmless(&label),
    };
    format!("{field} {}", tested(test))
}

/// What is asked of a field.
pub fn tested(test: &Test) -> String {
    match test {
        Test::Text(pattern, case) => format!("{}{}", fits(pattern), exactness(*case)),
        Test::Bool(value) => format!("is {value}"),
        Test::Null => "is missing or null".to_owned(),
        Test::Exists => "is present".to_owned(),
        Test::Compare(comparison, limit) => format!("is {} {limit}", relation(*comparison)),
        Test::Ordered(comparison, limit) => {
            format!("is {} {} (in order)", relation(*comparison), quoted(limit))
        }
        Test::Regex(pattern) => format!("matches the regular expression {}", quoted(pattern)),
        Test::Cidr(network) => {
            format!("is an address in {}/{}", network.address, network.prefix)
        }
        Test::SameAs {
            field,
            relation,
            case,
        } => {
            let relation = match relation {
                Relation::Equals => "is the same as",
                Relation::Contains => "contains",
                Relation::StartsWith => "starts with",
                Relation::EndsWith => "ends with",
            };
            format!(
                "{relation} the text of {}{}",
                harmless(field),
                exactness(*case)
            )
        }
        Test::Time(Comparison::Greater, Moment::FromNow(offset)) if *offset < 0 => {
            let age = Duration::from_nanos(offset.unsigned_abs().try_into().unwrap_or(u64::MAX));
            format!("is less than {} old", duration(age))
        }
        Test::Time(comparison, moment) => {
            let relation = match comparison {
                Comparison::Equal => "is",
                Comparison::Less => "is before",
                Comparison::LessOrEqual => "is not after",
                Comparison::Greater => "is after",
                Comparison::GreaterOrEqual => "is not before",
            };
            format!("{relation} {moment}")
        }
        Test::Within { from, to } => format!("is from {from} on and before {to}"),
        Test::Term {
            text,
            case,
            start,
            end,
        } => {
            let what = match (start, end) {
                (true, true) => "has the term",
                (true, false) => "has a term that starts with",
                (false, true) => "has a term that ends with",
                (false, false) => "contains",
            };
            format!("{what} {}{}", quoted(text), exactness(*case))
        }
        Test::Words(Words::Any(text)) => format!("has one of the words of {}", quoted(text)),
        Test::Words(Words::Phrase(text)) => format!("has the words {} in a row", quoted(text)),
        Test::Words(Words::Fits(pattern)) => format!("has a word that {}", fits(pattern)),
    }
}

fn relation(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "equal to",
        Comparison::Less => "less than",
        Comparison::LessOrEqual => "at most",
        Comparison::Greater => "more than",
        Comparison::GreaterOrEqual => "at least",
    }
}

fn fits(pattern: &Pattern) -> String {
    match pattern.parts() {
        [] => "is \"\"".to_owned(),
        [Part::Literal(text)] => format!("is {}", quoted(text)),
        [Part::Run] => "is any text".to_owned(),
        [Part::Run, Part::Literal(text), Part::Run] => format!("contains {}", quoted(text)),
        [Part::Literal(text), Part::Run] => format!("starts with {}", quoted(text)),
        [Part::Run, Part::Literal(text)] => format!("ends with {}", quoted(text)),
        parts => {
            let spelt = parts.iter().map(|part| match part {
                Part::Literal(text) => escaped(text),
                Part::Run => "*".to_owned(),
                Part::One => "?".to_owned(),
            });
            format!("fits {}", quoted(&spelt.collect::<String>()))
        }
    }
}

/// Wildcards that stand for themselves get a mark.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '?') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn exactness(case: Case) -> &'static str {
    match case {
        Case::Exact => " (case-sensitive)",
        Case::Ascii => "",
    }
}

/// A text in quotes, harmless for terminals.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", harmless(text))
}

fn duration(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds.is_multiple_of(*size))
        .unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A condition, one clause a line, indented.
pub fn condition(condition: &Condition) -> Vec<String> {
    let mut lines = Vec::new();
    describe(condition, "", 0, &mut lines);
    lines
}

fn describe(condition: &Condition, label: &str, depth: usize, lines: &mut Vec<String>) {
    let mut line = |text: &str| lines.push(format!("{}{label}{text}", "  ".repeat(depth)));
    match condition {
        Condition::Named(name, part) => {
            let label = format!("{label}{}: ", harmless(name));
            describe(part, &label, depth, lines);
        }
        Condition::All(parts) | Condition::Any(parts) if parts.len() == 1 => {
            describe(&parts[0], label, depth, lines);
        }
        Condition::All(parts) => {
            line(if parts.is_empty() { "always" } else { "all of" });
            parts
                .iter()
                .for_each(|part| describe(part, "", depth + 1, lines));
        }
        Condition::Any(parts) => {
            line(if parts.is_empty() {
                "never"
            } else {
                "at least one of"
            });
            parts
                .iter()
                .for_each(|part| describe(part, "", depth + 1, lines));
        }
        Condition::Not(part) => {
            line("not");
            describe(part, "", depth + 1, lines);
        }
        Condition::Nested { path, condition } => {
            line(&format!("one object of {} with", harmless(path)));
            describe(condition, "", depth + 1, lines);
        }
        Condition::Test(test) => line(&predicate(&test.field, &test.test)),
    }
}

/// The fields a condition looks at, in order, each once.
pub fn fields(condition: &Condition) -> Vec<String> {
    let mut names = Vec::new();
    collect(condition, &mut names);
    names
}

fn collect(condition: &Condition, names: &mut Vec<String>) {
    let mut add = |name: &str| {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().for_each(|part| collect(part, names));
        }
        Condition::Not(part)
        | Condition::Named(_, part)
        | Condition::Nested {
            condition: part, ..
        } => collect(part, names),
        Condition::Test(predicate) => {
            match &predicate.field {
                Field::Value(expression) => expression.columns(&mut |column| add(&column.name)),
                field => add(&field.label()),
            }
            if let Test::SameAs { field, .. } = &predicate.test {
                add(field);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use poseur_rule::model::{Number, Predicate};

    use super::*;

    #[test]
    fn tests_in_words() {
        use Part::{Literal, One, Run};
        let text = |parts: Vec<Part>, case| Test::Text(Pattern::new(parts), case);
        let literal = |text: &str| Literal(text.to_owned());
        let days = |days: u64| Test::Time(Comparison::Greater, Moment::seconds_ago(days * 86_400));
        for (test, wanted) in [
            (text(vec![literal("a")], Case::Ascii), "is \"a\""),
            (
                text(vec![literal("a")], Case::Exact),
                "is \"a\" (case-sensitive)",
            ),
            (text(vec![], Case::Ascii), "is \"\""),
            (text(vec![Run], Case::Ascii), "is any text"),
            (
                text(vec![Run, literal("a*"), Run], Case::Ascii),
                "contains \"a*\"",
            ),
            (
                text(vec![Run, literal("a")], Case::Ascii),
                "ends with \"a\"",
            ),
            (
                text(vec![literal("a"), Run], Case::Ascii),
                "starts with \"a\"",
            ),
            (
                text(vec![literal("a*"), One, literal("b")], Case::Ascii),
                "fits \"a\\*?b\"",
            ),
            (
                Test::Compare(Comparison::GreaterOrEqual, Number::new("2.5").unwrap()),
                "is at least 2.5",
            ),
            (days(30), "is less than 30 days old"),
            (days(1), "is less than 1 day old"),
            (
                Test::Time(Comparison::Greater, Moment::seconds_ago(90)),
                "is less than 90 seconds old",
            ),
            (
                Test::Regex("a\n".to_owned()),
                "matches the regular expression \"a␊\"",
            ),
            (
                Test::SameAs {
                    field: "b".to_owned(),
                    relation: Relation::EndsWith,
                    case: Case::Ascii,
                },
                "ends with the text of b",
            ),
        ] {
            assert_eq!(tested(&test), wanted);
        }
    }

    #[test]
    fn conditions_are_indented() {
        let test = |field: &str| {
            Condition::Test(Predicate {
                field: Field::Name(field.to_owned()),
                test: Test::Exists,
            })
        };
        let tree = Condition::All(vec![
            Condition::Named(
                "chosen".to_owned(),
                Box::new(Condition::Any(vec![test("a"), test("b")])),
            ),
            Condition::Not(Box::new(Condition::All(vec![test("a")]))),
        ]);
        let wanted = "\
all of
  chosen: at least one of
    a is present
    b is present
  not
    a is present";
        assert_eq!(condition(&tree).join("\n"), wanted);
        assert_eq!(fields(&tree), ["a", "b"]);
    }
}
