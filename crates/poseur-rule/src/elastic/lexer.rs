//! Kuery's literals, keywords and white space. There are no tokens: what a character means depends on
//! where it stands, so that the grammar asks for what may come next.
//!
//! Facts from the grammar of Kibana's package `kbn-es-query`.

use super::Failure;
use crate::model::Part;

/// A field name or a value, as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    /// Byte offset in the query.
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// An unquoted `null`.
    Null,
    /// An unquoted `true` or `false`.
    Bool(bool),
    /// In quotes.
    Quoted(String),
    /// Unquoted, without wildcards.
    Plain(String),
    /// Unquoted, with wildcards: literals and one [`Part::Run`] for each `*`.
    Wildcard(Vec<Part>),
}

impl Value {
    /// A `*` and nothing else.
    pub(super) fn is_star(&self) -> bool {
        matches!(self, Value::Wildcard(parts) if matches!(parts.as_slice(), [Part::Run]))
    }

    /// The text where wildcards have no meaning: a `*` stands for itself.
    pub(super) fn text(&self) -> String {
        match self {
            Value::Null => "null".into(),
            Value::Bool(truth) => truth.to_string(),
            Value::Quoted(text) | Value::Plain(text) => text.clone(),
            Value::Wildcard(parts) => {
                let spelt = parts.iter().map(|part| match part {
                    Part::Literal(text) => text.as_str(),
                    Part::Run | Part::One => "*",
                });
                spelt.collect()
            }
        }
    }
}

/// A place in a query.
pub(super) struct Lexer<'q> {
    query: &'q str,
    pub(super) at: usize,
}

