//! What `duckdb-kql` cannot judge, or is known to judge otherwise than Kusto's documentation says.
//! Only what is left is compared.

use poseur_rule::expression::Function as F;

use super::expression::{Expression, Infix, Literal};

/// Why an expression is not compared; `None` if it is.
pub fn known_difference(expression: &Expression) -> Option<&'static str> {
    own(expression).or_else(|| expression.parts().into_iter().find_map(known_difference))
}

fn own(expression: &Expression) -> Option<&'static str> {
    let arithmetic = |infix: &Infix| {
        use Infix::{Add, Divide, Modulo, Multiply, Subtract};
        matches!(infix, Add | Subtract | Multiply | Divide | Modulo)
    };
    match expression {
        Expression::Literal(Literal::DateTime(text)) if text.len() > 26 => {
            Some("its moments are microseconds, not ticks of 100 nanoseconds")
        }
        Expression::Infix(infix, one, other) if arithmetic(infix) => {
            let big = |part: &Expression| *part == Expression::Literal(Literal::Long(i64::MAX));
            (big(one) || big(other)).then_some("overflow is an error in DuckDB")
        }
        Expression::Infix(Infix::Equal | Infix::NotEqual, one, other)
            if is_dynamic(one) && differs_by_type(other) =>
        {
            Some("a dynamic scalar is of its own type; there of the literal's")
        }
        Expression::Infix(infix, one, other)
            if is_dynamic(one) && !arithmetic(infix) && may_be_empty(other) =>
        {
            Some("a null dynamic value is the empty text there")
        }
        Expression::Infix(Infix::Equal | Infix::NotEqual, one, other)
            if ![one, other].map(|part| is_literal(part)).contains(&true) =>
        {
            Some("two nulls compared are null there; docs/semantics.md says not equal")
        }
        Expression::Call(F::Split, arguments) if arguments.len() == 3 => {
            Some("split with an index is not supported")
        }
        Expression::Call(F::Ipv4IsPrivate | F::Ipv4IsInRange, _) => {
            Some("functions of addresses are not supported")
        }
        Expression::Call(F::Trim, _) => Some("`\\w` is ASCII in DuckDB, Unicode in Kusto"),
        Expression::Matches(_, regex) if regex.contains('\\') => {
            Some("`\\b` is ASCII in DuckDB, Unicode in Kusto")
        }
        Expression::Text(_, _, one, other) if is_dynamic(one) => {
            let sure = |part: &Expression| matches!(part, Expression::Literal(Literal::Text(text)) if !text.is_empty());
            (!sure(other)).then_some("a null dynamic value holds the empty text there")
        }
        Expression::In(_, one, among) if is_dynamic(one) && among.iter().any(may_be_empty) => {
            Some("a null dynamic value is the empty text there")
        }
        Expression::HasAny(one, among) | Expression::HasAll(one, among)
            if is_dynamic(one) && among.iter().any(may_be_empty) =>
        {
            Some("a null dynamic value holds the empty text there")
        }
        Expression::Call(F::IsNull, arguments) if is_dynamic(&arguments[0]) => {
            Some("JSON's null is no null in DuckDB")
        }
        Expression::Call(F::BagKeys, _) => Some("bag_keys is not supported"),
        _ => None,
    }
}

fn is_dynamic(expression: &Expression) -> bool {
    matches!(
        expression,
        Expression::Path(..) | Expression::Column("d" | "e") | Expression::Call(F::ParseJson, _)
    )
}

/// May it be the empty text?
fn may_be_empty(expression: &Expression) -> bool {
    match expression {
        Expression::Literal(Literal::Text(text)) => text.is_empty(),
        Expression::Literal(_) => false,
        _ => true,
    }
}

/// A literal that a dynamic scalar of another type may be equal to after a conversion.
fn differs_by_type(expression: &Expression) -> bool {
    matches!(expression, Expression::Literal(Literal::Bool(_)))
}

fn is_literal(expression: &Expression) -> bool {
    matches!(expression, Expression::Literal(_))
}
