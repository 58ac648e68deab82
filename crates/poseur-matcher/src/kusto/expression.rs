//! Expressions, compiled: columns by number, literals and regular expressions prepared.

use std::borrow::Cow;

use jiff::Timestamp;
use poseur_rule::expression::{self as model, Column, ColumnType, Function, Literal};
use poseur_rule::model::Case;
use regex::Regex;

use super::json::Json;
use super::text::Search;
use super::value::Value;
use super::{address, arithmetic, dynamic, text, time, url};
use crate::predicates::{CompileError, invalid_regex};
use crate::{pattern, terms};

/// An expression that is ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Expression {
    root: Node,
    columns: Vec<Column>,
}

#[derive(Debug, Clone)]
enum Node {
    Constant(Value),
    Now,
    Column(usize),
    Call(Function, Box<[Node]>),
    /// A function with a regular expression (for `trim` one for each end), and its other arguments.
    Regex(Function, Box<[Option<Regex>; 2]>, Box<[Node]>),
}

/// What an expression is about.
#[derive(Clone, Copy)]
struct Context<'a> {
    columns: &'a [Value],
    now: Timestamp,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    /// If a regular expression in it cannot be used.
    pub fn new(expression: &model::Expression) -> Result<Expression, CompileError> {
        let mut columns = Vec::new();
        let root = Node::new(expression, &mut columns)?;
        Ok(Expression { root, columns })
    }

    /// The columns it is about, in the order in which it first names them.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether it asks for the moment of judgement.
    pub fn depends_on_now(&self) -> bool {
        self.root.depends_on_now()
    }

    /// Its value, given one value for each of its columns.
    pub fn value(&self, columns: &[Value], now: Timestamp) -> Value {
        let context = Context { columns, now };
        self.root.value(context).into_owned()
    }
}

impl Node {
    fn new(
        expression: &model::Expression,
        columns: &mut Vec<Column>,
    ) -> Result<Node, CompileError> {
        let (function, arguments) = match expression {
            model::Expression::Literal(Literal::Now) => return Ok(Node::Now),
            model::Expression::Literal(literal) => return Ok(Node::Constant(constant(literal))),
            model::Expression::Column(column) => {
                let known = columns.iter().position(|known| known == column);
                return Ok(Node::Column(known.unwrap_or_else(|| {
                    columns.push(column.clone());
                    columns.len() - 1
                })));
            }
            model::Expression::Call(function, arguments) => (*function, arguments),
        };
        let nodes = arguments
            .iter()
            .map(|argument| Node::new(argument, columns));
        let mut nodes = nodes.collect::<Result<Vec<Node>, _>>()?;
        let all_constant = nodes.iter().all(|node| matches!(node, Node::Constant(_)));
        let node = match regex_argument(function, nodes.len()) {
            None => Node::Call(function, nodes.into()),
            Some(at) if at < nodes.len() => {
                let Node::Constant(source) = nodes.remove(at) else {
                    // Front ends refuse it.
                    return Ok(Node::Constant(Value::Null));
                };
                let regexes = regexes(function, &source.text())?;
                Node::Regex(function, Box::new(regexes), nodes.into())
            }
            Some(_) => Node::Constant(Value::Null),
        };
        Ok(match all_constant {
            true => {
                let (columns, now) = (&[], Timestamp::UNIX_EPOCH);
                let value = node.value(Context { columns, now }).into_owned();
                Node::Constant(value)
            }
            false => node,
        })
    }

    fn depends_on_now(&self) -> bool {
        match self {
            Node::Now => true,
            Node::Constant(_) | Node::Column(_) => false,
            Node::Call(_, arguments) | Node::Regex(_, _, arguments) => {
                arguments.iter().any(Node::depends_on_now)
            }
        }
    }

    fn value<'a>(&'a self, context: Context<'a>) -> Cow<'a, Value> {
        match self {
            Node::Constant(value) => Cow::Borrowed(value),
            Node::Now => {
                let ticks = context.now.as_nanosecond().div_euclid(100);
                Cow::Owned(time::moment(i64::try_from(ticks).ok()))
            }
            Node::Column(number) => match context.columns.get(*number) {
                Some(value) => Cow::Borrowed(value),
                None => Cow::Owned(Value::Null),
            },
            Node::Call(function, arguments) => match choose(*function, arguments, context) {
                Some(value) => value,
                None => {
                    let values: Vec<Cow<'_, Value>> = arguments
                        .iter()
                        .map(|argument| argument.value(context))
                        .collect();
                    Cow::Owned(call(*function, &Arguments(&values)))
                }
            },
            Node::Regex(function, regexes, arguments) => {
                let values: Vec<Cow<'_, Value>> = arguments
                    .iter()
                    .map(|argument| argument.value(context))
                    .collect();
                Cow::Owned(call_regex(*function, regexes, &Arguments(&values)))
            }
        }
    }
}

