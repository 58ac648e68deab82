//! The record a function is given. What stands in the event or in a variable is looked at where it is:
//! resolving such an argument would copy all of it.

use vrl::compiler::expression::{Expr, Query, Variable};
use vrl::compiler::{Context, Expression, ExpressionError};
use vrl::value::Value;

/// An argument that is a record.
#[derive(Debug, Clone)]
pub enum Input {
    /// In the event, its metadata, or a variable: at a path.
    Query(Box<Query>),
    /// A variable.
    Variable(Variable),
    /// What must be worked out.
    Other(Box<dyn Expression>),
}

impl Input {
    /// The input that an expression is.
    pub fn new(expression: Expr) -> Input {
        match expression {
            Expr::Query(query) if query.is_external() || query.as_variable().is_some() => {
                Input::Query(Box::new(query))
            }
            Expr::Variable(variable) => Input::Variable(variable),
            other => Input::Other(Box::new(other)),
        }
    }

    /// Calls `read` with the value.
    pub fn with<T>(
        &self,
        context: &mut Context<'_>,
        read: impl FnOnce(&Value) -> T,
    ) -> Result<T, ExpressionError> {
        let value = match self {
            Input::Other(expression) => {
                return expression.resolve(context).map(|value| read(&value));
            }
            Input::Variable(variable) => context.state().variable(variable.ident()),
            Input::Query(query) => match (query.external_path(), query.variable_ident()) {
                (Some(path), _) => context.target().target_get(path).ok().flatten(),
                (None, Some(variable)) => {
                    let value = context.state().variable(variable);
                    value.and_then(|value| value.get(query.path()))
                }
                (None, None) => None,
            },
        };
        Ok(read(value.unwrap_or(&Value::Null)))
    }
}
