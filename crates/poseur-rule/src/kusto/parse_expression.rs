//! The grammar of expressions. Binding, loosest first: `or`, `and`, equality and lists, order, `+ -`,
//! `* / %`, text operators, sign, paths. Equality, order and text operators do not chain.

use std::collections::HashMap;

use super::names::is_name;
use super::syntax::{ListOperator, Name, Node, NodeKind, TableLet};
use super::token::{Kind, Token};
use super::{Refusal, Result, dynamic};
use crate::expression::{ColumnType, Function, Literal};
use crate::model::{Case, MAX_DEPTH};

/// Reads a query's tokens.
pub(super) struct Parser<'q> {
    tokens: Vec<Token<'q>>,
    next: usize,
    /// Brackets that are open.
    depth: usize,
    /// The tables that `let` has named so far.
    pub(super) table_lets: HashMap<String, TableLet>,
}

impl<'q> Parser<'q> {
    pub(super) fn new(tokens: Vec<Token<'q>>) -> Parser<'q> {
        Parser {
            tokens,
            next: 0,
            depth: 0,
            table_lets: HashMap::new(),
        }
    }

    pub(super) fn peek(&self) -> &Token<'q> {
        self.peek_at(0)
    }

    /// The token so many places further; the last one stands for all behind it.
    pub(super) fn peek_at(&self, offset: usize) -> &Token<'q> {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + offset).min(last)]
    }

    /// Where the next token stands.
    pub(super) fn at(&self) -> usize {
        self.peek().at
    }

    pub(super) fn advance(&mut self) {
        self.next += 1;
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        self.sign() == Some(sign)
    }

    pub(super) fn sign(&self) -> Option<&'q str> {
        match self.peek().kind {
            Kind::Sign(sign) => Some(sign),
            _ => None,
        }
    }

    /// The name or keyword that is next.
    pub(super) fn word(&self) -> Option<&'q str> {
        match self.peek().kind {
            Kind::Name(word) => Some(word),
            _ => None,
        }
    }

    /// Takes a sign if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.next += usize::from(found);
        found
    }

    /// Takes a keyword if it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.word() == Some(word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, sign: &str) -> Result<()> {
        if self.eat(sign) {
            return Ok(());
        }
        self.unexpected(&format!("`{sign}`"))
    }

    /// Refuses the next token.
    pub(super) fn unexpected<T>(&self, wanted: &str) -> Result<T> {
        let token = self.peek();
        let reason = match &token.kind {
            Kind::Bad(reason) => reason.clone(),
            Kind::End => format!("expected {wanted}, but the query ends here"),
            Kind::Name(word) | Kind::Sign(word) => format!("expected {wanted}, not `{word}`"),
            Kind::Text(_) => format!("expected {wanted}, not a text"),
            Kind::Literal(literal) => format!("expected {wanted}, not {literal}"),
        };
        Err(Refusal::new(token.at, reason))
    }

    /// Runs a part of the grammar one bracket deeper.
    pub(super) fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(too_deep(self.at()));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// An expression.
    pub(super) fn expression(&mut self) -> Result<Node> {
        self.nested(Self::or)
    }

    fn or(&mut self) -> Result<Node> {
        let first = self.and()?;
        self.chain("or", first, Self::and, NodeKind::Or)
    }

    fn and(&mut self) -> Result<Node> {
        let first = self.equality()?;
        self.chain("and", first, Self::equality, NodeKind::And)
    }

    /// `a KEYWORD b KEYWORD c …` as one flat node.
    fn chain(
        &mut self,
        keyword: &str,
        first: Node,
        part: fn(&mut Self) -> Result<Node>,
        join: fn(Vec<Node>) -> NodeKind,
    ) -> Result<Node> {
        if self.word() != Some(keyword) {
            return Ok(first);
        }
        let at = first.at;
        let mut parts = vec![first];
        while self.eat_word(keyword) {
            parts.push(part(self)?);
        }
        let depth = deepest(&parts);
        node(at, depth, join(parts))
    }

    fn equality(&mut self) -> Result<Node> {
        let left = self.relation()?;
        let (at, depth) = (left.at, left.depth);
        let (negated, list) = match &self.peek().kind {
            Kind::Sign("==") => {
                self.advance();
                let right = self.relation()?;
                return binary(Function::Equal, left, right);
            }
            Kind::Sign("!=" | "<>") => {
                self.advance();
                let right = self.relation()?;
                let depth = depth.max(right.depth);
                return node(at, depth, NodeKind::NotEqual(left.into(), right.into()));
            }
            Kind::Name("between") => return self.between(left, false),
            Kind::Sign("!between") => return self.between(left, true),
            Kind::Name("in") => (false, ListOperator::In(Case::Exact)),
            Kind::Sign("in~") => (false, ListOperator::In(Case::Ascii)),
            Kind::Sign("!in") => (true, ListOperator::In(Case::Exact)),
            Kind::Sign("!in~") => (true, ListOperator::In(Case::Ascii)),
            Kind::Name("has_any") => (false, ListOperator::HasAny),
            Kind::Name("has_all") => (false, ListOperator::HasAll),
            _ => return Ok(left),
        };
        self.advance();
        self.expect("(")?;
        let mut items = Vec::new();
        self.nested(|parser| {
            loop {
                items.push(parser.or()?);
                if parser.is_sign("|") {
                    return Err(Refusal::new(
                        parser.at(),
                        "a query in a list looks across records, and Poseur judges each record alone",
                    ));
                }
                if !parser.eat(",") {
                    return Ok(());
                }
            }
        })?;
        self.expect(")")?;
        let depth = depth.max(deepest(&items));
        let kind = NodeKind::List {
            negated,
            list,
            left: left.into(),
            items,
        };
        node(at, depth, kind)
    }

    fn between(&mut self, value: Node, negated: bool) -> Result<Node> {
        self.advance();
        self.expect("(")?;
        let low = self.expression()?;
        self.expect("..")?;
        let high = self.expression()?;
        self.expect(")")?;
        let (at, depth) = (value.at, value.depth.max(low.depth).max(high.depth));
        let kind = NodeKind::Between {
            negated,
            value: value.into(),
            low: low.into(),
            high: high.into(),
        };
        node(at, depth, kind)
    }

    fn relation(&mut self) -> Result<Node> {
        let left = self.sum()?;
        let function = match self.sign() {
            Some("<") => Function::Less,
            Some("<=") => Function::LessOrEqual,
            Some(">") => Function::Greater,
            Some(">=") => Function::GreaterOrEqual,
            _ => return Ok(left),
        };
        self.advance();
        let right = self.sum()?;
        binary(function, left, right)
    }

    fn sum(&mut self) -> Result<Node> {
        let mut left = self.product()?;
        loop {
            let function = match self.sign() {
                Some("+") => Function::Add,
                Some("-") => Function::Subtract,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.product()?;
            left = binary(function, left, right)?;
        }
    }

    fn product(&mut self) -> Result<Node> {
        let mut left = self.text_operation()?;
        loop {
            let function = match self.sign() {
                Some("*") => Function::Multiply,
                Some("/") => Function::Divide,
                Some("%") => Function::Modulo,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.text_operation()?;
            left = binary(function, left, right)?;
        }
    }

    fn text_operation(&mut self) -> Result<Node> {
        let left = match self.is_sign("*") {
            true => self.all_columns()?,
            false => self.signed()?,
        };
        let word = match &self.peek().kind {
            Kind::Name(word) | Kind::Sign(word) => *word,
            _ => return Ok(left),
        };
        let Some((negated, function)) = text_operator(word) else {
            if matches!(word, "like" | "notlike" | "likecs" | "notlikecs" | ":") {
                let reason = format!(
                    "the operator `{word}` is not supported: use contains, startswith or matches regex"
                );
                return Err(Refusal::new(self.at(), reason));
            }
            return Ok(left);
        };
        self.advance();
        let right = self.signed()?;
        let (at, depth) = (left.at, left.depth.max(right.depth));
        let kind = NodeKind::Text {
            negated,
            function,
            left: left.into(),
            right: right.into(),
        };
        node(at, depth, kind)
    }

    /// `*`, all columns: only before an operator that tests a text, and not before a negated one.
    fn all_columns(&mut self) -> Result<Node> {
        let at = self.at();
        self.advance();
        let is_test = match &self.peek().kind {
            Kind::Sign("==") => true,
            Kind::Name(word) | Kind::Sign(word) => {
                text_operator(word).is_some_and(|(negated, _)| !negated)
            }
            _ => false,
        };
        if is_test {
            return node(at, 0, NodeKind::AllColumns);
        }
        let reason = "`*` stands for all columns only before a test of a text, such as `* has \"x\"`: name the columns";
        Err(Refusal::new(at, reason))
    }

    fn signed(&mut self) -> Result<Node> {
        let at = self.at();
        if self.eat("-") {
            let inner = self.path()?;
            let depth = inner.depth;
            return node(at, depth, NodeKind::Negate(inner.into()));
        }
        self.eat("+");
        self.path()
    }

    fn path(&mut self) -> Result<Node> {
        let mut value = self.primary()?;
        loop {
            let (at, depth) = (value.at, value.depth);
            if self.eat(".") {
                if self.is_sign("[") {
                    value = self.index(value)?;
                    continue;
                }
                let name = self.plain_name("a name behind the dot")?;
                if self.is_sign("(") {
                    let reason = format!(
                        "a function cannot be called on a value: write {}(…)",
                        name.text
                    );
                    return Err(Refusal::new(name.at, reason));
                }
                value = node(at, depth, NodeKind::Member(value.into(), name.text))?;
            } else if self.is_sign("[") {
                value = self.index(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn index(&mut self, value: Node) -> Result<Node> {
        self.expect("[")?;
        let inner = self.expression()?;
        self.expect("]")?;
        let (at, depth) = (value.at, value.depth.max(inner.depth));
        node(at, depth, NodeKind::Index(value.into(), inner.into()))
    }

    fn primary(&mut self) -> Result<Node> {
        let at = self.at();
        let leaf = |kind| node(at, 0, kind);
        match &self.peek().kind {
            Kind::Literal(literal) => {
                let literal = literal.clone();
                self.advance();
                leaf(NodeKind::Literal(literal))
            }
            Kind::Text(_) => {
                let text = self.text();
                leaf(NodeKind::Literal(Literal::Text(text)))
            }
            Kind::Sign("(") => {
                self.advance();
                self.refuse_table()?;
                let inner = self.expression()?;
                if self.is_sign("|") {
                    return Err(Refusal::new(
                        self.at(),
                        "a query inside an expression looks across records, and Poseur judges each record alone",
                    ));
                }
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Sign("[") => {
                let name = self.plain_name("a name")?;
                leaf(NodeKind::Name(name.text))
            }
            Kind::Name("dynamic") => {
                self.advance();
                self.expect("(")?;
                let value = self.nested(dynamic::value)?;
                self.expect(")")?;
                leaf(NodeKind::Literal(dynamic::literal(&value)))
            }
            Kind::Name("toscalar" | "totable" | "materialize" | "externaldata" | "datatable") => {
                let word = self.word().unwrap_or_default();
                let reason = format!(
                    "`{word}` looks across records or tables, and Poseur judges each record alone"
                );
                Err(Refusal::new(at, reason))
            }
            Kind::Name("typeof") if self.peek_at(1).kind == Kind::Sign("(") => {
                self.advance();
                self.advance();
                let kind = self.type_name()?;
                self.expect(")")?;
                leaf(NodeKind::TypeOf(kind))
            }
            Kind::Name(word) if is_name(word) => {
                let name = Name {
                    at,
                    text: (*word).to_owned(),
                };
                self.advance();
                if self.is_sign("(") {
                    return self.call(name);
                }
                leaf(NodeKind::Name(name.text))
            }
            Kind::Name(word) if self.peek_at(1).kind == Kind::Sign("(") => {
                let reason = format!("`{word}` is no function");
                Err(Refusal::new(at, reason))
            }
            Kind::Name(word) => {
                let reason =
                    format!("expected a value, not `{word}`: as a name it is written ['{word}']");
                Err(Refusal::new(at, reason))
            }
            _ => self.unexpected("a value"),
        }
    }

    fn call(&mut self, name: Name) -> Result<Node> {
        self.expect("(")?;
        let mut arguments = Vec::new();
        if !self.is_sign(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.eat(",") {
                    break;
                }
            }
        }
        self.expect(")")?;
        let (at, depth) = (name.at, deepest(&arguments));
        node(at, depth, NodeKind::Call(name, arguments))
    }

    /// The name of a type.
    pub(super) fn type_name(&mut self) -> Result<ColumnType> {
        let word = self.word().unwrap_or_default();
        // Aliases that other statements of Kusto take.
        let kind = ColumnType::from_word(word).filter(|_| !matches!(word, "uuid" | "int32"));
        match kind {
            Some(kind) => {
                self.advance();
                Ok(kind)
            }
            None => self.unexpected("a type, such as string or long"),
        }
    }

    /// Neighbouring string literals as one.
    pub(super) fn text(&mut self) -> String {
        let mut all = String::new();
        while let Kind::Text(text) = &self.peek().kind {
            all.push_str(text);
            self.advance();
        }
        all
    }

    /// A column's name: a word, or a text in brackets.
    pub(super) fn plain_name(&mut self, wanted: &str) -> Result<Name> {
        let at = self.at();
        if let Some(name) = self.bracketed()? {
            return Ok(name);
        }
        match self.word().filter(|word| is_name(word)) {
            Some(word) => {
                self.advance();
                Ok(Name {
                    at,
                    text: word.to_owned(),
                })
            }
            None => self.unexpected(wanted),
        }
    }

    /// `['a b']`, if a bracket is next.
    pub(super) fn bracketed(&mut self) -> Result<Option<Name>> {
        let at = self.at();
        if !self.eat("[") {
            return Ok(None);
        }
        if !matches!(self.peek().kind, Kind::Text(_)) {
            return self.unexpected("a name in quotes");
        }
        let text = self.text();
        self.expect("]")?;
        Ok(Some(Name { at, text }))
    }
}

/// The words and signs that test texts, without `in` and the like, which take lists.
fn text_operator(word: &str) -> Option<(bool, Function)> {
    let (negated, plain) = match word {
        "=~" => return Some((false, Function::In(Case::Ascii))),
        "!~" => return Some((true, Function::In(Case::Ascii))),
        "containscs" => return Some((false, Function::Contains(Case::Exact))),
        "notcontains" => return Some((true, Function::Contains(Case::Ascii))),
        "notcontainscs" => return Some((true, Function::Contains(Case::Exact))),
        "matches regex" => return Some((false, Function::MatchesRegex)),
        _ => match word.strip_prefix('!') {
            Some(plain) => (true, plain),
            None => (false, word),
        },
    };
    let (plain, case) = match plain.strip_suffix("_cs") {
        Some(plain) => (plain, Case::Exact),
        None => (plain, Case::Ascii),
    };
    let function = match plain {
        "contains" => Function::Contains(case),
        "startswith" => Function::StartsWith(case),
        "endswith" => Function::EndsWith(case),
        "has" => Function::Has(case),
        "hasprefix" => Function::HasPrefix(case),
        "hassuffix" => Function::HasSuffix(case),
        _ => return None,
    };
    Some((negated, function))
}

fn too_deep(at: usize) -> Refusal {
    Refusal::new(
        at,
        format!("the expression nests deeper than {MAX_DEPTH} levels"),
    )
}

/// A node over parts of this depth.
fn node(at: usize, below: usize, kind: NodeKind) -> Result<Node> {
    if below >= MAX_DEPTH {
        return Err(too_deep(at));
    }
    Ok(Node {
        at,
        depth: below + 1,
        kind,
    })
}

fn binary(function: Function, left: Node, right: Node) -> Result<Node> {
    let (at, depth) = (left.at, left.depth.max(right.depth));
    node(
        at,
        depth,
        NodeKind::Binary(function, left.into(), right.into()),
    )
}

fn deepest(nodes: &[Node]) -> usize {
    nodes.iter().map(|node| node.depth).max().unwrap_or(0)
}