fn constant(literal: &Literal) -> Value {
    match literal {
        Literal::Null(ColumnType::Text) => Value::EMPTY,
        Literal::Null(_) | Literal::Now => Value::Null,
        Literal::Bool(truth) => Value::Bool(*truth),
        Literal::Long(number) => Value::Long(*number),
        Literal::Real(number) => Value::real(number.as_f64()),
        Literal::Text(text) => Value::Text(text.clone()),
        Literal::DateTime(ticks) => time::moment(Some(*ticks)),
        Literal::TimeSpan(ticks) => Value::TimeSpan(*ticks),
        Literal::Dynamic(text) => match Json::parse(text) {
            Some(json) => Value::from(&json),
            None => Value::Text(text.clone()),
        },
    }
}

/// Which argument of a function with so many is a regular expression.
fn regex_argument(function: Function, count: usize) -> Option<usize> {
    match function {
        Function::MatchesRegex | Function::ReplaceRegex => Some(1),
        // The third says so.
        Function::CountOf if count == 3 => Some(1),
        Function::Trim | Function::TrimStart | Function::TrimEnd | Function::Extract => Some(0),
        _ => None,
    }
}

fn regexes(function: Function, source: &str) -> Result<[Option<Regex>; 2], CompileError> {
    let compile = |text: &str| Regex::new(text).map_err(|error| invalid_regex(source, &error));
    let plain = compile(source)?;
    Ok(match function {
        Function::Trim | Function::TrimStart | Function::TrimEnd => {
            let at_start = (function != Function::TrimEnd).then(|| format!(r"\A(?:{source})+"));
            let at_end = (function != Function::TrimStart).then(|| format!(r"(?:{source})+\z"));
            let compile = |text: Option<String>| text.map(|text| compile(&text)).transpose();
            [compile(at_start)?, compile(at_end)?]
        }
        _ => [Some(plain), None],
    })
}

/// Functions that do not look at all of their arguments.
fn choose<'a>(
    function: Function,
    arguments: &'a [Node],
    context: Context<'a>,
) -> Option<Cow<'a, Value>> {
    let truth = |node: &Node| node.value(context).to_bool();
    Some(match function {
        Function::And | Function::Or => {
            let decisive = function == Function::Or;
            let mut unknown = false;
            for argument in arguments {
                match truth(argument) {
                    Some(truth) if truth == decisive => {
                        return Some(Cow::Owned(Value::Bool(decisive)));
                    }
                    Some(_) => {}
                    None => unknown = true,
                }
            }
            Cow::Owned(match unknown {
                true => Value::Null,
                false => Value::Bool(!decisive),
            })
        }
        Function::Iff | Function::Case => {
            let (pairs, otherwise) = arguments.as_chunks::<2>();
            let chosen = pairs.iter().find(|[when, _]| truth(when) == Some(true));
            match chosen.map(|[_, then]| then).or(otherwise.first()) {
                Some(node) => node.value(context),
                None => Cow::Owned(Value::Null),
            }
        }
        Function::Coalesce => {
            let mut last = Cow::Owned(Value::Null);
            for argument in arguments {
                last = argument.value(context);
                if !is_empty(&last) {
                    break;
                }
            }
            last
        }
        _ => return None,
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        _ => false,
    }
}

/// The values of a call's arguments; null where there is none.
struct Arguments<'a>(&'a [Cow<'a, Value>]);

impl Arguments<'_> {
    fn at(&self, number: usize) -> &Value {
        self.0.get(number).map_or(&Value::Null, |value| &**value)
    }

    fn text(&self, number: usize) -> Cow<'_, str> {
        self.at(number).text()
    }

    fn long_or(&self, number: usize, otherwise: i64) -> Option<i64> {
        match self.0.get(number) {
            Some(value) => value.to_long(),
            None => Some(otherwise),
        }
    }

    /// Arguments from the second on; an array stands for its elements.
    fn others(&self) -> impl Iterator<Item = Cow<'_, Value>> {
        self.0.iter().skip(1).flat_map(|value| match &**value {
            Value::Dynamic(Json::List(elements)) => {
                let elements = elements.iter();
                elements.map(|json| Cow::Owned(Value::from(json))).collect()
            }
            value => vec![Cow::Borrowed(value)],
        })
    }

    /// Where the third argument and those after it say to search.
    fn search(&self) -> Option<Search> {
        Some(Search {
            start: self.long_or(2, 0)?,
            length: self.long_or(3, -1)?,
            occurrence: self.long_or(4, 1)?,
        })
    }
}

