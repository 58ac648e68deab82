//! Kuery's grammar, which gives a tree with positions.
//!
//! Binding, loosest first: `or`, `and`, `not`. The facts are those of the grammar of Kibana's package
//! `kbn-es-query`; like that one it takes much for a value that looks like something else (`a or` is
//! the two-word value, because no white space is behind `or`).

use super::Failure;
use super::lexer::{Lexer, Literal};
use crate::model::{Comparison, MAX_DEPTH};

/// Deepest nesting of parentheses, braces (which count twice) and `not`. Each level makes at most
/// two levels of a condition, and some are left for what a value comes to.
const MAX_NESTING: usize = MAX_DEPTH / 2 - 4;

/// Conditions over clauses, or over the values of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<T> {
    /// All of two or more.
    All(Vec<Tree<T>>),
    /// One of two or more.
    Any(Vec<Tree<T>>),
    Not(Box<Tree<T>>),
    Leaf(T),
}

/// What stands between `and`, `or` and `not`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Clause {
    /// `field: value`, `field: (a or b)`, or a value alone.
    Values {
        field: Option<Literal>,
        values: Tree<Literal>,
    },
    /// `field > value`
    Range {
        field: Literal,
        comparison: Comparison,
        value: Literal,
    },
    /// `path: { … }`
    Nested {
        path: Literal,
        inner: Box<Tree<Clause>>,
    },
}

/// Parses a query. `None`: it is empty, and holds always.
pub(super) fn parse(query: &str) -> Result<Option<Tree<Clause>>, Failure> {
    let mut parser = Parser {
        lexer: Lexer::new(query),
    };
    parser.lexer.spaces();
    if parser.lexer.peek().is_none() {
        return Ok(None);
    }
    let tree = parser.any(0, Parser::clause)?;
    match parser.unexpected() {
        Some(failure) => Err(failure),
        None => Ok(Some(tree)),
    }
}

struct Parser<'q> {
    lexer: Lexer<'q>,
}

/// Reads one operand at a depth of nesting.
type Operand<'q, T> = fn(&mut Parser<'q>, usize) -> Result<Tree<T>, Failure>;

impl<'q> Parser<'q> {
    fn any<T>(&mut self, depth: usize, operand: Operand<'q, T>) -> Result<Tree<T>, Failure> {
        self.joined(Tree::Any, "or", |parser| parser.all(depth, operand))
    }

    fn all<T>(&mut self, depth: usize, operand: Operand<'q, T>) -> Result<Tree<T>, Failure> {
        self.joined(Tree::All, "and", |parser| parser.negation(depth, operand))
    }

    fn joined<T>(
        &mut self,
        join: fn(Vec<Tree<T>>) -> Tree<T>,
        word: &str,
        part: impl Fn(&mut Self) -> Result<Tree<T>, Failure>,
    ) -> Result<Tree<T>, Failure> {
        let first = part(self)?;
        if !self.lexer.joined_by(word) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.lexer.joined_by(word) {
            parts.push(part(self)?);
        }
        Ok(join(parts))
    }

    fn negation<T>(&mut self, depth: usize, operand: Operand<'q, T>) -> Result<Tree<T>, Failure> {
        let at = self.lexer.at;
        if !self.lexer.negated() {
            return self.group(depth, operand);
        }
        let depth = deeper(depth, 1, at)?;
        let again = self.lexer.at;
        if self.lexer.negated() {
            let reason = "`not` cannot follow `not`: write `not (not …)`";
            return Err((again, reason.into()));
        }
        Ok(Tree::Not(Box::new(self.group(depth, operand)?)))
    }

    fn group<T>(&mut self, depth: usize, operand: Operand<'q, T>) -> Result<Tree<T>, Failure> {
        let opened = self.lexer.at;
        if !self.lexer.take('(') {
            return operand(self, depth);
        }
        let depth = deeper(depth, 1, opened)?;
        self.lexer.spaces();
        let inner = self.any(depth, operand)?;
        self.close(opened, ')', "parenthesis")?;
        Ok(inner)
    }

