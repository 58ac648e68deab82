//! Kusto's terms: texts that must not touch other letters or digits where they stand.

use poseur_rule::model::Case;

use crate::bits::Bits;
use crate::keywords::{Keywords, TooManyKeywords};

/// The terms of one field in one letter case, each with the number of its predicate.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    search: Keywords,
    terms: Vec<Term>,
}

/// What is asked of the places where a term stands.
#[derive(Debug, Clone)]
struct Term {
    bit: u32,
    /// The character before it must not be alphanumeric.
    start: bool,
    /// The character after it must not be.
    end: bool,
}

impl Terms {
    /// Adds a term, which is not empty, under a number. Call [`Terms::finish`] before use.
    pub fn add(&mut self, text: &str, start: bool, end: bool, bit: u32) {
        let first = text.chars().next().is_some_and(char::is_alphanumeric);
        let last = text.chars().next_back().is_some_and(char::is_alphanumeric);
        self.search.add(text, self.terms.len() as u32);
        self.terms.push(Term {
            bit,
            start: start && first,
            end: end && last,
        });
    }

    /// Builds the search.
    ///
    /// # Errors
    /// If there are too many terms.
    pub fn finish(&mut self, case: Case) -> Result<(), TooManyKeywords> {
        self.search.finish(case)
    }

    /// Sets the bits of all terms that the text has.
    pub fn test(&self, text: &[u8], bits: &mut Bits) {
        self.search.each_hit(text, &mut |number, hit| {
            let term = &self.terms[number as usize];
            if !(term.start && ends_alphanumeric(&text[..hit.start])
                || term.end && starts_alphanumeric(&text[hit.end..]))
            {
                bits.set(term.bit);
            }
        });
    }
}

/// Whether a text has a term.
pub fn has(text: &[u8], term: &str, case: Case, start: bool, end: bool) -> bool {
    let first = term.chars().next().is_some_and(char::is_alphanumeric);
    let last = term.chars().next_back().is_some_and(char::is_alphanumeric);
    let length = term.len();
    (0..(text.len() + 1).saturating_sub(length)).any(|at| {
        crate::pattern::equal(&text[at..at + length], term.as_bytes(), case)
            && !(start && first && ends_alphanumeric(&text[..at]))
            && !(end && last && starts_alphanumeric(&text[at + length..]))
    })
}

/// Whether the first character is a letter or a digit. Bytes that are not UTF-8 are none.
fn starts_alphanumeric(text: &[u8]) -> bool {
    let head = &text[..text.len().min(4)];
    let character = head.utf8_chunks().next();
    let character = character.and_then(|chunk| chunk.valid().chars().next());
    character.is_some_and(char::is_alphanumeric)
}

/// Whether the last character is a letter or a digit.
fn ends_alphanumeric(text: &[u8]) -> bool {
    let tail = &text[text.len().saturating_sub(4)..];
    let Some(chunk) = tail.utf8_chunks().last() else {
        return false;
    };
    let last = chunk.valid().chars().next_back();
    chunk.invalid().is_empty() && last.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for (text, term, start, end, expected) in [
            ("help desk", "help", true, true, true),
            ("helpdesk", "help", true, true, false),
            ("helpdesk", "help", true, false, true),
            ("ithelp", "help", false, true, true),
            ("ithelp", "help", true, false, false),
            ("helpdesk help", "help", true, true, true),
            ("a_help", "help", true, true, true),
            ("éhelp", "help", true, true, false),
            ("help٣", "help", true, true, false),
            ("help–", "help", true, true, true),
            ("x@y", "@", true, true, true),
            ("x@y", "@y", true, true, true),
            ("x@yz", "@y", true, true, false),
            ("aaaa aa", "aa", true, true, true),
            ("aaaa", "aa", true, false, true),
            ("HELP", "help", true, true, true),
            ("", "help", true, true, false),
        ] {
            let mut terms = Terms::default();
            terms.add(term, start, end, 0);
            terms.finish(Case::Ascii).unwrap();
            let mut bits = Bits::default();
            bits.reset(1);
            terms.test(text.as_bytes(), &mut bits);
            assert_eq!(bits.has(0), expected, "{term} in {text}");
            assert_eq!(
                has(text.as_bytes(), term, Case::Ascii, start, end),
                expected
            );
        }
    }

    /// Many texts around windows and characters, few and many terms, against [`has`].
    #[test]
    fn agrees_with_trying_every_place() {
        let words = [
            "aa", "a", "é", "aé", "-a", "a-", "--", "it", "IT", "ba", "ab", "éa",
        ];
        let pieces = ["a", "é", "-", "b", "\u{FFFD}", "it", "I"];
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for a in pieces {
            for b in pieces {
                for c in pieces {
                    for d in pieces {
                        texts.push([a, b, c, d].concat().into_bytes());
                    }
                }
            }
        }
        texts.push(b"a\xffa\xc3".to_vec());
        texts.push(b"\xa9a \xe2\x82a".to_vec());
        for before in 500..520 {
            texts.push(format!("{}aé it", "-".repeat(before)).into_bytes());
            texts.push(format!("{}aaé", "é".repeat(before / 2)).into_bytes());
        }
        for case in [Case::Exact, Case::Ascii] {
            for count in [1, 3, words.len()] {
                for (start, end) in [(true, true), (true, false), (false, true)] {
                    let mut terms = Terms::default();
                    for (bit, word) in words[..count].iter().enumerate() {
                        terms.add(word, start, end, bit as u32);
                    }
                    terms.finish(case).unwrap();
                    let mut bits = Bits::default();
                    for text in &texts {
                        bits.reset(count);
                        terms.test(text, &mut bits);
                        for (bit, word) in words[..count].iter().enumerate() {
                            let expected = has(text, word, case, start, end);
                            assert_eq!(bits.has(bit as u32), expected, "{word} {text:?}");
                        }
                    }
                }
            }
        }
    }
}
