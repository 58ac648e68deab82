//! The candidate search: which lines of a buffer can match at all.
//!
//! The matcher names literals of which every matching record contains one (its *witnesses*). They
//! are searched for in whole buffers; the stretches between hits are passed on unseen. A JSON
//! record can spell any ASCII character as `\u00xx`, so that escape is always searched for too.

mod grams;
mod pairs;

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr, memchr_iter, memrchr};

use self::grams::Grams;
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
    /// Many literals: the very short ones by pairs, which lets the stride of the others be long.
    Grams(Vec<Pair>, Grams),
    /// Vector search for some, where there are no pairs.
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
            Search::Grams(..) => "grams",
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
            Search::Grams(pairs, grams) => return find_in_blocks(pairs, grams, buffer, from),
            Search::Pairs(_) | Search::None => None,
            Search::All => (!rest.is_empty()).then_some(0),
            Search::Packed(searcher) => searcher.find(rest).map(|hit| hit.start()),
            Search::Automaton(automaton) => automaton.find(rest).map(|hit| hit.start()),
        };
        let passed = &rest[..hit.unwrap_or(rest.len())];
        Outcome {
            hit: hit.map(|at| from + at),
            lines: memchr_iter(b'\n', passed).count() as u64,
        }
    }
}

/// The first and the largest number of bytes that are searched for the one kind of literals and then
/// for the other: what was read once is then still at hand, and little is read in vain where hits are
/// near each other.
const BLOCKS: [usize; 2] = [4 << 10, 32 << 10];

fn find_in_blocks(pairs: &[Pair], grams: &Grams, buffer: &[u8], from: usize) -> Outcome {
    let (mut at, mut lines, mut size) = (from, 0, BLOCKS[0]);
    while at < buffer.len() {
        // Whole lines: no literal holds a line feed, so none is cut.
        let end = at + size.min(buffer.len() - at);
        let end = match memrchr(b'\n', &buffer[at..end]) {
            Some(feed) => at + feed + 1,
            None => memchr(b'\n', &buffer[end..]).map_or(buffer.len(), |feed| end + feed + 1),
        };
        let hit = grams.find(&buffer[..end], at);
        // Whatever of the pairs this cuts off is in the same line as the hit.
        let first = pairs::find(pairs, &buffer[..hit.unwrap_or(end)], at);
        lines += first.lines;
        let hit = first.hit.or(hit);
        if hit.is_some() {
            return Outcome { hit, lines };
        }
        at = end;
        size = (size * 2).min(BLOCKS[1]);
    }
    Outcome { hit: None, lines }
}

impl Search {
    fn new(literals: &[String]) -> Search {
        if literals.len() <= pairs::MOST && pairs::available() {
            return Search::Pairs(literals.iter().map(|literal| Pair::new(literal)).collect());
        }
        let fits = |literal: &String| literal.len() >= Grams::SHORTEST && !literal.contains('\n');
        if pairs::available() && literals.iter().all(fits) {
            let mut literals = literals.to_vec();
            literals.sort_by_key(String::len);
            // A pair takes about as long as an eighth of a gram at every byte. So pairs are for
            // the escape, and for what is so short that grams would have to be looked at everywhere.
            let cost = |pairs: usize| 1000 * pairs / 8 + 1000 / grams::stride(&literals[pairs..]);
            let few = (1..=pairs::MOST).min_by_key(|&pairs| cost(pairs));
            let long = literals.split_off(few.unwrap_or(pairs::MOST));
            let pairs = literals.iter().map(|literal| Pair::new(literal));
            return Search::Grams(pairs.collect(), Grams::new(&long));
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
    use proptest::prelude::*;

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
        for count in [5, 60, 500] {
            let literals: Vec<String> = (0..count).map(|n| format!("literal-{n:03}-")).collect();
            let search = Candidates::new(Some(literals.clone()));
            for literal in literals {
                let outcome = search.next(format!(".\n{literal}").as_bytes(), 0);
                assert_eq!((outcome.hit, outcome.lines), (Some(2), 1));
            }
        }
    }

    #[test]
    fn lines_are_counted_across_blocks() {
        let literals = ["Alpha", "Beta", "Gamma", "DeltaDelta", "EpsilonEpsilon"];
        let search = Candidates::new(Some(literals.map(str::to_owned).into()));
        // Lines of all lengths around the sizes of blocks, and one longer than any.
        for length in [
            10,
            700,
            BLOCKS[0] - 1,
            BLOCKS[0],
            BLOCKS[1] + 3,
            3 * BLOCKS[1],
        ] {
            for literal in literals.into_iter().chain([r"\u0041"]) {
                let line = "x".repeat(length) + "\n";
                let mut text = line.repeat(7).into_bytes();
                text.extend_from_slice(literal.as_bytes());
                text.extend_from_slice(line.as_bytes());
                let outcome = search.next(&text, 0);
                let lines = memchr_iter(b'\n', &text[..outcome.hit.unwrap()]).count() as u64;
                assert_eq!(
                    (outcome.hit, lines),
                    (Some(7 * line.len()), 7),
                    "{literal} {length}"
                );
                let after = search.next(&text, 7 * line.len() + 1);
                assert_eq!((after.hit, after.lines), (None, 1), "{literal} {length}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]
        #[test]
        fn agrees_with_looking_at_every_line(
            lines in proptest::collection::vec((0..700_usize, 0..30_usize), 0..60),
        ) {
            // The fifth is so short that it is searched for by a pair.
            let literals = ["DeltaDelta", "EpsilonEpsilon", "ThetaTheta", "OmegaOmega", "Beta", ESCAPE];
            let search = Candidates::new(Some(literals[..5].iter().map(|&text| text.to_owned()).collect()));
            let holds = |line: &str| literals.iter().any(|literal| line.contains(literal));
            let text: String = lines
                .iter()
                .map(|&(length, which)| {
                    let literal = literals.get(which).unwrap_or(&"");
                    format!("{}{literal}{}\n", "Del".repeat(length), "\\u".repeat(length % 7))
                })
                .collect();
            let mut from = 0;
            loop {
                let mut passed = 0;
                let mut rest = text[from..].split_inclusive('\n');
                let expected = rest.find(|line| {
                    passed += u64::from(!holds(line));
                    holds(line)
                });
                let found = search.next(text.as_bytes(), from);
                prop_assert_eq!(found.lines, passed);
                let held = found.hit.map(|hit| {
                    let start = text[..hit].rfind('\n').map_or(0, |feed| feed + 1);
                    text[start..].split_inclusive('\n').next().unwrap_or_default()
                });
                prop_assert_eq!(held, expected);
                let Some(hit) = found.hit else { break };
                from = hit + text[hit..].find('\n').map_or(0, |feed| feed + 1);
            }
        }
    }
}
