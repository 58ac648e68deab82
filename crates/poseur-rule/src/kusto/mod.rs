//! The Microsoft front end: the per-record part of Kusto, in Sentinel's and Defender's query files and
//! in bare query files.
//!
//! A query is a table and operators behind it. What filters becomes the rule's condition; `let` and
//! `extend` are substituted; what only arranges or names columns changes nothing; what looks across
//! records or tables is refused by name. The grammar is that of Microsoft's parser, the meaning that of
//! Kusto's documentation.

mod bind;
mod call;
mod compare;
mod dynamic;
mod extraction;
mod file;
mod fold;
mod functions;
mod literal;
mod lower;
mod names;
mod operators;
mod parse;
mod parse_expression;
mod parse_output;
mod parse_pattern;
mod query;
mod scope;
mod syntax;
mod token;

pub use file::{read_nodes, read_query, read_yaml};

/// Why a query is refused: the byte of the query's text it is about, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refusal {
    at: usize,
    reason: String,
    /// The query is right as far as Poseur knows: a column that no condition needs may be so.
    only_unevaluated: bool,
}

impl Refusal {
    fn new(at: usize, reason: impl Into<String>) -> Refusal {
        Refusal {
            at,
            reason: one_line(reason.into()),
            only_unevaluated: false,
        }
    }

    /// What Kusto may know how to evaluate, and Poseur does not.
    fn unevaluated(at: usize, reason: impl Into<String>) -> Refusal {
        Refusal {
            only_unevaluated: true,
            ..Refusal::new(at, reason)
        }
    }
}

type Result<T> = std::result::Result<T, Refusal>;

/// Longest reason in characters: a name in it may be as long as a file.
const MAX_REASON: usize = 240;

/// A reason without line breaks, and not too long.
fn one_line(reason: String) -> String {
    if reason.len() <= MAX_REASON && !reason.contains(char::is_control) {
        return reason;
    }
    let shown = reason.chars().take(MAX_REASON);
    let mut line: String = shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.len() < reason.len() {
        line.push('…');
    }
    line
}
