//! Tables by text, for texts that are compared with or without regard to letter case.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by the [`hash`] of a text. What is found must still be compared: texts may share a hash.
pub type ByHash<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// The same for texts that differ only in the case of ASCII letters. Not meant to withstand texts made
/// to collide: tables hold the texts of rules, and a record can only cause a comparison in vain.
#[inline]
pub fn hash(text: &[u8]) -> u64 {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ (word | FOLD)).wrapping_mul(MIX);
    let (words, rest) = text.as_chunks::<8>();
    let mut hash = text.len() as u64;
    for word in words {
        hash = mix(hash, u64::from_le_bytes(*word));
    }
    let rest = rest
        .iter()
        .fold(0, |rest, &byte| rest << 8 | u64::from(byte));
    hash = mix(hash, rest);
    hash ^ hash >> 32
}

/// Takes a number for its own hash.
#[derive(Debug, Clone, Copy, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|&byte| self.0 = self.0 << 8 | u64::from(byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_does_not_count_and_all_else_does() {
        for (one, other) in [
            ("", ""),
            ("Help", "hELP"),
            ("ChatCreated, all of it", "CHATCREATED, ALL OF IT"),
        ] {
            assert_eq!(hash(one.as_bytes()), hash(other.as_bytes()));
        }
        let texts: Vec<String> = (0..20_000).map(|n| format!("some text {n}")).collect();
        let mut hashes: Vec<u64> = texts.iter().map(|text| hash(text.as_bytes())).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len());
    }
}