fn call(function: Function, arguments: &Arguments<'_>) -> Value {
    use Function as F;
    let first = arguments.at(0);
    let second = arguments.at(1);
    let text = || arguments.text(0);
    let from_text = |result: String| Value::Text(result);
    let some_text = |then: &dyn Fn(&str) -> Value| match first.some_text() {
        Some(text) => then(&text),
        None => Value::Null,
    };
    let order =
        |holds: fn(std::cmp::Ordering) -> bool| Value::truth_of(first.order(second).map(holds));
    let text_test = |case: Case, holds: fn(&str, &str, Case) -> bool| {
        let (text, other) = (first.some_text(), second.some_text());
        Value::Bool(text.is_some_and(|text| other.is_some_and(|other| holds(&text, &other, case))))
    };
    let any = |case: Case, holds: fn(&str, &str, Case) -> bool| {
        let one = |text: &str, other: &Value| {
            let other = other.some_text();
            other.is_some_and(|other| holds(text, &other, case))
        };
        let text = first.some_text();
        Value::Bool(text.is_some_and(|text| arguments.others().any(|other| one(&text, &other))))
    };
    match function {
        F::And | F::Or | F::Iff | F::Case | F::Coalesce => Value::Null,
        F::MatchesRegex | F::Trim | F::TrimStart | F::TrimEnd | F::ReplaceRegex | F::Extract => {
            Value::Null
        }

        F::Not => Value::truth_of(first.to_bool().map(|truth| !truth)),
        F::Equal => Value::Bool(first.equals(second)),
        F::Less => order(std::cmp::Ordering::is_lt),
        F::LessOrEqual => order(std::cmp::Ordering::is_le),
        F::Greater => order(std::cmp::Ordering::is_gt),
        F::GreaterOrEqual => order(std::cmp::Ordering::is_ge),

        F::In(case) => Value::Bool(arguments.others().any(|other| is_in(first, &other, case))),
        F::Contains(case) => text_test(case, |text, part, case| {
            pattern::contains(text.as_bytes(), part.as_bytes(), case)
        }),
        F::StartsWith(case) => text_test(case, |text, part, case| {
            pattern::starts_with(text.as_bytes(), part.as_bytes(), case)
        }),
        F::EndsWith(case) => text_test(case, |text, part, case| {
            pattern::ends_with(text.as_bytes(), part.as_bytes(), case)
        }),
        F::Has(case) => any(case, has),
        F::HasAll(case) => {
            let Some(text) = first.some_text() else {
                return Value::Bool(false);
            };
            let one = |term: Cow<'_, Value>| {
                let term = term.some_text();
                term.is_some_and(|term| has(&text, &term, case))
            };
            Value::Bool(arguments.others().all(one))
        }
        F::HasPrefix(case) => any(case, |text, term, case| {
            terms::has(text.as_bytes(), term, case, true, false)
        }),
        F::HasSuffix(case) => any(case, |text, term, case| {
            terms::has(text.as_bytes(), term, case, false, true)
        }),

        F::Add | F::Subtract | F::Multiply | F::Divide | F::Modulo | F::Bin => {
            arithmetic::binary(function, first, second)
        }
        F::Negate => arithmetic::negate(first),
        F::Abs => arithmetic::abs(first),

        F::Member => dynamic::member(first, &arguments.text(1)),
        F::Element => match second.to_long() {
            Some(index) => dynamic::element(first, index),
            None => Value::Null,
        },
        F::ArrayLength => dynamic::length(first),
        F::ArrayIndexOf => match arguments.search() {
            Some(search) => dynamic::index_of(first, second, &search),
            None => Value::Null,
        },
        F::SetHasElement => dynamic::has_element(first, second),
        F::BagKeys => dynamic::keys(first),
        F::BagHasKey => dynamic::has_key(first, &arguments.text(1)),
        F::PackArray => {
            let elements = arguments.0.iter().map(|value| Json::from(&**value));
            Value::Dynamic(Json::List(elements.collect()))
        }
        F::ParseJson => dynamic::parse(first),

        F::ToText => from_text(text().into_owned()),
        F::ToLong => Value::long(first.to_long()),
        F::ToReal => first.to_real(),
        F::ToBool => Value::truth_of(first.to_bool()),
        F::ToDateTime => time::moment(first.to_moment()),
        F::ToTimeSpan => time::span(first.to_span()),

        F::IsEmpty => Value::Bool(is_empty(first)),
        F::IsNull => Value::Bool(*first == Value::Null),

        F::ToLower => from_text(text::to_lower(&text())),
        F::ToUpper => from_text(text::to_upper(&text())),
        F::StrLen => some_text(&|text| Value::Long(text.chars().count() as i64)),
        F::StrCat => from_text(arguments.0.iter().map(|value| value.text()).collect()),
        F::StrCatDelim => {
            let rest = arguments.0.get(1..).unwrap_or_default();
            let parts: Vec<_> = rest.iter().map(|value| value.text()).collect();
            from_text(parts.join(&*text()))
        }
        F::Substring => {
            let length = match arguments.0.get(2) {
                Some(length) => length.to_long().map(Some),
                None => Some(None),
            };
            from_text(match (second.to_long(), length) {
                (Some(start), Some(length)) => text::substring(&text(), start, length),
                _ => String::new(),
            })
        }
        F::Split => some_text(&|source| {
            let index = arguments.0.get(2).map(|index| index.to_long());
            match index {
                Some(None) => Value::Null,
                index => Value::Dynamic(text::split(source, &arguments.text(1), index.flatten())),
            }
        }),
        F::ReplaceString => from_text(text::replace(
            &text(),
            &arguments.text(1),
            &arguments.text(2),
        )),
        F::IndexOf => match (first, second, arguments.search()) {
            (Value::Null, _, _) | (_, Value::Null, _) | (_, _, None) => Value::Null,
            (_, _, Some(search)) => {
                Value::long(text::index_of(&text(), &arguments.text(1), &search))
            }
        },
        F::CountOf => match second {
            Value::Null => Value::Null,
            part => some_text(&|text| Value::Long(text::count_of(text, &part.text()))),
        },
        F::Reverse => from_text(text().chars().rev().collect()),
        F::Base64Decode => from_text(text::base64_decode(&text())),
        F::UrlDecode => from_text(url::decode(&text())),
        F::ParseUrl => some_text(&|text| Value::Dynamic(url::parse_url(text))),
        F::ParsePath => some_text(&|text| Value::Dynamic(url::parse_path(text))),

        F::Ipv4IsPrivate => Value::truth_of(address::is_private(&text())),
        F::Ipv4IsInRange => {
            let ranges = arguments.others().map(|range| range.text().into_owned());
            let ranges: Vec<String> = ranges.collect();
            Value::truth_of(address::is_in_range(&text(), &ranges))
        }
        F::Ipv4IsMatch => {
            let prefix = arguments.long_or(2, 32);
            let matches =
                prefix.and_then(|prefix| address::is_match(&text(), &arguments.text(1), prefix));
            Value::truth_of(matches)
        }

        F::StartOfDay => match (first.to_moment(), arguments.long_or(1, 0)) {
            (Some(ticks), Some(offset)) => time::start_of_day(ticks, offset),
            _ => Value::Null,
        },
        F::HourOfDay => first.to_moment().map_or(Value::Null, time::hour_of_day),
        F::DayOfWeek => first.to_moment().map_or(Value::Null, time::day_of_week),
    }
}

