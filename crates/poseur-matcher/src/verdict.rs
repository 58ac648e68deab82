//! The matcher's answer about one record.

use std::ops::Range;

use crate::program::PredicateId;

/// What a record satisfied. Owned memory is reused from record to record; texts live in one buffer.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Rules that matched and were not suppressed, in the matcher's order.
    pub matches: Vec<Match>,
    /// Matches that exceptions suppressed.
    pub suppressed: Vec<Suppressed>,
    /// What satisfied the rules: [`Match::on`] points into it.
    pub on: Vec<Satisfied>,
    /// Analyst fields of the matched rules: index into
    /// [`Matcher::context_names`](crate::Matcher::context_names) and a JSON value, whose strings may hold
    /// bytes that are not UTF-8 if the record does.
    pub context: Vec<(usize, Range<usize>)>,
    /// When, who, against whom, where: filled only if the caller asked for it.
    pub summary: Option<SummaryTexts>,
    pub(crate) text: Vec<u8>,
}

/// One rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Index into [`Matcher::rules`](crate::Matcher::rules).
    pub rule: usize,
    /// What satisfied it, as a range of [`Verdict::on`].
    pub on: Range<usize>,
}

/// One predicate that held, and the value that satisfied it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satisfied {
    /// The predicate: see [`Matcher::predicate`](crate::Matcher::predicate).
    pub predicate: PredicateId,
    /// The value's text in the verdict's buffer: see [`Verdict::text`].
    pub value: Range<usize>,
}

/// A match that was suppressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// Index into [`Matcher::rules`](crate::Matcher::rules).
    pub rule: usize,
    /// Index into [`Matcher::exceptions`](crate::Matcher::exceptions).
    pub exception: usize,
}

/// What a hunter wants to see first; texts, in the verdict's buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryTexts {
    /// When it happened, as the record says.
    pub time: Option<Range<usize>>,
    /// Who did it.
    pub who: Option<Range<usize>>,
    /// Against whom: all of them.
    pub whom: Vec<Range<usize>>,
    /// Where: a conversation.
    pub place: Option<Range<usize>>,
}

impl Verdict {
    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        self.matches.clear();
        self.suppressed.clear();
        self.on.clear();
        self.context.clear();
        self.summary = None;
        self.text.clear();
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.matches.is_empty() && self.suppressed.is_empty()
    }

    /// A text of this verdict. Not always UTF-8: records may hold any bytes.
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.text[range.clone()]
    }

    /// All texts, one after another.
    pub fn texts(&self) -> &[u8] {
        &self.text
    }

    /// The indexes of the rules that matched.
    pub fn rules(&self) -> impl Iterator<Item = usize> + '_ {
        self.matches.iter().map(|found| found.rule)
    }
}
