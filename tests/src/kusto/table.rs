//! The values of a table's columns in a record.

use poseur_rule::expression::ColumnType;

use super::moments;
use super::value::{Value, moment_of, real_of, truth_of};
use crate::reference::json::{self, Value as Json};

/// The value a column of this type has for what a record holds under its key.
pub fn column(kind: ColumnType, json: &Json) -> Value {
    let value = match json {
        Json::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        other => Value::dynamic(other.clone()),
    };
    match (kind, value) {
        (ColumnType::Text, value) => Value::Text(value.as_text().unwrap_or_default()),
        (ColumnType::Dynamic, Value::Text(text)) => Value::Dynamic(unwrapped(&text)),
        (ColumnType::Dynamic, value) => value,
        (_, Value::Dynamic(Json::List(_) | Json::Map(_)) | Value::Null) => Value::Null,
        (ColumnType::DateTime, Value::Text(text)) => moment_of(&text),
        (ColumnType::TimeSpan, Value::Text(text)) => {
            moments::length(&text).map_or(Value::Null, Value::TimeSpan)
        }
        (ColumnType::DateTime | ColumnType::TimeSpan, _) => Value::Null,
        (ColumnType::Bool, value) => {
            let text = value.as_text().unwrap_or_default();
            truth_of(&text).map_or(Value::Null, Value::Bool)
        }
        (ColumnType::Long, Value::Dynamic(Json::Number(text)) | Value::Text(text)) => {
            let whole = json::is_number(text.as_bytes()).then(|| text.parse().ok());
            whole.flatten().map_or(Value::Null, Value::Long)
        }
        (ColumnType::Real, Value::Dynamic(Json::Number(text)) | Value::Text(text)) => {
            match json::is_number(text.as_bytes()) {
                true => real_of(&text),
                false => Value::Null,
            }
        }
        (ColumnType::Long | ColumnType::Real, _) => Value::Null,
    }
}

/// The value of a column that is not there.
pub fn missing(kind: ColumnType) -> Value {
    match kind {
        ColumnType::Text => Value::text(""),
        _ => Value::Null,
    }
}

/// A text that holds an array or an object counts as that one.
fn unwrapped(text: &str) -> Json {
    let bytes = text.as_bytes();
    match json::parse(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)) {
        Ok(parsed) if matches!(parsed.value, Json::List(_) | Json::Map(_)) => parsed.value,
        _ => Json::Text(bytes.to_vec()),
    }
}
