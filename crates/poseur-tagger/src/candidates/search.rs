//! The search for any of a set of literals: the way that is cheapest for as many as there are.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr, memchr_iter, memrchr};

use super::grams::{self, Grams};
use super::pairs::{self, Hit, Outcome, Pair};

/// `packed` takes at most this many patterns.
const MOST_PACKED: usize = 64;

/// A search, which numbers the literals in the order in which they were given.
#[derive(Debug, Clone)]
pub enum Search {
    /// Every place is a hit.
    All,
    /// No place is.
    None,
    /// A few literals, and lines counted in the same pass.
    Pairs(Vec<Pair>),
    /// Many literals: the very short ones by pairs, which lets the stride of the others be long.
    Grams(Vec<Pair>, Grams),
    /// Vector search for some, where there are no pairs.
    Packed(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Search {
    /// For literals in the order of their lengths, the shortest first.
    pub fn new(literals: &[String]) -> Search {
        if literals.len() <= pairs::MOST && pairs::available() {
            return Search::Pairs(literals.iter().map(|literal| Pair::new(literal)).collect());
        }
        let fits = |literal: &String| literal.len() >= Grams::SHORTEST && !literal.contains('\n');
        if pairs::available() && literals.iter().all(fits) {
            // A pair takes about as long as an eighth of a gram at every byte. So pairs are for
            // the escape, and for what is so short that grams would have to be looked at everywhere.
            let cost = |pairs: usize| 1000 * pairs / 8 + 1000 / grams::stride(&literals[pairs..]);
            let few = (1..=pairs::MOST).min_by_key(|&pairs| cost(pairs));
            let (short, long) = literals.split_at(few.unwrap_or(pairs::MOST));
            let pairs = short.iter().map(|literal| Pair::new(literal));
            return Search::Grams(pairs.collect(), Grams::new(long));
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

    /// One word for the way the search is done, for people who tune.
    pub fn method(&self) -> &'static str {
        match self {
            Search::All => "every record",
            Search::None => "no record",
            Search::Pairs(_) => "pairs of bytes",
            Search::Grams(..) => "grams",
            Search::Packed(_) => "packed",
            Search::Automaton(_) => "automaton",
        }
    }

    /// Where a literal is, at or after `from`, in the first line that has one; and how many line
    /// feeds come before that place.
    #[inline]
    pub fn find(&self, buffer: &[u8], from: usize) -> Outcome {
        let rest = buffer.get(from..).unwrap_or_default();
        let hit = match self {
            Search::Pairs(pairs) if !rest.is_empty() => return pairs::find(pairs, buffer, from),
            Search::Grams(pairs, grams) => return find_in_blocks(pairs, grams, buffer, from),
            Search::Pairs(_) | Search::None => None,
            Search::All => (!rest.is_empty()).then_some((0, 0)),
            Search::Packed(searcher) => searcher
                .find(rest)
                .map(|hit| (hit.start(), hit.pattern().as_usize())),
            Search::Automaton(automaton) => automaton
                .find(rest)
                .map(|hit| (hit.start(), hit.pattern().as_usize())),
        };
        let passed = &rest[..hit.map_or(rest.len(), |(at, _)| at)];
        Outcome {
            hit: hit.map(|(at, literal)| Hit {
                at: from + at,
                literal,
            }),
            lines: memchr_iter(b'\n', passed).count() as u64,
        }
    }
}

/// The first and the largest number of bytes that are searched for the one kind of literals and then
/// for the other: what was read once is then still at hand, and little is read in vain where hits are
/// near each other.
pub const BLOCKS: [usize; 2] = [4 << 10, 32 << 10];

fn find_in_blocks(pairs: &[Pair], grams: &Grams, buffer: &[u8], from: usize) -> Outcome {
    let (mut at, mut lines, mut size) = (from, 0, BLOCKS[0]);
    while at < buffer.len() {
        // Whole lines: no literal holds a line feed, so none is cut.
        let end = at + size.min(buffer.len() - at);
        let end = match memrchr(b'\n', &buffer[at..end]) {
            Some(feed) => at + feed + 1,
            None => memchr(b'\n', &buffer[end..]).map_or(buffer.len(), |feed| end + feed + 1),
        };
        let hit = grams.find(&buffer[..end], at).map(|hit| Hit {
            literal: pairs.len() + hit.literal,
            ..hit
        });
        // Whatever of the pairs this cuts off is in the same line as the hit.
        let first = pairs::find(pairs, &buffer[..hit.map_or(end, |hit| hit.at)], at);
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
