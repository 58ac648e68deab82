//! Kusto's tokens, cut as Microsoft's lexer cuts them.

use super::literal;
use crate::expression::Literal;

/// A token and where it stands in the query's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'q> {
    /// First byte.
    pub(super) at: usize,
    /// Byte behind the last one.
    pub(super) end: usize,
    pub(super) kind: Kind<'q>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'q> {
    /// A name or a keyword: which one it is, the place decides.
    Name(&'q str),
    /// A sign, or a keyword that holds signs: `==`, `!has_cs`, `in~`, `matches regex`.
    Sign(&'q str),
    /// Part of a string literal; neighbours belong together.
    Text(String),
    /// Any other literal.
    Literal(Literal),
    /// What is no token, and why.
    Bad(String),
    /// The end of the query.
    End,
}

/// Keywords with hyphens: one token, not a subtraction.
const HYPHENATED: [&str; 22] = [
    "assert-schema",
    "graph-mark-components",
    "graph-match",
    "graph-shortest-paths",
    "graph-to-table",
    "graph-where-edges",
    "graph-where-nodes",
    "macro-expand",
    "make-graph",
    "make-series",
    "mv-apply",
    "mv-expand",
    "parse-kv",
    "parse-where",
    "project-away",
    "project-by-names",
    "project-keep",
    "project-rename",
    "project-reorder",
    "sample-distinct",
    "top-hitters",
    "top-nested",
];

/// Signs, longer ones before their beginnings.
const SIGNS: [&str; 28] = [
    "==", "=~", "!=", "!~", "<=", ">=", "<>", "..", "=", "<", ">", "+", "-", "*", "/", "%", "(",
    ")", "[", "]", "{", "}", ",", ";", ":", ".", "|", "~",
];

/// Keywords that begin with `!`.
const NEGATED: [&str; 14] = [
    "in",
    "between",
    "contains",
    "contains_cs",
    "endswith",
    "endswith_cs",
    "has",
    "has_cs",
    "hasprefix",
    "hasprefix_cs",
    "hassuffix",
    "hassuffix_cs",
    "startswith",
    "startswith_cs",
];

/// The tokens of a query, the end included. What is wrong with the text stands among them, so that
/// whoever reads them meets errors in their order.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip();
        let mut at = lexer.at;
        let kind = lexer.token();
        if kind == Kind::End {
            // Where what was written ends, not what is empty behind it.
            at = text.trim_end_matches(is_space).len();
        }
        let last = matches!(kind, Kind::End | Kind::Bad(_));
        tokens.push(Token {
            at,
            end: lexer.at,
            kind,
        });
        if last {
            return tokens;
        }
    }
}

struct Lexer<'q> {
    text: &'q str,
    at: usize,
}

impl<'q> Lexer<'q> {
    fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    /// Takes the next `length` bytes.
    fn take(&mut self, length: usize) -> &'q str {
        let taken = &self.rest()[..length];
        self.at += length;
        taken
    }

    /// Passes over white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest().trim_start_matches(is_space);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with("//") {
                return;
            }
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        }
    }

    fn token(&mut self) -> Kind<'q> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Kind::End;
        };
        if literal::starts_text(rest) {
            return match literal::text(rest) {
                Ok((text, length)) => {
                    self.at += length;
                    Kind::Text(text)
                }
                Err(reason) => Kind::Bad(reason),
            };
        }
        if is_guid(rest) {
            return Kind::Bad("a GUID must be written guid(…)".into());
        }
        match first {
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' | '$' => self.word(),
            '!' => self.negated(),
            '&' => Kind::Bad("`&` is no operator of Kusto: write `and`".into()),
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => Kind::Sign(self.take(sign.len())),
                None => Kind::Bad(format!(
                    "`{}` is no character of Kusto",
                    first.escape_debug()
                )),
            },
        }
    }

    fn number(&mut self) -> Kind<'q> {
        match literal::number(self.rest()) {
            Some(Ok((literal, length))) => {
                self.at += length;
                Kind::Literal(literal)
            }
            Some(Err(reason)) => Kind::Bad(reason),
            // `1abc` is a name.
            None => Kind::Name(self.take(name_length(self.rest()))),
        }
    }

    fn word(&mut self) -> Kind<'q> {
        let rest = self.rest();
        let word = &rest[..name_length(rest)];
        let behind = &rest[word.len()..];
        let hyphenated = HYPHENATED.iter().find(|keyword| {
            rest.starts_with(**keyword) && !rest[keyword.len()..].starts_with(is_name_part)
        });
        if let Some(keyword) = hyphenated {
            return Kind::Name(self.take(keyword.len()));
        }
        if word == "matches"
            && let Some(behind) = behind.strip_prefix(" regex")
            && !behind.starts_with(is_name_part)
        {
            return Kind::Sign(self.take("matches regex".len()));
        }
        if word == "in" && behind.starts_with('~') {
            return Kind::Sign(self.take(3));
        }
        if behind.starts_with('(')
            && let Some(read) = literal::typed(word, &behind[1..])
        {
            return match read {
                Ok((literal, length)) => {
                    self.at += word.len() + 1 + length;
                    Kind::Literal(literal)
                }
                Err(reason) => Kind::Bad(reason),
            };
        }
        self.at += word.len();
        match word {
            "true" | "True" | "TRUE" => Kind::Literal(Literal::Bool(true)),
            "false" | "False" | "FALSE" => Kind::Literal(Literal::Bool(false)),
            _ => Kind::Name(word),
        }
    }

    /// What begins with `!`.
    fn negated(&mut self) -> Kind<'q> {
        let rest = self.rest();
        for sign in ["!=", "!~"] {
            if rest.starts_with(sign) {
                return Kind::Sign(self.take(sign.len()));
            }
        }
        let word = &rest[1..1 + name_length(&rest[1..])];
        let tilde = usize::from(word == "in" && rest[3..].starts_with('~'));
        if NEGATED.contains(&word) {
            return Kind::Sign(self.take(1 + word.len() + tilde));
        }
        Kind::Bad("`!` alone is no operator of Kusto: write not(…)".into())
    }
}

/// Length of the name that the text starts with; a digit may begin it.
pub(super) fn name_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let first = usize::from(bytes.first() == Some(&b'$'));
    let rest = bytes[first..].iter();
    first
        + rest
            .take_while(|byte| is_name_part(char::from(**byte)))
            .count()
}

/// A character that may stand inside a name: an ASCII letter, a digit or `_`.
pub(super) fn is_name_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\n' | '\u{c}' | '\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{180e}' | '\u{2000}'
            ..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn is_guid(text: &str) -> bool {
    let mut bytes = text.bytes();
    [8, 4, 4, 4, 12].iter().enumerate().all(|(at, count)| {
        let dash = at == 0 || bytes.next() == Some(b'-');
        dash && (0..*count).all(|_| bytes.next().is_some_and(|byte| byte.is_ascii_hexdigit()))
    }) && !bytes
        .next()
        .is_some_and(|byte| is_name_part(char::from(byte)))
}
