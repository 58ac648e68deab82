//! From syntax to expressions: names are looked up, `let` and `extend` substituted, types found,
//! constants folded.

use std::collections::HashMap;

use super::parse::{OVER_TABLES, twice};
use super::scope::{ALL_COLUMNS, Columns, Found, Meaning, Value};
use super::syntax::{Lambda, Let, LetValue, Name, Node, NodeKind};
use super::{Refusal, Result, dynamic, fold};
use crate::expression::{Column, ColumnType, Expression, Function, Literal};
use crate::model::{Case, MAX_DEPTH};
use crate::types::Types;

/// Most values one query may hold, each substitution counted: a small query must not ask for a large
/// one.
const MAX_SIZE: usize = 2_000_000;

/// What binds the expressions of one query, operator by operator.
pub(super) struct Binder<'q> {
    types: &'q Types,
    table: &'q str,
    /// Types of columns that are not listed, as the query's other expressions tell them.
    pub(super) evidence: HashMap<String, ColumnType>,
    /// All evidence is in: what does not fit is an error.
    settled: bool,
    values: HashMap<String, Meaning>,
    /// Functions, and how many of them were there before.
    pub(super) lambdas: HashMap<String, (usize, &'q Lambda)>,
    /// Parameters and values of the functions whose bodies are being bound.
    pub(super) frames: Vec<Frame>,
    pub(super) columns: Columns,
    /// Columns can be named: not so in a `let`.
    has_columns: bool,
    depth: usize,
    size: usize,
}

/// One call of a function of the query.
pub(super) struct Frame {
    pub(super) values: HashMap<String, Meaning>,
    /// Functions that the body may call: those defined before its own.
    pub(super) functions: usize,
}

