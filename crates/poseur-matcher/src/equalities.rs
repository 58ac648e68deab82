//! Whole texts that a value may be: a few are compared one by one, many are looked up.

use std::collections::HashMap;

use poseur_rule::model::Case;

use crate::bits::Bits;
use crate::pattern;

/// So many comparisons cost no more than one look-up.
const FEW: usize = 8;

/// Longer texts are compared one by one, because a value is folded on the stack to be looked up.
const LONGEST: usize = 256;

/// The equalities of one field, each with the number of its predicate.
#[derive(Debug, Clone, Default)]
pub struct Equalities {
    /// Compared one by one.
    list: Vec<(Box<[u8]>, Case, u32)>,
    exact: Table,
    folded: Table,
}

/// Texts to look up.
#[derive(Debug, Clone, Default)]
struct Table {
    /// Bit `n % 64` is set if a text of length `n` is in it: most values are told apart by that.
    lengths: u64,
    texts: HashMap<Box<[u8]>, Vec<u32>>,
}

impl Equalities {
    /// Adds a text under a number. Call [`Equalities::finish`] before use.
    pub fn add(&mut self, text: &str, case: Case, bit: u32) {
        self.list.push((text.as_bytes().into(), case, bit));
    }

    /// Builds the tables.
    pub fn finish(&mut self) {
        for case in [Case::Exact, Case::Ascii] {
            let short =
                |(text, of, _): &&(Box<[u8]>, Case, u32)| *of == case && text.len() <= LONGEST;
            if self.list.iter().filter(short).count() <= FEW {
                continue;
            }
            let table = match case {
                Case::Exact => &mut self.exact,
                Case::Ascii => &mut self.folded,
            };
            self.list.retain(|entry| {
                if !short(&entry) {
                    return true;
                }
                let (text, _, bit) = entry;
                table.lengths |= 1 << (text.len() % 64);
                let key = match case {
                    Case::Exact => text.clone(),
                    Case::Ascii => text.to_ascii_lowercase().into(),
                };
                table.texts.entry(key).or_default().push(*bit);
                false
            });
        }
    }

    /// Sets the bits of all equalities with a text.
    #[inline]
    pub fn test(&self, text: &[u8], bits: &mut Bits) {
        for (known, case, bit) in &self.list {
            if pattern::equal(text, known, *case) {
                bits.set(*bit);
            }
        }
        if self.exact.may_hold(text) {
            self.exact.test(text, bits);
        }
        if self.folded.may_hold(text) && text.len() <= LONGEST {
            let mut folded = [0; LONGEST];
            let folded = &mut folded[..text.len()];
            folded.copy_from_slice(text);
            folded.make_ascii_lowercase();
            self.folded.test(folded, bits);
        }
    }
}

impl Table {
    #[inline]
    fn may_hold(&self, text: &[u8]) -> bool {
        self.lengths >> (text.len() % 64) & 1 == 1
    }

    fn test(&self, text: &[u8], bits: &mut Bits) {
        for &bit in self.texts.get(text).into_iter().flatten() {
            bits.set(bit);
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