fn call_regex(
    function: Function,
    [regex, at_end]: &[Option<Regex>; 2],
    arguments: &Arguments<'_>,
) -> Value {
    let plain = regex.as_ref();
    match (function, plain) {
        (Function::MatchesRegex, Some(regex)) => {
            let text = arguments.at(0).some_text();
            Value::Bool(text.is_some_and(|text| regex.is_match(&text)))
        }
        (Function::Extract, Some(regex)) => {
            let group = arguments.at(0).to_long().unwrap_or(-1);
            Value::Text(text::extract(&arguments.text(1), regex, group))
        }
        (Function::ReplaceRegex, Some(regex)) => Value::Text(text::replace_regex(
            &arguments.text(0),
            regex,
            &arguments.text(1),
        )),
        (Function::CountOf, Some(regex)) => match arguments.at(0).some_text() {
            Some(text) => Value::long(i64::try_from(regex.find_iter(&text).count()).ok()),
            None => Value::Null,
        },
        (Function::Trim | Function::TrimStart | Function::TrimEnd, at_start) => {
            Value::Text(text::trim(&arguments.text(0), at_start, at_end.as_ref()))
        }
        _ => Value::Null,
    }
}

/// `==`, `=~` and `in` with one value: what is compared with a text is compared as one.
fn is_in(value: &Value, other: &Value, case: Case) -> bool {
    let text = |value: &Value| matches!(value, Value::Text(_));
    match (value.some_text(), other.some_text()) {
        (Some(one), Some(two)) if text(value) || text(other) => {
            pattern::equal(one.as_bytes(), two.as_bytes(), case)
        }
        _ => value.equals(other),
    }
}

fn has(text: &str, term: &str, case: Case) -> bool {
    terms::has(text.as_bytes(), term, case, true, true)
}

#[cfg(test)]
mod tests;
