//! Records that are put together field by field.

use std::collections::BTreeMap;

use poseur_matcher::json::string;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// JSON as it is.
    Json(String),
    /// An object.
    Object(Draft),
}

/// A record, or an object in one: fields by their names, which are written as dotted keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draft {
    /// Several values are written as an array.
    pub fields: BTreeMap<String, Vec<Value>>,
}

impl Draft {
    /// Adds a value to those a field has.
    pub fn add(&mut self, field: &str, value: Value) {
        let values = self.fields.entry(field.to_owned()).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }

    /// Gives a field one value.
    pub fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), vec![value]);
    }

    /// Appends the record as JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, (field, values)) in self.fields.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            string(field.as_bytes(), out);
            out.push(b':');
            match values.as_slice() {
                [value] => value.write(out),
                values => {
                    out.push(b'[');
                    for (at, value) in values.iter().enumerate() {
                        if at > 0 {
                            out.push(b',');
                        }
                        value.write(out);
                    }
                    out.push(b']');
                }
            }
        }
        out.push(b'}');
    }

    /// The records with one field or one value less.
    pub fn smaller(&self) -> Vec<Draft> {
        let mut out = Vec::new();
        for (field, values) in &self.fields {
            let mut without = self.clone();
            without.fields.remove(field);
            out.push(without);
            for (at, value) in values.iter().enumerate() {
                let mut less = Vec::new();
                if values.len() > 1 {
                    less.push(None);
                }
                if let Value::Object(object) = value {
                    less.extend(object.smaller().into_iter().map(Some));
                }
                for object in less {
                    let mut without = self.clone();
                    let values = without.fields.entry(field.clone()).or_default();
                    match object {
                        Some(object) => values[at] = Value::Object(object),
                        None => {
                            values.remove(at);
                        }
                    }
                    out.push(without);
                }
            }
        }
        out
    }
}

impl Value {
    /// A JSON string.
    pub fn text(text: &str) -> Value {
        let mut out = Vec::new();
        string(text.as_bytes(), &mut out);
        Value::Json(String::from_utf8_lossy(&out).into_owned())
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Json(json) => out.extend_from_slice(json.as_bytes()),
            Value::Object(object) => object.write(out),
        }
    }
}
