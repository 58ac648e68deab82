//! A search for places where one of a few short texts may stand, in any letter case.
//!
//! For each of four neighbouring bytes, two tables of sixteen entries say which texts have such a
//! lower and such an upper half there; a vector shuffle looks 64 places up at once (the idea of
//! Teddy, from Intel's Hyperscan). The one in `aho-corasick` knows no letter case, so that four
//! letters are sixteen texts to it, and has vectors of 32 bytes: on MessageEvents rows it took a
//! third of the tagger's time.

use super::vectors::{Vectors, vectors};

/// Bytes of a text that are looked at.
pub const LENGTH: usize = 4;

/// Texts are told apart up to this number of kinds: one bit of a byte each.
const KINDS: usize = 8;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct Nibbles {
    low: [[u8; 16]; LENGTH],
    high: [[u8; 16]; LENGTH],
    vectors: Vectors,
}

impl Nibbles {
    /// For texts, of which the first [`LENGTH`] bytes count; in any case if the flag says so.
    pub fn new(texts: &[(&[u8], bool)]) -> Nibbles {
        let mut nibbles = Nibbles {
            low: [[0; 16]; LENGTH],
            high: [[0; 16]; LENGTH],
            vectors: vectors(),
        };
        // Neighbours in order have most in common, so that a kind of two lets little else through.
        let mut texts = texts.to_vec();
        texts.sort_unstable();
        texts.dedup();
        for (number, (text, any_case)) in texts.iter().enumerate() {
            let kind = 1 << (number * KINDS / texts.len());
            for at in 0..LENGTH {
                let (low, high) = (&mut nibbles.low[at], &mut nibbles.high[at]);
                let Some(&byte) = text.get(at) else {
                    // A shorter text is followed by anything.
                    let all = low.iter_mut().chain(high);
                    all.for_each(|kinds| *kinds |= kind);
                    continue;
                };
                let cases = [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
                for byte in if *any_case { cases } else { [byte; 2] } {
                    low[usize::from(byte & 15)] |= kind;
                    high[usize::from(byte >> 4)] |= kind;
                }
            }
        }
        nibbles
    }

    /// The first place at or after `from` where one of the texts may stand.
    #[inline]
    pub fn find(&self, text: &[u8], from: usize) -> Option<usize> {
        self.find_with(self.vectors, text, from)
    }

    #[inline]
    fn find_with(&self, vectors: Vectors, text: &[u8], from: usize) -> Option<usize> {
        match vectors {
            Vectors::None => self.find_plainly(text, from),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX2, which the function is compiled for.
            Vectors::Avx2 => unsafe { avx2::find(self, text, from) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the processor has AVX-512BW, which the function is compiled for.
            Vectors::Avx512 => unsafe { avx512::find(self, text, from) },
        }
    }

    /// The same, place by place: for the ends of texts, other processors, and as the twin in tests.
    fn find_plainly(&self, text: &[u8], from: usize) -> Option<usize> {
        (from..text.len()).find(|&place| {
            let mut kinds = u8::MAX;
            for at in 0..LENGTH {
                // Behind the end stands what the vector code reads there.
                let byte = text.get(place + at).copied().unwrap_or(0);
                kinds &=
                    self.low[at][usize::from(byte & 15)] & self.high[at][usize::from(byte >> 4)];
            }
            kinds != 0
        })
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{LENGTH, Nibbles};

    const PLACES: usize = 32;

    /// [`Nibbles::find`] with vectors of 32 bytes.
    #[target_feature(enable = "avx2")]
    pub fn find(nibbles: &Nibbles, text: &[u8], from: usize) -> Option<usize> {
        let table = |table: &[u8; 16]| {
            // SAFETY: the load is of the 16 bytes of the table and needs no alignment.
            let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
            _mm256_broadcastsi128_si256(table)
        };
        let (low, high) = (
            nibbles.low.map(|t| table(&t)),
            nibbles.high.map(|t| table(&t)),
        );
        let half = _mm256_set1_epi8(15);
        let mut place = from;
        while place + PLACES + LENGTH - 1 <= text.len() {
            let mut kinds = _mm256_set1_epi8(-1);
            for at in 0..LENGTH {
                debug_assert!(place + at + PLACES <= text.len());
                // SAFETY: `at` is less than LENGTH, so the 32 bytes end within the text by the loop's
                // condition; the load needs no alignment.
                let bytes = unsafe { _mm256_loadu_si256(text.as_ptr().add(place + at).cast()) };
                let lower = _mm256_and_si256(bytes, half);
                let upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);
                kinds = _mm256_and_si256(kinds, _mm256_shuffle_epi8(low[at], lower));
                kinds = _mm256_and_si256(kinds, _mm256_shuffle_epi8(high[at], upper));
            }
            let none = _mm256_cmpeq_epi8(kinds, _mm256_setzero_si256());
            let some = !(_mm256_movemask_epi8(none) as u32);
            if some != 0 {
                return Some(place + some.trailing_zeros() as usize);
            }
            place += PLACES;
        }
        nibbles.find_plainly(text, place)
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{LENGTH, Nibbles};

    const PLACES: usize = 64;

    /// [`Nibbles::find`] with vectors of 64 bytes.
    #[target_feature(enable = "avx512bw")]
    pub fn find(nibbles: &Nibbles, text: &[u8], from: usize) -> Option<usize> {
        let table = |table: &[u8; 16]| {
            // SAFETY: the load is of the 16 bytes of the table and needs no alignment.
            let table = unsafe { _mm_loadu_si128(table.as_ptr().cast()) };
            _mm512_broadcast_i32x4(table)
        };
        let (low, high) = (
            nibbles.low.map(|t| table(&t)),
            nibbles.high.map(|t| table(&t)),
        );
        let half = _mm512_set1_epi8(15);
        let mut place = from;
        while place < text.len() {
            let mut kinds = _mm512_set1_epi8(-1);
            for at in 0..LENGTH {
                let left = text.len().saturating_sub(place + at);
                let bytes = if left >= PLACES {
                    // SAFETY: that many bytes are left from there; the load needs no alignment.
                    unsafe { _mm512_loadu_si512(text.as_ptr().add(place + at).cast()) }
                } else {
                    let mask = (1 << left) - 1;
                    // SAFETY: only the bytes that are left are read; the address may be just behind
                    // the text, where the mask is empty.
                    unsafe {
                        _mm512_maskz_loadu_epi8(mask, text.as_ptr().wrapping_add(place + at).cast())
                    }
                };
                let lower = _mm512_and_si512(bytes, half);
                let upper = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half);
                let lower = _mm512_shuffle_epi8(low[at], lower);
                let upper = _mm512_shuffle_epi8(high[at], upper);
                // All three of them.
                kinds = _mm512_ternarylogic_epi64(kinds, lower, upper, 0x80);
            }
            let left = text.len() - place;
            let mut some = _mm512_test_epi8_mask(kinds, kinds);
            if left < PLACES {
                some &= (1 << left) - 1;
            }
            if some != 0 {
                return Some(place + some.trailing_zeros() as usize);
            }
            place += PLACES;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::vectors::all_vectors;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]
        #[test]
        fn passes_no_text_by(
            texts in proptest::collection::vec(("[abAB. ]{1,6}", any::<bool>()), 0..12),
            text in "[abcAB. ]{0,200}",
        ) {
            let wanted: Vec<(&[u8], bool)> =
                texts.iter().map(|(text, any_case)| (text.as_bytes(), *any_case)).collect();
            let nibbles = Nibbles::new(&wanted);
            let text = text.as_bytes();
            for from in 0..=text.len() {
                let plainly = nibbles.find_with(Vectors::None, text, from);
                for vectors in all_vectors() {
                    prop_assert_eq!(nibbles.find_with(vectors, text, from), plainly, "{:?}", vectors);
                }
                let stands = |at: usize| wanted.iter().any(|(wanted, any_case)| {
                    text.get(at..at + wanted.len()).is_some_and(|text| match any_case {
                        true => text.eq_ignore_ascii_case(wanted),
                        false => text == *wanted,
                    })
                });
                let stands = (from..text.len()).find(|&at| stands(at));
                prop_assert!(stands.is_none() || plainly.is_some_and(|place| Some(place) <= stands));
            }
        }
    }

    #[test]
    fn passes_by_nearly_everything_else() {
        let texts: [(&[u8], bool); 3] = [(b"desk", true), (b"work", true), (b"supp", true)];
        let nibbles = Nibbles::new(&texts);
        for (text, place) in [
            ("xxDeSKxx", Some(2)),
            ("its Support", Some(4)),
            ("des, wor, sup and dosk", None),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(nibbles.find(text.as_bytes(), 0), place, "{text}");
        }
    }
}
