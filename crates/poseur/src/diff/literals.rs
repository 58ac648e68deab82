//! Values around what a condition asks for: such that satisfy it, and such that just do not.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use poseur_matcher::number::is_number;
use poseur_rule::expression::{Column, ColumnType, Expression, Function, Literal};
use poseur_rule::model::{Field, Moment, Network, Number, Part, Pattern, Predicate, Test, Words};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::draft::{Draft, Value};

/// Key of the value that any field may hold.
const ANY: &str = "any";

/// The fields a predicate is about, each with values to try; the first one is the likeliest to
/// satisfy it.
pub fn of(predicate: &Predicate, now: Timestamp) -> Vec<(String, Vec<Value>)> {
    let name = match &predicate.field {
        Field::Name(name) => name.clone(),
        Field::Any => ANY.to_owned(),
        Field::Like(pattern) => example(pattern, "x"),
        Field::Column(column) => column.name.clone(),
        Field::Value(expression) => return of_expression(expression, now),
    };
    let values = of_test(&predicate.test, now);
    match &predicate.test {
        Test::SameAs { field, .. } => vec![(name, values.clone()), (field.clone(), values)],
        _ => vec![(name, values)],
    }
}

fn of_test(test: &Test, now: Timestamp) -> Vec<Value> {
    match test {
        Test::Text(pattern, _) => {
            let text = example(pattern, "");
            let mut values = of_text(&text);
            values.push(Value::text(&example(pattern, "x")));
            values
        }
        Test::Bool(truth) => [*truth, !*truth]
            .into_iter()
            .flat_map(|truth| {
                [
                    Value::Json(truth.to_string()),
                    Value::text(&truth.to_string()),
                ]
            })
            .collect(),
        Test::Null => vec![Value::Json("null".into()), Value::text("")],
        Test::Exists => {
            let x = Value::text("x");
            let object = below(&["x".to_owned()], x.clone());
            vec![x, Value::text(""), Value::Json("1".into()), object]
        }
        Test::Compare(_, limit) => around(limit),
        Test::Ordered(_, limit) => {
            let mut values = Number::new(limit.as_str()).map_or_else(Vec::new, |n| around(&n));
            values.extend(of_text(limit));
            values.push(Value::text(""));
            values
        }
        Test::Regex(pattern) => {
            let texts = matching(pattern);
            texts.iter().flat_map(|text| of_text(text)).collect()
        }
        Test::Cidr(network) => {
            let other = match network.address {
                IpAddr::V4(_) => "198.51.100.7",
                IpAddr::V6(_) => "2001:db8:ffff::7",
            };
            let ends = [network.address, last_address(network)].map(|end| end.to_string());
            let all = ends.iter().map(String::as_str).chain([other]);
            all.map(Value::text).collect()
        }
        Test::SameAs { .. } => vec![Value::text("x"), Value::text("xyx"), Value::text("X")],
        Test::Time(_, moment) => around_moment(*moment, now),
        Test::Within { from, to } => [*from, *to]
            .into_iter()
            .flat_map(|moment| around_moment(moment, now))
            .collect(),
        Test::Term { text, .. } => of_text(text),
        Test::Words(Words::Any(text) | Words::Phrase(text)) => of_text(text),
        Test::Words(Words::Fits(pattern)) => of_text(&example(pattern, "")),
    }
}

/// A text, in other letter case, inside other texts, and as the JSON value that it spells.
fn of_text(text: &str) -> Vec<Value> {
    let swapped: String = text
        .chars()
        .map(|c| match c.is_ascii_lowercase() {
            true => c.to_ascii_uppercase(),
            false => c.to_ascii_lowercase(),
        })
        .collect();
    let mut values = vec![Value::text(text)];
    if is_number(text.as_bytes()) || matches!(text, "true" | "false") {
        values.push(Value::Json(text.to_owned()));
    }
    let others = [
        swapped,
        format!("x{text}x"),
        format!("x {text} x"),
        format!("{text}x"),
        format!("x{text}"),
    ];
    values.extend(others.iter().map(|text| Value::text(text)));
    values
}

/// A text that fits, with `run` for its runs.
fn example(pattern: &Pattern, run: &str) -> String {
    let parts = pattern.parts().iter().map(|part| match part {
        Part::Literal(text) => text,
        Part::Run => run,
        Part::One => "x",
    });
    parts.collect()
}

/// A second after a moment, a second before, and the moment.
fn around_moment(moment: Moment, now: Timestamp) -> Vec<Value> {
    let at = match moment {
        Moment::At(at) => at,
        Moment::FromNow(offset) => now.as_nanosecond().saturating_add(offset),
    };
    let at = Timestamp::from_nanosecond(at).ok();
    let seconds = [1, -1, 0].map(SignedDuration::from_secs);
    let moments = seconds
        .into_iter()
        .filter_map(|by| at?.checked_add(by).ok());
    moments.map(|at| Value::text(&at.to_string())).collect()
}

/// The address of a network whose host bits are all set.
fn last_address(network: &Network) -> IpAddr {
    let prefix = u32::from(network.prefix);
    match network.address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V4((u32::from(address) | host).into())
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(prefix).unwrap_or(0);
            IpAddr::V6((u128::from(address) | host).into())
        }
    }
}

