//! Functions of arrays and objects. What is asked of another kind of value is null.

use super::json::Json;
use super::text::Search;
use super::value::Value;

/// `a.key`
pub fn member(value: &Value, key: &str) -> Value {
    match value {
        Value::Dynamic(json) => json.member(key).map_or(Value::Null, Value::from),
        _ => Value::Null,
    }
}

/// `a[index]`
pub fn element(value: &Value, index: i64) -> Value {
    let Value::Dynamic(Json::List(elements)) = value else {
        return Value::Null;
    };
    let index = match index {
        0.. => Some(index),
        _ => index.checked_add(elements.len() as i64),
    };
    let index = index.and_then(|index| usize::try_from(index).ok());
    index
        .and_then(|index| elements.get(index))
        .map_or(Value::Null, Value::from)
}

/// `array_length(a)`
pub fn length(value: &Value) -> Value {
    match value {
        Value::Dynamic(Json::List(elements)) => Value::Long(elements.len() as i64),
        _ => Value::Null,
    }
}

/// Whether an element is a value that is looked for.
fn is(element: &Json, wanted: &Value) -> bool {
    let element = Value::from(element);
    // Null is equal to nothing, but may be looked for.
    let texts = matches!(element, Value::Text(_)) == matches!(wanted, Value::Text(_));
    match (&element, wanted) {
        (Value::Null, Value::Null) => true,
        _ => texts && element.equals(wanted),
    }
}

/// `array_index_of(a, b)`
pub fn index_of(value: &Value, wanted: &Value, search: &Search) -> Value {
    match value {
        Value::Dynamic(Json::List(elements)) => {
            Value::long(search.find(elements.len(), 1, |at| is(&elements[at], wanted)))
        }
        _ => Value::Null,
    }
}

/// `set_has_element(a, b)`
pub fn has_element(value: &Value, wanted: &Value) -> Value {
    match value {
        Value::Dynamic(Json::List(elements)) => {
            Value::Bool(elements.iter().any(|element| is(element, wanted)))
        }
        _ => Value::Null,
    }
}

/// `bag_keys(a)`
pub fn keys(value: &Value) -> Value {
    let Value::Dynamic(Json::Map(members)) = value else {
        return Value::Null;
    };
    let mut keys: Vec<Json> = Vec::new();
    for (key, _) in members {
        let key = Json::from(key.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Value::Dynamic(Json::List(keys))
}

/// `bag_has_key(a, key)`
pub fn has_key(value: &Value, key: &str) -> Value {
    let Value::Dynamic(json @ Json::Map(_)) = value else {
        return Value::Null;
    };
    let found = match key.strip_prefix("$.") {
        Some(path) => path.split('.').try_fold(json, Json::member),
        None => json.member(key),
    };
    Value::Bool(found.is_some())
}

/// `parse_json(a)`
pub fn parse(value: &Value) -> Value {
    match value {
        Value::Text(text) if text.is_empty() => Value::Null,
        Value::Text(text) => match Json::parse(text) {
            Some(json) => Value::from(&json),
            None => value.clone(),
        },
        value => value.clone(),
    }
}
