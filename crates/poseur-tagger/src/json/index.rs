//! Where the quotes and brackets of a document are, as bitmaps: one bit a byte.
//!
//! Built in one pass over the document; afterwards the end of a string is the next bit of a map,
//! and the end of an unwanted object or array is found by counting bits, 64 bytes at a time. This
//! is the first stage of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), with
//! only the maps that skipping needs.

/// The maps of 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Block {
    /// Quotes that begin or end a string: not the escaped ones.
    quotes: u64,
    /// `{` and `[` outside strings.
    opens: u64,
    /// `}` and `]` outside strings.
    closes: u64,
    /// Backslashes, anywhere.
    backslashes: u64,
    /// Dots, anywhere.
    dots: u64,
}

impl Block {
    /// What makes a key more than its bytes. Joined only here, where it is asked for: in the loop
    /// that makes the maps the compiler takes the joined vectors apart bit by bit (0.7 instead of
    /// 1.1 GB/s for a walk).
    fn marks(&self) -> u64 {
        self.backslashes | self.dots
    }
}

/// The bitmaps of one document. Reused from document to document.
#[derive(Debug, Clone, Default)]
pub struct Index {
    blocks: Vec<Block>,
    backslashes: bool,
    spaces: bool,
    controls: bool,
    open_string: bool,
}

/// What runs on from one block of 64 bytes into the next.
#[derive(Default)]
struct Carry {
    /// The next byte is escaped (bit 0).
    escaped: u64,
    /// All ones inside a string, all zeros outside.
    in_string: u64,
    /// Any backslash so far.
    backslashes: u64,
    /// Any white space outside strings so far.
    spaces: u64,
    /// Any control character in a string so far.
    controls: u64,
}

/// Raw maps of 64 bytes, before strings are taken into account.
#[derive(Debug, PartialEq, Eq)]
struct Raw {
    quotes: u64,
    backslashes: u64,
    opens: u64,
    closes: u64,
    dots: u64,
    /// Spaces and control characters.
    blanks: u64,
    /// Spaces.
    spaces: u64,
}

impl Index {
    /// Indexes a document, replacing what was indexed before.
    pub fn build(&mut self, text: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
        {
            if std::arch::is_x86_feature_detected!("avx512bw") {
                // SAFETY: the processor has the three features the function is compiled for.
                unsafe { avx512::build(self, text) };
            } else {
                // SAFETY: the processor has the two features the function is compiled for.
                unsafe { avx2::build(self, text) };
            }
            return;
        }
        self.build_with(text, portable::raw, portable::prefix_xor);
    }

    #[inline(always)]
    fn build_with(
        &mut self,
        text: &[u8],
        raw: impl Fn(&[u8; 64]) -> Raw,
        prefix_xor: impl Fn(u64) -> u64,
    ) {
        self.blocks.clear();
        self.blocks.reserve(text.len() / 64 + 2);
        let mut carry = Carry::default();
        let (chunks, rest) = text.as_chunks::<64>();
        for chunk in chunks {
            self.blocks.push(block(raw(chunk), &mut carry, &prefix_xor));
        }
        if !rest.is_empty() {
            // Nothing that any map tells of.
            let mut last = [b'_'; 64];
            last[..rest.len()].copy_from_slice(rest);
            self.blocks.push(block(raw(&last), &mut carry, &prefix_xor));
        }
        // So that there is always a next block to look into.
        self.blocks.push(Block::default());
        self.backslashes = carry.backslashes != 0;
        self.spaces = carry.spaces != 0;
        self.controls = carry.controls != 0;
        self.open_string = carry.in_string != 0;
    }

    /// Whether there is a backslash anywhere: without one, no string needs decoding.
    #[inline]
    pub fn has_backslashes(&self) -> bool {
        self.backslashes
    }

    /// Whether there is white space (or a control character) outside strings.
    #[inline]
    pub fn has_spaces(&self) -> bool {
        self.spaces
    }

    /// Whether no string holds a backslash or a control character: each is then valid as it stands.
    #[inline]
    pub fn has_plain_strings(&self) -> bool {
        !self.backslashes && !self.controls
    }

    /// Whether the document ends inside a string.
    pub fn ends_in_string(&self) -> bool {
        self.open_string
    }