/// A number, its neighbours, and their texts.
fn around(limit: &Number) -> Vec<Value> {
    let limit = limit.as_str();
    let whole = limit.parse::<i64>().ok();
    let steps = [1, -1, 1000, -1000].into_iter();
    let near = steps.filter_map(|step| Some(whole?.checked_add(step)?.to_string()));
    let near = near.chain(["1e300".to_owned(), "-1e300".to_owned()]);
    let all = std::iter::once(limit.to_owned()).chain(near);
    all.flat_map(|number| [Value::Json(number.clone()), Value::text(&number)])
        .collect()
}

/// The columns of an expression, each with the expression's literals.
fn of_expression(expression: &Expression, now: Timestamp) -> Vec<(String, Vec<Value>)> {
    let mut values = vec![Value::text("x"), Value::text("")];
    collect(expression, now, &mut values);
    let mut columns: Vec<(String, Vec<Value>)> = Vec::new();
    expression.columns(&mut |column: &Column| {
        if columns.iter().any(|(name, _)| *name == column.name) {
            return;
        }
        let mut values = values.clone();
        if column.kind == ColumnType::Dynamic {
            // A literal may be asked for below any of the members.
            let mut members = Vec::new();
            paths(expression, &mut members);
            for path in members {
                let held: Vec<Value> = values.iter().take(8).cloned().collect();
                values.extend(held.into_iter().map(|value| below(&path, value)));
            }
        }
        columns.push((column.name.clone(), values));
    });
    columns
}

/// A value that stands below a path of keys.
fn below(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |value, key| {
        let mut object = Draft::default();
        object.set(key, value);
        Value::Object(object)
    })
}

/// The paths of members that an expression goes down, from columns.
fn paths(expression: &Expression, out: &mut Vec<Vec<String>>) -> Option<Vec<String>> {
    let Expression::Call(function, arguments) = expression else {
        return matches!(expression, Expression::Column(_)).then(Vec::new);
    };
    let inner: Vec<_> = arguments.iter().map(|part| paths(part, out)).collect();
    if let (Function::Member, [_, Expression::Literal(Literal::Text(key))]) =
        (function, arguments.as_slice())
        && let Some(Some(mut path)) = inner.into_iter().next()
    {
        path.push(key.clone());
        out.push(path.clone());
        return Some(path);
    }
    None
}

/// The literals of an expression as values.
fn collect(expression: &Expression, now: Timestamp, out: &mut Vec<Value>) {
    match expression {
        Expression::Column(_) => {}
        Expression::Call(_, arguments) => {
            arguments.iter().for_each(|part| collect(part, now, out));
        }
        Expression::Literal(literal) => match literal {
            Literal::Null(_) => {}
            Literal::Bool(truth) => out.push(Value::Json(truth.to_string())),
            Literal::Long(number) => out.extend(around(&Number::from(*number))),
            Literal::Real(number) => out.extend(around(number)),
            Literal::Text(text) => {
                out.extend(of_text(text));
                // It may be a regular expression.
                out.extend(matching(text).iter().map(|text| Value::text(text)));
            }
            Literal::DateTime(ticks) => {
                let at = Timestamp::from_nanosecond(i128::from(*ticks) * 100);
                out.extend(at.map(|at| Value::text(&at.to_string())));
            }
            Literal::TimeSpan(_) => {}
            Literal::Dynamic(json) => out.push(Value::Json(json.clone())),
            Literal::Now => out.push(Value::text(&now.to_string())),
        },
    }
}

/// Two short texts that a regular expression matches, or nearly.
fn matching(pattern: &str) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(pattern) else {
        return vec!["x".to_owned()];
    };
    let text = |last: bool| {
        let mut text = Vec::new();
        spell(&hir, last, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    vec![text(false), text(true)]
}

/// Appends a text that an expression matches: of alternatives the first, or the last.
fn spell(hir: &Hir, last: bool, out: &mut Vec<u8>) {
    /// Longer texts than this tell nothing more.
    const LONGEST: usize = 4096;
    if out.len() > LONGEST {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Unicode(class)) => {
            let within = |c: &char| {
                let mut ranges = class.iter();
                ranges.any(|range| (range.start()..=range.end()).contains(c))
            };
            // A readable one if there is any.
            let mut readable = ('a'..='z').chain('0'..='9').filter(within);
            let some = match last {
                true => readable.next_back(),
                false => readable.next(),
            };
            let some = some.or_else(|| (' '..='~').find(within));
            let some = some.or_else(|| class.iter().next().map(|range| range.start()));
            out.extend(some.map(String::from).unwrap_or_default().bytes());
        }
        HirKind::Class(Class::Bytes(class)) => {
            out.extend(class.iter().next().map(|range| range.start()));
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.min.min(LONGEST as u32);
            (0..times).for_each(|_| spell(&repetition.sub, last, out));
        }
        HirKind::Capture(capture) => spell(&capture.sub, last, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| spell(part, last, out)),
        HirKind::Alternation(parts) => {
            let part = if last { parts.last() } else { parts.first() };
            if let Some(part) = part {
                spell(part, last, out);
            }
        }
    }
}
