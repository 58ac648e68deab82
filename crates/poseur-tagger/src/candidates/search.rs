//! The search for any of a set of literals: the way that is cheapest for as many as there are.

use aho_corasick::packed;
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::{memchr, memchr_iter, memrchr};

use super::grams::{self, Grams};
use super::pairs::{self, Hit, Outcome, Pair};
use super::rare::Rare;

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
    /// The same without vectors: the very short ones by their rarest bytes.
    Sparse(Vec<Rare>, Grams),
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
        let all_fit = literals.len() > 1 && literals.iter().all(fits);
        if pairs::available() && all_fit {
            let (short, long) = split(literals);
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
        if all_fit {
            return Search::sparse(literals);
        }
        match AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(literals)
        {
            Ok(automaton) => Search::Automaton(automaton),
            Err(_) => Search::All,
        }
    }

    /// Without vectors, for two literals or more that grams can find.
    fn sparse(literals: &[String]) -> Search {
        let (short, long) = split(literals);
        let rare = short.iter().map(|literal| Rare::new(literal));
        Search::Sparse(rare.collect(), Grams::new(long))
    }

    /// One word for the way the search is done, for people who tune.
    pub fn method(&self) -> &'static str {
        match self {
            Search::All => "every record",
            Search::None => "no record",
            Search::Pairs(_) => "pairs of bytes",
            Search::Grams(..) => "grams",
            Search::Sparse(..) => "grams and rare bytes",
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
            Search::Grams(pairs, grams) => {
                return find_in_blocks(buffer, from, |text, from| {
                    let hit = grams.find(text, from).map(|hit| after(pairs.len(), hit));
                    // Whatever of the pairs this cuts off is in the same line as the hit.
                    let end = hit.map_or(text.len(), |hit| hit.at);
                    let first = pairs::find(pairs, &text[..end], from);
                    let hit = first.hit.or(hit);
                    let lines = first.lines;
                    Outcome { hit, lines }
                });
            }
            Search::Sparse(rare, grams) => {
                return find_in_blocks(buffer, from, |text, from| {
                    let hit = find_sparsely(rare, grams, text, from);
                    let passed = &text[from..hit.map_or(text.len(), |hit| hit.at)];
                    let lines = memchr_iter(b'\n', passed).count() as u64;
                    Outcome { hit, lines }
                });
            }
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

    /// Where a literal is in a text that is one record, at or after `from`. Lines do not matter, so
    /// nobody counts them.
    pub fn find_in_record(&self, record: &[u8], from: usize) -> Option<Hit> {
        match self {
            Search::Sparse(rare, grams) => find_sparsely(rare, grams, record, from),
            _ => self.find(record, from).hit,
        }
    }
}

/// Literals, the shortest first: those that are better searched for one by one, and the others.
fn split(literals: &[String]) -> (&[String], &[String]) {
    // One by one takes about as long as an eighth of a gram at every byte. So that is for the escape,
    // and for what is so short that grams would have to be looked at everywhere.
    let cost = |few: usize| 1000 * few / 8 + 1000 / grams::stride(&literals[few..]);
    let most = pairs::MOST.min(literals.len().saturating_sub(1));
    let few = (1..=most).min_by_key(|&few| cost(few));
    literals.split_at(few.unwrap_or(0))
}

/// A hit by grams, numbered after the literals that are searched for one by one.
fn after(few: usize, hit: Hit) -> Hit {
    Hit {
        literal: few + hit.literal,
        ..hit
    }
}

fn find_sparsely(rare: &[Rare], grams: &Grams, text: &[u8], from: usize) -> Option<Hit> {
    let hit = grams.find(text, from).map(|hit| after(rare.len(), hit));
    // Whatever of the rare ones this cuts off is in the same line as the hit.
    let text = &text[..hit.map_or(text.len(), |hit| hit.at)];
    let rare = rare.iter().enumerate();
    let first = rare.filter_map(|(literal, rare)| {
        let at = rare.find(text, from)?;
        Some(Hit { at, literal })
    });
    first.min_by_key(|hit| hit.at).or(hit)
}

/// The first and the largest number of bytes that are searched for the one kind of literals and then
/// for the other: what was read once is then still at hand, and little is read in vain where hits are
/// near each other.
pub const BLOCKS: [usize; 2] = [4 << 10, 32 << 10];

fn find_in_blocks(buffer: &[u8], from: usize, find: impl Fn(&[u8], usize) -> Outcome) -> Outcome {
    let (mut at, mut lines, mut size) = (from, 0, BLOCKS[0]);
    while at < buffer.len() {
        // Whole lines: no literal holds a line feed, so none is cut.
        let end = at + size.min(buffer.len() - at);
        let end = match memrchr(b'\n', &buffer[at..end]) {
            Some(feed) => at + feed + 1,
            None => memchr(b'\n', &buffer[end..]).map_or(buffer.len(), |feed| end + feed + 1),
        };
        let found = find(&buffer[..end], at);
        lines += found.lines;
        if found.hit.is_some() {
            return Outcome { lines, ..found };
        }
        at = end;
        size = (size * 2).min(BLOCKS[1]);
    }
    Outcome { hit: None, lines }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]
        #[test]
        fn the_way_without_vectors_finds_the_same_lines(
            lines in proptest::collection::vec((0..9_usize, 0..9_usize, 0..200_usize), 0..60),
        ) {
            let literals = [r"\u00", "Beta", "DeltaDelta", "EpsilonEpsilon", "ThetaTheta"].map(str::to_owned);
            let text: String = lines
                .iter()
                .map(|&(one, two, length)| {
                    let [one, two] = [one, two].map(|n| literals.get(n).map_or("", String::as_str));
                    format!("{}{one}\\{}{two}\n", "Eps\\u0".repeat(length), "Theta".repeat(length % 3))
                })
                .collect();
            let (fast, sparse) = (Search::new(&literals), Search::sparse(&literals));
            for from in 0..=text.len() {
                // Any hit of the first line that has one is a good answer.
                let [found, expected] = [&sparse, &fast].map(|search| {
                    let outcome = search.find(text.as_bytes(), from);
                    let line = outcome.hit.map(|hit| {
                        assert!(hit.at >= from && text[hit.at..].starts_with(&literals[hit.literal]));
                        text[hit.at..].find('\n').map(|feed| hit.at + feed)
                    });
                    (line, outcome.lines)
                });
                prop_assert_eq!(found, expected, "from {}", from);
                let record = text[from..].lines().next().unwrap_or_default();
                let holds = literals.iter().any(|literal| record.contains(literal));
                prop_assert_eq!(sparse.find_in_record(record.as_bytes(), 0).is_some(), holds);
                prop_assert_eq!(fast.find_in_record(record.as_bytes(), 0).is_some(), holds);
            }
        }
    }
}
