//! Does a query hold for a document?

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use super::document::{self, Named};
use super::query::{Kind, Name, Query, Relation, Spelling, Types, Value, Values};
use crate::reference::evaluate::nanoseconds;
use crate::reference::fields::{self, Scalar};
use crate::reference::json;
use crate::reference::words;

/// What a query is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The types of the fields.
    pub types: &'a Types,
    /// The present moment, in nanoseconds since 1970.
    pub now: i128,
}

/// Does the query hold for a document?
pub fn holds(query: &Query, document: &json::Value, judge: Judge<'_>) -> bool {
    within(query, document, "", judge)
}

/// Does it hold for an object whose own name is `prefix` (empty: the whole document)?
fn within(query: &Query, object: &json::Value, prefix: &str, judge: Judge<'_>) -> bool {
    let full = |name: &str| match prefix {
        "" => name.to_owned(),
        _ => format!("{prefix}.{name}"),
    };
    match query {
        Query::All(parts) => parts.iter().all(|part| within(part, object, prefix, judge)),
        Query::Any(parts) => parts.iter().any(|part| within(part, object, prefix, judge)),
        Query::Not(part) => !within(part, object, prefix, judge),
        Query::Nested(path, part) => {
            let path = full(path);
            document::objects(object, prefix.as_bytes(), path.as_bytes())
                .into_iter()
                .any(|object| within(part, object, &path, judge))
        }
        Query::Bare(Value::Exists) => true,
        Query::Bare(value) => {
            let all = document::scalars(object, prefix.as_bytes());
            all.iter()
                .any(|(_, scalar)| is(value, scalar, Kind::Keyword, judge))
        }
        Query::Is(name, values) => {
            let all = document::scalars(object, prefix.as_bytes());
            // `*: *` asks for any document.
            let everything = prefix.is_empty() && is_everything(name);
            let ask = |value: &Value| match value {
                Value::Exists if everything => true,
                Value::Exists => all.iter().any(|named| exists_by(name, named, &full)),
                value => asked(name, &all, &full, judge, &|scalar, kind| {
                    is(value, scalar, kind, judge)
                }),
            };
            fit(values, &ask)
        }
        Query::Range(name, relation, limit) => {
            let all = document::scalars(object, prefix.as_bytes());
            asked(name, &all, &full, judge, &|scalar, kind| {
                in_range(scalar, *relation, &limit.text, kind, judge)
            })
        }
    }
}

fn is_everything(name: &Name) -> bool {
    matches!(name, Name::Like(parts) if parts.iter().all(String::is_empty))
}

/// A list of values distributes over its field.
fn fit(values: &Values, ask: &dyn Fn(&Value) -> bool) -> bool {
    match values {
        Values::One(value) => ask(value),
        Values::All(parts) => parts.iter().all(|part| fit(part, ask)),
        Values::Any(parts) => parts.iter().any(|part| fit(part, ask)),
        Values::Not(part) => !fit(part, ask),
    }
}

/// Is there a value of a field of that name, or of one of these fields, for which the test holds?
fn asked(
    name: &Name,
    all: &[Named],
    full: &dyn Fn(&str) -> String,
    judge: Judge<'_>,
    test: &dyn Fn(&Scalar, Kind) -> bool,
) -> bool {
    let kind = |name: &str| {
        let listed = judge.types.iter().find(|(listed, _)| *listed == name);
        listed.map_or(Kind::Keyword, |(_, kind)| *kind)
    };
    match name {
        Name::One(name) => {
            let name = full(name);
            let of = |named: &&Named| named.0 == name.as_bytes();
            all.iter()
                .filter(of)
                .any(|(_, scalar)| test(scalar, kind(&name)))
        }
        Name::Like(parts) => {
            let like = |named: &&Named| is_like(parts, full, &named.0);
            all.iter()
                .filter(like)
                .any(|(_, scalar)| test(scalar, Kind::Keyword))
        }
    }
}

/// Does this scalar make the field exist? A field that holds an object exists if something is in it.
fn exists_by(name: &Name, (named, _): &Named, full: &dyn Fn(&str) -> String) -> bool {
    match name {
        Name::Like(parts) => is_like(parts, full, named),
        Name::One(name) => {
            let name = full(name);
            named
                .strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"."))
        }
    }
}

fn is_like(parts: &[String], full: &dyn Fn(&str) -> String, name: &[u8]) -> bool {
    let mut parts = parts.to_vec();
    parts[0] = full(&parts[0]);
    matches_pattern(&parts, name)
}

/// Is the text these parts with any run of bytes between each two?
fn matches_pattern(parts: &[String], text: &[u8]) -> bool {
    let (first, rest) = (parts[0].as_bytes(), &parts[1..]);
    match (text.strip_prefix(first), rest) {
        (None, _) => false,
        (Some(text), []) => text.is_empty(),
        (Some(text), rest) => (0..=text.len()).any(|from| matches_pattern(rest, &text[from..])),
    }
}