impl<'q> Lexer<'q> {
    pub(super) fn new(query: &'q str) -> Lexer<'q> {
        Lexer { query, at: 0 }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'q str {
        &self.query[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes over this character if it is next.
    pub(super) fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.at += if found { c.len_utf8() } else { 0 };
        found
    }

    /// Passes over white space.
    pub(super) fn spaces(&mut self) {
        self.at += spaces(self.rest());
    }

    /// Passes over `and` or `or` if it is next, with white space on both sides.
    pub(super) fn joined_by(&mut self, word: &str) -> bool {
        let length = joint(self.rest(), word).unwrap_or(0);
        self.at += length;
        length > 0
    }

    /// Passes over `not` if it is next, with white space behind it.
    pub(super) fn negated(&mut self) -> bool {
        let length = not(self.rest()).unwrap_or(0);
        self.at += length;
        length > 0
    }

    /// The literal that is next, if there is one.
    pub(super) fn literal(&mut self) -> Result<Option<Literal>, Failure> {
        let at = self.at;
        let value = match self.peek() {
            Some('"') => Some(Value::Quoted(self.quoted()?)),
            _ => self.unquoted()?,
        };
        Ok(value.map(|value| Literal { at, value }))
    }

    fn quoted(&mut self) -> Result<String, Failure> {
        let opened = self.at;
        self.take('"');
        let mut text = Text::default();
        while let Some(c) = self.peek() {
            if c == '"' {
                self.take('"');
                return Ok(text.finish());
            }
            match escape(self.rest()) {
                Some((unit, length)) => {
                    text.unit(unit);
                    self.at += length;
                }
                None => {
                    // Any other backslash stands for itself.
                    let mut behind = self.rest()[c.len_utf8()..].chars();
                    let escaped = behind
                        .next()
                        .filter(|next| c == '\\' && "\\\"".contains(*next));
                    self.at += c.len_utf8() + usize::from(escaped.is_some());
                    text.push(escaped.unwrap_or(c));
                }
            }
        }
        Err((opened, "this quote is never closed".into()))
    }

    /// Unquoted text up to a character or a keyword that ends it; `None` if there is none.
    fn unquoted(&mut self) -> Result<Option<Value>, Failure> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut text = Text::default();
        while let Some(c) = self.peek() {
            let rest = self.rest();
            match c {
                '*' => {
                    parts.extend([Part::Literal(text.finish()), Part::Run]);
                    text = Text::default();
                    self.at += 1;
                }
                '\\' => self.at += self.escaped(&mut text)?,
                _ if is_special(c) || not(rest).is_some() => break,
                _ if is_space(c) => {
                    if joint(rest, "or").or_else(|| joint(rest, "and")).is_some() {
                        break;
                    }
                    // If no joint begins here, none begins within this white space.
                    let length = spaces(rest);
                    rest[..length].chars().for_each(|space| text.push(space));
                    self.at += length;
                }
                _ => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        if self.at == start {
            return Ok(None);
        }
        parts.push(Part::Literal(text.finish()));
        Ok(Some(typed(parts)))
    }

    /// Adds what an escape outside quotes stands for, and gives its length.
    fn escaped(&self, text: &mut Text) -> Result<usize, Failure> {
        let rest = self.rest();
        let behind = &rest[1..];
        if let Some(special) = behind.chars().next().filter(|c| is_special(*c)) {
            text.push(special);
            return Ok(1 + special.len_utf8());
        }
        // Before the escapes of single letters: `\not` is no line feed.
        for word in ["or", "and", "not"] {
            if let Some(word) = starts_with_word(behind, word) {
                word.chars().for_each(|c| text.push(c));
                return Ok(1 + word.len());
            }
        }
        if let Some((unit, length)) = escape(rest) {
            text.unit(unit);
            return Ok(length);
        }
        Err((
            self.at,
            "this backslash begins no escape: write `\\\\` for a backslash, or put the value in quotes"
                .into(),
        ))
    }
}

/// What unquoted text comes to.
fn typed(mut parts: Vec<Part>) -> Value {
    if let Some(Part::Literal(first)) = parts.first_mut() {
        *first = first.trim_start_matches(is_trimmed).to_owned();
    }
    if let Some(Part::Literal(last)) = parts.last_mut() {
        last.truncate(last.trim_end_matches(is_trimmed).len());
    }
    if let [Part::Literal(text)] = parts.as_mut_slice() {
        return match text.as_str() {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::Plain(std::mem::take(text)),
        };
    }
    parts.retain(|part| !matches!(part, Part::Literal(text) if text.is_empty()));
    Value::Wildcard(parts)
}

/// Characters that mean something unless a backslash stands before them.
fn is_special(c: char) -> bool {
    matches!(
        c,
        '\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}'
    )
}

/// White space of the grammar.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '\u{a0}')
}

/// White space that is taken off the ends of unquoted text: ECMAScript's.
fn is_trimmed(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

/// Bytes of white space at the start.
fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_space).len()
}

/// The length of `and` or `or` with the white space on both sides, if the text starts so.
fn joint(text: &str, word: &str) -> Option<usize> {
    let before = spaces(text);
    let found = starts_with_word(&text[before..], word)?;
    let behind = spaces(&text[before + found.len()..]);
    (before > 0 && behind > 0).then_some(before + found.len() + behind)
}

/// The length of `not` with the white space behind it, if the text starts so.
fn not(text: &str) -> Option<usize> {
    let found = starts_with_word(text, "not")?;
    let behind = spaces(&text[found.len()..]);
    (behind > 0).then_some(found.len() + behind)
}

/// The word as the text spells it, if the text starts with it in any letter case.
fn starts_with_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.get(..word.len())
        .filter(|start| start.eq_ignore_ascii_case(word))
}

/// The UTF-16 unit and the length of an escape that is known inside and outside quotes.
fn escape(text: &str) -> Option<(u16, usize)> {
    let behind = text.strip_prefix('\\')?;
    match behind.as_bytes().first()? {
        b't' => Some((u16::from(b'\t'), 2)),
        b'r' => Some((u16::from(b'\r'), 2)),
        b'n' => Some((u16::from(b'\n'), 2)),
        b'u' => {
            let digits = behind.get(1..5)?;
            let hexadecimal = digits.bytes().all(|b| b.is_ascii_hexdigit());
            let unit = u16::from_str_radix(digits, 16).ok()?;
            hexadecimal.then_some((unit, 6))
        }
        _ => None,
    }
}

/// Text put together from characters and UTF-16 units. Two escapes that are a surrogate pair are one
/// character; a surrogate alone is U+FFFD, as in records.
#[derive(Default)]
struct Text {
    text: String,
    high: Option<u16>,
}

impl Text {
    fn push(&mut self, c: char) {
        if self.high.take().is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        self.text.push(c);
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if let [Ok(pair)] = char::decode_utf16([high, unit]).collect::<Vec<_>>()[..] {
                return self.text.push(pair);
            }
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        match char::from_u32(u32::from(unit)) {
            Some(c) => self.text.push(c),
            None if unit < 0xdc00 => self.high = Some(unit),
            None => self.text.push(char::REPLACEMENT_CHARACTER),
        }
    }

    fn finish(mut self) -> String {
        if self.high.is_some() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        self.text
    }
}
