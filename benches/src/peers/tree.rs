//! Peers that parse a record into a tree, ask the tree, and write it back.

use std::hint::black_box;
use std::sync::Arc;

use crate::contender::Contender;
use crate::traffic::{Traffic, lines};

/// A parsed document of some library.
pub trait Tree: Sized {
    /// Parses a document.
    fn parse(text: &[u8]) -> Option<Self>;
    /// The text of a member.
    fn text(&self, key: &str) -> Option<&str>;
    /// The elements of a member.
    fn list(&mut self, key: &str) -> &mut [Self];
    /// Adds Poseur's key with the id of a rule.
    fn tag(&mut self, rule: &str);
    /// Appends the document.
    fn write(&self, out: &mut Vec<u8>);
}

/// Where on a line the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dress {
    /// A record is a line.
    Bare,
    /// A record is a string under `message`.
    Envelope,
    /// The records are the elements of `records`.
    Batch,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Every line, from its tree.
    All,
    /// Lines with a match, from their trees. The others would be written as they came, which is free here
    /// as it is for the tagger's slices.
    Matches,
}

/// What is to be done by those who parse everything.
#[derive(Clone)]
pub struct Task {
    /// The beginning of the traffic.
    pub traffic: Arc<Traffic>,
    /// How many records match.
    pub answer: u64,
    /// How its records are dressed.
    pub dress: Dress,
    /// The rule's id.
    pub rule: &'static str,
}

/// Parses every line into a tree, has every record judged, tags those that match.
pub fn contender<T: Tree + 'static>(
    name: &'static str,
    task: &Task,
    writes: Writes,
    mut judge: impl FnMut(&mut T) -> bool + 'static,
) -> Contender {
    let own = task.clone();
    let mut out = Vec::new();
    let run = move || {
        let mut matched = 0;
        for line in lines(&own.traffic.bytes) {
            if out.len() > 1 << 20 {
                black_box(&out);
                out.clear();
            }
            let Some(mut tree) = T::parse(line) else {
                continue;
            };
            let here = tag(&mut tree, own.dress, own.rule, &mut judge);
            matched += here;
            if here > 0 || writes == Writes::All {
                tree.write(&mut out);
                out.push(b'\n');
            }
        }
        matched
    };
    Contender::new(name, task.traffic.bytes.len(), task.answer, run)
}

fn tag<T: Tree>(
    tree: &mut T,
    dress: Dress,
    rule: &str,
    judge: &mut impl FnMut(&mut T) -> bool,
) -> u64 {
    match dress {
        Dress::Bare => {
            let matched = judge(tree);
            if matched {
                tree.tag(rule);
            }
            matched as u64
        }
        Dress::Envelope => {
            let inner = tree.text("message").map(str::as_bytes).and_then(T::parse);
            let matched = inner.is_some_and(|mut inner| judge(&mut inner));
            if matched {
                tree.tag(rule);
            }
            matched as u64
        }
        Dress::Batch => {
            let mut matched = 0;
            for record in tree.list("records") {
                if judge(record) {
                    record.tag(rule);
                    matched += 1;
                }
            }
            matched
        }
    }
}
