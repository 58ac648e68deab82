//! The parts that only one of two conditions has.

use poseur_rule::model::Condition;

use crate::words;

/// A line of the comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is.
    pub side: Side,
    /// Indented.
    pub text: String,
}

/// Who has a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Both conditions.
    Both,
    /// Only the first.
    A,
    /// Only the second.
    B,
}

impl Side {
    /// `A`, `B`, or nothing.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Side::Both => None,
            Side::A => Some("A"),
            Side::B => Some("B"),
        }
    }
}

/// Compares two normal forms that are not the same.
pub fn lines(a: &Condition, b: &Condition) -> Vec<Line> {
    let mut lines = Vec::new();
    compare(a, b, 0, &mut lines);
    lines
}

fn compare(a: &Condition, b: &Condition, depth: usize, lines: &mut Vec<Line>) {
    if let (
        Condition::Nested { path, condition },
        Condition::Nested {
            path: other_path,
            condition: other,
        },
    ) = (a, b)
        && path == other_path
    {
        say(Side::Both, depth, words::nested(path), lines);
        return compare(condition, other, depth + 1, lines);
    }
    // A single part is all of itself, and any of itself.
    let (any, a, b) = match (a, b) {
        (Condition::All(a), Condition::All(b)) => (false, a.as_slice(), b.as_slice()),
        (Condition::Any(a), Condition::Any(b)) => (true, a.as_slice(), b.as_slice()),
        (Condition::All(a), b) if !a.is_empty() => (false, a.as_slice(), std::slice::from_ref(b)),
        (a, Condition::All(b)) if !b.is_empty() => (false, std::slice::from_ref(a), b.as_slice()),
        (Condition::Any(a), b) if !a.is_empty() => (true, a.as_slice(), std::slice::from_ref(b)),
        (a, Condition::Any(b)) if !b.is_empty() => (true, std::slice::from_ref(a), b.as_slice()),
        (a, b) => {
            whole(Side::A, a, depth, lines);
            return whole(Side::B, b, depth, lines);
        }
    };
    let mut only_a: Vec<&Condition> = a.iter().filter(|part| !b.contains(part)).collect();
    let mut only_b: Vec<&Condition> = b.iter().filter(|part| !a.contains(part)).collect();
    let both = a.len() - only_a.len();
    let title = if any { "at least one of" } else { "all of" };
    say(Side::Both, depth, title.to_owned(), lines);
    if both > 0 {
        let parts = if both == 1 { "part" } else { "parts" };
        let text = format!("({both} {parts} in both)");
        say(Side::Both, depth + 1, text, lines);
    }
    let mut alike = Vec::new();
    only_a.retain(|part| {
        let best = (0..only_b.len()).max_by_key(|at| common(part, only_b[*at]));
        match best.filter(|at| common(part, only_b[*at]) > 0) {
            Some(at) => {
                alike.push((*part, only_b.remove(at)));
                false
            }
            None => true,
        }
    });
    for (side, only) in [(Side::A, only_a), (Side::B, only_b)] {
        let texts = words::parts(only, any);
        texts
            .into_iter()
            .for_each(|text| say(side, depth + 1, text, lines));
    }
    for (a, b) in alike {
        compare(a, b, depth + 1, lines);
    }
}

/// How many parts two conditions share that are joined the same way.
fn common(a: &Condition, b: &Condition) -> usize {
    match (a, b) {
        (Condition::All(a), Condition::All(b)) | (Condition::Any(a), Condition::Any(b)) => {
            a.iter().filter(|part| b.contains(part)).count()
        }
        (Condition::Nested { path: a, .. }, Condition::Nested { path: b, .. }) => {
            usize::from(a == b)
        }
        _ => 0,
    }
}

fn whole(side: Side, condition: &Condition, depth: usize, lines: &mut Vec<Line>) {
    let texts = words::condition(condition);
    texts
        .into_iter()
        .for_each(|text| say(side, depth, text, lines));
}

fn say(side: Side, depth: usize, text: String, lines: &mut Vec<Line>) {
    let text = format!("{}{text}", "  ".repeat(depth));
    lines.push(Line { side, text });
}
