//! What a Kusto expression says, and what it makes of a row.

use poseur_rule::expression::{ColumnType, Function};
use poseur_rule::model::Case;

use super::functions::call;
use super::table;
use super::value::{Value, moment_of, real_of};
use crate::reference::json::{self, Value as Json};

/// The columns of the table that random queries read.
pub const COLUMNS: [(&str, ColumnType); 9] = [
    ("s", ColumnType::Text),
    ("t", ColumnType::Text),
    ("b", ColumnType::Bool),
    ("n", ColumnType::Long),
    ("r", ColumnType::Real),
    ("At", ColumnType::DateTime),
    ("Took", ColumnType::TimeSpan),
    ("d", ColumnType::Dynamic),
    ("e", ColumnType::Dynamic),
];

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    /// A column by its name.
    Column(&'static str),
    /// A literal.
    Literal(Literal),
    /// `a == b`, `a + b`
    Infix(Infix, Box<Expression>, Box<Expression>),
    /// `a contains b`, or a form of it.
    Text(TextOperator, Form, Box<Expression>, Box<Expression>),
    /// `a in (b, c)`
    In(Form, Box<Expression>, Vec<Expression>),
    /// `a has_any (b, c)`
    HasAny(Box<Expression>, Vec<Expression>),
    /// `a has_all (b, c)`
    HasAll(Box<Expression>, Vec<Expression>),
    /// `a matches regex "b"`
    Matches(Box<Expression>, &'static str),
    /// `a between (b .. c)`; `true`: `!between`
    Between(bool, Box<Expression>, Box<Expression>, Box<Expression>),
    /// `a and b`
    And(Vec<Expression>),
    /// `a or b`
    Or(Vec<Expression>),
    /// A function by its name.
    Call(Function, Vec<Expression>),
    /// `a.b[0]`
    Path(Box<Expression>, Vec<Step>),
}

impl Expression {
    /// What it is made of.
    pub fn parts(&self) -> Vec<&Expression> {
        match self {
            Expression::Column(_) | Expression::Literal(_) => Vec::new(),
            Expression::Infix(_, one, other) | Expression::Text(_, _, one, other) => {
                vec![one, other]
            }
            Expression::In(_, one, among)
            | Expression::HasAny(one, among)
            | Expression::HasAll(one, among) => std::iter::once(&**one).chain(among).collect(),
            Expression::Matches(one, _) | Expression::Path(one, _) => vec![one],
            Expression::Between(_, one, from, to) => vec![one, from, to],
            Expression::And(parts) | Expression::Or(parts) | Expression::Call(_, parts) => {
                parts.iter().collect()
            }
        }
    }
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `long(null)`
    Null(ColumnType),
    /// `true`
    Bool(bool),
    /// `12`
    Long(i64),
    /// `0.5`
    Real(&'static str),
    /// `"x"`
    Text(String),
    /// `datetime(2026-03-01T12:00:00Z)`
    DateTime(&'static str),
    /// `1d`: a count and a unit.
    TimeSpan(i64, Unit),
    /// `dynamic([1])`
    Dynamic(&'static str),
    /// `now()`
    Now,
    /// `ago(1d)`
    Ago(i64, Unit),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// `d`
    Day,
    /// `h`
    Hour,
    /// `m`
    Minute,
    /// `s`
    Second,
    /// `ms`
    Millisecond,
}

impl Unit {
    /// Its ticks of 100 nanoseconds.
    pub fn ticks(self) -> i64 {
        match self {
            Unit::Day => 864_000_000_000,
            Unit::Hour => 36_000_000_000,
            Unit::Minute => 600_000_000,
            Unit::Second => 10_000_000,
            Unit::Millisecond => 10_000,
        }
    }
}

/// An infix operator on two values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Infix {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    EqualFolded,
    /// `!~`
    NotEqualFolded,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// A test of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TextOperator {
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `has`
    Has,
    /// `hasprefix`
    HasPrefix,
    /// `hassuffix`
    HasSuffix,
}

/// Which form of an operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Form {
    /// With `!`.
    pub negated: bool,
    /// Letter case.
    pub case: Case,
}

/// A step into a dynamic value.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `.b`, `["b"]`
    Key(&'static str),
    /// `[0]`
    Index(i64),
}

/// What an expression is evaluated on.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// A JSON object.
    pub record: &'a Json,
    /// The present moment, in ticks since 1970.
    pub now: i64,
}

impl Row<'_> {
    fn column(&self, name: &str) -> Value {
        let kind = COLUMNS.iter().find(|(known, _)| *known == name);
        let kind = kind.expect("a column of the table").1;
        let members = match self.record {
            Json::Map(members) => members.as_slice(),
            _ => &[],
        };
        let member = members.iter().find(|(key, _)| key == name.as_bytes());
        member.map_or(table::missing(kind), |(_, json)| table::column(kind, json))
    }
}

