//! Patterns of texts as regular expressions.

use poseur_rule::model::{Case, Part, Pattern};

use super::program;

/// A pattern as a regular expression.
pub(super) fn source(pattern: &Pattern, case: Case) -> String {
    let parts = pattern.parts();
    let folded = case == Case::Ascii;
    let (mut out, mut parts_left) = (String::new(), parts);
    match parts_left {
        [Part::Run, rest @ ..] => parts_left = rest,
        _ => out.push('^'),
    }
    let open = matches!(parts_left, [.., Part::Run]);
    if open {
        parts_left = &parts_left[..parts_left.len() - 1];
    }
    for part in parts_left {
        match part {
            Part::Literal(part) => out.push_str(&literal(part, folded)),
            Part::Run => out.push_str("(?s:.*)"),
            Part::One => out.push_str("(?s:.)"),
        }
    }
    if !open && parts != [Part::Run] {
        out.push('$');
    }
    out
}

/// A Kusto term as a regular expression.
pub(super) fn term(term: &str, case: Case, start: bool, end: bool) -> String {
    let edge = |wanted: bool, char: Option<char>| wanted && char.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    if edge(start, term.chars().next()) {
        out.push_str(r"(?:^|[^\p{Alphabetic}\p{N}])");
    }
    out.push_str(&literal(term, case == Case::Ascii));
    if edge(end, term.chars().next_back()) {
        out.push_str(r"(?:$|[^\p{Alphabetic}\p{N}])");
    }
    out
}

/// What the literals of a pattern are as a regular expression; ASCII letters fold where `folded`.
pub(super) fn literal(text: &str, folded: bool) -> String {
    if !folded || !text.contains(|char: char| char.is_ascii_alphabetic()) {
        return program::escape(text);
    }
    // Letters that are not ASCII stay outside of the part that folds.
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let ascii = rest
            .find(|char: char| !char.is_ascii())
            .unwrap_or(rest.len());
        let (start, others) = rest.split_at(ascii);
        if !start.is_empty() {
            out += &format!("(?i-u:{})", program::escape(start));
        }
        let end = others
            .find(|char: char| char.is_ascii())
            .unwrap_or(others.len());
        out += &program::escape(&others[..end]);
        rest = &others[end..];
    }
    out
}
