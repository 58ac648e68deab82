//! A set of small numbers, cleared for every record.

/// Which predicates hold, by number.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// Empties the set and makes room for numbers below `count`.
    pub fn reset(&mut self, count: usize) {
        self.words.clear();
        self.words.resize(count.div_ceil(64), 0);
    }

    /// Numbers below this have room.
    pub fn capacity(&self) -> usize {
        self.words.len() * 64
    }

    /// Adds a number.
    #[inline]
    pub fn set(&mut self, bit: u32) {
        self.words[bit as usize / 64] |= 1 << (bit % 64);
    }

    /// Whether a number is in the set.
    #[inline]
    pub fn has(&self, bit: u32) -> bool {
        self.words[bit as usize / 64] >> (bit % 64) & 1 == 1
    }
}
