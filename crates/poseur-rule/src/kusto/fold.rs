//! Constant expressions, as far as it is simple: `ago(7d)`, `tolower("X")`, `1024 * 1024`.

use super::dynamic::{self, Json};
use super::literal;
use crate::expression::{ColumnType, Expression, Function, Literal};
use crate::model::{Case, Number};

/// The value of a call whose arguments are constant; `None`: it is left to the evaluator.
pub(super) fn call(function: Function, arguments: &[Expression]) -> Option<Expression> {
    if let Some(moment) = moment(function, arguments) {
        return Some(moment);
    }
    let literals: Option<Vec<&Literal>> = arguments
        .iter()
        .map(|argument| match argument {
            Expression::Literal(literal) if *literal != Literal::Now => Some(literal),
            _ => None,
        })
        .collect();
    evaluate(function, &literals?).map(Expression::Literal)
}

/// A moment counted from now: `now() - a + b` becomes one sum.
fn moment(function: Function, arguments: &[Expression]) -> Option<Expression> {
    let sign = match function {
        Function::Add => 1,
        Function::Subtract => -1,
        _ => return None,
    };
    let (base, length) = match arguments {
        [base, Expression::Literal(Literal::TimeSpan(ticks))] => (base, ticks.checked_mul(sign)?),
        [Expression::Literal(Literal::TimeSpan(ticks)), base] if sign == 1 => (base, *ticks),
        _ => return None,
    };
    let offset = from_now(base)?.checked_add(length)?;
    let now = Expression::Literal(Literal::Now);
    let (function, length) = match offset {
        0 => return Some(now),
        ..0 => (Function::Subtract, offset.checked_neg()?),
        _ => (Function::Add, offset),
    };
    let length = Expression::Literal(Literal::TimeSpan(length));
    Some(Expression::Call(function, vec![now, length]))
}

/// Ticks from now on, of `now()` and of what [`call`] makes of sums with it.
pub(super) fn from_now(expression: &Expression) -> Option<i64> {
    match expression {
        Expression::Literal(Literal::Now) => Some(0),
        Expression::Call(function, arguments) => {
            let [
                Expression::Literal(Literal::Now),
                Expression::Literal(Literal::TimeSpan(ticks)),
            ] = arguments.as_slice()
            else {
                return None;
            };
            match function {
                Function::Add => Some(*ticks),
                Function::Subtract => ticks.checked_neg(),
                _ => None,
            }
        }
        _ => None,
    }
}