/// Does a scalar of a field of this type satisfy the value?
fn is(value: &Value, scalar: &Scalar, kind: Kind, judge: Judge<'_>) -> bool {
    let text = scalar.text();
    match (value, kind) {
        (Value::Exists, _) => true,
        (Value::Pattern(parts), Kind::Text) => some_piece_fits(parts, &words::of(&text)),
        (Value::Pattern(parts), _) => matches_pattern(parts, &text),
        (Value::Bool(truth), _) => text == truth.to_string().as_bytes(),
        (Value::Text(wanted), Kind::Boolean) => {
            matches!(wanted.text.as_str(), "true" | "false") && text == wanted.text.as_bytes()
        }
        (Value::Text(wanted), Kind::Text) => has_words(&text, wanted),
        (Value::Text(wanted), Kind::Ip) => is_address(&text, &wanted.text),
        (Value::Text(wanted), Kind::Date) => {
            let span = span(&wanted.text, judge.now);
            nanoseconds(&text).is_some_and(|moment| span.0 <= moment && moment < span.1)
        }
        (Value::Text(wanted), Kind::Number) => {
            !matches!(scalar, Scalar::Bool(_))
                && order(&text, &wanted.text) == Some(Ordering::Equal)
        }
        (Value::Text(wanted), Kind::Keyword) => match scalar {
            Scalar::Number(_) if json::is_number(wanted.text.as_bytes()) => {
                order(&text, &wanted.text) == Some(Ordering::Equal)
            }
            _ => text == wanted.text.as_bytes(),
        },
    }
}

/// Elasticsearch divides a pattern for a text field at white space; one piece is enough. A piece
/// without a `*` is as any other text.
fn some_piece_fits(parts: &[String], words: &[String]) -> bool {
    let whole = parts.join("*").to_lowercase();
    whole
        .split_whitespace()
        .any(|piece| match piece.contains('*') {
            true => {
                let parts: Vec<String> = piece.split('*').map(str::to_owned).collect();
                words
                    .iter()
                    .any(|word| matches_pattern(&parts, word.as_bytes()))
            }
            false => words::of(piece.as_bytes())
                .iter()
                .any(|word| words.contains(word)),
        })
}

fn in_range(
    scalar: &Scalar,
    relation: Relation,
    limit: &str,
    kind: Kind,
    judge: Judge<'_>,
) -> bool {
    let text = scalar.text();
    let by_text = || relation.fits(text.as_slice().cmp(limit.as_bytes()));
    match kind {
        Kind::Number => {
            !matches!(scalar, Scalar::Bool(_))
                && order(&text, limit).is_some_and(|order| relation.fits(order))
        }
        Kind::Date => {
            let (start, end) = span(limit, judge.now);
            // What is rounded to a unit is its start for `<` and `>=`, its end for the others.
            nanoseconds(&text).is_some_and(|moment| match relation {
                Relation::Less => moment < start,
                Relation::GreaterOrEqual => moment >= start,
                Relation::LessOrEqual => moment < end,
                Relation::Greater => moment >= end,
            })
        }
        Kind::Ip => match (address(&text), address(limit.as_bytes())) {
            (Some(one), Some(other)) => relation.fits(one.cmp(&other)),
            _ => false,
        },
        _ => match scalar {
            Scalar::Number(_) if json::is_number(limit.as_bytes()) => {
                order(&text, limit).is_some_and(|order| relation.fits(order))
            }
            _ => by_text(),
        },
    }
}

/// How two texts compare as numbers, if both are JSON numbers.
fn order(one: &[u8], other: &str) -> Option<Ordering> {
    let (near, far) = (fields::number(one)?, fields::number(other.as_bytes())?);
    let whole = |text: &str| text.parse::<i128>().ok();
    match (std::str::from_utf8(one).ok().and_then(whole), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => near.partial_cmp(&far),
    }
}

fn has_words(text: &[u8], wanted: &Spelling) -> bool {
    let (text, wanted_words) = (words::of(text), words::of(wanted.text.as_bytes()));
    if wanted.quoted {
        words::in_a_row(&text, &wanted_words)
    } else {
        wanted_words.iter().any(|word| text.contains(word))
    }
}

/// An address as Elasticsearch orders them: IPv4 among IPv6 by its mapped form.
fn address(text: &[u8]) -> Option<u128> {
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    let six: Ipv6Addr = match address {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    };
    Some(six.to_bits())
}

/// Is the text an address that is the wanted one, or in the wanted network?
fn is_address(text: &[u8], wanted: &str) -> bool {
    let (network, bits) = match wanted.split_once('/') {
        Some((network, bits)) if network.contains(':') => (network, bits.parse().unwrap_or(128)),
        Some((network, bits)) => (network, 96 + bits.parse().unwrap_or(32)),
        None => (wanted, 128),
    };
    let (Some(text), Some(network)) = (address(text), address(network.as_bytes())) else {
        return false;
    };
    let shift = 128 - bits;
    shift >= 128 || text >> shift == network >> shift
}

/// The moments that a date of a query stands for: from the first on, before the second.
fn span(text: &str, now: i128) -> (i128, i128) {
    const SECOND: i128 = 1_000_000_000;
    if let Some(offset) = text.strip_prefix("now") {
        let length = match offset.as_bytes() {
            [] => 0,
            [sign, digits @ .., unit] => {
                let count: i128 = String::from_utf8_lossy(digits).parse().unwrap_or(1);
                let seconds = match unit {
                    b's' => 1,
                    b'm' => 60,
                    b'h' | b'H' => 3_600,
                    b'd' => 86_400,
                    b'w' => 604_800,
                    _ => 0,
                };
                let sign = if *sign == b'-' { -1 } else { 1 };
                sign * count * seconds * SECOND
            }
            [_] => 0,
        };
        return (now + length, now + length + 1);
    }
    let whole = |text: &str| nanoseconds(text.as_bytes()).unwrap_or_default();
    match text.len() {
        10 => {
            let start = whole(&format!("{text}T00:00:00Z"));
            (start, start + 86_400 * SECOND)
        }
        _ if text.contains('.') => (whole(text), whole(text) + 1),
        _ => (whole(text), whole(text) + SECOND),
    }
}
