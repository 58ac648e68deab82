//! What the front ends ask of a tree: texts, lists and keys, with errors collected, not thrown.

use super::{Node, Value};
use crate::error::{LoadError, Place};

/// Reads the values of one file and collects what is wrong with them, so that an operator sees all
/// errors of a file at once.
///
/// Methods that look for a value return `None` (or leave an item out) after they have noted why.
#[derive(Debug)]
pub struct Reader<'f> {
    /// The file's name, as errors give it.
    pub file: &'f str,
    /// What was wrong so far, in the order it was found.
    pub errors: Vec<LoadError>,
    /// The file's text, if it is at hand to point inside a scalar.
    source: Option<&'f str>,
}

impl<'f> Reader<'f> {
    /// A reader of the named file, without errors.
    pub fn new(file: &'f str) -> Reader<'f> {
        Reader {
            file,
            errors: Vec::new(),
            source: None,
        }
    }

    /// A reader that can also point inside a text of several words. `source` is the text that
    /// was given to [`parse`](super::parse).
    pub fn with_source(file: &'f str, source: &'f str) -> Reader<'f> {
        Reader {
            source: Some(source.strip_prefix('\u{feff}').unwrap_or(source)),
            ..Reader::new(file)
        }
    }

    /// Notes an error at a node.
    pub fn error(&mut self, at: &Node, reason: impl Into<String>) {
        self.errors
            .push(LoadError::new(at.place(self.file), reason));
    }

    /// Notes an error at the byte `offset` of a scalar's text. Where escapes or folding make that
    /// position unsure, the error points at the start of the scalar.
    pub fn error_within(&mut self, at: &Node, offset: usize, reason: impl Into<String>) {
        let place = self
            .source
            .and_then(|source| within(source, at, offset))
            .map_or_else(
                || at.place(self.file),
                |(line, column)| Place::new(self.file, line, column),
            );
        self.errors.push(LoadError::new(place, reason));
    }

    /// The entries of a map. `what` names the value in the error: `` `logsource` ``.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        let entries = node.as_map();
        if entries.is_none() {
            self.error(node, format!("{what} must be a map, not {}", node.kind()));
        }
        entries
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.as_list();
        if items.is_none() {
            self.error(node, format!("{what} must be a list, not {}", node.kind()));
        }
        items
    }

    /// The text of a scalar, numbers and truth values as they were written. Null and the empty
    /// text are errors.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.value {
            Value::Scalar(scalar) if scalar.is_null() || scalar.text.trim().is_empty() => {
                self.error(node, format!("{what} must not be empty"));
                None
            }
            Value::Scalar(scalar) => Some(&scalar.text),
            Value::List(_) | Value::Map(_) => {
                self.error(node, format!("{what} must be a text, not {}", node.kind()));
                None
            }
        }
    }

    /// The texts of a list, or of a single value that stands for a list of one, with their nodes.
    /// An empty list is no error here; null is no texts.
    pub fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(&'n Node, &'n str)> {
        match &node.value {
            Value::List(items) => items
                .iter()
                .filter_map(|item| Some((item, self.text(item, &format!("each of {what}"))?)))
                .collect(),
            Value::Scalar(scalar) if scalar.is_null() => Vec::new(),
            Value::Scalar(_) => self
                .text(node, what)
                .map(|text| (node, text))
                .into_iter()
                .collect(),
            Value::Map(_) => {
                self.error(node, format!("{what} must be a text or a list of texts"));
                Vec::new()
            }
        }
    }

    /// Notes every key that is not among the known ones. `what` names the map: `` `poseur` ``.
    pub fn known_keys(&mut self, entries: &[(Node, Node)], known: &[&str], what: &str) {
        for (key, _) in entries {
            let name = key.key();
            if known.contains(&name) {
                continue;
            }
            let hint = match closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", known.join(", ")),
            };
            self.error(key, format!("unknown key `{name}` in {what}: {hint}"));
        }
    }
}

/// Line and column of the byte `offset` of a scalar, if the scalar stands in the source as is.
fn within(source: &str, at: &Node, offset: usize) -> Option<(usize, usize)> {
    let text = &at.as_scalar()?.text;
    let (before, after) = (text.get(..offset)?, text.get(offset..)?);
    // The place of a block is that of its first line that holds something.
    let blank = text.len() - text.trim_start_matches('\n').len();
    let above = source.lines().take(at.line - 1);
    let above = above.skip((at.line - 1).saturating_sub(blank));
    let first = match blank < at.line && above.clone().all(|line| line.trim().is_empty()) {
        true => at.line - blank,
        false => at.line,
    };
    let mut lines = source.lines().skip(first - 1);
    let mut found = None;
    for (number, piece) in before.split('\n').enumerate() {
        // A block's further lines are indented as its first.
        let line = lines.next()?;
        // A line that holds nothing may be shorter than the indentation.
        let start = line.char_indices().nth(at.column - 1).map(|(at, _)| at);
        let rest = match start {
            Some(start) => &line[start..],
            None if line.trim().is_empty() => "",
            None => return None,
        };
        // A block may itself begin with a quote.
        let quoted = number == 0
            && rest.starts_with(['\'', '"'])
            && !rest.starts_with(text.split('\n').next().unwrap_or_default());
        let rest = &rest[usize::from(quoted)..];
        let tail = rest.strip_prefix(piece)?;
        let column = at.column + usize::from(quoted) + piece.chars().count();
        found = Some((first + number, column, tail));
    }
    let (line, column, tail) = found?;
    let same = match after.chars().next() {
        Some('\n') | None => true,
        Some(next) => tail.starts_with(next),
    };
    same.then_some((line, column))
}

/// The candidate that a misspelt word most likely stands for, if one is near.
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    // Long words are not typing slips of short ones, and the distance takes quadratic time.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 64)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.min(candidate.chars().count() / 2))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Least number of inserted, left-out, changed and swapped characters between two words, letter
/// case aside.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = last[j] + usize::from(x != y);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