    /// Whether there is a backslash or a dot among these bytes.
    #[inline]
    pub fn has_marks(&self, from: usize, to: usize) -> bool {
        if from >= to {
            return false;
        }
        let first = from / 64;
        let marks = self.window(from, Block::marks);
        match to - from {
            // Most keys are so short, and whether one runs on into the next block is anybody's guess.
            length @ 1..64 => marks & ((1 << length) - 1) != 0,
            64 => marks != 0,
            _ => marks != 0 || self.has_marks_across(first, to),
        }
    }

    /// A map from one byte on: its next 64 bits.
    #[inline(always)]
    fn window(&self, from: usize, map: impl Fn(&Block) -> u64) -> u64 {
        match self.blocks.get(from / 64..from / 64 + 2) {
            Some([block, next]) => {
                let bits = u128::from(map(next)) << 64 | u128::from(map(block));
                (bits >> (from % 64)) as u64
            }
            _ => 0,
        }
    }

    #[inline(never)]
    fn has_marks_across(&self, first: usize, to: usize) -> bool {
        let last = (to - 1) / 64;
        self.blocks[last].marks() & (!0 >> (63 - (to - 1) % 64)) != 0
            || self.blocks[first + 1..last]
                .iter()
                .any(|block| block.marks() != 0)
    }

    /// Position of the first string delimiter at or after `from`.
    #[inline]
    pub fn next_quote(&self, from: usize) -> Option<usize> {
        // Most strings end within 64 bytes, but whether in this block is anybody's guess: more
        // instructions than with a branch there, and 2 to 5 % less time.
        let quotes = self.window(from, |block| block.quotes);
        if quotes != 0 {
            return Some(from + quotes.trailing_zeros() as usize);
        }
        self.next_quote_beyond(from / 64 + 1)
    }

    #[inline(never)]
    fn next_quote_beyond(&self, block: usize) -> Option<usize> {
        let blocks = self.blocks.iter().enumerate().skip(block);
        let mut with_quotes = blocks.filter(|(_, block)| block.quotes != 0);
        let (at, block) = with_quotes.next()?;
        Some(at * 64 + block.quotes.trailing_zeros() as usize)
    }

    /// Position just after the bracket that closes the one at `open`.
    #[inline]
    pub fn after_close(&self, open: usize) -> Option<usize> {
        let mut at = open / 64;
        let mut block = self.blocks.get(at)?;
        let from = !0 << (open % 64);
        let mut brackets = (block.opens | block.closes) & from;
        let mut depth = 0usize;
        loop {
            // One after the other: counting a block's brackets first takes longer, as blocks have few
            // of them and not every processor counts bits.
            while brackets != 0 {
                let bit = brackets.trailing_zeros();
                let closes = (block.closes >> bit & 1) as usize;
                depth = (depth + 1).checked_sub(2 * closes)?;
                if depth == 0 {
                    return Some(at * 64 + bit as usize + 1);
                }
                brackets &= brackets - 1;
            }
            at += 1;
            block = self.blocks.get(at)?;
            brackets = block.opens | block.closes;
        }
    }
}

#[inline(always)]
fn block(raw: Raw, carry: &mut Carry, prefix_xor: impl Fn(u64) -> u64) -> Block {
    carry.backslashes |= raw.backslashes;
    let escaped = escaped(raw.backslashes, &mut carry.escaped);
    let quotes = raw.quotes & !escaped;
    // A set bit from each opening quote up to the byte before the closing one.
    let in_string = prefix_xor(quotes) ^ carry.in_string;
    carry.in_string = ((in_string as i64) >> 63) as u64;
    carry.spaces |= raw.blanks & !in_string;
    carry.controls |= raw.blanks & !raw.spaces & in_string;
    Block {
        quotes,
        opens: raw.opens & !in_string,
        closes: raw.closes & !in_string,
        backslashes: raw.backslashes,
        dots: raw.dots,
    }
}

/// Bytes that a backslash escapes: those after an odd run of backslashes.
#[inline(always)]
fn escaped(mut backslashes: u64, carry: &mut u64) -> u64 {
    if backslashes == 0 {
        return std::mem::take(carry);
    }
    const EVEN: u64 = 0x5555_5555_5555_5555;
    backslashes &= !*carry;
    let follows = backslashes << 1 | *carry;
    let odd_starts = backslashes & !EVEN & !follows;
    // Adding a run to its start carries past its end; runs that start on odd bits flip parity.
    let (from_even, overflow) = odd_starts.overflowing_add(backslashes);
    *carry = overflow as u64;
    (EVEN ^ (from_even << 1)) & follows
}

