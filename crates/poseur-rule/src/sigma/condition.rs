//! The condition of a rule: `selection and not 1 of filter_*`.
//!
//! Binding, loosest first: `or`, `and`, `not`, quantifiers (`1 of`, `any of`, `all of`).

use crate::model::{Condition, MAX_DEPTH};
use crate::yaml::{Node, Reader, closest};

/// Deepest nesting of parentheses and `not`: what is left of [`MAX_DEPTH`] goes to the levels of a
/// selection and to what the rule puts around the condition.
const MAX_NESTING: usize = MAX_DEPTH / 2 - 8;

/// Most tests a condition may refer to, each reference counted: a rule of this size is a mistake.
const MAX_TESTS: usize = 1_000_000;

/// A named selection.
pub(super) struct Selection {
    name: String,
    condition: Condition,
    tests: usize,
}

impl Selection {
    pub(super) fn new(name: &str, condition: Condition) -> Selection {
        Selection {
            name: name.to_owned(),
            tests: tests(&condition),
            condition,
        }
    }

    fn named(&self) -> Condition {
        Condition::Named(self.name.clone(), Box::new(self.condition.clone()))
    }
}

fn tests(condition: &Condition) -> usize {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(tests).sum(),
        Condition::Not(inner)
        | Condition::Named(_, inner)
        | Condition::Nested {
            condition: inner, ..
        } => tests(inner),
        Condition::Test(_) => 1,
    }
}

/// Parses a condition over the selections. `None` after an error.
pub(super) fn parse(
    reader: &mut Reader<'_>,
    node: &Node,
    text: &str,
    selections: &[Selection],
) -> Option<Condition> {
    let mut parser = Parser {
        tokens: tokens(text),
        next: 0,
        end: text.len(),
        selections,
        tests: 0,
    };
    match parser.whole() {
        Ok(condition) => Some(condition),
        Err((offset, reason)) => {
            reader.error_within(node, offset, reason);
            None
        }
    }
}

/// Byte offset in the condition, and what is wrong there.
type Failure = (usize, String);

