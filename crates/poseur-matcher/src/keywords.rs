//! Keywords that a text may hold: all of a field's are looked for together.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use memchr::memmem::Finder;
use poseur_rule::model::Case;

use crate::bits::Bits;

/// A few keywords in any letter case are found fastest one by one, by vector search in a folded
/// copy: on the recipients of MessageEvents rows (400 bytes, six keywords) the automaton took four
/// times as long.
const FEW: usize = 8;

/// Size of the folded copy, which is on the stack and moves along long texts.
const WINDOW: usize = 512;

/// Keywords, each with the number of its predicate.
#[derive(Debug, Clone, Default)]
pub struct Keywords {
    words: Vec<(String, u32)>,
    search: Search,
}

#[derive(Debug, Clone, Default)]
enum Search {
    #[default]
    Nothing,
    /// In any letter case, one by one; the words are folded.
    Few {
        finders: Vec<Finder<'static>>,
        longest: usize,
    },
    /// All in one pass.
    Many(AhoCorasick),
}

/// The keywords of one field are too many, or too long, for one search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keywords of one field are too many for one search: {0}")]
pub struct TooManyKeywords(String);

impl Keywords {
    /// Adds a keyword under a number. Call [`Keywords::finish`] before use.
    pub fn add(&mut self, word: &str, bit: u32) {
        self.words.push((word.to_owned(), bit));
    }

    /// Builds the search.
    ///
    /// # Errors
    /// If there are too many keywords.
    pub fn finish(&mut self, case: Case) -> Result<(), TooManyKeywords> {
        let longest = self.words.iter().map(|(word, _)| word.len()).max();
        self.search = match longest {
            None => Search::Nothing,
            Some(longest)
                if case == Case::Ascii && self.words.len() <= FEW && longest <= WINDOW / 4 =>
            {
                let folded = self.words.iter().map(|(word, _)| word.to_ascii_lowercase());
                Search::Few {
                    finders: folded
                        .map(|word| Finder::new(word.as_bytes()).into_owned())
                        .collect(),
                    longest,
                }
            }
            Some(_) => {
                let search = AhoCorasick::builder()
                    .ascii_case_insensitive(case == Case::Ascii)
                    // Log values are short: a search without set-up cost beats one with prefilters.
                    .prefilter(false)
                    .kind((self.words.len() < 200).then_some(AhoCorasickKind::DFA))
                    .build(self.words.iter().map(|(word, _)| word));
                Search::Many(search.map_err(|error| TooManyKeywords(error.to_string()))?)
            }
        };
        Ok(())
    }

    /// Sets the bits of all keywords that the text holds.
    #[inline]
    pub fn test(&self, text: &[u8], bits: &mut Bits) {
        if !matches!(self.search, Search::Nothing) {
            self.search(text, bits);
        }
    }

    fn search(&self, text: &[u8], bits: &mut Bits) {
        match &self.search {
            Search::Nothing => {}
            Search::Few { finders, longest } => self.test_few(finders, *longest, text, bits),
            Search::Many(search) => {
                // Overlapping: one keyword may stand inside another.
                for hit in search.find_overlapping_iter(text) {
                    bits.set(self.words[hit.pattern().as_usize()].1);
                }
            }
        }
    }

    /// Visits every place where a keyword stands, overlapping ones too: its number, the place. A place
    /// may be visited twice.
    pub fn each_hit(&self, text: &[u8], visit: &mut dyn FnMut(u32, Range<usize>)) {
        match &self.search {
            Search::Nothing => {}
            Search::Few { finders, longest } => each_window(text, *longest, &mut |from, folded| {
                for (finder, &(_, bit)) in finders.iter().zip(&self.words) {
                    let length = finder.needle().len();
                    let mut at = 0;
                    while let Some(hit) = folded.get(at..).and_then(|rest| finder.find(rest)) {
                        let start = from + at + hit;
                        visit(bit, start..start + length);
                        at += hit + 1;
                    }
                }
            }),
            Search::Many(search) => {
                for hit in search.find_overlapping_iter(text) {
                    visit(self.words[hit.pattern().as_usize()].1, hit.range());
                }
            }
        }
    }

    fn test_few(&self, finders: &[Finder<'_>], longest: usize, text: &[u8], bits: &mut Bits) {
        each_window(text, longest, &mut |_, folded| {
            for (finder, &(_, bit)) in finders.iter().zip(&self.words) {
                if !bits.has(bit) && finder.find(folded).is_some() {
                    bits.set(bit);
                }
            }
        });
    }
}

/// Visits a text in folded pieces, each with its place. They overlap, so that no keyword is cut by
/// every one of them.
#[inline(always)]
fn each_window(text: &[u8], longest: usize, visit: &mut impl FnMut(usize, &[u8])) {
    let mut window = [0; WINDOW];
    let mut from = 0;
    loop {
        let part = &text[from..text.len().min(from + WINDOW)];
        let folded = &mut window[..part.len()];
        folded.copy_from_slice(part);
        folded.make_ascii_lowercase();
        visit(from, folded);
        if from + part.len() == text.len() {
            return;
        }
        from += WINDOW - longest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::contains;

    #[test]
    fn agrees_with_looking_for_each_word() {
        let words = ["help", "desk", "it", "support", "ab", "aB", "", "é"];
        let padding = |length: usize| "Xy".repeat(length / 2);
        let mut texts: Vec<String> = [
            "", "i", "HELPdesk", "hel", "h e l p", "IT", "AbAb", "É", "é", "\u{130}t", "supporT",
        ]
        .map(str::to_owned)
        .into();
        // Words at every place around the ends of windows.
        for before in (WINDOW - 20..WINDOW + 20).chain(2 * WINDOW - 20..2 * WINDOW + 10) {
            texts.push(format!("{}HeLp{}", padding(before), padding(30)));
            texts.push(format!("{}supportdesk", padding(before)));
        }
        for case in [Case::Exact, Case::Ascii] {
            for count in [1, 3, 8] {
                let mut keywords = Keywords::default();
                for (bit, word) in words[..count].iter().enumerate() {
                    keywords.add(word, bit as u32);
                }
                keywords.finish(case).unwrap();
                for text in &texts {
                    let mut bits = Bits::default();
                    bits.reset(8);
                    keywords.test(text.as_bytes(), &mut bits);
                    for (bit, word) in words[..count].iter().enumerate() {
                        let expected = contains(text.as_bytes(), word.as_bytes(), case);
                        assert_eq!(bits.has(bit as u32), expected, "{word} in {text:?}");
                    }
                }
            }
        }
    }
}
