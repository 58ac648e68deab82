//! Arithmetic on numbers, moments and lengths of time.

use poseur_rule::expression::Function;

use super::time::{YEAR_ONE, moment, span};
use super::value::Value;

/// `a + b`, `a - b`, `a * b`, `a / b`, `a % b`, `bin(a, b)`; null where two values do not go together.
pub fn binary(function: Function, a: &Value, b: &Value) -> Value {
    use Function::{Add, Bin, Divide, Modulo, Multiply, Subtract};
    use Value::{DateTime, Long, Real, TimeSpan};
    match (function, a, b) {
        (_, Long(a), Long(b)) => Value::long(whole(function, *a, *b)),
        (_, Long(_) | Real(..), Long(_) | Real(..)) => {
            let (a, b) = (a.as_float(), b.as_float());
            match (a, b) {
                (Some(a), Some(b)) => float(function, a, b),
                _ => Value::Null,
            }
        }
        (Add, DateTime(a), TimeSpan(b)) | (Add, TimeSpan(b), DateTime(a)) => {
            moment(a.checked_add(*b))
        }
        (Subtract, DateTime(a), TimeSpan(b)) => moment(a.checked_sub(*b)),
        (Subtract, DateTime(a), DateTime(b)) => span(a.checked_sub(*b)),
        (Bin, DateTime(a), TimeSpan(b)) => {
            // Counted from year 1.
            let binned = whole(Bin, a + YEAR_ONE, *b);
            moment(binned.map(|ticks| ticks - YEAR_ONE))
        }
        (Divide, TimeSpan(a), TimeSpan(b)) => float(Divide, *a as f64, *b as f64),
        (Add | Subtract | Modulo | Bin, TimeSpan(a), TimeSpan(b)) => span(whole(function, *a, *b)),
        (Multiply, TimeSpan(a), Long(b)) | (Multiply, Long(b), TimeSpan(a)) => {
            span(a.checked_mul(*b))
        }
        (Divide, TimeSpan(a), Long(b)) => span(whole(Divide, *a, *b)),
        (Multiply | Divide, TimeSpan(a), Real(b, _)) => {
            span(float(function, *a as f64, *b).to_long())
        }
        (Multiply, Real(b, _), TimeSpan(a)) => span(float(Multiply, *a as f64, *b).to_long()),
        _ => Value::Null,
    }
}

fn whole(function: Function, a: i64, b: i64) -> Option<i64> {
    match function {
        Function::Add => a.checked_add(b),
        Function::Subtract => a.checked_sub(b),
        Function::Multiply => a.checked_mul(b),
        Function::Divide => a.checked_div(b),
        Function::Modulo => a.checked_rem_euclid(b),
        Function::Bin if b > 0 => a.div_euclid(b).checked_mul(b),
        _ => None,
    }
}

fn float(function: Function, a: f64, b: f64) -> Value {
    Value::real(match function {
        Function::Add => a + b,
        Function::Subtract => a - b,
        Function::Multiply => a * b,
        Function::Divide => a / b,
        Function::Modulo => a.rem_euclid(b),
        Function::Bin if b > 0.0 => (a / b).floor() * b,
        _ => f64::NAN,
    })
}

/// `-a`
pub fn negate(value: &Value) -> Value {
    match value {
        Value::Long(number) => Value::long(number.checked_neg()),
        Value::Real(number, _) => Value::real(-number),
        Value::TimeSpan(ticks) => span(ticks.checked_neg()),
        _ => Value::Null,
    }
}

/// `abs(a)`
pub fn abs(value: &Value) -> Value {
    match value {
        Value::Long(number) => Value::long(number.checked_abs()),
        Value::Real(number, _) => Value::real(number.abs()),
        Value::TimeSpan(ticks) => span(ticks.checked_abs()),
        _ => Value::Null,
    }
}
