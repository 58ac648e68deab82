//! A search for many literals, which takes the same time for ten as for hundreds.
//!
//! Of every literal a stretch is chosen that is long enough to hold a *gram*, four bytes, at each place
//! of a stride: then it is enough to look at one gram a stride, and wherever the literal stands, one
//! of its grams is looked at. A table says which grams are any literal's; nearly all others are
//! passed by, and behind the rest the literals themselves are compared. (The idea is Wu and Manber's, with a
//! fixed stride instead of a shift.)

use std::ops::Range;

use poseur_matcher::hash::ByHash;

use super::pairs::{Hit, commonness};

/// Bytes of a gram.
const GRAM: usize = 4;

/// Longer strides save little and take more grams of each literal.
const LONGEST_STRIDE: usize = 8;

/// Grams looked at in one round, and bytes in which they lie.
const GRAMS: usize = 8;
const ROUND: usize = 64;

/// Places of the table, as a power of two. For a hundred literals 4.9 GB/s with 14, 7.5 with 15, 8.8 with 16.
const TABLE: u32 = 16;

/// Literals of at least [`GRAM`] bytes, prepared for search.
#[derive(Debug, Clone)]
pub struct Grams {
    stride: usize,
    /// By hash: whether a gram of a literal has it.
    table: Box<[bool; 1 << TABLE]>,
    /// By gram: the literals that hold it, and where.
    holders: ByHash<Vec<(u32, u32)>>,
    literals: Box<[Box<[u8]>]>,
}

/// Bytes from one gram that is looked at to the next, if these literals are searched for.
pub fn stride(literals: &[String]) -> usize {
    let shortest = literals.iter().map(String::len).min().unwrap_or(GRAM);
    (shortest + 1).saturating_sub(GRAM).clamp(1, LONGEST_STRIDE)
}

impl Grams {
    /// The least length of a literal.
    pub const SHORTEST: usize = GRAM;

    /// Prepares literals; at least one, none shorter than [`Grams::SHORTEST`].
    pub fn new(literals: &[String]) -> Grams {
        let stride = stride(literals);
        let mut grams = Grams {
            stride,
            table: Box::new([false; 1 << TABLE]),
            holders: ByHash::default(),
            literals: literals
                .iter()
                .map(|literal| literal.as_bytes().into())
                .collect(),
        };
        for (number, literal) in literals.iter().enumerate() {
            let bytes = literal.as_bytes();
            let length = stride + GRAM - 1;
            // The rarest stretch: what is common would be compared in vain.
            let cost = |stretch: &[u8]| -> u32 {
                stretch
                    .iter()
                    .map(|&byte| u32::from(commonness(byte)))
                    .sum()
            };
            let stretches = bytes.windows(length).enumerate();
            let rarest = stretches.min_by_key(|(_, stretch)| cost(stretch));
            let Some((first, stretch)) = rarest else {
                continue;
            };
            for (at, gram) in stretch.windows(GRAM).enumerate() {
                let gram = u32::from_le_bytes([gram[0], gram[1], gram[2], gram[3]]);
                grams.table[hash(gram)] = true;
                let holders = grams.holders.entry(spread(gram)).or_default();
                holders.push((number as u32, (first + at) as u32));
            }
        }
        grams
    }

    /// Where a literal stands in `text`, at or after `from`: of those in the first line that has one.
    pub fn find(&self, text: &[u8], from: usize) -> Option<Hit> {
        // With the stride known, the loop needs no arithmetic for it.
        match self.stride {
            1 => self.find_by::<1>(text, from),
            2 => self.find_by::<2>(text, from),
            3 => self.find_by::<3>(text, from),
            4 => self.find_by::<4>(text, from),
            5 => self.find_by::<5>(text, from),
            6 => self.find_by::<6>(text, from),
            7 => self.find_by::<7>(text, from),
            _ => self.find_by::<8>(text, from),
        }
    }

    fn find_by<const STRIDE: usize>(&self, text: &[u8], from: usize) -> Option<Hit> {
        let mut at = from;
        while let Some(round) = text.get(at..).and_then(<[u8]>::first_chunk::<ROUND>) {
            // All at once, so that there is one branch for them.
            let mut any = false;
            for n in 0..GRAMS {
                any |= self.has(gram(round, n * STRIDE));
            }
            let next = at + GRAMS * STRIDE;
            if any && let Some(hit) = self.look(text, from, at..next) {
                return Some(hit);
            }
            at = next;
        }
        self.look(text, from, at..text.len().saturating_sub(GRAM - 1))
    }

    /// The same for the grams at these places, one by one.
    fn look(&self, text: &[u8], from: usize, places: Range<usize>) -> Option<Hit> {
        places.step_by(self.stride).find_map(|at| {
            let gram = gram(text, at);
            let hit = self.has(gram).then(|| self.compare(text, from, at, gram));
            hit.flatten()
        })
    }

    #[inline(always)]
    fn has(&self, gram: u32) -> bool {
        self.table[hash(gram)]
    }

    /// The start of a literal that has this gram at this place.
    #[cold]
    fn compare(&self, text: &[u8], from: usize, at: usize, gram: u32) -> Option<Hit> {
        let holders = self.holders.get(&spread(gram))?;
        holders.iter().find_map(|&(literal, offset)| {
            let start = at.checked_sub(offset as usize)?;
            let literal = literal as usize;
            let text = &text[start..];
            (start >= from && text.starts_with(&self.literals[literal]))
                .then_some(Hit { at: start, literal })
        })
    }
}

/// Taken as a stretch, so that it is one load: of single bytes the compiler makes four.
#[inline(always)]
fn gram(text: &[u8], at: usize) -> u32 {
    let gram = text.get(at..).and_then(<[u8]>::first_chunk);
    gram.map_or(0, |gram| u32::from_le_bytes(*gram))
}

/// Another number for every gram, with bits that differ throughout.
fn spread(gram: u32) -> u64 {
    u64::from(gram).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[inline(always)]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - TABLE)) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]
        #[test]
        fn agrees_with_looking_at_every_position(
            text in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), Just(b'c')], 0..120),
            literals in proptest::collection::vec("[abc]{4,14}", 1..6),
        ) {
            let grams = Grams::new(&literals);
            for from in 0..=text.len() {
                let is_hit = |at: usize| {
                    literals.iter().any(|literal| text[at..].starts_with(literal.as_bytes()))
                };
                let expected = (from..text.len()).any(is_hit);
                let found = grams.find(&text, from);
                prop_assert_eq!(found.is_some(), expected, "from {}", from);
                if let Some(Hit { at, literal }) = found {
                    prop_assert!(at >= from && text[at..].starts_with(literals[literal].as_bytes()));
                }
            }
        }
    }
}
