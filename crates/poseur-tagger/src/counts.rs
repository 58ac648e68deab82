//! What a tagger has seen: the figures of a summary.

use std::ops::AddAssign;

use poseur_matcher::Verdict;
use poseur_matcher::record::Unreadable;

/// Figures of a run. They add up across threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lines read.
    pub records: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines that were looked at; the others passed unseen.
    pub candidates: u64,
    /// Records that matched at least one rule. The elements of a batch are records of their own.
    pub matched: u64,
    /// Matches: a record may match several rules.
    pub matches: u64,
    /// Matches that exceptions suppressed.
    pub suppressed: u64,
    unreadable: [u64; Unreadable::ALL.len()],
}

impl Counts {
    /// Counts a record's verdict.
    pub fn verdict(&mut self, verdict: &Verdict) {
        self.matched += u64::from(!verdict.matches.is_empty());
        self.matches += verdict.matches.len() as u64;
        self.suppressed += verdict.suppressed.len() as u64;
    }

    /// Counts a line that cannot be read.
    pub fn unreadable(&mut self, reason: Unreadable) {
        self.unreadable[reason as usize] += 1;
    }

    /// How many lines could not be read, by reason; reasons that did not occur are left out.
    pub fn unreadable_by_reason(&self) -> impl Iterator<Item = (Unreadable, u64)> + '_ {
        let counts = Unreadable::ALL.into_iter().zip(self.unreadable);
        counts.filter(|(_, count)| *count > 0)
    }

    /// How many lines could not be read.
    pub fn all_unreadable(&self) -> u64 {
        self.unreadable.iter().sum()
    }
}

impl Counts {
    /// What was seen since the figures were these.
    pub fn since(&self, before: &Counts) -> Counts {
        let mut since = *self;
        since.records -= before.records;
        since.bytes -= before.bytes;
        since.candidates -= before.candidates;
        since.matched -= before.matched;
        since.matches -= before.matches;
        since.suppressed -= before.suppressed;
        for (now, before) in since.unreadable.iter_mut().zip(before.unreadable) {
            *now -= before;
        }
        since
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.candidates += other.candidates;
        self.matched += other.matched;
        self.matches += other.matches;
        self.suppressed += other.suppressed;
        for (mine, theirs) in self.unreadable.iter_mut().zip(other.unreadable) {
            *mine += theirs;
        }
    }
}
