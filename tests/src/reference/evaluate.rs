//! Conditions over values, and the verdict on a line.

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use poseur_rule::model::{
    Case, Comparison, Condition, Field, Moment, Network, Number, Part, Pattern, Predicate,
    Relation, Rule, Test, Words,
};

use super::columns;
use super::fields::{self, Scalar, Values};
use super::json::Value;
use super::shape::{self, Forced, Line, Reason, Schema};
use super::subject::Subject;
use super::words;
use crate::kusto::functions::has_term;

/// The verdict on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// White space only: no record.
    Blank,
    /// Passed on untagged.
    Unreadable(Reason),
    /// The schema's name is none.
    NoSuchSchema,
    /// The taggable records, in the order of their opening braces.
    Records(Vec<Judged>),
}

/// The verdict on one taggable record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Offset in the line of the record's closing brace.
    pub brace: usize,
    /// Ids of the rules that hold for any of its payloads, in the order of the rules.
    pub rules: Vec<String>,
}

/// Judges a line (without its line feed) by rules, with `at` as the present moment. `schema` is
/// the name of a forced schema.
pub fn verdicts(line: &[u8], rules: &[Rule], at: Timestamp, schema: Option<&str>) -> Outcome {
    let Some(forced) = Forced::from_name(schema.unwrap_or("auto")) else {
        return Outcome::NoSuchSchema;
    };
    let records = match shape::read(line, forced) {
        Line::Blank => return Outcome::Blank,
        Line::Unreadable(reason) => return Outcome::Unreadable(reason),
        Line::Records(records) => records,
    };
    let judge = |record: shape::Record| Judged {
        brace: record.brace,
        rules: rules
            .iter()
            .filter(|rule| {
                record
                    .payloads
                    .iter()
                    .any(|payload| holds(&rule.condition, payload.schema, &payload.value, at))
            })
            .map(|rule| rule.id.clone())
            .collect(),
    };
    Outcome::Records(records.into_iter().map(judge).collect())
}

/// Does the condition hold for an object read by a schema?
pub fn holds(condition: &Condition, schema: Schema, record: &Value, at: Timestamp) -> bool {
    holds_of(condition, Subject::new(schema, record), at)
}

fn holds_of(condition: &Condition, subject: Subject<'_>, at: Timestamp) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds_of(part, subject, at)),
        Condition::Any(parts) => parts.iter().any(|part| holds_of(part, subject, at)),
        Condition::Not(part) => !holds_of(part, subject, at),
        Condition::Named(_, part) => holds_of(part, subject, at),
        Condition::Nested { path, condition } => subject
            .objects(path)
            .into_iter()
            .any(|object| holds_of(condition, subject.inside(path, object), at)),
        Condition::Test(predicate) => satisfied(predicate, subject, at),
    }
}

/// The values of a field of an object read by a schema.
pub fn values(field: &Field, schema: Schema, record: &Value, at: Timestamp) -> Values {
    values_of(field, Subject::new(schema, record), at)
}

fn values_of(field: &Field, subject: Subject<'_>, at: Timestamp) -> Values {
    match field {
        Field::Name(name) => subject.field(name),
        Field::Any => fields::everything(subject.object),
        Field::Like(pattern) => subject.like(&|name| fits(pattern, Case::Exact, name)),
        Field::Column(column) => columns::scalars(subject.column(column)),
        Field::Value(expression) => columns::scalars(columns::evaluate(
            expression,
            &|column| subject.column(column),
            at.as_nanosecond().div_euclid(100) as i64,
        )),
    }
}

fn satisfied(predicate: &Predicate, subject: Subject<'_>, at: Timestamp) -> bool {
    let values = values_of(&predicate.field, subject, at);
    let any = |test: &dyn Fn(&Scalar) -> bool| values.scalars.iter().any(test);
    match &predicate.test {
        Test::Exists => values.exists,
        Test::Null => !values.exists,
        Test::Text(pattern, case) => any(&|value| is_text(pattern, *case, value)),
        Test::Bool(truth) => any(&|value| is_truth(*truth, value)),
        Test::Compare(comparison, limit) => any(&|value| compares(value, *comparison, limit)),
        Test::Ordered(comparison, limit) => any(&|value| match (value, Number::new(limit)) {
            (Scalar::Number(_), Some(limit)) => compares(value, *comparison, &limit),
            _ => relation(*comparison, value.text().as_slice(), limit.as_bytes()),
        }),
        Test::Regex(regex) => matches_regex(regex, &values),
        Test::Cidr(network) => any(&|value| is_inside(network, &value.text())),
        Test::SameAs {
            field,
            relation,
            case,
        } => {
            let others = subject.field(field);
            any(&|value| {
                others
                    .scalars
                    .iter()
                    .any(|other| relates(&value.text(), *relation, &other.text(), *case))
            })
        }
        Test::Time(comparison, limit) => any(&|value| {
            nanoseconds(&value.text())
                .is_some_and(|moment| relation(*comparison, moment, instant(*limit, at)))
        }),
        Test::Within { from, to } => any(&|value| {
            nanoseconds(&value.text())
                .is_some_and(|moment| instant(*from, at) <= moment && moment < instant(*to, at))
        }),
        Test::Term {
            text,
            case,
            start,
            end,
        } => any(&|value| has_term(&value.text(), text, *case, *start, *end)),
        Test::Words(wanted) => any(&|value| has_words(&value.text(), wanted)),
    }
}