/// What an expression makes of a row.
pub fn evaluate(expression: &Expression, row: Row<'_>) -> Value {
    let value = |expression: &Expression| evaluate(expression, row);
    let values = |first: &Expression, others: &[Expression]| -> Vec<Value> {
        std::iter::once(first).chain(others).map(value).collect()
    };
    let not = |value: Value| call(Function::Not, &[value]);
    match expression {
        Expression::Column(name) => row.column(name),
        Expression::Literal(literal) => literal_value(literal, row.now),
        Expression::Infix(infix, one, other) => {
            let two = [value(one), value(other)];
            // A dynamic value and a string are compared as texts.
            let equal = match &two {
                [Value::Dynamic(_), Value::Text(_)] | [Value::Text(_), Value::Dynamic(_)] => {
                    Function::In(Case::Exact)
                }
                _ => Function::Equal,
            };
            match infix {
                Infix::Equal => call(equal, &two),
                Infix::NotEqual => not(call(equal, &two)),
                Infix::EqualFolded => call(Function::In(Case::Ascii), &two),
                Infix::NotEqualFolded => not(call(Function::In(Case::Ascii), &two)),
                Infix::Less => call(Function::Less, &two),
                Infix::LessOrEqual => call(Function::LessOrEqual, &two),
                Infix::Greater => call(Function::Greater, &two),
                Infix::GreaterOrEqual => call(Function::GreaterOrEqual, &two),
                Infix::Add => call(Function::Add, &two),
                Infix::Subtract => call(Function::Subtract, &two),
                Infix::Multiply => call(Function::Multiply, &two),
                Infix::Divide => call(Function::Divide, &two),
                Infix::Modulo => call(Function::Modulo, &two),
            }
        }
        Expression::Text(operator, form, one, other) => {
            let case = form.case;
            let function = match operator {
                TextOperator::Contains => Function::Contains(case),
                TextOperator::StartsWith => Function::StartsWith(case),
                TextOperator::EndsWith => Function::EndsWith(case),
                TextOperator::Has => Function::Has(case),
                TextOperator::HasPrefix => Function::HasPrefix(case),
                TextOperator::HasSuffix => Function::HasSuffix(case),
            };
            let found = call(function, &[value(one), value(other)]);
            if form.negated { not(found) } else { found }
        }
        Expression::In(form, one, among) => {
            let found = call(Function::In(form.case), &values(one, among));
            if form.negated { not(found) } else { found }
        }
        Expression::HasAny(one, among) => call(Function::Has(Case::Ascii), &values(one, among)),
        Expression::HasAll(one, among) => call(Function::HasAll(Case::Ascii), &values(one, among)),
        Expression::Matches(one, regex) => {
            call(Function::MatchesRegex, &[value(one), Value::text(*regex)])
        }
        Expression::Between(negated, one, from, to) => {
            let (one, from) = (value(one), value(from));
            // A length of time after a moment is counted from there.
            let to = match (&from, value(to)) {
                (Value::DateTime(_), to @ Value::TimeSpan(_)) => {
                    call(Function::Add, &[from.clone(), to])
                }
                (_, to) => to,
            };
            let within = call(
                Function::And,
                &[
                    call(Function::GreaterOrEqual, &[one.clone(), from]),
                    call(Function::LessOrEqual, &[one, to]),
                ],
            );
            if *negated { not(within) } else { within }
        }
        Expression::And(parts) => call(Function::And, &parts.iter().map(value).collect::<Vec<_>>()),
        Expression::Or(parts) => call(Function::Or, &parts.iter().map(value).collect::<Vec<_>>()),
        Expression::Call(function, arguments) => {
            call(*function, &arguments.iter().map(value).collect::<Vec<_>>())
        }
        Expression::Path(from, steps) => {
            let step = |at: Value, step: &Step| match step {
                Step::Key(key) => call(Function::Member, &[at, Value::text(*key)]),
                Step::Index(index) => call(Function::Element, &[at, Value::Long(*index)]),
            };
            steps.iter().fold(value(from), step)
        }
    }
}

/// The value of a literal.
pub fn literal_value(literal: &Literal, now: i64) -> Value {
    match literal {
        Literal::Null(_) => Value::Null,
        Literal::Bool(truth) => Value::Bool(*truth),
        Literal::Long(number) => Value::Long(*number),
        Literal::Real(number) => real_of(number),
        Literal::Text(text) => Value::Text(text.clone()),
        Literal::DateTime(text) => match text.len() {
            10 => moment_of(&format!("{text}T00:00:00Z")),
            _ => moment_of(text),
        },
        Literal::TimeSpan(count, unit) => Value::TimeSpan(count * unit.ticks()),
        Literal::Dynamic(text) => {
            let parsed = json::parse(text.as_bytes());
            parsed.map_or(Value::Null, |parsed| Value::dynamic(parsed.value))
        }
        Literal::Now => Value::DateTime(now),
        Literal::Ago(count, unit) => Value::DateTime(now - count * unit.ticks()),
    }
}
