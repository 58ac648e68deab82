//! Searches over raw lines, as somebody writes them who wants to be quick: `regex` and `aho-corasick`
//! with their default options. They find lines that hold something. They do not read fields, do not
//! see through escapes, give no verdict and write nothing, so their answers are counts of their own.

use std::sync::Arc;

use aho_corasick::AhoCorasick;
use memchr::memmem;
use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES};
use regex::bytes::Regex;

use crate::contender::Contender;
use crate::parts::lines_hit;
use crate::traffic::{Traffic, lines};

/// How many lines hold something, by a plain test of each.
fn count_plainly(bytes: &[u8], holds: impl Fn(&[u8]) -> bool) -> u64 {
    lines(bytes).filter(|line| holds(line)).count() as u64
}

/// `regex`: lines with the member that sets the rule's records apart.
///
/// # Panics
/// If the pattern is none.
pub fn regex(traffic: &Arc<Traffic>, key: &str, value: &str) -> Contender {
    let regex = Regex::new(&format!(r#""{key}":\s*{value}"#)).expect("a regular expression");
    let key = format!("\"{key}\":");
    let answer = count_plainly(&traffic.bytes, |line| {
        let mut hits = memmem::find_iter(line, &key);
        hits.any(|hit| {
            line[hit + key.len()..]
                .trim_ascii_start()
                .starts_with(value.as_bytes())
        })
    });
    let own = traffic.clone();
    let run = move || {
        lines_hit(&own.bytes, |from| {
            Some(regex.find_at(&own.bytes, from)?.start())
        })
    };
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
    let answer = count_plainly(&traffic.bytes, |line| {
        let mut words = words.iter();
        words.any(|word| memmem::find(line, word.as_bytes()).is_some())
    });
    let automaton = AhoCorasick::new(words).expect("an automaton");
    let own = traffic.clone();
    let find = move |from| {
        let hit = automaton.find(&own.bytes[from..])?;
        Some(from + hit.start())
    };
    let run_on = traffic.clone();
    let run = move || lines_hit(&run_on.bytes, &find);
    Contender::new(name, traffic.bytes.len(), answer, run)
}
