//! A search for one byte, eight at a time: for processors without vectors, and for interpreters, which
//! take about as long for eight bytes as for one.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// Bytes looked at in one round.
const ROUND: usize = 64;

/// The first place of a byte at or after `from`.
pub fn find(text: &[u8], byte: u8, from: usize) -> Option<usize> {
    let mut at = from;
    let wanted = ONES * u64::from(byte);
    while let Some(round) = text.get(at..).and_then(<[u8]>::first_chunk::<ROUND>) {
        let (words, _) = round.as_chunks::<8>();
        // The borrow sets the high bit of a byte that is wanted. It also sets others, if some byte is not
        // ASCII: so this only tells where to look closer, and takes four steps a word.
        let mut any = 0;
        for word in words {
            any |= (u64::from_le_bytes(*word) ^ wanted).wrapping_sub(ONES);
        }
        if any & HIGHS != 0
            && let Some(place) = first(round, wanted)
        {
            return Some(at + place);
        }
        at += ROUND;
    }
    let rest = text.get(at..)?;
    Some(at + rest.iter().position(|&one| one == byte)?)
}

/// The first place of a byte in a round; `wanted` holds it eight times. Apart, so that the loop above keeps
/// nothing for it.
#[inline(never)]
fn first(round: &[u8; ROUND], wanted: u64) -> Option<usize> {
    let (words, _) = round.as_chunks::<8>();
    words.iter().enumerate().find_map(|(number, word)| {
        let other = u64::from_le_bytes(*word) ^ wanted;
        // Of the bytes that this marks the first is a wanted one: borrows go upwards.
        let marks = other.wrapping_sub(ONES) & !other & HIGHS;
        (marks != 0).then(|| number * 8 + marks.trailing_zeros() as usize / 8)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 500 }))]
        #[test]
        fn agrees_with_looking_at_every_byte(
            text in proptest::collection::vec(prop_oneof![8 => Just(b'a'), 4 => Just(b'['), 2 => any::<u8>(), 1 => Just(b'\\')], 0..150),
        ) {
            for from in 0..=text.len() + 1 {
                let rest = text.get(from..).unwrap_or_default();
                let plainly = rest.iter().position(|&byte| byte == b'\\').map(|at| from + at);
                prop_assert_eq!(super::find(&text, b'\\', from), plainly, "from {}", from);
            }
        }
    }
}
