//! The source of chance: everything random in the traffic is drawn from one seeded generator.
//!
//! `rand_xoshiro` promises that its sequences stay the same between releases, which the shipped samples depend on.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng};

/// A seeded generator with the few draws the traffic needs.
#[derive(Clone)]
pub(crate) struct Rng(Xoshiro256PlusPlus);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`, which must not be 0. The bias of the multiplication is far below what traffic shows.
    pub fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.0.next_u64() as u32) * u64::from(end)) >> 32) as u32
    }

    /// A number from `start` up to, not including, `end`.
    pub fn range(&mut self, start: u32, end: u32) -> u32 {
        start + self.below(end - start)
    }

    /// True in a share `p` of all cases, 0 to 1.
    pub fn chance(&mut self, p: f64) -> bool {
        // 53 bits are what a double holds exactly, so the comparison is the same on every machine.
        ((self.0.next_u64() >> 11) as f64) * (1.0 / (1u64 << 53) as f64) < p
    }

    /// True once in `n` cases.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u32) as usize]
    }

    /// One of some texts.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u32) as usize]
    }

    pub fn guid(&mut self) -> Guid {
        Guid::from_words(self.u64(), self.u64())
    }
}

/// A GUID as its 36 lower-case characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guid([u8; 36]);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Guid {
    /// A version 4 GUID of 128 random bits, six of which are overwritten by version and variant.
    fn from_words(high: u64, low: u64) -> Self {
        let high = (high & !0xf000) | 0x4000;
        let low = (low & !(0b11 << 62)) | (0b10 << 62);
        let mut text = [b'-'; 36];
        let mut at = 0;
        for byte in high.to_be_bytes().into_iter().chain(low.to_be_bytes()) {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a GUID is ASCII")
    }
}
