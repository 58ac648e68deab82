//! Queries with a token too many, too few, or in the wrong place.

use crate::strategies::dice::Dice;

/// What is put between tokens.
const TOKENS: [&str; 30] = [
    "and", "or", "not", "(", ")", "[", "]", "|", "where", "==", "!", "contains", ",", ";", "..",
    "in", "~", "x", "1", "'x'", "let", "=", "-", "between", "{", "}", "1d", "&&", ".", "has_any",
];

/// The query with one to three tokens deleted, inserted, doubled or swapped.
pub fn mutate(query: &str, seed: u64) -> String {
    let mut dice = Dice::new(seed);
    let mut tokens = tokens(query);
    for _ in 0..=dice.below(3) {
        let at = dice.below(tokens.len());
        let other = dice.below(tokens.len());
        match dice.below(4) {
            0 if tokens.len() > 1 => {
                tokens.remove(at);
            }
            1 => tokens.insert(at, format!(" {} ", dice.pick(&TOKENS))),
            2 => tokens.insert(at, tokens[at].clone()),
            _ => tokens.swap(at, other),
        }
    }
    tokens.concat()
}

/// The pieces of a query: white space with comments, words, string literals, signs.
fn tokens(query: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => text_length(rest, first),
            _ if first.is_alphanumeric() || first == '_' => {
                run(rest, |next| next.is_alphanumeric() || next == '_')
            }
            _ if first.is_whitespace() => run(rest, char::is_whitespace),
            '/' if rest.starts_with("//") => run(rest, |next| next != '\n'),
            _ if "=!<>~.".contains(first) => run(rest, |next| "=!<>~.".contains(next)),
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        out.push(token.to_owned());
        rest = behind;
    }
    out
}

fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
    text.find(|next| !of(next)).unwrap_or(text.len())
}

/// Length of a string literal with its quotes.
fn text_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