/// Words, and parentheses on their own, each with its byte offset.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices() {
        let single = matches!(c, '(' | ')' | '|');
        if single || c.is_whitespace() {
            if let Some(start) = start.take() {
                tokens.push((start, &text[start..at]));
            }
            if single {
                tokens.push((at, &text[at..at + 1]));
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(start) = start {
        tokens.push((start, &text[start..]));
    }
    tokens
}

struct Parser<'p> {
    tokens: Vec<(usize, &'p str)>,
    next: usize,
    /// Offset behind the last token.
    end: usize,
    selections: &'p [Selection],
    /// Tests referred to so far.
    tests: usize,
}

impl<'p> Parser<'p> {
    fn peek(&self) -> Option<&'p str> {
        self.tokens.get(self.next).map(|(_, token)| *token)
    }

    /// Whether the next token is this word, in any letter case.
    fn at(&self, word: &str) -> bool {
        self.peek()
            .is_some_and(|token| token.eq_ignore_ascii_case(word))
    }

    /// Passes over the next token if it is this word.
    fn take(&mut self, word: &str) -> bool {
        let found = self.at(word);
        self.next += usize::from(found);
        found
    }

    /// Where the next token begins, or the text ends.
    fn offset(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn whole(&mut self) -> Result<Condition, Failure> {
        let condition = self.any(0)?;
        let at = self.offset();
        match self.peek() {
            None => Ok(condition),
            Some(")") => Err((at, "this parenthesis was never opened".into())),
            Some("|") => Err((
                at,
                "aggregations (`| count() …`) look across records, and Poseur judges each record \
                 alone"
                    .into(),
            )),
            Some(token) => Err((at, format!("expected `and` or `or` before `{token}`"))),
        }
    }

    fn any(&mut self, depth: usize) -> Result<Condition, Failure> {
        let mut parts = vec![self.all(depth)?];
        while self.take("or") {
            parts.push(self.all(depth)?);
        }
        Ok(Condition::one_or(parts, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, Failure> {
        let mut parts = vec![self.operand(depth)?];
        while self.take("and") {
            parts.push(self.operand(depth)?);
        }
        Ok(Condition::one_or(parts, Condition::All))
    }

    fn operand(&mut self, depth: usize) -> Result<Condition, Failure> {
        let at = self.offset();
        if depth > MAX_NESTING {
            return Err((at, format!("nested deeper than {MAX_NESTING} levels")));
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.operand(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            if !self.take(")") {
                return Err(match self.peek() {
                    None => (at, "this parenthesis is never closed".into()),
                    Some(token) => (
                        self.offset(),
                        format!("expected `and`, `or` or `)` before `{token}`"),
                    ),
                });
            }
            return Ok(inner);
        }
        let Some(token) = self.peek() else {
            return Err((
                at,
                "the condition ends where a selection is expected".into(),
            ));
        };
        if matches!(token, ")" | "|") || self.at("and") || self.at("or") {
            return Err((at, format!("expected a selection, not `{token}`")));
        }
        self.next += 1;
        if self.at("of") {
            return self.quantified(at, token);
        }
        match self.selections.iter().find(|s| s.name == token) {
            Some(selection) => {
                self.refer(at, selection)?;
                Ok(selection.named())
            }
            None => Err((at, self.unknown(token))),
        }
    }

    /// `1 of NAMES`, of which the quantifier has been read.
    fn quantified(&mut self, at: usize, quantifier: &str) -> Result<Condition, Failure> {
        let join: fn(Vec<Condition>) -> Condition = match quantifier {
            "1" => Condition::Any,
            word if word.eq_ignore_ascii_case("any") => Condition::Any,
            word if word.eq_ignore_ascii_case("all") => Condition::All,
            other => {
                return Err((
                    at,
                    format!("`{other} of` is no quantifier: use `1 of`, `any of` or `all of`"),
                ));
            }
        };
        self.next += 1;
        let at = self.offset();
        let Some(pattern) = self
            .peek()
            .filter(|token| !matches!(*token, "(" | ")" | "|"))
        else {
            return Err((
                at,
                "expected a name, a pattern such as `selection_*`, or `them`".into(),
            ));
        };
        self.next += 1;
        let them = pattern.eq_ignore_ascii_case("them");
        let found: Vec<&Selection> = self
            .selections
            .iter()
            .filter(|selection| {
                // By convention a leading underscore keeps a selection out of quantifiers, unless
                // the pattern asks for it.
                let hidden = selection.name.starts_with('_') && !pattern.starts_with('_');
                !hidden && (them || fits(pattern, &selection.name))
            })
            .collect();
        if found.is_empty() {
            return Err((
                at,
                if them {
                    "`them` stands for no selection: names that begin with `_` are left out".into()
                } else {
                    format!("no selection has a name like `{pattern}`")
                },
            ));
        }
        let mut parts = Vec::new();
        for selection in found {
            self.refer(at, selection)?;
            parts.push(selection.named());
        }
        Ok(Condition::one_or(parts, join))
    }

    /// Counts a reference, because each one copies the selection.
    fn refer(&mut self, at: usize, selection: &Selection) -> Result<(), Failure> {
        self.tests = self.tests.saturating_add(selection.tests.max(1));
        if self.tests > MAX_TESTS {
            return Err((
                at,
                format!("the condition comes to more than {MAX_TESTS} tests"),
            ));
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> String {
        let known = self.selections.iter().map(|s| s.name.as_str());
        match closest(name, known) {
            Some(near) => format!("there is no selection `{name}`: did you mean `{near}`?"),
            None => format!("there is no selection `{name}`"),
        }
    }
}

/// Whether a name fits a pattern in which `*` is any run of characters.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match left.find(piece) {
            Some(at) => left = &left[at + piece.len()..],
            None => return false,
        }
    }
    left.ends_with(last)
}