fn has_words(text: &[u8], wanted: &Words) -> bool {
    let found = words::of(text);
    match wanted {
        Words::Any(text) => {
            let wanted = words::of(text.as_bytes());
            wanted.iter().any(|word| found.contains(word))
        }
        Words::Phrase(text) => words::in_a_row(&found, &words::of(text.as_bytes())),
        Words::Fits(pattern) => {
            let lower = pattern.parts().iter().map(|part| match part {
                Part::Literal(text) => {
                    Part::Literal(text.chars().flat_map(char::to_lowercase).collect())
                }
                other => other.clone(),
            });
            let pattern = Pattern::new(lower);
            found
                .iter()
                .any(|word| fits(&pattern, Case::Exact, word.as_bytes()))
        }
    }
}

/// A moment, in nanoseconds since 1970, when it is now `at`.
fn instant(moment: Moment, at: Timestamp) -> i128 {
    match moment {
        Moment::At(nanoseconds) => nanoseconds,
        Moment::FromNow(offset) => at.as_nanosecond() + offset,
    }
}

fn is_text(pattern: &Pattern, case: Case, value: &Scalar) -> bool {
    if let (Some(text), Scalar::Number(number)) = (pattern.as_equals(), value)
        && let Some(wanted) = fields::number(text.as_bytes())
    {
        if let (Ok(wanted), Ok(number)) = (text.parse::<i128>(), number.parse::<i128>()) {
            return wanted == number;
        }
        return fields::number(number.as_bytes()) == Some(wanted);
    }
    fits(pattern, case, &value.text())
}

/// One place of a pattern taken apart.
enum Place<'a> {
    Character(&'a [u8]),
    Run,
    One,
}

/// Does a text fit a pattern?
pub fn fits(pattern: &Pattern, case: Case, text: &[u8]) -> bool {
    let mut places = Vec::new();
    for part in pattern.parts() {
        match part {
            Part::Literal(literal) => {
                places.extend(
                    characters(literal.as_bytes())
                        .into_iter()
                        .map(Place::Character),
                );
            }
            Part::Run => places.push(Place::Run),
            Part::One => places.push(Place::One),
        }
    }
    // reached[i]: the places so far can stand for exactly the first i characters.
    let text = characters(text);
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for place in places {
        let mut next = vec![false; text.len() + 1];
        for index in (0..=text.len()).filter(|index| reached[*index]) {
            match place {
                Place::Run => next[index..].fill(true),
                Place::One if index < text.len() => next[index + 1] = true,
                Place::Character(wanted)
                    if index < text.len() && same(wanted, text[index], case) =>
                {
                    next[index + 1] = true;
                }
                Place::One | Place::Character(_) => {}
            }
        }
        reached = next;
    }
    reached[text.len()]
}

/// A text's characters; where it is not UTF-8, each byte is one.
fn characters(text: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let length = (1..=4)
            .filter(|length| at + length <= text.len())
            .find(|length| std::str::from_utf8(&text[at..at + length]).is_ok())
            .unwrap_or(1);
        out.push(&text[at..at + length]);
        at += length;
    }
    out
}

fn same(one: &[u8], other: &[u8], case: Case) -> bool {
    match case {
        Case::Exact => one == other,
        Case::Ascii => one.eq_ignore_ascii_case(other),
    }
}

fn is_truth(truth: bool, value: &Scalar) -> bool {
    match value {
        Scalar::Bool(found) => *found == truth,
        Scalar::Text(text) if truth => text == b"true",
        Scalar::Text(text) => text == b"false",
        Scalar::Number(_) => false,
    }
}

fn relation<T: PartialOrd>(comparison: Comparison, value: T, limit: T) -> bool {
    match comparison {
        Comparison::Equal => value == limit,
        Comparison::Less => value < limit,
        Comparison::LessOrEqual => value <= limit,
        Comparison::Greater => value > limit,
        Comparison::GreaterOrEqual => value >= limit,
    }
}

fn compares(value: &Scalar, comparison: Comparison, limit: &Number) -> bool {
    let text = match value {
        Scalar::Bool(_) => return false,
        Scalar::Number(number) => number.as_bytes(),
        Scalar::Text(text) => text,
    };
    let whole = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i128>().ok();
    let (Some(number), Some(limit_number)) = (
        fields::number(text),
        fields::number(limit.as_str().as_bytes()),
    ) else {
        return false;
    };
    match (whole(text), whole(limit.as_str().as_bytes())) {
        (Some(number), Some(limit)) => relation(comparison, number, limit),
        _ => relation(comparison, number, limit_number),
    }
}

