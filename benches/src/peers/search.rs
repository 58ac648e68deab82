//! Searches over raw lines, as somebody writes them who wants to be quick: `regex` and `aho-corasick`
//! with their default options. They find lines that hold something. They do not read fields, do not
//! see through escapes, give no verdict and write nothing, so their answers are counts of their own.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use memchr::memmem;
use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES};
use regex::bytes::Regex;

use crate::contender::Contender;
use crate::traffic::{Traffic, lines};

/// How many lines a search finds: after a hit it goes on with the next line.
fn count(bytes: &[u8], find: impl Fn(&[u8]) -> Option<usize>) -> u64 {
    let (mut rest, mut found) = (bytes, 0);
    while let Some(hit) = find(rest) {
        found += 1;
        let end = memchr::memchr(b'\n', &rest[hit..]).map_or(rest.len(), |end| hit + end + 1);
        rest = &rest[end..];
    }
    found
}

/// The same, line by line, in the plainest way.
fn holding(bytes: &[u8], literals: &[&str]) -> u64 {
    let holds = |line: &&[u8]| {
        let mut literals = literals.iter();
        literals.any(|literal| memmem::find(line, literal.as_bytes()).is_some())
    };
    lines(bytes).filter(holds).count() as u64
}

/// `regex`: lines with the member that sets the rule's records apart.
///
/// # Panics
/// If the pattern is none.
pub fn regex(traffic: &Arc<Traffic>, key: &str, value: &str) -> Contender {
    let regex = Regex::new(&format!(r#""{key}":\s*{value}"#)).expect("a regular expression");
    let answer = holding(&traffic.bytes, &[&format!("\"{key}\":{value}")]);
    let own = traffic.clone();
    let run = move || count(&own.bytes, |bytes| regex.find(bytes).map(|hit| hit.start()));
    let name = "regex, only finds lines with the operation";
    Contender::new(name, traffic.bytes.len(), answer, run)
}

/// `aho-corasick`: lines with a keyword of rule A, in whatever field.
///
/// # Panics
/// If no automaton can be built.
pub fn keywords(traffic: &Arc<Traffic>) -> Contender {
    let words: Vec<&str> = EMAIL_WORDS.into_iter().chain(MEMBER_NAMES).collect();
    let name = "aho-corasick, only finds lines with a keyword";
    automaton(name, traffic, &words)
}

/// `aho-corasick`: lines with one of the literals that the tagger searches for.
///
/// # Panics
/// If no automaton can be built.
pub fn witnesses(traffic: &Arc<Traffic>, literals: &[String]) -> Contender {
    let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
    let name = "aho-corasick, only finds lines that may match";
    automaton(name, traffic, &literals)
}

fn automaton(name: &'static str, traffic: &Arc<Traffic>, words: &[&str]) -> Contender {
    let answer = holding(&traffic.bytes, words);
    let automaton = AhoCorasick::new(words).expect("an automaton");
    let own = traffic.clone();
    let run = move || {
        count(&own.bytes, |bytes| {
            automaton.find(bytes).map(|hit| hit.start())
        })
    };
    Contender::new(name, traffic.bytes.len(), answer, run)
}
