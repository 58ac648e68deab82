//! Columns of Kusto tables, and what expressions make of them.

use std::ops::ControlFlow;

use jiff::Timestamp;
use poseur_rule::expression::ColumnType;

use crate::field::{FieldPlan, Object, Texts, Visit, bool_scalar, dynamic, flag, text_scalar};
use crate::kusto::{Expression, Json, Value, parse_moment, parse_span};
use crate::paths::Paths;
use crate::predicates::Scalar;
use crate::record::{Handle, Kind, Record};
use crate::report::with_document;
use crate::schema::{FieldKind, Scope};
use crate::{number, time};

/// Where keys appear twice, so many combinations of their values are tried.
const MOST_COMBINATIONS: usize = 64;

/// Visits what one value of a record is in a column: nothing, if it is not of the type.
pub(crate) fn scalar<R: Record + ?Sized>(
    column: ColumnType,
    record: &R,
    value: Handle,
    texts: &mut Texts,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    let kind = record.kind(value);
    let scalar = match (column, kind) {
        (ColumnType::Dynamic, _) => return dynamic(record, value, texts, visit),
        (ColumnType::Text, Kind::Null) => text_scalar(b""),
        (ColumnType::Text, Kind::List | Kind::Map) => {
            texts.derived.clear();
            record.write_json(value, &mut texts.derived);
            text_scalar(&texts.derived)
        }
        (ColumnType::Text, _) => text_scalar(record.text(value, &mut texts.decoded)),
        (ColumnType::Bool, _) => match flag(record, value, &mut texts.decoded) {
            Some(truth) => bool_scalar(truth),
            None => return ControlFlow::Continue(()),
        },
        (_, Kind::Text | Kind::Number) => {
            let text = record.text(value, &mut texts.decoded);
            let (fits, kind) = match column {
                ColumnType::Long => (whole(text), Kind::Number),
                ColumnType::Real => (number::is_number(text), Kind::Number),
                ColumnType::DateTime => (kind == Kind::Text && time::parse(text).is_some(), kind),
                _ => (kind == Kind::Text && parse_span(text).is_some(), kind),
            };
            if !fits {
                return ControlFlow::Continue(());
            }
            Scalar { kind, text }
        }
        _ => return ControlFlow::Continue(()),
    };
    visit(scalar, Some(value))
}

/// Whether a text is a whole number of 64 bits.
fn whole(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).ok();
    text.is_some_and(|text| number::is_number(text.as_bytes()) && text.parse::<i64>().is_ok())
}

/// An expression, and where its columns are.
#[derive(Debug, Clone)]
pub(crate) struct ValuePlan {
    pub expression: Expression,
    /// By column number.
    pub columns: Vec<FieldPlan>,
}

impl ValuePlan {
    pub fn new(scope: Scope<'_>, expression: &Expression, paths: &mut Paths) -> ValuePlan {
        let columns = expression.columns().iter();
        ValuePlan {
            columns: columns
                .map(|column| FieldPlan::column(scope, column, paths))
                .collect(),
            expression: expression.clone(),
        }
    }

    /// Visits the expression's value for each combination of its columns' values.
    pub fn values<R: Record + ?Sized>(
        &self,
        object: Object<'_, R>,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let columns = self.columns.iter().zip(self.expression.columns());
        let occurrences: Vec<Vec<Value>> = columns
            .map(|(plan, column)| occurrences(plan, column.kind, object, texts))
            .collect();
        let mut chosen = vec![0; occurrences.len()];
        let mut row: Vec<Value> = occurrences.iter().map(|all| all[0].clone()).collect();
        for _ in 0..MOST_COMBINATIONS {
            self.visit_value(&row, object, visit)?;
            // The next combination: like counting, the last column is the last digit.
            let next = (0..chosen.len()).rfind(|&at| chosen[at] + 1 < occurrences[at].len());
            let Some(next) = next else {
                break;
            };
            chosen[next] += 1;
            chosen[next + 1..].fill(0);
            for at in next..chosen.len() {
                row[at] = occurrences[at][chosen[at]].clone();
            }
        }
        ControlFlow::Continue(())
    }

