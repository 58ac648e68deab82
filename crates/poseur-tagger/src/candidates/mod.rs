//! The candidate search: which lines of a buffer can match at all.
//!
//! The matcher names literals of which every matching record contains one (its *witnesses*). They
//! are searched for in whole buffers; the stretches between hits are passed on unseen. A JSON
//! record can spell any ASCII character as `\u00xx`, so that escape is always searched for too.

mod pairs;

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};

pub use self::pairs::Outcome;
use self::pairs::Pair;

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
    /// A few literals, and lines counted in the same pass.
    Pairs(Vec<Pair>),
    /// Vector search for some more: five times as fast as the automaton for them.
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

    /// What is searched for; empty if every record, or none, is a candidate.
    pub fn literals(&self) -> &[String] {
        &self.literals
    }

    /// One word for the way the search is done, for people who tune.
    pub fn method(&self) -> &'static str {
        match self.search {
            Search::All => "every record",
            Search::None => "no record",
            Search::Pairs(_) => "pairs of bytes",
            Search::Packed(_) => "packed",
            Search::Automaton(_) => "automaton",
        }
    }

    /// Where the next candidate at or after `from` is (the position of any of its bytes), and how
    /// many line feeds come before that place.
    #[inline]
    pub fn next(&self, buffer: &[u8], from: usize) -> Outcome {
        let rest = buffer.get(from..).unwrap_or_default();
        let hit = match &self.search {
            Search::Pairs(pairs) if !rest.is_empty() => return pairs::find(pairs, buffer, from),
            Search::Pairs(_) | Search::None => None,
            Search::All => (!rest.is_empty()).then_some(0),
            Search::Packed(searcher) => searcher.find(rest).map(|hit| hit.start()),
            Search::Automaton(automaton) => automaton.find(rest).map(|hit| hit.start()),
        };
        let passed = &rest[..hit.unwrap_or(rest.len())];
        Outcome {
            hit: hit.map(|at| from + at),
            lines: memchr::memchr_iter(b'\n', passed).count() as u64,
        }
    }
}

impl Search {
    fn new(literals: &[String]) -> Search {
        if literals.len() <= pairs::MOST && pairs::available() {
            return Search::Pairs(literals.iter().map(|literal| Pair::new(literal)).collect());
        }
        if literals.len() <= MOST_PACKED {
            let mut builder = packed::Config::new().builder();
            builder.extend(literals);
            // `None` where the processor has no vectors for it.
            if let Some(searcher) = builder.build() {
                return Search::Packed(searcher);
            }
        }
        match AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(literals)
        {
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
            assert_eq!(search.next(text.as_bytes(), 0).hit, expected, "{text}");
        }
        assert_eq!(search.next(b"ChatCreated", 1).hit, None);
        assert_eq!(search.next(b"ChatCreated", 99).hit, None);
        assert_eq!(Candidates::all().next(b"abc", 2).hit, Some(2));
        assert_eq!(Candidates::all().next(b"abc", 3).hit, None);
        let none = Candidates::new(Some(vec![])).next(b"a\nb\nc", 1);
        assert_eq!((none.hit, none.lines), (None, 2));
    }

    #[test]
    fn many_literals_are_all_found() {
        let literals: Vec<String> = (0..500).map(|n| format!("literal-{n:03}-")).collect();
        let search = Candidates::new(Some(literals.clone()));
        assert_eq!(search.method(), "automaton");
        for literal in literals {
            let outcome = search.next(format!(".\n{literal}").as_bytes(), 0);
            assert_eq!((outcome.hit, outcome.lines), (Some(2), 1));
        }
    }
}
