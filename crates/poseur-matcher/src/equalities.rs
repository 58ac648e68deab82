//! Whole texts that a value may be: a few are compared one by one, many are looked up.

use poseur_rule::model::Case;

use crate::bits::Bits;
use crate::hash::{ByHash, hash};
use crate::pattern;

/// So many comparisons cost no more than one look-up.
const FEW: usize = 8;

/// The equalities of one field, each with the number of its predicate.
#[derive(Debug, Clone, Default)]
pub struct Equalities {
    /// Compared one by one.
    list: Vec<Equality>,
    /// Looked up, if the list would be long.
    table: ByHash<Vec<Equality>>,
    /// Bit `n % 64` is set if a text of length `n` is in the table: most values are told apart by that.
    lengths: u64,
}

#[derive(Debug, Clone)]
struct Equality {
    text: Box<[u8]>,
    case: Case,
    bit: u32,
}

impl Equalities {
    /// Adds a text under a number. Call [`Equalities::finish`] before use.
    pub fn add(&mut self, text: &str, case: Case, bit: u32) {
        let text = text.as_bytes().into();
        self.list.push(Equality { text, case, bit });
    }

    /// Builds the table.
    pub fn finish(&mut self) {
        if self.list.len() <= FEW {
            return;
        }
        for equality in self.list.drain(..) {
            self.lengths |= 1 << (equality.text.len() % 64);
            let same = self.table.entry(hash(&equality.text)).or_default();
            same.push(equality);
        }
    }

    /// Sets the bits of all equalities with a text.
    #[inline]
    pub fn test(&self, text: &[u8], bits: &mut Bits) {
        let mut compare = |all: &[Equality]| {
            for equality in all {
                if pattern::equal(text, &equality.text, equality.case) {
                    bits.set(equality.bit);
                }
            }
        };
        compare(&self.list);
        if self.lengths >> (text.len() % 64) & 1 == 1
            && let Some(same) = self.table.get(&hash(text))
        {
            compare(same);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_comparing_each() {
        let long = "Long".repeat(100);
        let words: Vec<String> = (0..12)
            .flat_map(|n| [format!("Word{n}"), format!("word{n}"), "É".repeat(n)])
            .chain([long.clone()])
            .collect();
        let mut texts = words.clone();
        texts.extend(["WORD3", "word", "word30", "é"].map(str::to_owned));
        texts.push(long.to_uppercase());
        for count in [1, FEW, words.len()] {
            let mut equalities = Equalities::default();
            let mut plain = Vec::new();
            for (bit, word) in words[..count].iter().enumerate() {
                for (offset, case) in [Case::Exact, Case::Ascii].into_iter().enumerate() {
                    let bit = (bit * 2 + offset) as u32;
                    equalities.add(word, case, bit);
                    plain.push((word, case, bit));
                }
            }
            equalities.finish();
            for text in &texts {
                let mut bits = Bits::default();
                bits.reset(count * 2);
                equalities.test(text.as_bytes(), &mut bits);
                for (word, case, bit) in &plain {
                    let expected = pattern::equal(text.as_bytes(), word.as_bytes(), *case);
                    assert_eq!(bits.has(*bit), expected, "{text} {word} {case:?}");
                }
            }
        }
    }
}
