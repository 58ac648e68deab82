//! A search for one literal by its rarest byte, where there are no vectors.

use super::pairs::commonness;
use super::words;

/// A literal and where in it the byte stands that gives it away.
#[derive(Debug, Clone)]
pub struct Rare {
    literal: Box<[u8]>,
    offset: usize,
}

impl Rare {
    /// Chooses the byte of a literal that is not empty.
    pub fn new(literal: &str) -> Rare {
        let bytes = literal.as_bytes();
        let offset = (0..bytes.len()).min_by_key(|&at| commonness(bytes[at]));
        Rare {
            literal: bytes.into(),
            offset: offset.unwrap_or(0),
        }
    }

    /// Where the literal stands in a text, at or after `from`.
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        let byte = *self.literal.get(self.offset)?;
        let mut at = from + self.offset;
        loop {
            let place = words::find(text, byte, at)?;
            let start = place - self.offset;
            if text[start..].starts_with(&self.literal) {
                return Some(start);
            }
            at = place + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_literal_and_not_only_its_byte() {
        for (literal, offset) in [(r"\u00", 0), ("aaZa", 2)] {
            let rare = Rare::new(literal);
            assert_eq!(rare.offset, offset);
            for length in 0..80 {
                let text = r"\uZ0".repeat(length) + literal + literal;
                let text = text.as_bytes();
                let first = length * 4;
                for from in [0, first / 2, first] {
                    assert_eq!(rare.find(text, from), Some(first), "{length}");
                }
                assert_eq!(rare.find(text, first + 1), Some(first + 4));
                assert_eq!(rare.find(text, first + 5), None);
                assert_eq!(rare.find(&text[..text.len() - 5], 0), None);
            }
        }
    }
}
