//! Operators and the functions that have rules of their own: comparisons with the conversions Kusto makes
//! between types, lists, arithmetic, choice.

use regex::Regex;

use super::bind::{Binder, described};
use super::scope::Value;
use super::syntax::{ListOperator, Name, Node, NodeKind};
use super::{Refusal, Result, dynamic, fold, literal};
use crate::expression::{ColumnType, Expression, Function, Literal};
use crate::model::Case;

impl Binder<'_> {
    /// `left == right`, or `=~`.
    pub(super) fn equal(
        &mut self,
        at: usize,
        left: Value,
        right: Value,
        case: Case,
    ) -> Result<Value> {
        // A literal stands on the right, so that what follows has one case less.
        let (left, right) = match is_constant(&left) {
            true => (right, left),
            false => (left, right),
        };
        if case == Case::Ascii {
            return self.text_test(at, Function::In(case), left, right);
        }
        self.learn_from(&left, &right);
        self.learn_from(&right, &left);
        let texts = (left.kind == ColumnType::Text || right.kind == ColumnType::Text)
            && [left.kind, right.kind]
                .iter()
                .all(|kind| matches!(kind, ColumnType::Text | ColumnType::Dynamic));
        if texts {
            return self.call(at, Function::In(case), vec![left, right], ColumnType::Bool);
        }
        let right = match right.as_literal() {
            Some(Literal::Null(_)) | None => right,
            Some(constant) => match as_kind(constant, left.kind) {
                Some(converted) => Value::literal(converted),
                // No value of the type is equal to it.
                None => return Ok(Value::literal(Literal::Bool(false))),
            },
        };
        if !comparable(left.kind, right.kind) {
            self.mismatch(at, cannot_compare(&left, &right))?;
        }
        self.call(at, Function::Equal, vec![left, right], ColumnType::Bool)
    }

    /// `left < right` and the like.
    pub(super) fn order(
        &mut self,
        at: usize,
        function: Function,
        left: Value,
        right: Value,
    ) -> Result<Value> {
        self.learn_from(&left, &right);
        self.learn_from(&right, &left);
        // A literal stands on the right.
        let (function, left, right) = match (is_constant(&left), is_constant(&right)) {
            (true, false) => (mirrored(function), right, left),
            _ => (function, left, right),
        };
        let right = match right.as_text() {
            Some(text) => literal::from_text(text, left.kind).map_or(right, Value::literal),
            None => right,
        };
        let kinds = [left.kind, right.kind];
        let unordered = kinds.contains(&ColumnType::Text) || kinds.contains(&ColumnType::Bool);
        if unordered || !comparable(left.kind, right.kind) {
            let mut reason = cannot_compare(&left, &right);
            if kinds.contains(&ColumnType::Text) {
                reason.push_str(": convert the text, or declare the type of the column");
            }
            self.mismatch(at, reason)?;
        }
        self.call(at, function, vec![left, right], ColumnType::Bool)
    }

    pub(super) fn between(
        &mut self,
        at: usize,
        value: Value,
        low: Value,
        high: Value,
    ) -> Result<Value> {
        // `between (MOMENT .. LENGTH)` ends so much later than it begins.
        let high = if low.kind == ColumnType::DateTime && high.kind == ColumnType::TimeSpan {
            self.arithmetic(at, Function::Add, low.clone(), high)?
        } else {
            high
        };
        let first = self.order(at, Function::GreaterOrEqual, value.clone(), low)?;
        let second = self.order(at, Function::LessOrEqual, value, high)?;
        self.join(at, Function::And, vec![first, second])
    }

    /// Takes the type of one side for a column on the other.
    fn learn_from(&mut self, column: &Value, other: &Value) {
        // A difference that is a length of time is one of moments.
        if let Expression::Call(Function::Subtract, terms) = &column.expression {
            let kind = match other.kind {
                ColumnType::TimeSpan => ColumnType::DateTime,
                ColumnType::Long | ColumnType::Real => ColumnType::Real,
                _ => return,
            };
            for term in terms {
                self.learn_term(term, kind);
            }
        }
        match other.kind {
            // A number's literal does not say that fractions cannot come.
            ColumnType::Long => self.learn(column, ColumnType::Real),
            ColumnType::Text | ColumnType::Dynamic => {}
            kind => self.learn(column, kind),
        }
    }

    /// A test of a text: `contains` and the like.
    pub(super) fn text_test(
        &mut self,
        at: usize,
        function: Function,
        left: Value,
        right: Value,
    ) -> Result<Value> {
        let right = text_value(right);
        if function == Function::MatchesRegex {
            self.pattern(at, &right)?;
        }
        self.call(at, function, vec![left, right], ColumnType::Bool)
    }

    /// `in`, `has_any`, `has_all`.
    pub(super) fn list_test(
        &mut self,
        at: usize,
        list: ListOperator,
        left: Value,
        items: Vec<Value>,
    ) -> Result<Value> {
        let function = match list {
            ListOperator::In(case) => return self.one_of(at, left, items, case),
            ListOperator::HasAny => Function::Has(Case::Ascii),
            ListOperator::HasAll => Function::HasAll(Case::Ascii),
        };
        if items.is_empty() {
            return Ok(Value::literal(Literal::Bool(list == ListOperator::HasAll)));
        }
        let items = items.into_iter().map(text_value);
        let arguments = std::iter::once(left).chain(items).collect();
        self.call(at, function, arguments, ColumnType::Bool)
    }

    /// `left in (items)`: the texts together, others one by one.
    fn one_of(&mut self, at: usize, left: Value, items: Vec<Value>, case: Case) -> Result<Value> {
        let mut texts = Vec::new();
        let mut tests = Vec::new();
        let of_texts = matches!(left.kind, ColumnType::Text | ColumnType::Dynamic);
        for item in items {
            let item = if case == Case::Ascii {
                text_value(item)
            } else {
                item
            };
            if item.as_text().is_some()
                && (of_texts || case == Case::Ascii)
                && left.as_literal().is_none()
            {
                texts.push(item);
            } else {
                self.spend(at, left.clone())?;
                tests.push(self.equal(at, left.clone(), item, case)?);
            }
        }
        if !texts.is_empty() {
            let arguments = std::iter::once(left).chain(texts).collect();
            tests.push(self.call(at, Function::In(case), arguments, ColumnType::Bool)?);
        }
        self.join(at, Function::Or, tests)
    }

    pub(super) fn arithmetic(
        &mut self,
        at: usize,
        function: Function,
        left: Value,
        right: Value,
    ) -> Result<Value> {
        use ColumnType as C;
        for (column, other) in [(&left, &right), (&right, &left)] {
            match other.kind {
                C::Long | C::Real => self.learn(column, C::Real),
                C::DateTime | C::TimeSpan if function != Function::Divide => {
                    self.learn(column, C::DateTime);
                }
                _ => {}
            }
        }
        // Two columns that nothing is known of: only a difference may be one of moments.
        if [left.kind, right.kind] == [C::Text, C::Text] && function != Function::Subtract {
            self.learn(&left, C::Real);
            self.learn(&right, C::Real);
        }
        let kind = match (function, left.kind, right.kind) {
            (_, C::Long, C::Long) => C::Long,
            (_, C::Long | C::Real, C::Long | C::Real) => C::Real,
            (_, C::Dynamic, _) | (_, _, C::Dynamic) => C::Dynamic,
            (Function::Add, C::DateTime, C::TimeSpan)
            | (Function::Add, C::TimeSpan, C::DateTime) => C::DateTime,
            (Function::Subtract, C::DateTime, C::TimeSpan) => C::DateTime,
            (Function::Subtract, C::DateTime, C::DateTime) => C::TimeSpan,
            (Function::Add | Function::Subtract | Function::Modulo, C::TimeSpan, C::TimeSpan) => {
                C::TimeSpan
            }
            (Function::Multiply | Function::Divide, C::TimeSpan, C::Long | C::Real) => C::TimeSpan,
            (Function::Multiply, C::Long | C::Real, C::TimeSpan) => C::TimeSpan,
            (Function::Divide, C::TimeSpan, C::TimeSpan) => C::Real,
            _ => {
                let reason = format!(
                    "`{}` does not take {} and {}: convert them, or declare the types of the columns",
                    sign(function),
                    described(&left),
                    described(&right)
                );
                self.mismatch(at, reason)?;
                C::Real
            }
        };
        self.call(at, function, vec![left, right], kind)
    }

    /// A constant regular expression that can be compiled.
    pub(super) fn pattern(&mut self, at: usize, value: &Value) -> Result<()> {
        let Some(pattern) = value.as_text() else {
            return self.mismatch(at, "a regular expression must be a constant text");
        };
        match Regex::new(pattern) {
            Ok(_) => Ok(()),
            Err(error) => Err(unusable(at, &error)),
        }
    }

    /// Functions whose arguments are not all values, or whose type depends on them; `None`: it is none of
    /// them.
    pub(super) fn special(&mut self, name: &Name, nodes: &[Node]) -> Result<Option<Value>> {
        let at = name.at;
        let value = match name.text.as_str() {
            "not" => {
                self.count(name, nodes, 1, 1)?;
                let condition = self.condition(&nodes[0])?;
                self.not(at, condition)?
            }
            "now" => {
                self.count(name, nodes, 0, 1)?;
                let now = Value::literal(Literal::Now);
                match nodes.first() {
                    Some(offset) => {
                        let offset = self.bind(offset)?;
                        self.arithmetic(at, Function::Add, now, offset)?
                    }
                    None => now,
                }
            }
            "ago" => {
                self.count(name, nodes, 1, 1)?;
                let length = self.bind(&nodes[0])?;
                self.arithmetic(at, Function::Subtract, Value::literal(Literal::Now), length)?
            }
            "isempty" => self.emptiness(name, nodes, Function::IsEmpty)?,
            "isnotempty" | "notempty" => {
                let test = self.emptiness(name, nodes, Function::IsEmpty)?;
                self.not(at, test)?
            }
            "isnull" => self.emptiness(name, nodes, Function::IsNull)?,
            "isnotnull" | "notnull" => {
                let test = self.emptiness(name, nodes, Function::IsNull)?;
                self.not(at, test)?
            }
            "iff" | "iif" => {
                self.count(name, nodes, 3, 3)?;
                let condition = self.condition(&nodes[0])?;
                let (yes, no) = (self.bind(&nodes[1])?, self.bind(&nodes[2])?);
                match condition.as_literal() {
                    Some(Literal::Bool(true)) => yes,
                    Some(Literal::Bool(false)) => no,
                    _ => {
                        let kind = common_kind([&yes, &no]);
                        self.call(at, Function::Iff, vec![condition, yes, no], kind)?
                    }
                }
            }
            "case" => self.choice(name, nodes)?,
            "coalesce" => {
                self.count(name, nodes, 2, 64)?;
                let mut values = Vec::new();
                for node in nodes {
                    values.push(self.bind(node)?);
                }
                let kind = common_kind(&values);
                self.call(at, Function::Coalesce, values, kind)?
            }
            "column_ifexists" | "columnifexists" => {
                self.count(name, nodes, 2, 2)?;
                self.column_if_exists(at, nodes)?
            }
            "extract" if nodes.len() == 4 => self.typed_extract(name, nodes)?,
            "replace" => {
                // The older name, with the text last.
                self.count(name, nodes, 3, 3)?;
                let (pattern, to) = (self.bind(&nodes[0])?, self.bind(&nodes[1])?);
                self.pattern(nodes[0].at, &pattern)?;
                let text = self.bind(&nodes[2])?;
                let arguments = vec![text, pattern, to];
                self.call(at, Function::ReplaceRegex, arguments, ColumnType::Text)?
            }
            "ipv4_is_in_any_range" => {
                self.count(name, nodes, 2, usize::MAX)?;
                let mut arguments = vec![self.bind(&nodes[0])?];
                arguments.extend(self.items(&nodes[1..])?);
                self.call(at, Function::Ipv4IsInRange, arguments, ColumnType::Bool)?
            }
            "array_concat" | "set_union" => {
                self.count(name, nodes, 1, 64)?;
                self.joined_lists(name, nodes)?
            }
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// `extract(…, typeof(T))`: what is found, converted.
    fn typed_extract(&mut self, name: &Name, nodes: &[Node]) -> Result<Value> {
        let NodeKind::TypeOf(kind) = nodes[3].kind else {
            return Err(Refusal::new(
                nodes[3].at,
                "the last argument of `extract` is a type: typeof(long)",
            ));
        };
        let text = self.function(name, &nodes[..3])?;
        self.converted(name.at, text, kind)
    }

    /// A text as a value of a type.
    pub(super) fn converted(&mut self, at: usize, text: Value, kind: ColumnType) -> Result<Value> {
        let function = match kind {
            ColumnType::Text => return Ok(text),
            ColumnType::Bool => Function::ToBool,
            ColumnType::Long => Function::ToLong,
            ColumnType::Real => Function::ToReal,
            ColumnType::DateTime => Function::ToDateTime,
            ColumnType::TimeSpan => Function::ToTimeSpan,
            ColumnType::Dynamic => Function::ParseJson,
        };
        self.call(at, function, vec![text], kind)
    }

    fn emptiness(&mut self, name: &Name, nodes: &[Node], function: Function) -> Result<Value> {
        self.count(name, nodes, 1, 1)?;
        let value = self.bind(&nodes[0])?;
        if function == Function::IsNull && value.kind == ColumnType::Text {
            // A string is never null.
            return Ok(Value::literal(Literal::Bool(false)));
        }
        self.call(name.at, function, vec![value], ColumnType::Bool)
    }

    fn choice(&mut self, name: &Name, nodes: &[Node]) -> Result<Value> {
        self.count(name, nodes, 3, 129)?;
        if nodes.len().is_multiple_of(2) {
            let reason =
                "`case` takes pairs of a condition and a value, and one value for the rest";
            return Err(Refusal::new(name.at, reason));
        }
        let mut arguments = Vec::new();
        for (position, node) in nodes.iter().enumerate() {
            let is_condition = position % 2 == 0 && position + 1 < nodes.len();
            arguments.push(if is_condition {
                self.condition(node)?
            } else {
                self.bind(node)?
            });
        }
        let last = arguments.len() - 1;
        let values = arguments.iter().enumerate();
        let values = values.filter(|(position, _)| position % 2 == 1 || *position == last);
        let kind = common_kind(values.map(|(_, value)| value));
        self.call(name.at, Function::Case, arguments, kind)
    }

    /// A column that a table may lack: without it the value is empty here anyway.
    fn column_if_exists(&mut self, at: usize, nodes: &[Node]) -> Result<Value> {
        let default = self.bind(&nodes[1])?;
        let name = self.bind(&nodes[0])?;
        let empty = match default.as_literal() {
            Some(Literal::Text(text)) => text.is_empty(),
            Some(Literal::Null(_)) => true,
            _ => false,
        };
        let Some(name) = name.as_text().filter(|_| empty) else {
            return Err(Refusal::unevaluated(
                at,
                "`column_ifexists` is supported with a constant name and an empty default",
            ));
        };
        let name = name.to_owned();
        let value = self.name(&name, at)?;
        self.learn_from(&value, &default);
        Ok(value)
    }

    /// Constant lists as one.
    fn joined_lists(&mut self, name: &Name, nodes: &[Node]) -> Result<Value> {
        let mut all = Vec::new();
        for node in nodes {
            let value = self.bind(node)?;
            let list = match value.as_literal() {
                Some(Literal::Dynamic(json)) => dynamic::of_literal(json),
                _ => None,
            };
            let Some(dynamic::Json::List(items)) = list else {
                let reason = format!("`{}` is supported for constant lists only", name.text);
                return Err(Refusal::unevaluated(node.at, reason));
            };
            all.extend(items);
        }
        Ok(Value::literal(dynamic::literal(&dynamic::Json::List(all))))
    }
}

/// Why a regular expression is refused.
pub(super) fn unusable(at: usize, error: &regex::Error) -> Refusal {
    let text = error.to_string();
    let why = text.lines().last().unwrap_or_default();
    let why = why.strip_prefix("error: ").unwrap_or(why);
    Refusal::unevaluated(at, format!("the regular expression cannot be used: {why}"))
}

/// A literal, or a moment counted from now.
fn is_constant(value: &Value) -> bool {
    value.as_literal().is_some() || fold::from_now(&value.expression).is_some()
}

/// A constant as the text that text operators take of it.
fn text_value(value: Value) -> Value {
    let text = value
        .as_literal()
        .filter(|literal| !matches!(literal, Literal::Null(_)))
        .and_then(fold::text_of);
    text.map_or(value, |text| Value::literal(Literal::Text(text)))
}

/// A constant as a value of a type it is compared with; `None`: it is equal to none. What has no rule
/// here is left to the evaluator.
fn as_kind(constant: &Literal, kind: ColumnType) -> Option<Literal> {
    match (constant, kind) {
        (Literal::Text(_), ColumnType::Text | ColumnType::Dynamic) => Some(constant.clone()),
        (Literal::Text(text), kind) => literal::from_text(text, kind),
        (Literal::Long(0), ColumnType::Bool) => Some(Literal::Bool(false)),
        (Literal::Long(1), ColumnType::Bool) => Some(Literal::Bool(true)),
        (Literal::Long(_), ColumnType::Bool) => None,
        _ => Some(constant.clone()),
    }
}

/// Whether values of two types can be compared.
fn comparable(left: ColumnType, right: ColumnType) -> bool {
    use ColumnType as C;
    let numbers = |kind| matches!(kind, C::Long | C::Real | C::Bool);
    let loose = |kind| matches!(kind, C::Dynamic | C::Text);
    left == right || loose(left) || loose(right) || numbers(left) && numbers(right)
}

fn cannot_compare(left: &Value, right: &Value) -> String {
    format!(
        "{} and {} cannot be compared",
        described(left),
        described(right)
    )
}

fn mirrored(function: Function) -> Function {
    match function {
        Function::Less => Function::Greater,
        Function::LessOrEqual => Function::GreaterOrEqual,
        Function::Greater => Function::Less,
        Function::GreaterOrEqual => Function::LessOrEqual,
        other => other,
    }
}

/// The type of a choice: that of the first value that is not null.
fn common_kind<'v>(values: impl IntoIterator<Item = &'v Value>) -> ColumnType {
    let mut kinds = values
        .into_iter()
        .filter(|value| !matches!(value.expression, Expression::Literal(Literal::Null(_))))
        .map(|value| value.kind);
    let first = kinds.next().unwrap_or(ColumnType::Text);
    let mixed = first == ColumnType::Long && kinds.any(|kind| kind == ColumnType::Real);
    if mixed { ColumnType::Real } else { first }
}

fn sign(function: Function) -> &'static str {
    match function {
        Function::Add => "+",
        Function::Subtract => "-",
        Function::Multiply => "*",
        Function::Divide => "/",
        _ => "%",
    }
}
