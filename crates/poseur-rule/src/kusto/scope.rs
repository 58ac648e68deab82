//! Which names stand for what: `let` values, parameters, and the columns that the operators so far have
//! made, renamed or left out.

use std::collections::HashMap;

use super::Refusal;
use super::syntax::Wildcard;
use crate::expression::{ColumnType, Expression, Literal};

/// An expression whose names are resolved.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) expression: Expression,
    pub(super) kind: ColumnType,
    pub(super) depth: usize,
    /// How much a copy costs.
    pub(super) size: usize,
}

impl Value {
    pub(super) fn literal(literal: Literal) -> Value {
        let kind = match &literal {
            Literal::Null(kind) => *kind,
            Literal::Bool(_) => ColumnType::Bool,
            Literal::Long(_) => ColumnType::Long,
            Literal::Real(_) => ColumnType::Real,
            Literal::Text(_) => ColumnType::Text,
            Literal::DateTime(_) | Literal::Now => ColumnType::DateTime,
            Literal::TimeSpan(_) => ColumnType::TimeSpan,
            Literal::Dynamic(_) => ColumnType::Dynamic,
        };
        let bytes = match &literal {
            Literal::Text(text) | Literal::Dynamic(text) => text.len(),
            _ => 0,
        };
        Value {
            expression: Expression::Literal(literal),
            kind,
            depth: 1,
            size: 1 + bytes / 64,
        }
    }

    pub(super) fn as_literal(&self) -> Option<&Literal> {
        match &self.expression {
            Expression::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self.as_literal() {
            Some(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// What a name stands for; a refusal where the value cannot be evaluated, which matters only to who asks
/// for it.
pub(super) type Meaning = Result<Value, Refusal>;

/// What stands for all columns where a column's name does. No column of Kusto can have it.
pub(super) const ALL_COLUMNS: &str = "*";

/// The columns at one place of a query.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// Columns that were made or named by an operator.
    made: HashMap<String, Meaning>,
    /// Operators that leave columns of the table out.
    filters: Vec<Filter>,
}

#[derive(Debug)]
struct Filter {
    /// The columns that fit stay; else they go.
    keeps: bool,
    columns: Vec<Wildcard>,
    operator: &'static str,
}

impl Filter {
    fn lets_through(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.fits(name)) == self.keeps
    }
}

/// What a column's name leads to.
pub(super) enum Found<'s> {
    /// A column that an operator made.
    Made(&'s Meaning),
    /// A column of the table, if it has it.
    OfTable,
    /// A column that this operator has left out.
    LeftOut(&'static str),
}

impl Columns {
    /// Nothing is made or left out yet.
    pub(super) fn are_the_tables(&self) -> bool {
        self.made.is_empty() && self.filters.is_empty()
    }

    pub(super) fn find(&self, name: &str) -> Found<'_> {
        if let Some(meaning) = self.made.get(name) {
            return Found::Made(meaning);
        }
        match self
            .filters
            .iter()
            .find(|filter| !filter.lets_through(name))
        {
            Some(filter) => Found::LeftOut(filter.operator),
            None => Found::OfTable,
        }
    }

    pub(super) fn set(&mut self, name: &str, meaning: Meaning) {
        self.made.insert(name.to_owned(), meaning);
    }

    /// Leaves all columns out, or all but those that fit, or those that fit.
    pub(super) fn filter(&mut self, operator: &'static str, keeps: bool, columns: Vec<Wildcard>) {
        let filter = Filter {
            keeps,
            columns,
            operator,
        };
        self.made.retain(|name, _| filter.lets_through(name));
        // Once nothing of the table is left, further operators have nothing to leave out.
        if !self.filters.iter().any(|f| f.keeps && f.columns.is_empty()) {
            self.filters.push(filter);
        }
    }
}
