//! Values of expressions: their texts, their conversions, how two of them compare.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::json::Json;
use super::time;
use crate::number;

/// A value at run time.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value, of any type but string.
    Null,
    /// `bool`
    Bool(bool),
    /// `long`
    Long(i64),
    /// `real`, and how the record writes it, if that is where it comes from.
    Real(f64, Option<Box<str>>),
    /// `string`
    Text(String),
    /// `datetime`: ticks of 100 ns since 1970.
    DateTime(i64),
    /// `timespan`: ticks of 100 ns.
    TimeSpan(i64),
    /// `dynamic`: an array or an object. Its scalars are the values above.
    Dynamic(Json),
}

impl Value {
    /// The empty string, which strings have for null.
    pub const EMPTY: Value = Value::Text(String::new());

    /// A computed `real`: null if it is no finite number.
    pub fn real(number: f64) -> Value {
        match number.is_finite() {
            true => Value::Real(number, None),
            false => Value::Null,
        }
    }

    /// A number from its JSON spelling, or null.
    pub fn number(text: &str) -> Value {
        match (whole(text), number::parse(text.as_bytes())) {
            (Some(number), _) => Value::Long(number),
            (None, Some(number)) => Value::Real(number, Some(text.into())),
            (None, None) => Value::Null,
        }
    }

    /// What an operation on whole numbers gives that may overflow.
    pub fn long(number: Option<i64>) -> Value {
        number.map_or(Value::Null, Value::Long)
    }

    /// What an operation on texts gives that may fail.
    pub fn truth_of(truth: Option<bool>) -> Value {
        truth.map_or(Value::Null, Value::Bool)
    }

    /// The text; null has the empty one.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Null => "".into(),
            Value::Bool(true) => "true".into(),
            Value::Bool(false) => "false".into(),
            Value::Long(number) => number.to_string().into(),
            Value::Real(_, Some(written)) => (&**written).into(),
            Value::Real(number, None) => number.to_string().into(),
            Value::Text(text) => text.into(),
            Value::DateTime(ticks) => time::write_moment(*ticks).into(),
            Value::TimeSpan(ticks) => time::write_span(*ticks).into(),
            Value::Dynamic(json) => json.compact().into(),
        }
    }

    /// The text, if there is a value.
    pub fn some_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Null => None,
            value => Some(value.text()),
        }
    }

    /// `tobool`
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            Value::Long(number) => Some(*number != 0),
            Value::Real(number, _) => Some(*number != 0.0),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Value::Text(text) => number::parse(text.as_bytes()).map(|number| number != 0.0),
            _ => None,
        }
    }

    /// `tolong`
    pub fn to_long(&self) -> Option<i64> {
        match self {
            Value::Bool(truth) => Some(i64::from(*truth)),
            Value::Long(number) => Some(*number),
            Value::Real(number, _) => {
                // The largest float below 2^63, and -2^63 itself, are whole numbers of 64 bits.
                let cut = number.trunc();
                (cut >= -(2f64.powi(63)) && cut < 2f64.powi(63)).then_some(cut as i64)
            }
            Value::Text(text) => match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
                // Rust takes a sign here.
                Some(digits) if digits.starts_with(['+', '-']) => None,
                Some(digits) => i64::from_str_radix(digits, 16).ok(),
                None => whole(text),
            },
            Value::DateTime(ticks) => ticks.checked_add(time::YEAR_ONE),
            Value::TimeSpan(ticks) => Some(*ticks),
            Value::Null | Value::Dynamic(_) => None,
        }
    }

    /// `toreal`
    pub fn to_real(&self) -> Value {
        match self {
            Value::Real(..) => self.clone(),
            Value::Text(text) => match number::parse(text.as_bytes()) {
                Some(number) => Value::real(number),
                None => Value::Null,
            },
            value => match value.to_long() {
                Some(number) => Value::real(number as f64),
                None => Value::Null,
            },
        }
    }

    /// `todatetime`, in ticks.
    pub fn to_moment(&self) -> Option<i64> {
        match self {
            Value::DateTime(ticks) => Some(*ticks),
            Value::Text(text) => time::parse_moment(text),
            _ => None,
        }
    }

    /// `totimespan`, in ticks.
    pub fn to_span(&self) -> Option<i64> {
        match self {
            Value::TimeSpan(ticks) => Some(*ticks),
            Value::Text(text) => time::parse_span(text.as_bytes()),
            _ => None,
        }
    }

    /// As a 64-bit float, if it is a number.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Long(number) => Some(*number as f64),
            Value::Real(number, _) => Some(*number),
            _ => None,
        }
    }

    /// `==`
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Bool(truth), number @ (Value::Long(_) | Value::Real(..)))
            | (number @ (Value::Long(_) | Value::Real(..)), Value::Bool(truth)) => {
                number.as_float() == Some(f64::from(u8::from(*truth)))
            }
            (Value::Bool(truth), text @ Value::Text(_))
            | (text @ Value::Text(_), Value::Bool(truth)) => text.to_bool() == Some(*truth),
            (Value::Dynamic(a), Value::Dynamic(b)) => a.compact() == b.compact(),
            (Value::Dynamic(json), Value::Text(text))
            | (Value::Text(text), Value::Dynamic(json)) => json.compact() == *text,
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }

    /// The order of two values that have one.
    pub fn order(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Long(a), Value::Long(b)) => Some(a.cmp(b)),
            (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
            (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
            (Value::TimeSpan(a), Value::TimeSpan(b)) => Some(a.cmp(b)),
            (Value::Text(text), other) => text_as(text, other)?.order(other),
            (value, Value::Text(text)) => value.order(&text_as(text, value)?),
            (a, b) => a.as_float()?.partial_cmp(&b.as_float()?),
        }
    }
}

/// A text as a value of another's type.
fn text_as(text: &str, other: &Value) -> Option<Value> {
    match other {
        Value::Long(_) | Value::Real(..) => Some(Value::number(text)),
        Value::DateTime(_) => time::parse_moment(text).map(Value::DateTime),
        Value::TimeSpan(_) => time::parse_span(text.as_bytes()).map(Value::TimeSpan),
        _ => None,
    }
}

/// A JSON number without fraction and exponent, in 64 bits.
fn whole(text: &str) -> Option<i64> {
    let number = number::is_number(text.as_bytes());
    number.then(|| text.parse().ok()).flatten()
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(text) => Value::number(text),
            Json::Text(text) => Value::Text(text.clone()),
            Json::List(_) | Json::Map(_) => Value::Dynamic(json.clone()),
        }
    }
}

impl From<&Value> for Json {
    fn from(value: &Value) -> Json {
        match value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::Bool(*truth),
            Value::Long(_) | Value::Real(..) => Json::Number(value.text().into_owned()),
            Value::Dynamic(json) => json.clone(),
            value => Json::Text(value.text().into_owned()),
        }
    }
}
