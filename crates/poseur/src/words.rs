//! Rules in plain words.

use std::time::Duration;

use poseur_rule::model::{
    Case, Comparison, Condition, Field, Moment, Part, Pattern, Relation, Test, Words,
};

use crate::terminal::harmless;

/// A predicate in words: `user.email contains "helpdesk"`.
pub fn predicate(field: &Field, test: &Test) -> String {
    format!("{} {}", named(field), tested(test))
}

/// A field as the subject of a clause.
fn named(field: &Field) -> String {
    let label = field.label();
    let label = harmless(&label);
    match field {
        Field::Any => "any value".to_owned(),
        Field::Like(_) => format!("any field {label}"),
        Field::Column(column) => format!("{label} ({})", column.kind.as_str()),
        Field::Name(_) | Field::Value(_) => label.into_owned(),
    }
}

/// What is asked of a field.
pub fn tested(test: &Test) -> String {
    match test {
        Test::Text(pattern, case) => format!("{}{}", fits(pattern), exact_text(pattern, *case)),
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
    let (verb, text) = fitting(pattern);
    match text {
        Some(text) => format!("{verb} {text}"),
        None => verb.to_owned(),
    }
}

/// How a text fits, and what it fits.
fn fitting(pattern: &Pattern) -> (&'static str, Option<String>) {
    match pattern.parts() {
        [] => ("is", Some(quoted(""))),
        [Part::Literal(text)] => ("is", Some(quoted(text))),
        [Part::Run] => ("is any text", None),
        [Part::Run, Part::Literal(text), Part::Run] => ("contains", Some(quoted(text))),
        [Part::Literal(text), Part::Run] => ("starts with", Some(quoted(text))),
        [Part::Run, Part::Literal(text)] => ("ends with", Some(quoted(text))),
        parts => {
            let spelt = parts.iter().map(|part| match part {
                Part::Literal(text) => escaped(text),
                Part::Run => "*".to_owned(),
                Part::One => "?".to_owned(),
            });
            ("fits", Some(quoted(&spelt.collect::<String>())))
        }
    }
}

/// What is said of letter case: nothing where there is none.
fn exact_text(pattern: &Pattern, case: Case) -> &'static str {
    match has_case(pattern) {
        true => exactness(case),
        false => "",
    }
}

/// Whether a pattern holds letters that have another case.
fn has_case(pattern: &Pattern) -> bool {
    pattern.parts().iter().any(|part| match part {
        Part::Literal(text) => text.bytes().any(|byte| byte.is_ascii_alphabetic()),
        Part::Run | Part::One => false,
    })
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

/// Parts of a condition, of which any or all must hold.
pub fn parts<'c>(parts: impl IntoIterator<Item = &'c Condition>, any: bool) -> Vec<String> {
    let Parts { lists, others } = Parts::new(parts, any);
    let mut lines: Vec<String> = lists.into_iter().flat_map(List::lines).collect();
    for part in others {
        describe(part, "", 0, &mut lines);
    }
    lines
}

/// Parts of a condition, with tests put together that differ in one text only.
struct Parts<'c> {
    lists: Vec<List>,
    others: Vec<&'c Condition>,
}

/// One field, and texts of which it must be one.
struct List {
    field: String,
    verb: &'static str,
    joined: &'static str,
    exactness: &'static str,
    /// None of the texts has letters whose case could matter.
    caseless: bool,
    texts: Vec<String>,
}

impl<'c> Parts<'c> {
    fn new(parts: impl IntoIterator<Item = &'c Condition>, any: bool) -> Parts<'c> {
        let (mut lists, mut others): (Vec<List>, Vec<_>) = (Vec::new(), Vec::new());
        for part in parts {
            let Some(list) = List::of(part, any) else {
                others.push(part);
                continue;
            };
            match lists.iter_mut().find(|known| known.takes(&list)) {
                Some(known) => {
                    known.texts.extend(list.texts);
                    if known.caseless && !list.caseless {
                        (known.exactness, known.caseless) = (list.exactness, false);
                    }
                }
                None => lists.push(list),
            }
        }
        Parts { lists, others }
    }
}

impl List {
    /// The list that a part may stand in.
    fn of(part: &Condition, any: bool) -> Option<List> {
        let (test, joined) = match (part, any) {
            (Condition::Test(test), true) => (test, "one of"),
            (Condition::Not(inner), false) => match &**inner {
                Condition::Test(test) => (test, "none of"),
                _ => return None,
            },
            _ => return None,
        };
        let Test::Text(pattern, case) = &test.test else {
            return None;
        };
        let (verb, text) = fitting(pattern);
        Some(List {
            field: named(&test.field),
            verb,
            joined,
            exactness: exact_text(pattern, *case),
            caseless: !has_case(pattern),
            texts: vec![text?],
        })
    }

    /// Whether another one can be written as part of this one.
    fn takes(&self, other: &List) -> bool {
        let same_case = self.caseless || other.caseless || self.exactness == other.exactness;
        self.field == other.field && self.verb == other.verb && same_case
    }

    fn lines(self) -> Vec<String> {
        let List {
            field,
            verb,
            joined,
            exactness,
            mut texts,
            ..
        } = self;
        if texts.len() == 1 {
            let not = if joined == "none of" { "not: " } else { "" };
            return vec![format!(
                "{not}{field} {verb} {}{exactness}",
                texts.remove(0)
            )];
        }
        let texts = texts.into_iter().map(|text| format!("  {text}"));
        let title = format!("{field} {verb} {joined}{exactness}");
        std::iter::once(title).chain(texts).collect()
    }
}

fn describe(condition: &Condition, label: &str, depth: usize, lines: &mut Vec<String>) {
    let mut line = |text: &str| lines.push(format!("{}{label}{text}", "  ".repeat(depth)));
    let (title, inner) = match condition {
        Condition::Named(name, part) => {
            let label = format!("{label}{}: ", harmless(name));
            return describe(part, &label, depth, lines);
        }
        Condition::All(all) | Condition::Any(all) if all.len() == 1 => {
            return describe(&all[0], label, depth, lines);
        }
        Condition::All(all) if all.is_empty() => return line("always"),
        Condition::Any(all) if all.is_empty() => return line("never"),
        Condition::All(all) => ("all of".to_owned(), parts(all, false)),
        Condition::Any(all) => {
            let Parts { mut lists, others } = Parts::new(all, true);
            match (lists.pop(), others.is_empty() && lists.is_empty()) {
                // One list says it all.
                (Some(list), true) => {
                    let mut lines = list.lines();
                    (
                        lines.remove(0),
                        lines.iter().map(|text| text[2..].to_owned()).collect(),
                    )
                }
                _ => ("at least one of".to_owned(), parts(all, true)),
            }
        }
        Condition::Not(part) => match self::condition(part) {
            one if one.len() == 1 => return line(&format!("not: {}", one[0])),
            more => ("not".to_owned(), more),
        },
        Condition::Nested { path, condition } => (nested(path), self::condition(condition)),
        Condition::Test(test) => return line(&predicate(&test.field, &test.test)),
    };
    line(&title);
    let indent = "  ".repeat(depth + 1);
    lines.extend(inner.iter().map(|text| format!("{indent}{text}")));
}

/// The title of what one object must satisfy.
pub fn nested(path: &str) -> String {
    format!("one object of {} with", harmless(path))
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
  not: a is present";
        assert_eq!(condition(&tree).join("\n"), wanted);
        assert_eq!(fields(&tree), ["a", "b"]);
    }
}
