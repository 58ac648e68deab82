//! `filters` of a rule: what must hold besides the query, in Elasticsearch's query language.
//!
//! Kibana adds every filter that is not disabled with *and*, negated where its `meta` says so.

use toml::de::{DeTable, DeValue};

use super::file::{Item, kind};
use super::lexer::Value;
use super::lower::{Target, shortened};
use crate::model::{Case, Comparison, Condition, Part, Pattern, Predicate, Test};
use crate::types::{FieldType, Types};

/// Byte offset in the file, and what is wrong there.
type Failure = (usize, String);

const KNOWN: &str =
    "wildcard, prefix, term, terms, match_phrase, exists, range, bool and match_all";

/// Deepest nesting of `bool`.
const MAX_NESTING: usize = 8;

/// What the filters ask, in order.
pub(super) fn conditions(item: &Item<'_>, types: &Types) -> Result<Vec<Condition>, Failure> {
    let mut conditions = Vec::new();
    for filter in list(item) {
        conditions.extend(read(filter, types)?);
    }
    Ok(conditions)
}

/// One filter; `None` if it is disabled.
fn read(item: &Item<'_>, types: &Types) -> Result<Option<Condition>, Failure> {
    let filter = table(item, "a filter")?;
    let meta = match filter.get("meta") {
        Some(meta) => Some(table(meta, "`meta`")?),
        None => None,
    };
    let flag = |key: &str| match meta.and_then(|meta| meta.get(key)) {
        Some(item) => truth(item, key),
        None => Ok(false),
    };
    if flag("disabled")? {
        return Ok(None);
    }
    // Filters of old stand beside `meta`, without a `query` of their own.
    let condition = match filter.get("query") {
        Some(query) => self::query(query, types, 0)?,
        None => one(item, filter, &["meta", "$state", "query"], types, 0)?,
    };
    Ok(Some(if flag("negate")? {
        Condition::Not(Box::new(condition))
    } else {
        condition
    }))
}

fn query(item: &Item<'_>, types: &Types, depth: usize) -> Result<Condition, Failure> {
    one(item, table(item, "a query of a filter")?, &[], types, depth)
}

/// The one query in a table, whose other keys are passed over.
fn one(
    item: &Item<'_>,
    queries: &DeTable<'_>,
    others: &[&str],
    types: &Types,
    depth: usize,
) -> Result<Condition, Failure> {
    let mut found = queries
        .iter()
        .filter(|(key, _)| !others.contains(&key.get_ref().as_ref()));
    let (Some((key, body)), None) = (found.next(), found.next()) else {
        let reason = format!("a filter needs one query, of those that Poseur knows: {KNOWN}");
        return Err((item.span().start, reason));
    };
    match key.get_ref().as_ref() {
        "match_all" => Ok(Condition::All(Vec::new())),
        "exists" => {
            let field = table(body, "`exists`")?.get("field");
            let name = field.map_or(Err((body.span().start, "`field` is missing".into())), text)?;
            test(name, Test::Exists, body)
        }
        "wildcard" => {
            let (name, value) = field(body)?;
            let (text, case) = options(value, &["value", "wildcard"])?;
            pattern(name, wildcard(&text), case, value, types)
        }
        "prefix" => {
            let (name, value) = field(body)?;
            let (text, case) = options(value, &["value"])?;
            pattern(name, Pattern::starts_with(text), case, value, types)
        }
        "term" => {
            let (name, value) = field(body)?;
            match options(value, &["value"])? {
                (text, Case::Ascii) => {
                    pattern(name, Pattern::equals(text), Case::Ascii, value, types)
                }
                (text, Case::Exact) => equals(name, text, value, types),
            }
        }
        "terms" => {
            let (name, values) = field(body)?;
            let all = list(values)
                .iter()
                .map(|value| equals(name, scalar(value)?, value, types));
            Ok(Condition::Any(all.collect::<Result<_, _>>()?))
        }
        "match_phrase" => {
            let (name, value) = field(body)?;
            let (text, _) = options(value, &["query"])?;
            equals(name, text, value, types)
        }
        "range" => {
            let (name, limits) = field(body)?;
            range(name, limits, types)
        }
        "bool" => bool(body, types, depth + 1),
        other => Err((
            key.span().start,
            format!(
                "a filter by `{}` changes what the rule matches, and Poseur does not know it: known are \
                 {KNOWN}",
                shortened(other)
            ),
        )),
    }
}

fn bool(item: &Item<'_>, types: &Types, depth: usize) -> Result<Condition, Failure> {
    if depth > MAX_NESTING {
        let reason = format!("`bool` nested deeper than {MAX_NESTING} levels");
        return Err((item.span().start, reason));
    }
    let mut all = Vec::new();
    let mut some = None;
    let mut least = None;
    for (key, body) in table(item, "`bool`")?.iter() {
        let queries = || list(body).iter().map(|item| query(item, types, depth));
        match key.get_ref().as_ref() {
            "must" | "filter" => {
                for condition in queries() {
                    all.push(condition?);
                }
            }
            "must_not" => {
                for condition in queries() {
                    all.push(Condition::Not(Box::new(condition?)));
                }
            }
            "should" => some = Some(queries().collect::<Result<Vec<_>, _>>()?),
            "minimum_should_match" => least = Some((body.span().start, scalar(body)?)),
            "boost" => {}
            other => {
                let reason = format!("`bool` has no `{}`", shortened(other));
                return Err((key.span().start, reason));
            }
        }
    }
    let wanted = match least.as_ref().map(|(at, least)| (at, least.as_str())) {
        Some((_, "1")) => true,
        Some((_, "0")) => false,
        Some((at, other)) => {
            let other = shortened(other);
            let reason = format!("`minimum_should_match` can be 0 or 1 here, not `{other}`");
            return Err((*at, reason));
        }
        // Beside others, what `should` hold only changes the score.
        None => all.is_empty(),
    };
    if let Some(some) = some.filter(|some| wanted && !some.is_empty()) {
        all.push(Condition::Any(some));
    }
    Ok(Condition::All(all))
}

