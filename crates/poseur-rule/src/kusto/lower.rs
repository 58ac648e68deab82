//! From expressions to the model's conditions.
//!
//! Kusto's logic has three values, the model's two: an expression becomes the condition under which it is
//! true, and another under which it is false. What is null is neither.

use regex::Regex;

use super::fold;
use super::scope::ALL_COLUMNS;
use crate::expression::{Column, ColumnType, Expression, Function, Literal};
use crate::model::{Case, Comparison, Condition, Field, Moment, Number, Pattern, Predicate, Test};

/// Nanoseconds in a tick.
const TICK: i128 = 100;

/// How the columns of a table become fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lowering {
    /// The schemas know the columns by name.
    pub(super) columns_are_fields: bool,
}

/// A column whose text is tested.
struct TextOf<'e> {
    column: &'e Column,
    /// Without a value, the text is empty; else there is none.
    empty_if_missing: bool,
}

impl Lowering {
    /// When the expression is true.
    pub(super) fn when_true(self, expression: &Expression) -> Condition {
        match expression {
            Expression::Literal(Literal::Bool(true)) => Condition::All(Vec::new()),
            Expression::Literal(Literal::Bool(false) | Literal::Null(_)) => {
                Condition::Any(Vec::new())
            }
            Expression::Call(Function::And, parts) => {
                all(parts.iter().map(|part| self.when_true(part)))
            }
            Expression::Call(Function::Or, parts) => {
                any(parts.iter().map(|part| self.when_true(part)))
            }
            Expression::Call(Function::Not, parts) => match parts.as_slice() {
                [inner] => self.when_false(inner),
                _ => self.value(expression, true),
            },
            Expression::Call(function, arguments) => self
                .native(*function, arguments)
                .unwrap_or_else(|| self.value(expression, true)),
            Expression::Column(column) if column.kind == ColumnType::Bool => {
                self.test(column, Test::Bool(true))
            }
            _ => self.value(expression, true),
        }
    }

    /// When the expression is false.
    pub(super) fn when_false(self, expression: &Expression) -> Condition {
        match expression {
            Expression::Literal(Literal::Bool(false)) => Condition::All(Vec::new()),
            Expression::Literal(Literal::Bool(true) | Literal::Null(_)) => {
                Condition::Any(Vec::new())
            }
            Expression::Call(Function::And, parts) => {
                any(parts.iter().map(|part| self.when_false(part)))
            }
            Expression::Call(Function::Or, parts) => {
                all(parts.iter().map(|part| self.when_false(part)))
            }
            Expression::Call(Function::Not, parts) => match parts.as_slice() {
                [inner] => self.when_true(inner),
                _ => self.value(expression, false),
            },
            Expression::Call(function, arguments) => {
                let native = match opposite(*function) {
                    Some(opposite) => self.native(opposite, arguments),
                    None => self.native(*function, arguments).map(not),
                };
                native.unwrap_or_else(|| self.value(expression, false))
            }
            Expression::Column(column) if column.kind == ColumnType::Bool => {
                self.test(column, Test::Bool(false))
            }
            _ => self.value(expression, false),
        }
    }

    fn value(self, expression: &Expression, truth: bool) -> Condition {
        Condition::Test(Predicate {
            field: Field::Value(Box::new(expression.clone())),
            test: Test::Bool(truth),
        })
    }

    fn test(self, column: &Column, test: Test) -> Condition {
        let field = match self.columns_are_fields {
            _ if column.name == ALL_COLUMNS => Field::Any,
            true => Field::Name(column.name.clone()),
            false => Field::Column(column.clone()),
        };
        Condition::Test(Predicate { field, test })
    }

    /// A column compared with literals, as tests of the model. All but the orders are never null.
    fn native(self, function: Function, arguments: &[Expression]) -> Option<Condition> {
        match function {
            Function::Equal
            | Function::Less
            | Function::LessOrEqual
            | Function::Greater
            | Function::GreaterOrEqual => self.comparison(function, arguments),
            Function::IsEmpty => match arguments {
                [value] => self.is_empty(value),
                _ => None,
            },
            Function::IsNull => match arguments {
                [Expression::Column(column)] if column.kind != ColumnType::Text => {
                    Some(self.test(column, Test::Null))
                }
                _ => None,
            },
            _ => self.text_test(function, arguments),
        }
    }

    fn is_empty(self, value: &Expression) -> Option<Condition> {
        if let Some(text) = text_of(value) {
            let empty = Test::Text(Pattern::equals(""), Case::Exact);
            return Some(any([
                self.test(text.column, empty),
                self.test(text.column, Test::Null),
            ]));
        }
        match value {
            Expression::Column(column) => Some(self.test(column, Test::Null)),
            _ => None,
        }
    }

    fn comparison(self, function: Function, arguments: &[Expression]) -> Option<Condition> {
        let [Expression::Column(column), value] = arguments else {
            return None;
        };
        let relation = match function {
            Function::Equal => Comparison::Equal,
            Function::Less => Comparison::Less,
            Function::LessOrEqual => Comparison::LessOrEqual,
            Function::Greater => Comparison::Greater,
            Function::GreaterOrEqual => Comparison::GreaterOrEqual,
            _ => return None,
        };
        let test = match column.kind {
            ColumnType::Bool => match value {
                Expression::Literal(Literal::Bool(truth)) if relation == Comparison::Equal => {
                    Test::Bool(*truth)
                }
                _ => return None,
            },
            ColumnType::Long | ColumnType::Real => match value {
                Expression::Literal(Literal::Long(number)) => {
                    Test::Compare(relation, Number::from(*number))
                }
                Expression::Literal(Literal::Real(number)) => {
                    Test::Compare(relation, number.clone())
                }
                _ => return None,
            },
            ColumnType::DateTime => Test::Time(relation, moment(value)?),
            ColumnType::Text | ColumnType::TimeSpan | ColumnType::Dynamic => return None,
        };
        Some(self.test(column, test))
    }