impl<'q> Binder<'q> {
    pub(super) fn new(
        types: &'q Types,
        table: &'q str,
        evidence: HashMap<String, ColumnType>,
        settled: bool,
    ) -> Binder<'q> {
        Binder {
            types,
            table,
            evidence,
            settled,
            values: HashMap::new(),
            lambdas: HashMap::new(),
            frames: Vec::new(),
            columns: Columns::default(),
            has_columns: false,
            depth: 0,
            size: 0,
        }
    }

    /// Takes the `let` statements of the query; from then on columns can be named. A table is no value.
    pub(super) fn lets(&mut self, lets: &'q [Let], table_lets: &[Name]) -> Result<()> {
        for name in table_lets {
            let reason = format!("`{}` is a table: {OVER_TABLES}", name.text);
            let nowhere = Err(Refusal::new(name.at, reason));
            self.values.insert(name.text.clone(), nowhere);
        }
        for statement in lets {
            let name = &statement.name;
            if self.values.contains_key(&name.text) || self.lambdas.contains_key(&name.text) {
                return Err(twice(name));
            }
            match &statement.value {
                LetValue::Value(node) => {
                    let meaning = self.meaning(node)?;
                    self.values.insert(name.text.clone(), meaning);
                }
                LetValue::Lambda(lambda) => {
                    let before = self.lambdas.len();
                    self.lambdas.insert(name.text.clone(), (before, lambda));
                }
            }
        }
        self.has_columns = true;
        Ok(())
    }

    /// A value that may be needed or not: that it cannot be evaluated is no error yet.
    pub(super) fn meaning(&mut self, node: &Node) -> Result<Meaning> {
        match self.bind(node) {
            Ok(value) => Ok(Ok(value)),
            Err(refusal) if refusal.only_unevaluated || !self.settled => Ok(Err(refusal)),
            Err(refusal) => Err(refusal),
        }
    }

    /// A condition: a value that is true or false.
    pub(super) fn condition(&mut self, node: &Node) -> Result<Value> {
        let value = self.bind(node)?;
        self.learn(&value, ColumnType::Bool);
        if value.kind != ColumnType::Bool {
            self.mismatch(
                node.at,
                format!(
                    "a condition is true or false, and this is {}",
                    described(&value)
                ),
            )?;
        }
        Ok(value)
    }

    pub(super) fn bind(&mut self, node: &Node) -> Result<Value> {
        // Bodies of functions are deep inside their callers.
        if self.depth == 2 * MAX_DEPTH {
            return Err(Refusal::new(
                node.at,
                "functions call each other too deeply",
            ));
        }
        self.depth += 1;
        let value = self.bind_kind(node);
        self.depth -= 1;
        value
    }

    fn bind_kind(&mut self, node: &Node) -> Result<Value> {
        let at = node.at;
        match &node.kind {
            NodeKind::Literal(literal) => {
                let value = Value::literal(literal.clone());
                self.spend(at, value)
            }
            NodeKind::Name(name) => self.name(name, at),
            NodeKind::AllColumns => self.all_columns(at),
            NodeKind::Member(inner, name) => {
                let inner = self.dynamic_part(inner)?;
                let name = Value::literal(Literal::Text(name.clone()));
                self.call(at, Function::Member, vec![inner, name], ColumnType::Dynamic)
            }
            NodeKind::Index(inner, index) => {
                let inner = self.dynamic_part(inner)?;
                let index_value = self.bind(index)?;
                let function = match index_value.kind {
                    ColumnType::Text => Function::Member,
                    ColumnType::Long => Function::Element,
                    _ => {
                        self.mismatch(index.at, "an index is a text or a whole number")?;
                        Function::Element
                    }
                };
                self.call(at, function, vec![inner, index_value], ColumnType::Dynamic)
            }
            NodeKind::Call(name, arguments) => self.function(name, arguments),
            NodeKind::TypeOf(_) => Err(Refusal::new(
                at,
                "`typeof` stands only behind the other arguments of `extract`",
            )),
            NodeKind::Negate(inner) => {
                let inner = self.bind(inner)?;
                self.learn(&inner, ColumnType::Real);
                let kind = inner.kind;
                if matches!(
                    kind,
                    ColumnType::Text | ColumnType::Bool | ColumnType::DateTime
                ) {
                    self.mismatch(at, format!("`-` needs a number, not {}", described(&inner)))?;
                }
                self.call(at, Function::Negate, vec![inner], kind)
            }
            NodeKind::And(parts) => self.logic(at, Function::And, parts),
            NodeKind::Or(parts) => self.logic(at, Function::Or, parts),
            NodeKind::Binary(function, left, right) => {
                let left = self.bind(left)?;
                let right = self.bind(right)?;
                match function {
                    Function::Equal => self.equal(at, left, right, Case::Exact),
                    Function::Less
                    | Function::LessOrEqual
                    | Function::Greater
                    | Function::GreaterOrEqual => self.order(at, *function, left, right),
                    _ => self.arithmetic(at, *function, left, right),
                }
            }
            NodeKind::NotEqual(left, right) => {
                let left = self.bind(left)?;
                let right = self.bind(right)?;
                let equal = self.equal(at, left, right, Case::Exact)?;
                self.not(at, equal)
            }
            NodeKind::Text {
                negated,
                function,
                left,
                right,
            } => {
                let left = self.bind(left)?;
                let right_value = self.bind(right)?;
                let test = self.text_test(right.at, *function, left, right_value)?;
                if *negated {
                    self.not(at, test)
                } else {
                    Ok(test)
                }
            }
            NodeKind::List {
                negated,
                list,
                left,
                items,
            } => {
                let left = self.bind(left)?;
                let items = self.items(items)?;
                let test = self.list_test(at, *list, left, items)?;
                if *negated {
                    self.not(at, test)
                } else {
                    Ok(test)
                }
            }
            NodeKind::Between {
                negated,
                value,
                low,
                high,
            } => {
                let value = self.bind(value)?;
                let low = self.bind(low)?;
                let high = self.bind(high)?;
                let test = self.between(at, value, low, high)?;
                if *negated {
                    self.not(at, test)
                } else {
                    Ok(test)
                }
            }
        }
    }

    /// Counts what a value costs.
    pub(super) fn spend(&mut self, at: usize, value: Value) -> Result<Value> {
        self.size = self.size.saturating_add(value.size);
        if self.size > MAX_SIZE {
            return Err(Refusal::new(
                at,
                format!(
                    "the query comes to more than {MAX_SIZE} values with `let` and `extend` written out"
                ),
            ));
        }
        Ok(value)
    }

    pub(super) fn name(&mut self, name: &str, at: usize) -> Result<Value> {
        if let Some(frame) = self.frames.last()
            && let Some(meaning) = frame.values.get(name)
        {
            let value = meaning.clone()?;
            return self.spend(at, value);
        }
        let sees_columns = self.has_columns && self.frames.is_empty();
        let made = sees_columns && matches!(self.columns.find(name), Found::Made(_));
        if !made && let Some(meaning) = self.values.get(name) {
            let value = meaning.clone()?;
            return self.spend(at, value);
        }
        if !sees_columns {
            let reason =
                format!("`{name}` is no value that is defined before: a table cannot stand here");
            return Err(Refusal::new(at, reason));
        }
        self.column(name, at)
    }

    pub(super) fn column(&mut self, name: &str, at: usize) -> Result<Value> {
        match self.columns.find(name) {
            Found::Made(meaning) => {
                let value = meaning.clone()?;
                return self.spend(at, value);
            }
            Found::LeftOut(operator) => {
                let reason =
                    format!("there is no column `{name}` here: `{operator}` has left it out");
                return Err(Refusal::new(at, reason));
            }
            Found::OfTable => {}
        }
        if name == "null" {
            return Err(Refusal::new(
                at,
                "`null` is no value: ask with isnull(…) or isempty(…)",
            ));
        }
        if name.starts_with('$') {
            return Err(Refusal::new(
                at,
                format!("`{name}` has no meaning outside of a join"),
            ));
        }
        if name == ALL_COLUMNS {
            let reason = "no column has the name `*`";
            return Err(Refusal::new(at, reason));
        }
        let listed = self.types.column(self.table, name);
        let kind = listed.or_else(|| self.evidence.get(name).copied());
        let kind = kind.unwrap_or(ColumnType::Text);
        let value = Value {
            expression: Expression::Column(Column {
                name: name.to_owned(),
                kind,
            }),
            kind,
            depth: 1,
            size: 1 + name.len() / 64,
        };
        self.spend(at, value)
    }

    /// `*`: whatever the record holds. Lowering makes [`Field::Any`](crate::model::Field::Any) of its tests,
    /// and what cannot be such a test is refused then.
    fn all_columns(&mut self, at: usize) -> Result<Value> {
        if !self.has_columns || !self.frames.is_empty() || !self.columns.are_the_tables() {
            let reason = "`*` is supported for the table's own columns only: write it before \
                          `extend`, `project` and the like, or name the columns";
            return Err(Refusal::new(at, reason));
        }
        // A dynamic value: without one there is no text, not an empty one.
        let kind = ColumnType::Dynamic;
        Ok(Value {
            expression: Expression::Column(Column {
                name: ALL_COLUMNS.to_owned(),
                kind,
            }),
            kind,
            depth: 1,
            size: 1,
        })
    }

    /// Notes that a column of unknown type has this one. The first word counts, but for paths.
    pub(super) fn learn(&mut self, value: &Value, kind: ColumnType) {
        self.learn_term(&value.expression, kind);
    }

    /// [`Binder::learn`] of an expression.
    pub(super) fn learn_term(&mut self, expression: &Expression, kind: ColumnType) {
        if let Expression::Column(column) = expression
            && column.name != ALL_COLUMNS
            && self.types.column(self.table, &column.name).is_none()
        {
            let known = self.evidence.entry(column.name.clone()).or_insert(kind);
            if kind == ColumnType::Dynamic {
                *known = kind;
            }
        }
    }

    /// A type that does not fit; while types are still being found, none is wrong.
    pub(super) fn mismatch(&self, at: usize, reason: impl Into<String>) -> Result<()> {
        if self.settled {
            Err(Refusal::unevaluated(at, reason))
        } else {
            Ok(())
        }
    }

    /// A call, folded if it is constant.
    pub(super) fn call(
        &mut self,
        at: usize,
        function: Function,
        arguments: Vec<Value>,
        kind: ColumnType,
    ) -> Result<Value> {
        let depth = 1 + arguments.iter().map(|value| value.depth).max().unwrap_or(0);
        let size = 1 + arguments.iter().map(|value| value.size).sum::<usize>();
        let arguments: Vec<Expression> = arguments
            .into_iter()
            .map(|value| value.expression)
            .collect();
        match fold::call(function, &arguments) {
            Some(Expression::Literal(literal)) => {
                let value = Value::literal(literal);
                return self.spend(at, value);
            }
            Some(expression) => {
                return Ok(Value {
                    expression,
                    kind,
                    depth: 2,
                    size: 3,
                });
            }
            None => {}
        }
        if depth > MAX_DEPTH {
            let reason = format!(
                "the expression nests deeper than {MAX_DEPTH} levels with `let` and `extend` written out"
            );
            return Err(Refusal::new(at, reason));
        }
        self.spend(at, Value::literal(Literal::Now))?;
        Ok(Value {
            expression: Expression::Call(function, arguments),
            kind,
            depth,
            size,
        })
    }

    pub(super) fn not(&mut self, at: usize, value: Value) -> Result<Value> {
        self.call(at, Function::Not, vec![value], ColumnType::Bool)
    }

    fn logic(&mut self, at: usize, function: Function, parts: &[Node]) -> Result<Value> {
        let mut values = Vec::new();
        for part in parts {
            values.push(self.condition(part)?);
        }
        self.join(at, function, values)
    }

    /// `and` or `or` of conditions, those of the same kind flattened and constants left out.
    pub(super) fn join(
        &mut self,
        at: usize,
        function: Function,
        values: Vec<Value>,
    ) -> Result<Value> {
        let neutral = function == Function::And;
        let mut parts = Vec::new();
        let mut depth = 1;
        let mut size = 1;
        for value in values {
            depth = depth.max(value.depth + 1);
            size += value.size;
            match value.expression {
                Expression::Literal(Literal::Bool(truth)) if truth == neutral => {}
                Expression::Literal(Literal::Bool(truth)) => {
                    return Ok(Value::literal(Literal::Bool(truth)));
                }
                Expression::Call(inner, inside) if inner == function => parts.extend(inside),
                other => parts.push(other),
            }
        }
        let kind = ColumnType::Bool;
        if depth > MAX_DEPTH {
            return Err(Refusal::new(
                at,
                format!("the condition nests deeper than {MAX_DEPTH} levels"),
            ));
        }
        let expression = match parts.len() {
            0 => return Ok(Value::literal(Literal::Bool(neutral))),
            1 => parts.remove(0),
            _ => Expression::Call(function, parts),
        };
        Ok(Value {
            expression,
            kind,
            depth,
            size,
        })
    }

    /// A value that has parts.
    fn dynamic_part(&mut self, node: &Node) -> Result<Value> {
        let value = self.bind(node)?;
        self.learn(&value, ColumnType::Dynamic);
        if value.kind != ColumnType::Dynamic {
            let reason = format!(
                "{} has no parts: make it a dynamic value with parse_json(…)",
                described(&value)
            );
            self.mismatch(node.at, reason)?;
        }
        Ok(value)
    }

    /// The items of a list; constant lists are opened.
    pub(super) fn items(&mut self, nodes: &[Node]) -> Result<Vec<Value>> {
        let mut values = Vec::new();
        for node in nodes {
            let value = self.bind(node)?;
            match self.opened(node.at, &value)? {
                Some(items) => values.extend(items),
                None if value.kind == ColumnType::Dynamic => {
                    return Err(Refusal::unevaluated(
                        node.at,
                        "a list that differs from record to record is not supported here: \
                         use set_has_element(…), or convert one value with tostring(…)",
                    ));
                }
                None => values.push(value),
            }
        }
        Ok(values)
    }

    /// The items of a constant dynamic value; a scalar is one item.
    fn opened(&mut self, at: usize, value: &Value) -> Result<Option<Vec<Value>>> {
        let Some(Literal::Dynamic(json)) = value.as_literal() else {
            return Ok(None);
        };
        let items = match dynamic::of_literal(json) {
            Some(dynamic::Json::List(items)) => items,
            Some(other) => vec![other],
            None => return Ok(None),
        };
        let mut values = Vec::new();
        for item in items {
            let value = Value::literal(dynamic::item(item));
            values.push(self.spend(at, value)?);
        }
        Ok(Some(values))
    }
}

/// A value in words, for an error.
pub(super) fn described(value: &Value) -> String {
    match &value.expression {
        Expression::Column(column) => format!("`{}` (a {})", column.name, value.kind.as_str()),
        _ => format!("a {}", value.kind.as_str()),
    }
}