mod portable {
    use super::Raw;

    /// The plain twin of the vector code.
    pub fn raw(bytes: &[u8; 64]) -> Raw {
        let map = |wanted: fn(u8) -> bool| {
            bytes
                .iter()
                .enumerate()
                .fold(0, |map, (at, &byte)| map | (wanted(byte) as u64) << at)
        };
        Raw {
            quotes: map(|byte| byte == b'"'),
            backslashes: map(|byte| byte == b'\\'),
            opens: map(|byte| byte == b'{' || byte == b'['),
            closes: map(|byte| byte == b'}' || byte == b']'),
            dots: map(|byte| byte == b'.'),
            blanks: map(|byte| byte <= b' '),
            spaces: map(|byte| byte == b' '),
        }
    }

    pub fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{Index, Raw};

    /// [`Index::build`] with 32-byte vectors and a carry-less multiplication.
    #[target_feature(enable = "avx2,pclmulqdq")]
    pub fn build(index: &mut Index, text: &[u8]) {
        index.build_with(text, |bytes| raw(bytes), |bits| prefix_xor(bits));
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn raw(bytes: &[u8; 64]) -> Raw {
        let (low, high) = (bytes[..32].as_ptr(), bytes[32..].as_ptr());
        // SAFETY: each pointer is to 32 bytes of the array; the loads need no alignment.
        let (low, high) = unsafe {
            (
                _mm256_loadu_si256(low.cast()),
                _mm256_loadu_si256(high.cast()),
            )
        };
        // `{` and `[`, and `}` and `]`, differ in this bit alone, and nothing else folds onto them.
        let fold = _mm256_set1_epi8(0x20);
        let (low_folded, high_folded) = (_mm256_or_si256(low, fold), _mm256_or_si256(high, fold));
        Raw {
            quotes: bits(equal(low, b'"'), equal(high, b'"')),
            backslashes: bits(equal(low, b'\\'), equal(high, b'\\')),
            opens: bits(equal(low_folded, b'{'), equal(high_folded, b'{')),
            closes: bits(equal(low_folded, b'}'), equal(high_folded, b'}')),
            dots: bits(equal(low, b'.'), equal(high, b'.')),
            blanks: bits(at_most(low, b' '), at_most(high, b' ')),
            spaces: bits(equal(low, b' '), equal(high, b' ')),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn equal(bytes: __m256i, byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn at_most(bytes: __m256i, most: u8) -> __m256i {
        let most = _mm256_set1_epi8(most as i8);
        _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, most), bytes)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn bits(low: __m256i, high: __m256i) -> u64 {
        let (low, high) = (
            _mm256_movemask_epi8(low) as u32,
            _mm256_movemask_epi8(high) as u32,
        );
        low as u64 | (high as u64) << 32
    }

    #[target_feature(enable = "pclmulqdq")]
    #[inline]
    pub fn prefix_xor(bits: u64) -> u64 {
        let bits = _mm_set_epi64x(0, bits as i64);
        let ones = _mm_set1_epi8(-1);
        _mm_cvtsi128_si64(_mm_clmulepi64_si128(bits, ones, 0)) as u64
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{Index, Raw, avx2};

    /// [`Index::build`] with 64-byte vectors, whose comparisons give the maps themselves.
    #[target_feature(enable = "avx2,avx512bw,pclmulqdq")]
    pub fn build(index: &mut Index, text: &[u8]) {
        index.build_with(text, |bytes| raw(bytes), |bits| avx2::prefix_xor(bits));
    }

    #[target_feature(enable = "avx512bw")]
    #[inline]
    fn raw(bytes: &[u8; 64]) -> Raw {
        // SAFETY: the pointer is to 64 bytes; the load needs no alignment.
        let bytes = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let equal = |bytes, byte: u8| _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(byte as i8));
        // As in the other one: brackets differ in this bit alone.
        let folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
        Raw {
            quotes: equal(bytes, b'"'),
            backslashes: equal(bytes, b'\\'),
            opens: equal(folded, b'{'),
            closes: equal(folded, b'}'),
            dots: equal(bytes, b'.'),
            blanks: _mm512_cmple_epu8_mask(bytes, _mm512_set1_epi8(b' ' as i8)),
            spaces: equal(bytes, b' '),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Byte by byte, as one would explain it.
    fn plain(text: &[u8]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let (mut quotes, mut opens, mut closes) = (vec![], vec![], vec![]);
        let (mut in_string, mut escaped) = (false, false);
        for (at, &byte) in text.iter().enumerate() {
            let was_escaped = std::mem::take(&mut escaped);
            match byte {
                b'\\' if !was_escaped => escaped = true,
                b'"' if !was_escaped => {
                    quotes.push(at);
                    in_string = !in_string;
                }
                b'{' | b'[' if !in_string => opens.push(at),
                b'}' | b']' if !in_string => closes.push(at),
                _ => {}
            }
        }
        (quotes, opens, closes)
    }

    fn bits(index: &Index, of: fn(&Block) -> u64) -> Vec<usize> {
        let blocks = index.blocks.iter().enumerate();
        blocks
            .flat_map(|(n, block)| {
                let map = of(block);
                (0..64)
                    .filter(move |at| map >> at & 1 == 1)
                    .map(move |at| n * 64 + at)
            })
            .collect()
    }

    fn check(text: &[u8]) {
        let (quotes, opens, closes) = plain(text);
        let mut fast = Index::default();
        fast.build(text);
        let mut portable = Index::default();
        portable.build_with(text, portable::raw, portable::prefix_xor);
        let mut middle = Index::default();
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("pclmulqdq")
        {
            // SAFETY: the processor has the two features the function is compiled for.
            unsafe { avx2::build(&mut middle, text) };
        }
        if middle.blocks.is_empty() {
            middle.build(text);
        }
        for index in [&fast, &portable, &middle] {
            assert_eq!(bits(index, |b| b.quotes), quotes);
            assert_eq!(bits(index, |b| b.opens), opens);
            assert_eq!(bits(index, |b| b.closes), closes);
            assert_eq!(index.ends_in_string(), quotes.len() % 2 == 1);
            assert_eq!(index.has_backslashes(), text.contains(&b'\\'));
            let inside = |at: usize| quotes.iter().filter(|&&quote| quote < at).count() % 2 == 1;
            let is_quote = |at: usize| quotes.contains(&at);
            let mut numbered = text.iter().enumerate();
            let outside = |at: usize| !inside(at) && !is_quote(at);
            assert_eq!(
                index.has_spaces(),
                numbered.any(|(at, &byte)| byte <= b' ' && outside(at))
            );
            let mut numbered = text.iter().enumerate();
            let control = numbered.any(|(at, &byte)| byte < b' ' && inside(at));
            assert_eq!(
                index.has_plain_strings(),
                !text.contains(&b'\\') && !control
            );
        }
        for (from, to) in (0..text.len())
            .flat_map(|from| [(from, from + 1), (from, text.len()), (from / 2, from)])
        {
            let expected = text[from..to]
                .iter()
                .any(|byte| matches!(byte, b'.' | b'\\'));
            assert_eq!(fast.has_marks(from, to), expected, "{from}..{to}");
        }
        for from in 0..text.len() {
            let expected = quotes.iter().copied().find(|&at| at >= from);
            assert_eq!(fast.next_quote(from), expected);
        }
        for &open in &opens {
            let mut depth = 0i64;
            let expected = (open..text.len()).find(|at| {
                depth += opens.contains(at) as i64 - closes.contains(at) as i64;
                depth == 0
            });
            assert_eq!(
                fast.after_close(open),
                expected.map(|at| at + 1),
                "from {open}"
            );
        }
    }

    #[test]
    fn runs_of_backslashes_across_blocks() {
        for before in 55..70 {
            for run in 0..70 {
                let mut text = vec![b' '; before];
                text.push(b'"');
                text.extend(std::iter::repeat_n(b'\\', run));
                text.extend(b"\"{}\"[]");
                check(&text);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 1000 }))]
        #[test]
        fn agrees_with_the_plain_reading(
            text in proptest::collection::vec(
                prop_oneof![Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'.'), Just(b'x'), Just(b' '), any::<u8>()],
                0..300,
            )
        ) {
            check(&text);
        }
    }
}
