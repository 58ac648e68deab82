//! Places in the text of a TOML file, also of what its strings hold.

use std::ops::Range;

use crate::error::{LoadError, Place};

/// A file's name and text.
#[derive(Clone, Copy)]
pub(super) struct Source<'f> {
    pub(super) file: &'f str,
    pub(super) text: &'f str,
}

impl Source<'_> {
    /// An error at a byte offset.
    pub(super) fn error(&self, offset: usize, reason: impl Into<String>) -> LoadError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[start..].chars().count() + 1;
        LoadError::new(Place::new(self.file, line, column), reason)
    }

    /// An error at the byte `offset` of the `value` of the string written at `span`.
    pub(super) fn error_within(
        &self,
        span: Range<usize>,
        value: &str,
        offset: usize,
        reason: impl Into<String>,
    ) -> LoadError {
        let inside = self
            .text
            .get(span.clone())
            .and_then(|written| written_at(written, value, offset))
            .unwrap_or(0);
        self.error(span.start + inside, reason)
    }
}

/// Where in a string, as it is written with its quotes, the byte `offset` of its value stands. `None` if
/// the string does not spell that value.
fn written_at(written: &str, value: &str, offset: usize) -> Option<usize> {
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let fence = quote.to_string().repeat(3);
    let mut rest = match written.strip_prefix(fence.as_str()) {
        // A line feed right behind the fence is not part of the value.
        Some(rest) => rest
            .strip_prefix("\r\n")
            .or_else(|| rest.strip_prefix('\n'))
            .unwrap_or(rest),
        None => &written[1..],
    };
    let mut left = value.get(..offset)?;
    while !left.is_empty() {
        let (spelt, length) = character(rest, quote == '"')?;
        if let Some(c) = spelt {
            // Line ends may have been made alike.
            let same = left.strip_prefix(c);
            left = match same {
                Some(left) => left,
                None if c == '\r' && left.starts_with('\n') => left,
                None => return None,
            };
        }
        rest = &rest[length..];
    }
    // What is at the offset is the next thing that stands for a character.
    while let Some((None, length)) = character(rest, quote == '"') {
        rest = &rest[length..];
    }
    Some(written.len() - rest.len())
}

/// The character that a string's text begins with, if it stands for one, and how many bytes it takes.
fn character(text: &str, escapes: bool) -> Option<(Option<char>, usize)> {
    let c = text.chars().next()?;
    if c != '\\' || !escapes {
        return Some((Some(c), c.len_utf8()));
    }
    let escaped = text[1..].chars().next()?;
    let hex = |digits: usize| {
        let code = text.get(2..2 + digits)?;
        let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
        Some((Some(c), 2 + digits))
    };
    let one = |c: char| Some((Some(c), 2));
    match escaped {
        'b' => one('\u{8}'),
        't' => one('\t'),
        'n' => one('\n'),
        'f' => one('\u{c}'),
        'r' => one('\r'),
        'e' => one('\u{1b}'),
        '"' | '\\' => one(escaped),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        // A backslash at a line's end takes the white space up to the next text with it.
        ' ' | '\t' | '\r' | '\n' => {
            let blank = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
            Some((None, text.len() - text[1..].trim_start_matches(blank).len()))
        }
        _ => None,
    }
}