/// A front end refuses what does not compile; here it holds for nothing.
fn matches_regex(regex: &str, values: &Values) -> bool {
    regex::bytes::Regex::new(regex).is_ok_and(|regex| {
        values
            .scalars
            .iter()
            .any(|value| regex.is_match(&value.text()))
    })
}

fn is_inside(network: &Network, text: &[u8]) -> bool {
    let address = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<IpAddr>().ok());
    let unmapped = |address: IpAddr| match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let was_six = network.address.is_ipv6();
    let net = unmapped(network.address);
    let prefix = match net {
        IpAddr::V4(_) if was_six => match network.prefix.checked_sub(96) {
            Some(prefix) => prefix,
            // A network around all mapped addresses is no IPv4 network.
            None => return false,
        },
        _ => network.prefix,
    };
    match (address.map(unmapped), net) {
        (Some(IpAddr::V4(one)), IpAddr::V4(net)) => agree(bits(one), bits(net), 32, prefix),
        (Some(IpAddr::V6(one)), IpAddr::V6(net)) => {
            agree(one.to_bits(), net.to_bits(), 128, prefix)
        }
        _ => false,
    }
}

fn bits(address: Ipv4Addr) -> u128 {
    u128::from(address.to_bits())
}

/// Do the first `prefix` of `width` bits agree?
fn agree(one: u128, other: u128, width: u32, prefix: u8) -> bool {
    (0..u32::from(prefix).min(width)).all(|index| {
        let bit = width - 1 - index;
        (one >> bit) & 1 == (other >> bit) & 1
    })
}

fn relates(text: &[u8], relation: Relation, other: &[u8], case: Case) -> bool {
    let length = other.len();
    if length > text.len() {
        return false;
    }
    let at = |start: usize| same(&text[start..start + length], other, case);
    let last = text.len() - length;
    match relation {
        Relation::Equals => last == 0 && at(0),
        Relation::Contains => (0..=last).any(at),
        Relation::StartsWith => at(0),
        Relation::EndsWith => at(last),
    }
}

/// Nanoseconds since 1970 of a timestamp in the form that `NewerThan` takes.
pub fn nanoseconds(text: &[u8]) -> Option<i128> {
    let mut rest = text;
    let mut digits = |count: usize, before: &[u8]| -> Option<i128> {
        let marked = rest.first().is_some_and(|byte| before.contains(byte));
        if !before.is_empty() {
            rest = if marked { &rest[1..] } else { return None };
        }
        let (field, after) = rest.split_at_checked(count)?;
        rest = after;
        field.iter().all(u8::is_ascii_digit).then(|| {
            field
                .iter()
                .fold(0, |sum, byte| sum * 10 + i128::from(byte - b'0'))
        })
    };
    let year = digits(4, b"")?;
    let month = digits(2, b"-")?;
    let day = digits(2, b"-")?;
    let hour = digits(2, b"T ")?;
    let minute = digits(2, b":")?;
    let second = digits(2, b":")?;
    let days_of = |month: i128| match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // RFC 3339 allows a leap second, which here is the next minute's first.
    if !(1..=12).contains(&month)
        || !(1..=days_of(month)).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut fraction = 0;
    if rest.first() == Some(&b'.') {
        let count = rest[1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if !(1..=9).contains(&count) {
            return None;
        }
        for index in 0..9 {
            let digit = if index < count {
                rest[1 + index] - b'0'
            } else {
                0
            };
            fraction = fraction * 10 + i128::from(digit);
        }
        rest = &rest[1 + count..];
    }
    let offset = match rest {
        b"" | b"Z" => 0,
        [sign @ (b'+' | b'-'), tens, ones, b':', minutes @ ..] => {
            let two = |tens: u8, ones: u8| {
                (tens.is_ascii_digit() && ones.is_ascii_digit())
                    .then(|| i128::from(tens - b'0') * 10 + i128::from(ones - b'0'))
            };
            let hours = two(*tens, *ones).filter(|hours| *hours <= 23)?;
            let minutes = match minutes {
                [tens, ones] => two(*tens, *ones).filter(|minutes| *minutes <= 59)?,
                _ => return None,
            };
            let size = hours * 60 + minutes;
            if *sign == b'-' { -size } else { size }
        }
        _ => return None,
    };
    let years_before: i128 = (0..year).map(|year| 365 + i128::from(is_leap(year))).sum();
    let months_before: i128 = (1..month).map(days_of).sum();
    // 719,528 days lie between the first day of the year 0 and the first of 1970.
    let days = years_before + months_before + day - 1 - 719_528;
    let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second;
    Some(seconds * 1_000_000_000 + fraction)
}

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}