    fn clause(&mut self, depth: usize) -> Result<Tree<Clause>, Failure> {
        let Some(first) = self.lexer.literal()? else {
            return Err(self.missing("a field or a value"));
        };
        // White space belongs to an `and` or `or` behind a value, if this is one.
        let behind = self.lexer.at;
        self.lexer.spaces();
        if self.lexer.take(':') {
            self.lexer.spaces();
            let opened = self.lexer.at;
            if self.lexer.take('{') {
                return self.nested(first, opened, depth);
            }
            let values = self.values(depth)?;
            return Ok(Tree::Leaf(Clause::Values {
                field: Some(first),
                values,
            }));
        }
        if let Some(comparison) = self.comparison() {
            self.lexer.spaces();
            let Some(value) = self.lexer.literal()? else {
                return Err(self.missing("a value"));
            };
            return Ok(Tree::Leaf(Clause::Range {
                field: first,
                comparison,
                value,
            }));
        }
        self.lexer.at = behind;
        Ok(Tree::Leaf(Clause::Values {
            field: None,
            values: Tree::Leaf(first),
        }))
    }

    fn nested(
        &mut self,
        path: Literal,
        opened: usize,
        depth: usize,
    ) -> Result<Tree<Clause>, Failure> {
        let depth = deeper(depth, 2, opened)?;
        self.lexer.spaces();
        let inner = self.any(depth, Parser::clause)?;
        self.close(opened, '}', "brace")?;
        Ok(Tree::Leaf(Clause::Nested {
            path,
            inner: Box::new(inner),
        }))
    }

    /// What stands behind `field:`.
    fn values(&mut self, depth: usize) -> Result<Tree<Literal>, Failure> {
        let at = self.lexer.at;
        if self.lexer.negated() {
            let reason = "`not` before a value stands in parentheses, `field: (not value)`, or \
                          before the field, `not field: value`";
            return Err((at, reason.into()));
        }
        if self.comparison().is_some() {
            let reason = "a range is written without colon: `field > value`";
            return Err((at, reason.into()));
        }
        self.group(depth, Parser::value)
    }

    fn value(&mut self, _: usize) -> Result<Tree<Literal>, Failure> {
        match self.lexer.literal()? {
            Some(value) => Ok(Tree::Leaf(value)),
            None => Err(self.missing("a value")),
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let less = self.lexer.take('<');
        if !less && !self.lexer.take('>') {
            return None;
        }
        Some(match (less, self.lexer.take('=')) {
            (true, true) => Comparison::LessOrEqual,
            (true, false) => Comparison::Less,
            (false, true) => Comparison::GreaterOrEqual,
            (false, false) => Comparison::Greater,
        })
    }

    fn close(&mut self, opened: usize, sign: char, what: &str) -> Result<(), Failure> {
        let at = self.lexer.at;
        self.lexer.spaces();
        if self.lexer.take(sign) {
            return Ok(());
        }
        if self.lexer.peek().is_none() {
            return Err((opened, format!("this {what} is never closed")));
        }
        self.lexer.at = at;
        let never = (opened, format!("this {what} is never closed"));
        Err(self.unexpected().unwrap_or(never))
    }

    /// Why there is no literal here.
    fn missing(&self, what: &str) -> Failure {
        let reason = match self.lexer.peek() {
            None => format!("the query ends where {what} is expected"),
            Some(c @ (')' | ':' | '<' | '>' | '(' | '{' | '}')) => {
                format!(
                    "expected {what} before `{c}`; as part of a value it is written `\\{c}`, or in quotes"
                )
            }
            Some(_) => format!("expected {what}"),
        };
        (self.lexer.at, reason)
    }

    /// Why what follows a whole clause cannot; `None` at the end of the query.
    fn unexpected(&mut self) -> Option<Failure> {
        self.lexer.spaces();
        let c = self.lexer.peek()?;
        let rest = self.lexer.rest();
        let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        let reason = match c {
            ')' => "this parenthesis was never opened".to_owned(),
            '}' => "this brace was never opened".to_owned(),
            ':' | '<' | '>' | '(' | '{' => format!(
                "`{c}` cannot stand here: inside a value it is written `\\{c}`, or the value is put in \
                 quotes; between two conditions `and` or `or` is missing"
            ),
            '"' => "expected `and` or `or` before this quote; inside a value it is written `\\\"`"
                .to_owned(),
            _ if word.eq_ignore_ascii_case("not") => {
                "`not` begins a negation here: write `and not`, or put the value in quotes"
                    .to_owned()
            }
            _ if word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or") => {
                format!("`{word}` needs white space on both sides")
            }
            _ => "expected `and` or `or` here".to_owned(),
        };
        Some((self.lexer.at, reason))
    }
}

fn deeper(depth: usize, levels: usize, at: usize) -> Result<usize, Failure> {
    let depth = depth + levels;
    if depth > MAX_NESTING {
        return Err((at, format!("nested deeper than {MAX_NESTING} levels")));
    }
    Ok(depth)
}
