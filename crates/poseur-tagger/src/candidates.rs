//! The candidate search: which lines of a buffer can match at all.
//!
//! The matcher names literals of which every matching record contains one (its *witnesses*). They
//! are searched for in whole buffers; the stretches between hits are passed on unseen. A JSON
//! record can spell any ASCII character as `\u00xx`, so that escape is always searched for too.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem::Finder;

/// A record that holds this may spell a witness with escapes.
const ESCAPE: &str = r"\u00";

/// `packed` takes at most this many patterns.
const MOST_PACKED: usize = 64;

/// Finds the places where a candidate record may be.
#[derive(Debug, Clone)]
pub struct Candidates {
    search: Search,
    literals: Vec<String>,
}

#[derive(Debug, Clone)]
enum Search {
    /// Every record is a candidate.
    All,
    /// No record is.
    None,
    One(Finder<'static>),
    /// Vector search: five times as fast as the automaton for a few literals.
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Candidates {
    /// A search for records that contain a witness. `None` takes every record.
    pub fn new(witnesses: Option<Vec<String>>) -> Candidates {
        let Some(mut literals) = witnesses else {
            return Candidates::all();
        };
        if literals.is_empty() {
            return Candidates {
                search: Search::None,
                literals,
            };
        }
        literals.push(ESCAPE.to_owned());
        let search = Search::new(&literals);
        Candidates { search, literals }
    }

    /// Takes every record.
    pub fn all() -> Candidates {
        Candidates {
            search: Search::All,
            literals: Vec::new(),
        }
    }

    /// Whether every record is a candidate.
    pub fn is_all(&self) -> bool {
        matches!(self.search, Search::All)
    }

    /// What is searched for; empty if every record, or none, is a candidate.
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// One word for the way the search is done, for people who tune.
    pub fn method(&self) -> &'static str {
        match self.search {
            Search::All => "every record",
            Search::None => "no record",
            Search::One(_) => "one literal",
            Search::Packed(_) => "packed",
            Search::Automaton(_) => "automaton",
        }
    }

    /// Position of a byte of the next candidate at or after `from`.
    #[inline]
    pub fn next(&self, buffer: &[u8], from: usize) -> Option<usize> {
        let rest = buffer.get(from..).filter(|rest| !rest.is_empty())?;
        let hit = match &self.search {
            Search::All => Some(0),
            Search::None => None,
            Search::One(finder) => finder.find(rest),
            Search::Packed(searcher) => searcher.find(rest).map(|hit| hit.start()),
            Search::Automaton(automaton) => automaton.find(rest).map(|hit| hit.start()),
        };
        hit.map(|at| from + at)
    }
}

impl Search {
    fn new(literals: &[String]) -> Search {
        if let [literal] = literals {
            return Search::One(Finder::new(literal.as_bytes()).into_owned());
        }
        if literals.len() <= MOST_PACKED {
            let mut builder = packed::Config::new().builder();
            builder.extend(literals);
            // `None` where the processor has no vectors for it.
            if let Some(searcher) = builder.build() {
                return Search::Packed(searcher);
            }
        }
        match AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(literals) {
            Ok(automaton) => Search::Automaton(automaton),
            Err(_) => Search::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_witnesses_and_escapes() {
        let search = Candidates::new(Some(vec!["ChatCreated".into(), "IsExternalThread".into()]));
        for (text, expected) in [
            ("nothing here", None),
            ("xx ChatCreated", Some(3)),
            (r"Chat\u0043reated", Some(4)),
            (r"Chat\\u0043reated", Some(5)),
            ("IsExternalThread", Some(0)),
        ] {
            assert_eq!(search.next(text.as_bytes(), 0), expected, "{text}");
        }
        assert_eq!(search.next(b"ChatCreated", 1), None);
        assert_eq!(search.next(b"ChatCreated", 99), None);
        assert_eq!(Candidates::all().next(b"abc", 2), Some(2));
        assert_eq!(Candidates::all().next(b"abc", 3), None);
        assert_eq!(Candidates::new(Some(vec![])).next(b"abc", 0), None);
    }

    #[test]
    fn many_literals_are_all_found() {
        let literals: Vec<String> = (0..500).map(|n| format!("literal-{n:03}-")).collect();
        let search = Candidates::new(Some(literals.clone()));
        assert_eq!(search.method(), "automaton");
        for literal in literals {
            assert_eq!(search.next(format!("..{literal}").as_bytes(), 0), Some(2));
        }
    }
}