    /// A test of a column's text against literals.
    fn text_test(self, function: Function, arguments: &[Expression]) -> Option<Condition> {
        let (first, rest) = arguments.split_first()?;
        let text = text_of(first)?;
        let literals: Option<Vec<&str>> = rest
            .iter()
            .map(|argument| match argument {
                Expression::Literal(Literal::Text(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let literals = literals?;
        let pattern = |pattern: fn(&str) -> Pattern, case| {
            let tests = literals.iter();
            tests.map(move |text| Test::Text(pattern(text), case))
        };
        let term = |case, start, end| {
            let tests = literals.iter();
            tests.map(move |text| Test::Term {
                text: (*text).to_owned(),
                case,
                start,
                end,
            })
        };
        let tests: Vec<Test> = match function {
            Function::In(case) => pattern(|text| Pattern::equals(text), case).collect(),
            Function::Contains(case) => pattern(|text| Pattern::contains(text), case).collect(),
            Function::StartsWith(case) => {
                pattern(|text| Pattern::starts_with(text), case).collect()
            }
            Function::EndsWith(case) => pattern(|text| Pattern::ends_with(text), case).collect(),
            Function::Has(case) | Function::HasAll(case) => term(case, true, true).collect(),
            Function::HasPrefix(case) => term(case, true, false).collect(),
            Function::HasSuffix(case) => term(case, false, true).collect(),
            Function::MatchesRegex => {
                let tests = literals.iter();
                tests
                    .map(|regex| Test::Regex((*regex).to_owned()))
                    .collect()
            }
            _ => return None,
        };
        let parts = tests.into_iter().zip(literals).map(|(test, literal)| {
            if text.empty_if_missing && fits_empty(&test, literal) {
                // Every text of these has the empty one in it, and so has a column without value.
                if literal.is_empty() && !matches!(function, Function::In(_)) {
                    return Condition::All(Vec::new());
                }
                return any([
                    self.test(text.column, test),
                    self.test(text.column, Test::Null),
                ]);
            }
            self.test(text.column, test)
        });
        Some(match function {
            Function::HasAll(_) => all(parts),
            _ => any(parts),
        })
    }
}

/// Whether a condition needs the value of all columns together, which no record has.
pub(super) fn needs_all_columns(condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().any(needs_all_columns),
        Condition::Not(inner) | Condition::Named(_, inner) => needs_all_columns(inner),
        Condition::Nested { condition, .. } => needs_all_columns(condition),
        Condition::Test(predicate) => match &predicate.field {
            Field::Value(expression) => {
                let mut found = false;
                expression.columns(&mut |column| found |= column.name == ALL_COLUMNS);
                found
            }
            _ => false,
        },
    }
}

/// Whether the empty text satisfies a test made of a literal.
fn fits_empty(test: &Test, literal: &str) -> bool {
    match test {
        Test::Regex(pattern) => Regex::new(pattern).is_ok_and(|regex| regex.is_match("")),
        _ => literal.is_empty(),
    }
}

/// The column whose text an expression is.
fn text_of(expression: &Expression) -> Option<TextOf<'_>> {
    match expression {
        Expression::Column(column) if column.kind == ColumnType::Text => Some(TextOf {
            column,
            empty_if_missing: true,
        }),
        Expression::Column(column) if column.kind == ColumnType::Dynamic => Some(TextOf {
            column,
            empty_if_missing: false,
        }),
        Expression::Call(Function::ToText, arguments) => match arguments.as_slice() {
            [Expression::Column(column)] if column.kind == ColumnType::Dynamic => Some(TextOf {
                column,
                empty_if_missing: true,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// The moment that a constant expression is.
fn moment(expression: &Expression) -> Option<Moment> {
    if let Expression::Literal(Literal::DateTime(ticks)) = expression {
        return Some(Moment::At(i128::from(*ticks) * TICK));
    }
    let ticks = fold::from_now(expression)?;
    Some(Moment::FromNow(i128::from(ticks) * TICK))
}

/// The order that holds where another one is false. Where it is null, neither does.
fn opposite(function: Function) -> Option<Function> {
    match function {
        Function::Less => Some(Function::GreaterOrEqual),
        Function::LessOrEqual => Some(Function::Greater),
        Function::Greater => Some(Function::LessOrEqual),
        Function::GreaterOrEqual => Some(Function::Less),
        _ => None,
    }
}

/// `not`, with constants and double negation resolved.
fn not(condition: Condition) -> Condition {
    match condition {
        Condition::All(parts) if parts.is_empty() => Condition::Any(parts),
        Condition::Any(parts) if parts.is_empty() => Condition::All(parts),
        Condition::Not(inner) => *inner,
        other => Condition::Not(Box::new(other)),
    }
}

/// All of these, without levels that mean nothing.
pub(super) fn all(conditions: impl IntoIterator<Item = Condition>) -> Condition {
    let mut parts = Vec::new();
    for condition in conditions {
        match condition {
            Condition::All(inner) => parts.extend(inner),
            Condition::Any(inner) if inner.is_empty() => return Condition::Any(inner),
            other => parts.push(other),
        }
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Condition::All(parts)
}

/// Any of these, without levels that mean nothing.
fn any(conditions: impl IntoIterator<Item = Condition>) -> Condition {
    let mut parts = Vec::new();
    for condition in conditions {
        match condition {
            Condition::Any(inner) => parts.extend(inner),
            Condition::All(inner) if inner.is_empty() => return Condition::All(inner),
            other => parts.push(other),
        }
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    Condition::Any(parts)
}