    fn visit_value<R: ?Sized>(
        &self,
        row: &[Value],
        object: Object<'_, R>,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let value = self.expression.value(row, object.now);
        with_scalar(&value, |scalar| visit(scalar, None)).unwrap_or(ControlFlow::Continue(()))
    }

    /// The expression's value where none of its columns is, unless it depends on the moment.
    pub fn without_columns(&self) -> Option<Value> {
        let columns = self.columns.iter().zip(self.expression.columns());
        let row: Vec<Value> = columns
            .map(|(plan, column)| match &plan.absent {
                Some(text) => Value::Text(text.clone()),
                None => missing(column.kind),
            })
            .collect();
        let value = || self.expression.value(&row, Timestamp::UNIX_EPOCH);
        (!self.expression.depends_on_now()).then(value)
    }
}

/// A value as predicates look at it; null is none.
pub(crate) fn with_scalar<T>(value: &Value, then: impl FnOnce(Scalar<'_>) -> T) -> Option<T> {
    let kind = match value {
        Value::Null => return None,
        Value::Bool(truth) => Kind::Bool(*truth),
        Value::Long(_) | Value::Real(..) => Kind::Number,
        _ => Kind::Text,
    };
    let text = value.text();
    let text = text.as_bytes();
    Some(then(Scalar { kind, text }))
}

/// The values of a column, at least one: null, or the empty text, where it is missing.
fn occurrences<R: Record + ?Sized>(
    plan: &FieldPlan,
    column: ColumnType,
    object: Object<'_, R>,
    texts: &mut Texts,
) -> Vec<Value> {
    // What the schema says wins.
    let raw = match (plan.column_type(), plan.kind) {
        (Some(column), _) => Some(column),
        (None, FieldKind::Flag) => Some(ColumnType::Bool),
        (None, FieldKind::Dynamic) => Some(ColumnType::Dynamic),
        (None, _) => None,
    };
    let mut values = Vec::new();
    match raw {
        Some(column) => {
            let found = plan.raw_values(object.found);
            values.extend(found.map(|value| typed(column, object.record, value, texts)));
        }
        None => {
            let _ = plan.values(object, texts, &mut |value, _| {
                let text = String::from_utf8_lossy(value.text);
                values.push(match (column, value.kind) {
                    (ColumnType::Text, _) | (_, Kind::Text) => Value::Text(text.into_owned()),
                    (_, Kind::Bool(truth)) => Value::Bool(truth),
                    _ => Value::number(&text),
                });
                ControlFlow::Continue(())
            });
        }
    }
    if values.is_empty() {
        values.push(missing(column));
    }
    values
}

/// What a column has where its key is not.
fn missing(column: ColumnType) -> Value {
    match column {
        ColumnType::Text => Value::EMPTY,
        _ => Value::Null,
    }
}

/// One value of a record as a column's value.
fn typed<R: Record + ?Sized>(
    column: ColumnType,
    record: &R,
    value: Handle,
    texts: &mut Texts,
) -> Value {
    let mut typed = missing(column);
    if column == ColumnType::Dynamic {
        with_document(record, value, &mut |record, value| {
            typed = Value::from(&Json::of(record, value));
        });
        return typed;
    }
    let _ = scalar(column, record, value, texts, &mut |value, _| {
        let text = String::from_utf8_lossy(value.text);
        typed = match (column, value.kind) {
            (_, Kind::Bool(truth)) => Value::Bool(truth),
            (_, Kind::Number) => Value::number(&text),
            (ColumnType::DateTime, _) => parse_moment(&text).map_or(Value::Null, Value::DateTime),
            (ColumnType::TimeSpan, _) => {
                parse_span(value.text).map_or(Value::Null, Value::TimeSpan)
            }
            _ => Value::Text(text.into_owned()),
        };
        ControlFlow::Continue(())
    });
    typed
}
