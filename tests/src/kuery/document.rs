//! A document as Elasticsearch has it: names with values.

use crate::reference::fields::Scalar;
use crate::reference::json::Value;

/// A scalar and the name of the field that holds it.
pub type Named = (Vec<u8>, Scalar);

/// All scalars of a document, or of an object inside it whose own name is `prefix`.
pub fn scalars(value: &Value, prefix: &[u8]) -> Vec<Named> {
    let mut out = Vec::new();
    collect(value, prefix, &mut out);
    out
}

fn collect(value: &Value, name: &[u8], out: &mut Vec<Named>) {
    let mut push = |scalar| out.push((name.to_vec(), scalar));
    match value {
        Value::Null => {}
        Value::Bool(truth) => push(Scalar::Bool(*truth)),
        Value::Number(number) => push(Scalar::Number(number.clone())),
        Value::Text(text) => push(Scalar::Text(text.clone())),
        Value::List(items) => items.iter().for_each(|item| collect(item, name, out)),
        Value::Map(members) => {
            for (key, child) in members {
                collect(child, &joined(name, key), out);
            }
        }
    }
}

/// The objects that stand at a path below an object whose own name is `prefix`.
pub fn objects<'a>(value: &'a Value, prefix: &[u8], path: &[u8]) -> Vec<&'a Value> {
    let mut out = Vec::new();
    if let Value::Map(members) = value {
        for (key, child) in members {
            below(child, &joined(prefix, key), path, &mut out);
        }
    }
    out
}

fn below<'a>(value: &'a Value, name: &[u8], path: &[u8], out: &mut Vec<&'a Value>) {
    match value {
        Value::List(items) => {
            for item in items {
                below(item, name, path, out);
            }
        }
        Value::Map(_) if name == path => out.push(value),
        Value::Map(members) => {
            for (key, child) in members {
                below(child, &joined(name, key), path, out);
            }
        }
        _ => {}
    }
}

fn joined(name: &[u8], key: &[u8]) -> Vec<u8> {
    match name {
        b"" => key.to_vec(),
        _ => [name, b".", key].concat(),
    }
}
