//! From syntax to expressions: names are looked up, `let` and `extend` substituted, types found,
//! constants folded.

use std::collections::{HashMap, HashSet};

use super::functions::{self, Known, Signature};
use super::parse::{OVER_TABLES, twice};
use super::scope::{Columns, Found, Meaning, Value};
use super::syntax::{self, Lambda, Let, LetValue, Name, Node, NodeKind, Wildcard};
use super::{Refusal, Result, dynamic, fold};
use crate::expression::{Column, ColumnType, Expression, Function, Literal};
use crate::model::{Case, MAX_DEPTH};
use crate::types::Types;
use crate::yaml::closest;

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
    lambdas: HashMap<String, (usize, &'q Lambda)>,
    /// Parameters and values of the functions whose bodies are being bound.
    frames: Vec<Frame>,
    pub(super) columns: Columns,
    /// Columns can be named: not so in a `let`.
    has_columns: bool,
    depth: usize,
    size: usize,
}

/// One call of a function of the query.
struct Frame {
    values: HashMap<String, Meaning>,
    /// Functions that the body may call: those defined before its own.
    functions: usize,
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
    fn meaning(&mut self, node: &Node) -> Result<Meaning> {
        match self.bind(node) {
            Ok(value) => Ok(Ok(value)),
            Err(refusal) if refusal.only_unevaluated || !self.settled => Ok(Err(refusal)),
            Err(refusal) => Err(refusal),
        }
    }

    /// `extend`: columns are made, all from what was there before.
    pub(super) fn extend(&mut self, columns: &[syntax::Column]) -> Result<()> {
        for (name, meaning) in self.meanings(columns)? {
            if let Some(name) = name {
                self.columns.set(&name, meaning);
            }
        }
        Ok(())
    }

    /// `project`, `distinct`: these columns and no others.
    pub(super) fn project(
        &mut self,
        operator: &'static str,
        columns: &[syntax::Column],
    ) -> Result<()> {
        let meanings = self.meanings(columns)?;
        self.columns.filter(operator, true, Vec::new());
        for (name, meaning) in meanings {
            if let Some(name) = name {
                self.columns.set(&name, meaning);
            }
        }
        Ok(())
    }

    fn meanings(&mut self, columns: &[syntax::Column]) -> Result<Vec<(Option<String>, Meaning)>> {
        let meaning = |column: &syntax::Column| {
            let name = column.name.as_ref().map(|name| name.text.clone());
            Ok((name, self.meaning(&column.value)?))
        };
        columns.iter().map(meaning).collect()
    }

    /// `project-rename`: new names for old columns.
    pub(super) fn rename(&mut self, names: &[(Name, Name)]) -> Result<()> {
        let mut meanings = Vec::new();
        for (new, old) in names {
            let meaning = match self.column(&old.text, old.at) {
                Ok(value) => Ok(value),
                Err(refusal) if refusal.only_unevaluated => Err(refusal),
                Err(refusal) => return Err(refusal),
            };
            meanings.push((&new.text, meaning));
        }
        let gone = names.iter().map(|(_, old)| Wildcard {
            text: old.text.clone(),
        });
        self.columns.filter("project-rename", false, gone.collect());
        for (name, meaning) in meanings {
            self.columns.set(name, meaning);
        }
        Ok(())
    }