fn evaluate(function: Function, arguments: &[&Literal]) -> Option<Literal> {
    use Literal as L;
    Some(match (function, arguments) {
        (Function::Not, [L::Bool(truth)]) => L::Bool(!truth),
        (Function::Negate, [L::Long(number)]) => L::Long(number.checked_neg()?),
        (Function::Negate, [L::TimeSpan(ticks)]) => L::TimeSpan(ticks.checked_neg()?),
        (Function::Negate, [L::Real(number)]) => {
            let digits = number.as_str();
            let text = digits
                .strip_prefix('-')
                .map_or(format!("-{digits}"), str::to_owned);
            L::Real(Number::new(text)?)
        }
        (Function::Add, [L::Long(a), L::Long(b)]) => L::Long(a.checked_add(*b)?),
        (Function::Subtract, [L::Long(a), L::Long(b)]) => L::Long(a.checked_sub(*b)?),
        (Function::Multiply, [L::Long(a), L::Long(b)]) => L::Long(a.checked_mul(*b)?),
        (Function::Add, [L::TimeSpan(a), L::TimeSpan(b)]) => L::TimeSpan(a.checked_add(*b)?),
        (Function::Subtract, [L::TimeSpan(a), L::TimeSpan(b)]) => L::TimeSpan(a.checked_sub(*b)?),
        (Function::Add, [L::DateTime(a), L::TimeSpan(b)] | [L::TimeSpan(b), L::DateTime(a)]) => {
            L::DateTime(a.checked_add(*b)?)
        }
        (Function::Subtract, [L::DateTime(a), L::TimeSpan(b)]) => L::DateTime(a.checked_sub(*b)?),
        (Function::Subtract, [L::DateTime(a), L::DateTime(b)]) => L::TimeSpan(a.checked_sub(*b)?),
        (Function::Multiply, [L::TimeSpan(a), L::Long(b)] | [L::Long(b), L::TimeSpan(a)]) => {
            L::TimeSpan(a.checked_mul(*b)?)
        }
        (Function::In(case), [L::Text(value), items @ ..]) => {
            let same = |item: &&Literal| match (item, case) {
                (L::Text(item), Case::Exact) => Some(item == value),
                (L::Text(item), Case::Ascii) => Some(item.eq_ignore_ascii_case(value)),
                _ => None,
            };
            let found: Option<Vec<bool>> = items.iter().map(same).collect();
            L::Bool(found?.contains(&true))
        }
        (Function::Equal, [L::Long(a), L::Long(b)]) => L::Bool(a == b),
        (Function::Equal, [L::Bool(a), L::Bool(b)]) => L::Bool(a == b),
        (Function::ToLower, [L::Text(text)]) => {
            L::Text(text.chars().flat_map(char::to_lowercase).collect())
        }
        (Function::ToUpper, [L::Text(text)]) => {
            L::Text(text.chars().flat_map(char::to_uppercase).collect())
        }
        (Function::StrCat, texts) => {
            let texts: Option<Vec<String>> = texts.iter().map(|part| text_of(part)).collect();
            L::Text(texts?.concat())
        }
        (Function::ToText, [value]) => L::Text(text_of(value)?),
        (Function::ToLong, [L::Text(text)]) => literal::from_text(text, ColumnType::Long)?,
        (Function::ToReal, [L::Text(text)]) => literal::from_text(text, ColumnType::Real)?,
        (Function::ToBool, [L::Text(text)]) => literal::from_text(text, ColumnType::Bool)?,
        (Function::ToDateTime, [L::Text(text)]) => literal::from_text(text, ColumnType::DateTime)?,
        (Function::ToTimeSpan, [L::Text(text)]) => literal::from_text(text, ColumnType::TimeSpan)?,
        (Function::ToLong, [value @ L::Long(_)])
        | (Function::ToReal, [value @ L::Real(_)])
        | (Function::ToBool, [value @ L::Bool(_)])
        | (Function::ToDateTime, [value @ L::DateTime(_)])
        | (Function::ToTimeSpan, [value @ L::TimeSpan(_)])
        | (Function::ParseJson, [value @ L::Dynamic(_)]) => (*value).clone(),
        (Function::ParseJson, [L::Text(text)]) => dynamic::literal(&dynamic::parse(text)?),
        (Function::PackArray, items) => {
            let items: Option<Vec<Json>> = items.iter().map(|item| json_of(item)).collect();
            dynamic::literal(&Json::List(items?))
        }
        (Function::Split, [L::Text(text), L::Text(delimiter)]) if !delimiter.is_empty() => {
            let parts = text.split(delimiter.as_str());
            let parts = parts.map(|part| Json::Text(part.to_owned()));
            dynamic::literal(&Json::List(parts.collect()))
        }
        (Function::IsEmpty, [L::Text(text)]) => L::Bool(text.is_empty()),
        (Function::IsEmpty | Function::IsNull, [L::Null(_)]) => L::Bool(true),
        (Function::IsNull, [L::Text(_) | L::Long(_) | L::Bool(_) | L::DateTime(_)]) => {
            L::Bool(false)
        }
        _ => return None,
    })
}

/// What `tostring` makes of a constant.
pub(super) fn text_of(literal: &Literal) -> Option<String> {
    match literal {
        Literal::Text(text) => Some(text.clone()),
        Literal::Long(number) => Some(number.to_string()),
        Literal::Bool(truth) => Some(truth.to_string()),
        Literal::Null(_) => Some(String::new()),
        Literal::Dynamic(json) => match dynamic::of_literal(json)? {
            Json::Text(text) => Some(text),
            Json::Null => Some(String::new()),
            _ => Some(json.clone()),
        },
        Literal::Real(_) | Literal::DateTime(_) | Literal::TimeSpan(_) | Literal::Now => None,
    }
}

fn json_of(literal: &Literal) -> Option<Json> {
    match literal {
        Literal::Text(text) => Some(Json::Text(text.clone())),
        Literal::Long(number) => Some(Json::Number(number.to_string())),
        Literal::Real(number) => Some(Json::Number(number.to_string())),
        Literal::Bool(truth) => Some(Json::Bool(*truth)),
        Literal::Dynamic(json) => dynamic::of_literal(json),
        _ => None,
    }
}
