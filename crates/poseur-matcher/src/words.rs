//! Elasticsearch's `text` fields: texts as words, the way its standard analyzer divides them.

use std::collections::HashMap;

use poseur_rule::model::{Case, Part, Pattern, Words};
use unicode_segmentation::UnicodeSegmentation;

use crate::bits::Bits;
use crate::pattern;

/// Longer words are cut into pieces of so many characters.
const LONGEST: usize = 255;

/// What is asked of the words of one field, each with the number of its predicate.
#[derive(Debug, Clone, Default)]
pub struct WordTests {
    any: HashMap<String, Vec<u32>>,
    phrases: Vec<(Vec<String>, u32)>,
    fits: Vec<(Pattern, u32)>,
}

impl WordTests {
    /// Adds a test under a number.
    pub fn add(&mut self, words: &Words, bit: u32) {
        match words {
            Words::Any(text) => {
                for word in words_of(text.as_bytes()) {
                    self.any.entry(word).or_default().push(bit);
                }
            }
            Words::Phrase(text) => {
                let words = words_of(text.as_bytes());
                if !words.is_empty() {
                    self.phrases.push((words, bit));
                }
            }
            Words::Fits(pattern) => {
                let parts = pattern.parts().iter().map(|part| match part {
                    Part::Literal(text) => Part::Literal(lower(text)),
                    part => part.clone(),
                });
                self.fits.push((Pattern::new(parts), bit));
            }
        }
    }

    /// Sets the bits of all tests that the words of a text satisfy.
    pub fn test(&self, text: &[u8], bits: &mut Bits) {
        if self.any.is_empty() && self.phrases.is_empty() && self.fits.is_empty() {
            return;
        }
        let words = words_of(text);
        for word in &words {
            for &bit in self.any.get(word).into_iter().flatten() {
                bits.set(bit);
            }
            for (pattern, bit) in &self.fits {
                if !bits.has(*bit) && pattern::fits(pattern, Case::Exact, word.as_bytes()) {
                    bits.set(*bit);
                }
            }
        }
        for (phrase, bit) in &self.phrases {
            if words.windows(phrase.len()).any(|row| row == phrase) {
                bits.set(*bit);
            }
        }
    }
}

/// The words of a text, in lower case. Bytes that are not UTF-8 stand between words.
fn words_of(text: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    for chunk in text.utf8_chunks() {
        for word in chunk.valid().unicode_words() {
            let mut rest = word;
            while let Some((cut, _)) = rest.char_indices().nth(LONGEST) {
                words.push(lower(&rest[..cut]));
                rest = &rest[cut..];
            }
            words.push(lower(rest));
        }
    }
    words
}

/// Lower case, character by character.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides() {
        for (text, expected) in [
            ("", &[][..]),
            (" -- !", &[]),
            ("Help-Desk", &["help", "desk"]),
            (
                "IT's user_name 3.14 a.b",
                &["it's", "user_name", "3.14", "a.b"],
            ),
            ("C:\\Windows\\cmd.exe /c", &["c", "windows", "cmd.exe", "c"]),
            ("Ελλάς ÉTÉ", &["ελλάς", "été"]),
            ("ΟΔΟΣ", &["οδοσ"]),
            ("日本", &["日", "本"]),
        ] {
            assert_eq!(words_of(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(words_of(b"a\xffb"), ["a", "b"]);
        let long = "é".repeat(600);
        let lengths: Vec<usize> = words_of(long.as_bytes())
            .iter()
            .map(|word| word.chars().count())
            .collect();
        assert_eq!(lengths, [255, 255, 90]);
    }

    #[test]
    fn table() {
        let any = |text: &str| Words::Any(text.into());
        let phrase = |text: &str| Words::Phrase(text.into());
        let fits = |parts: &[&str]| {
            Words::Fits(Pattern::new(parts.iter().map(|part| match *part {
                "*" => Part::Run,
                text => Part::Literal(text.into()),
            })))
        };
        for (words, text, expected) in [
            (any("help"), "The HELP desk", true),
            (any("nothing Help"), "the help desk", true),
            (any("hel"), "the help desk", false),
            (any("--"), "--", false),
            (any(""), "", false),
            (phrase("help desk"), "the Help, Desk!", true),
            (phrase("desk help"), "the help desk", false),
            (phrase("the desk"), "the help desk", false),
            (phrase("help desk help"), "help desk help desk help", true),
            (phrase("!"), "!", false),
            (fits(&["HE", "*"]), "the help", true),
            (fits(&["he", "*", "k"]), "help desk", false),
            (fits(&["*"]), "", false),
            (fits(&["*"]), "a", true),
        ] {
            let mut tests = WordTests::default();
            tests.add(&words, 0);
            let mut bits = Bits::default();
            bits.reset(1);
            tests.test(text.as_bytes(), &mut bits);
            assert_eq!(bits.has(0), expected, "{words:?} in {text}");
        }
    }
}
