//! What a condition is about: a record, or one object inside it.

use poseur_rule::expression::{Column, ColumnType};

use super::fields::{self, Scalar, Values};
use super::json::Value as Json;
use super::shape::Schema;
use crate::kusto::table;
use crate::kusto::value::Value;

/// A record, or one object inside it (kuery's nested objects).
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    schema: Schema,
    /// The object.
    pub object: &'a Json,
    /// Canonical name of the field that holds it; empty for the whole record.
    path: &'a str,
}

impl<'a> Subject<'a> {
    /// A whole record.
    pub fn new(schema: Schema, record: &'a Json) -> Subject<'a> {
        Subject {
            schema,
            object: record,
            path: "",
        }
    }

    /// An object at a path.
    pub fn inside(self, path: &'a str, object: &'a Json) -> Subject<'a> {
        Subject {
            object,
            path,
            ..self
        }
    }

    /// The name that is left of one below the path.
    fn rest<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(self.path)?.strip_prefix('.')
    }

    /// The values of a field by its full name.
    pub fn field(&self, name: &str) -> Values {
        if self.path.is_empty() {
            return fields::lookup(self.schema, self.object, name);
        }
        match self.rest(name) {
            Some(rest) => fields::lookup_below(self.schema, self.object, name, rest),
            None => Values::default(),
        }
    }

    /// The objects at a path: those there, or in arrays there.
    pub fn objects(&self, path: &str) -> Vec<&'a Json> {
        let paths = match self.path.is_empty() {
            true => fields::paths(self.schema, self.object, path),
            false => self.rest(path).map(str::to_owned).into_iter().collect(),
        };
        let mut out = Vec::new();
        for path in paths {
            for value in fields::values_at(self.object, &path) {
                open(value, &mut out);
            }
        }
        out
    }

    /// The values of all fields whose whole name fits.
    pub fn like(&self, fits: &dyn Fn(&[u8]) -> bool) -> Values {
        let mut scalars: Vec<Scalar> = Vec::new();
        if self.path.is_empty() {
            for name in fields::listed(self.schema) {
                if fits(name.as_bytes()) {
                    scalars.extend(fields::lookup(self.schema, self.object, name).scalars);
                }
            }
        }
        let name = |keys: &[u8]| match self.path {
            "" => fields::name_of(self.schema, keys),
            path => [path.as_bytes(), b".", keys].concat(),
        };
        let mut keys = Vec::new();
        named(self.object, &mut keys, &mut |keys, scalar| {
            if fits(&name(keys)) {
                scalars.push(scalar);
            }
        });
        scalars.into()
    }

    /// The values of a column: one for each time it is there.
    pub fn column(&self, column: &Column) -> Vec<Value> {
        if fields::has_own_values(self.schema, &column.name) {
            let values = self.field(&column.name).scalars;
            let values: Vec<Value> = values
                .iter()
                .map(|scalar| table::column(column.kind, &json(scalar)))
                .collect();
            return or_missing(values, column.kind);
        }
        let kind = fields::column_type(self.schema, &column.name).unwrap_or(column.kind);
        let mut values = Vec::new();
        for path in fields::paths(self.schema, self.object, &column.name) {
            for value in fields::values_at(self.object, &path) {
                values.push(table::column(kind, value));
            }
        }
        or_missing(values, column.kind)
    }
}

fn or_missing(values: Vec<Value>, kind: ColumnType) -> Vec<Value> {
    match values.is_empty() {
        true => vec![table::missing(kind)],
        false => values,
    }
}

fn json(scalar: &Scalar) -> Json {
    match scalar {
        Scalar::Bool(truth) => Json::Bool(*truth),
        Scalar::Number(number) => Json::Number(number.clone()),
        Scalar::Text(text) => Json::Text(text.clone()),
    }
}

fn open<'a>(value: &'a Json, out: &mut Vec<&'a Json>) {
    match value {
        Json::Map(_) => out.push(value),
        Json::List(items) => items.iter().for_each(|item| open(item, out)),
        _ => {}
    }
}

/// Every scalar with the keys that lead to it, joined by dots.
fn named(value: &Json, keys: &mut Vec<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Scalar)) {
    match value {
        Json::Map(members) => {
            for (key, child) in members {
                keys.push(key.clone());
                named(child, keys, visit);
                keys.pop();
            }
        }
        Json::List(items) => items.iter().for_each(|item| named(item, keys, visit)),
        other => {
            if let Some(scalar) = fields::scalar(other) {
                visit(&keys.join(&b"."[..]), scalar);
            }
        }
    }
}