/// A value as a quoted one of a query.
fn equals(name: &str, value: String, at: &Item<'_>, types: &Types) -> Result<Condition, Failure> {
    let target = target(name, at)?;
    let condition = target.value(&Value::Quoted(value), types);
    condition.map_err(|reason| (at.span().start, reason))
}

fn range(name: &str, limits: &Item<'_>, types: &Types) -> Result<Condition, Failure> {
    let target = target(name, limits)?;
    let mut parts = Vec::new();
    for (key, limit) in table(limits, "`range`")?.iter() {
        let comparison = match key.get_ref().as_ref() {
            "lt" => Comparison::Less,
            "lte" => Comparison::LessOrEqual,
            "gt" => Comparison::Greater,
            "gte" => Comparison::GreaterOrEqual,
            other => {
                let reason = format!("Poseur does not know `{}` of `range`", shortened(other));
                return Err((key.span().start, reason));
            }
        };
        let condition = target.range(comparison, &Value::Quoted(scalar(limit)?), types);
        parts.push(condition.map_err(|reason| (limit.span().start, reason))?);
    }
    Ok(Condition::All(parts))
}

fn pattern(
    name: &str,
    pattern: Pattern,
    case: Case,
    at: &Item<'_>,
    types: &Types,
) -> Result<Condition, Failure> {
    if types.field(name) != FieldType::Keyword {
        let reason = format!(
            "`{}` is no keyword field: a pattern cannot be used on it here",
            shortened(name)
        );
        return Err((at.span().start, reason));
    }
    test(name, Test::Text(pattern, case), at)
}

fn test(name: &str, test: Test, at: &Item<'_>) -> Result<Condition, Failure> {
    let field = target(name, at)?.field();
    Ok(Condition::Test(Predicate { field, test }))
}

fn target(name: &str, at: &Item<'_>) -> Result<Target, Failure> {
    if name.is_empty() || name.contains('*') {
        return Err((
            at.span().start,
            "a filter needs the name of one field".into(),
        ));
    }
    Ok(Target::Name(name.to_owned()))
}

/// Elasticsearch's wildcards: `*`, `?`, and a backslash that takes their meaning away.
fn wildcard(text: &str) -> Pattern {
    let mut chars = text.chars();
    let mut parts = Vec::new();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Run,
            '?' => Part::One,
            '\\' => Part::Literal(chars.next().unwrap_or('\\').into()),
            _ => Part::Literal(c.into()),
        });
    }
    Pattern::new(parts)
}

/// The field that a query is about, and what stands behind it.
fn field<'t, 'v>(item: &'t Item<'v>) -> Result<(&'t str, &'t Item<'v>), Failure> {
    let mut entries = table(item, "a query of a filter")?.iter();
    match (entries.next(), entries.next()) {
        (Some((name, value)), None) => Ok((name.get_ref(), value)),
        _ => Err((
            item.span().start,
            "a query of a filter needs one field".into(),
        )),
    }
}

/// A value, alone or in a table under one of the keys, and whether letters fold.
fn options(item: &Item<'_>, keys: &[&str]) -> Result<(String, Case), Failure> {
    let DeValue::Table(options) = item.get_ref() else {
        return Ok((scalar(item)?, Case::Exact));
    };
    let mut case = Case::Exact;
    let mut value = None;
    for (key, option) in options.iter() {
        match key.get_ref().as_ref() {
            "case_insensitive" if truth(option, "case_insensitive")? => case = Case::Ascii,
            "case_insensitive" | "boost" | "rewrite" => {}
            key if keys.contains(&key) => value = Some(scalar(option)?),
            other => {
                let reason = format!("Poseur does not know `{}` of a filter", shortened(other));
                return Err((key.span().start, reason));
            }
        }
    }
    let value = value.ok_or_else(|| (item.span().start, format!("`{}` is missing", keys[0])))?;
    Ok((value, case))
}

/// The items of a list, or one that stands for a list of one.
fn list<'t, 'v>(item: &'t Item<'v>) -> &'t [Item<'v>] {
    match item.get_ref() {
        DeValue::Array(items) => items,
        _ => std::slice::from_ref(item),
    }
}

fn table<'t, 'v>(item: &'t Item<'v>, what: &str) -> Result<&'t DeTable<'v>, Failure> {
    let table = item.get_ref().as_table();
    table.ok_or_else(|| {
        let reason = format!("{what} must be a table, not {}", kind(item));
        (item.span().start, reason)
    })
}

fn text<'t>(item: &'t Item<'_>) -> Result<&'t str, Failure> {
    let text = item.get_ref().as_str();
    text.ok_or_else(|| {
        let reason = format!("this must be a text, not {}", kind(item));
        (item.span().start, reason)
    })
}

fn truth(item: &Item<'_>, key: &str) -> Result<bool, Failure> {
    let truth = item.get_ref().as_bool();
    truth.ok_or_else(|| {
        let reason = format!("`{key}` must be true or false, not {}", kind(item));
        (item.span().start, reason)
    })
}

/// A text, number or truth value as text.
fn scalar(item: &Item<'_>) -> Result<String, Failure> {
    match item.get_ref() {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Float(number) => Ok(number.to_string()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        _ => Err((
            item.span().start,
            format!(
                "this must be a text, a number or a truth value, not {}",
                kind(item)
            ),
        )),
    }
}
