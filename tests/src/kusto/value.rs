//! Kusto's scalar values.

use crate::reference::evaluate::nanoseconds;
use crate::reference::fields;
use crate::reference::json::{self, Value as Json};

use super::moments;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Null, of whatever type.
    Null,
    /// `bool`
    Bool(bool),
    /// `long`
    Long(i64),
    /// `real`, with its text where it was written as a number.
    Real(f64, Option<String>),
    /// `string`
    Text(String),
    /// `datetime`, in ticks of 100 nanoseconds since 1970.
    DateTime(i64),
    /// `timespan`, in ticks.
    TimeSpan(i64),
    /// `dynamic`, never null.
    Dynamic(Json),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }

    /// A real without a spelling of its own.
    pub fn real(number: f64) -> Value {
        Value::Real(number, None)
    }

    /// A dynamic value; JSON's null is null.
    pub fn dynamic(json: Json) -> Value {
        match json {
            Json::Null => Value::Null,
            json => Value::Dynamic(json),
        }
    }

    /// What `tostring` makes of it, but for null, which has no text.
    pub fn as_text(&self) -> Option<String> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(truth) => truth.to_string(),
            Value::Long(number) => number.to_string(),
            Value::Real(number, spelled) => spelled.clone().unwrap_or_else(|| number.to_string()),
            Value::Text(text) => text.clone(),
            Value::DateTime(ticks) => moments::print(*ticks),
            Value::TimeSpan(ticks) => moments::print_length(*ticks),
            Value::Dynamic(Json::Text(text)) => String::from_utf8_lossy(text).into_owned(),
            Value::Dynamic(json) => String::from_utf8_lossy(&json::compact(json)).into_owned(),
        })
    }

    /// A dynamic scalar as the value of its own type; everything else as it is.
    pub fn opened(&self) -> Value {
        match self {
            Value::Dynamic(Json::Bool(truth)) => Value::Bool(*truth),
            Value::Dynamic(Json::Text(_)) => Value::Text(self.as_text().unwrap_or_default()),
            Value::Dynamic(Json::Number(number)) => match number.parse() {
                Ok(whole) => Value::Long(whole),
                Err(_) => real_of(number),
            },
            other => other.clone(),
        }
    }

    /// As a truth value, of a text or a number too.
    pub fn to_bool(&self) -> Value {
        match self.opened() {
            Value::Bool(truth) => Value::Bool(truth),
            Value::Long(number) => Value::Bool(number != 0),
            Value::Real(number, _) => Value::Bool(number != 0.0),
            Value::Text(text) => truth_of(&text).map_or(Value::Null, Value::Bool),
            _ => Value::Null,
        }
    }

    /// As a whole number.
    pub fn to_long(&self) -> Value {
        match self.opened() {
            Value::Bool(truth) => Value::Long(truth.into()),
            Value::Long(number) => Value::Long(number),
            Value::Real(number, _) if number.abs() < 9e18 => Value::Long(number as i64),
            Value::TimeSpan(ticks) => Value::Long(ticks),
            // Counted from the year 1.
            Value::DateTime(ticks) => Value::Long(ticks + 719_162 * 864_000_000_000),
            Value::Text(text) => match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
                Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    i64::from_str_radix(hex, 16).map_or(Value::Null, Value::Long)
                }
                None if json::is_number(text.as_bytes()) => {
                    text.parse().map_or(Value::Null, Value::Long)
                }
                _ => Value::Null,
            },
            _ => Value::Null,
        }
    }

    /// As a number with a fraction.
    pub fn to_real(&self) -> Value {
        match self.opened() {
            Value::Bool(truth) => Value::real(f64::from(u8::from(truth))),
            Value::Long(number) => Value::real(number as f64),
            Value::Real(number, spelled) => Value::Real(number, spelled),
            Value::TimeSpan(_) | Value::DateTime(_) => match self.to_long() {
                Value::Long(ticks) => Value::real(ticks as f64),
                _ => Value::Null,
            },
            Value::Text(text) if json::is_number(text.as_bytes()) => real_of(&text),
            _ => Value::Null,
        }
    }

    /// As a moment.
    pub fn to_datetime(&self) -> Value {
        match self.opened() {
            Value::DateTime(ticks) => Value::DateTime(ticks),
            Value::Text(text) => match text.len() {
                10 => moment_of(&format!("{text}T00:00:00")),
                16 => moment_of(&format!("{text}:00")),
                _ => moment_of(&text),
            },
            _ => Value::Null,
        }
    }

    /// As a length of time.
    pub fn to_timespan(&self) -> Value {
        match self.opened() {
            Value::TimeSpan(ticks) => Value::TimeSpan(ticks),
            Value::Text(text) => moments::length(&text).map_or(Value::Null, Value::TimeSpan),
            _ => Value::Null,
        }
    }
}

/// A number by its spelling.
pub fn real_of(text: &str) -> Value {
    match text.parse() {
        Ok(number) => Value::Real(number, Some(text.to_owned())),
        Err(_) => Value::Null,
    }
}

/// A moment by its spelling.
pub fn moment_of(text: &str) -> Value {
    match nanoseconds(text.as_bytes()) {
        Some(moment) => Value::DateTime(moment.div_euclid(100) as i64),
        None => Value::Null,
    }
}

/// The truth value that a text is: `true`, `false`, or a number.
pub fn truth_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => fields::number(text.as_bytes()).map(|number| number != 0.0),
    }
}