    /// The table's column that a name stands for, if it is nothing else.
    pub(super) fn plain_column(&mut self, name: &str) -> Option<String> {
        match self.column(name, 0).ok()?.expression {
            Expression::Column(column) => Some(column.name),
            _ => None,
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

    fn column(&mut self, name: &str, at: usize) -> Result<Value> {
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

    /// Notes that a column of unknown type has this one. The first word counts, but for paths.
    pub(super) fn learn(&mut self, value: &Value, kind: ColumnType) {
        self.learn_term(&value.expression, kind);
    }

    /// [`Binder::learn`] of an expression.
    pub(super) fn learn_term(&mut self, expression: &Expression, kind: ColumnType) {
        if let Expression::Column(column) = expression
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

    pub(super) fn function(&mut self, name: &Name, nodes: &[Node]) -> Result<Value> {
        let at = name.at;
        if let Some((before, lambda)) = self.lambdas.get(&name.text).copied()
            && self
                .frames
                .last()
                .is_none_or(|frame| before < frame.functions)
        {
            return self.lambda(name, before, lambda, nodes);
        }
        if let Some(value) = self.special(name, nodes)? {
            return Ok(value);
        }
        let signature = match functions::find(&name.text) {
            Known::Evaluated(signature) => signature,
            Known::Across => {
                let reason = format!(
                    "`{}` looks across records, and Poseur judges each record alone",
                    name.text
                );
                return Err(Refusal::new(at, reason));
            }
            Known::Unevaluated => {
                let reason = format!("the function `{}` is not supported", name.text);
                return Err(Refusal::unevaluated(at, reason));
            }
            Known::Unknown => {
                let near = closest(&name.text, functions::names());
                let hint = near.map_or(String::new(), |near| format!(": did you mean `{near}`?"));
                let reason = format!("`{}` is no function that Poseur knows{hint}", name.text);
                return Err(Refusal::new(at, reason));
            }
        };
        let (least, most) = signature.arguments;
        self.count(name, nodes, least, most)?;
        let mut arguments = Vec::new();
        for node in nodes {
            arguments.push(self.bind(node)?);
        }
        if let (Some(kind), Some(first)) = (signature.wants, arguments.first()) {
            self.learn(first, kind);
        }
        if signature.function == Function::Bin {
            let kind = match arguments[1].kind {
                ColumnType::TimeSpan => ColumnType::DateTime,
                _ => ColumnType::Real,
            };
            self.learn(&arguments[0], kind);
        }
        self.checked_call(at, signature, arguments)
    }

    /// Refuses a wrong number of arguments.
    pub(super) fn count(
        &self,
        name: &Name,
        nodes: &[Node],
        least: usize,
        most: usize,
    ) -> Result<()> {
        if (least..=most).contains(&nodes.len()) {
            return Ok(());
        }
        let wanted = match (least, most) {
            _ if least == most => least.to_string(),
            (_, usize::MAX) => format!("at least {least}"),
            _ => format!("{least} to {most}"),
        };
        let plural = if wanted == "1" { "" } else { "s" };
        let reason = format!(
            "`{}` takes {wanted} argument{plural} here, not {}",
            name.text,
            nodes.len()
        );
        Err(Refusal::new(name.at, reason))
    }

    /// A call of a function that is evaluated, with what must be constant checked.
    fn checked_call(
        &mut self,
        at: usize,
        signature: &Signature,
        mut arguments: Vec<Value>,
    ) -> Result<Value> {
        let kind = signature.gives.unwrap_or(arguments[0].kind);
        match signature.function {
            Function::ToText if arguments[0].kind == ColumnType::Text => {
                return Ok(arguments.remove(0));
            }
            Function::Trim | Function::TrimStart | Function::TrimEnd => {
                self.pattern(at, &arguments[0])?;
            }
            Function::ReplaceRegex => self.pattern(at, &arguments[1])?,
            Function::CountOf if arguments.len() == 3 => match arguments[2].as_text() {
                Some("regex") => self.pattern(at, &arguments[1])?,
                Some("normal") => arguments.truncate(2),
                _ => self.mismatch(at, "`countof` counts \"normal\" or \"regex\"")?,
            },
            Function::Extract => {
                self.pattern(at, &arguments[0])?;
                if !matches!(arguments[1].as_literal(), Some(Literal::Long(0..))) {
                    self.mismatch(at, "the group of `extract` must be a whole number")?;
                }
            }
            _ => {}
        }
        self.call(at, signature.function, arguments, kind)
    }

    /// A call of a function that the query defines.
    fn lambda(
        &mut self,
        name: &Name,
        functions: usize,
        lambda: &'q Lambda,
        nodes: &[Node],
    ) -> Result<Value> {
        let parameters = &lambda.parameters;
        let required = parameters.iter().filter(|one| one.default.is_none());
        self.count(name, nodes, required.count(), parameters.len())?;
        let mut values = HashMap::new();
        for (position, parameter) in parameters.iter().enumerate() {
            let node = nodes.get(position).or(parameter.default.as_ref());
            let Some(node) = node else {
                let reason = format!("the parameter `{}` is missing", parameter.name.text);
                return Err(Refusal::new(name.at, reason));
            };
            let value = self.bind(node)?;
            self.learn(&value, parameter.kind);
            values.insert(parameter.name.text.clone(), Ok(value));
        }
        let mut names = HashSet::new();
        if let Some(twice) = parameters.iter().find(|one| !names.insert(&one.name.text)) {
            let reason = format!("the parameter `{}` stands here twice", twice.name.text);
            return Err(Refusal::new(twice.name.at, reason));
        }
        self.frames.push(Frame { values, functions });
        let value = self.body(lambda);
        self.frames.pop();
        value
    }

    fn body(&mut self, lambda: &'q Lambda) -> Result<Value> {
        for statement in &lambda.lets {
            let LetValue::Value(node) = &statement.value else {
                let reason = "a function inside a function is not supported";
                return Err(Refusal::new(statement.name.at, reason));
            };
            let meaning = self.meaning(node)?;
            if let Some(frame) = self.frames.last_mut() {
                frame.values.insert(statement.name.text.clone(), meaning);
            }
        }
        self.bind(&lambda.body)
    }
}

/// A value in words, for an error.
pub(super) fn described(value: &Value) -> String {
    match &value.expression {
        Expression::Column(column) => format!("`{}` (a {})", column.name, value.kind.as_str()),
        _ => format!("a {}", value.kind.as_str()),
    }
}
