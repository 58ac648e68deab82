//! The values of Kusto columns and of expressions over them.

use poseur_rule::expression::{Column, Expression, Literal};

use super::fields::{Scalar, Values};
use super::json::{self, Value as Json};
use crate::kusto::functions::call;
use crate::kusto::value::{Value, real_of};

/// Combinations of occurrences that are tried.
const COMBINATIONS: usize = 64;

/// What plain tests see of values: null is none.
pub fn scalars(values: Vec<Value>) -> Values {
    let scalar = |value: Value| match value {
        Value::Null => None,
        Value::Bool(truth) | Value::Dynamic(Json::Bool(truth)) => Some(Scalar::Bool(truth)),
        Value::Dynamic(Json::Number(number)) => Some(Scalar::Number(number)),
        Value::Dynamic(Json::Text(text)) => Some(Scalar::Text(text)),
        Value::Long(_) | Value::Real(..) => value.as_text().map(Scalar::Number),
        other => other.as_text().map(|text| Scalar::Text(text.into_bytes())),
    };
    values
        .into_iter()
        .filter_map(scalar)
        .collect::<Vec<_>>()
        .into()
}

/// What the expression is for each combination of its columns' values, up to a limit. Columns are
/// in the order in which they are named first; the last one's values change fastest.
pub fn evaluate(
    expression: &Expression,
    values_of: &dyn Fn(&Column) -> Vec<Value>,
    now: i64,
) -> Vec<Value> {
    let mut columns: Vec<Column> = Vec::new();
    expression.columns(&mut |column| {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    });
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for column in &columns {
        let values = values_of(column);
        combinations = combinations
            .into_iter()
            .flat_map(|combination| {
                values.iter().map(move |value| {
                    let mut longer = combination.clone();
                    longer.push(value.clone());
                    longer
                })
            })
            .collect();
    }
    combinations
        .into_iter()
        .take(COMBINATIONS)
        .map(|combination| value(expression, &columns, &combination, now))
        .collect()
}

fn value(expression: &Expression, columns: &[Column], values: &[Value], now: i64) -> Value {
    match expression {
        Expression::Literal(literal) => match literal {
            Literal::Null(_) => Value::Null,
            Literal::Bool(truth) => Value::Bool(*truth),
            Literal::Long(number) => Value::Long(*number),
            Literal::Real(number) => real_of(number.as_str()),
            Literal::Text(text) => Value::Text(text.clone()),
            Literal::DateTime(ticks) => Value::DateTime(*ticks),
            Literal::TimeSpan(ticks) => Value::TimeSpan(*ticks),
            Literal::Dynamic(text) => json::parse(text.as_bytes())
                .map_or(Value::Null, |parsed| Value::dynamic(parsed.value)),
            Literal::Now => Value::DateTime(now),
        },
        Expression::Column(column) => {
            let index = columns.iter().position(|known| known == column);
            index.map_or(Value::Null, |index| values[index].clone())
        }
        Expression::Call(function, arguments) => {
            let arguments: Vec<Value> = arguments
                .iter()
                .map(|argument| value(argument, columns, values, now))
                .collect();
            call(*function, &arguments)
        }
    }
}
