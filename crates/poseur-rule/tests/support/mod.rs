//! What the tests of the front ends share.
#![allow(dead_code, reason = "each test program uses its part")]

use poseur_rule::model::{Case, Condition, Field, Part, Predicate, Relation, Test, Words};
use poseur_rule::sigma;

/// A Sigma document with this detection, which begins on line 4 and is indented by two.
pub fn rule(detection: &str) -> String {
    let indented: String = detection
        .lines()
        .map(|line| format!("  {line}\n"))
        .collect();
    format!("title: T\nid: one\nlogsource: {{product: m365}}\ndetection:\n{indented}")
}

/// The condition of the one rule in a text, in a short form.
pub fn meaning(text: &str) -> String {
    let documents = sigma::read("t.yml", text);
    let errors: Vec<String> = documents.errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [""; 0], "{text}");
    let [rule] = documents.rules.as_slice() else {
        panic!("one rule expected in\n{text}");
    };
    show(&rule.condition)
}

/// All errors of a text, each as `LINE:COLUMN: reason`.
pub fn errors(text: &str) -> Vec<String> {
    let documents = sigma::read("t.yml", text);
    if !documents.errors.is_empty() {
        assert_eq!(documents.rules, [], "half-loaded:\n{text}");
    }
    documents
        .errors
        .iter()
        .map(|error| {
            let text = error.to_string();
            text.strip_prefix("t.yml:")
                .unwrap_or(&text)
                .trim_start()
                .to_owned()
        })
        .collect()
}

/// A condition in a short form: `s{(a=x & !b~*y*)}`; `=` is exact, `~` folds letters.
pub fn show(condition: &Condition) -> String {
    let join = |parts: &[Condition], sign: &str| {
        let parts: Vec<String> = parts.iter().map(show).collect();
        format!("({})", parts.join(sign))
    };
    match condition {
        Condition::All(parts) => join(parts, " & "),
        Condition::Any(parts) => join(parts, " | "),
        Condition::Not(inner) => format!("!{}", show(inner)),
        Condition::Named(name, inner) => format!("{name}{{{}}}", show(inner)),
        Condition::Nested { path, condition } => format!("{path}:{{{}}}", show(condition)),
        Condition::Test(predicate) => predicate_text(predicate),
    }
}

fn predicate_text(predicate: &Predicate) -> String {
    let field = match &predicate.field {
        Field::Name(name) => name.as_str(),
        Field::Any => "ANY",
        other => &other.label(),
    };
    let sign = |case: &Case| match case {
        Case::Exact => "=",
        Case::Ascii => "~",
    };
    match &predicate.test {
        Test::Text(pattern, case) => {
            let parts: String = pattern
                .parts()
                .iter()
                .map(|part| match part {
                    Part::Literal(text) => text
                        .replace('*', "\\*")
                        .replace('?', "\\?")
                        .replace('\0', "␀"),
                    Part::Run => "*".to_owned(),
                    Part::One => "?".to_owned(),
                })
                .collect();
            format!("{field}{}{parts}", sign(case))
        }
        Test::Bool(truth) => format!("{field} is {truth}"),
        Test::Null => format!("{field} is null"),
        Test::Exists => format!("{field} exists"),
        Test::Compare(comparison, limit) => {
            format!("{field} {} {limit}", comparison.as_str())
        }
        Test::Regex(regex) => format!("{field} /{regex}/"),
        Test::Cidr(network) => format!("{field} in {}/{}", network.address, network.prefix),
        Test::SameAs {
            field: other,
            relation,
            case,
        } => {
            let (before, after) = match relation {
                Relation::Equals => ("", ""),
                Relation::Contains => ("*", "*"),
                Relation::StartsWith => ("", "*"),
                Relation::EndsWith => ("*", ""),
            };
            format!("{field}{}{before}[{other}]{after}", sign(case))
        }
        Test::Time(comparison, moment) => {
            format!("{field} {} {moment}", comparison.as_str())
        }
        Test::Within { from, to } => format!("{field} from {from} to {to}"),
        Test::Ordered(comparison, limit) => format!("{field} {} '{limit}'", comparison.as_str()),
        Test::Words(Words::Any(text)) => format!("{field} any '{text}'"),
        Test::Words(Words::Phrase(text)) => format!("{field} phrase '{text}'"),
        Test::Words(Words::Fits(pattern)) => format!("{field} fits {}", pattern.wildcard()),
        Test::Term {
            text,
            case,
            start,
            end,
        } => {
            let edge = |asked: &bool| if *asked { "|" } else { "" };
            format!("{field}{}{}{text}{}", sign(case), edge(start), edge(end))
        }
    }
}
