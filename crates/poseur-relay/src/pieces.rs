//! Bytes in several pieces of memory. What was spliced into a batch stands between stretches of what came: nothing that
//! did not change is copied on its way to the sink.

use bytes::{Buf, Bytes};

/// More pieces than this are put together: writing so many at once takes more calls of the system, of 64 pieces each, than
/// copying takes time.
const MANY: usize = 64;

/// Bytes in one or more pieces.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    parts: Vec<Bytes>,
    length: usize,
}

impl Pieces {
    /// What reads as these slices, one after the other. Those that lie in `input` are not copied.
    pub fn of<'a>(input: &Bytes, slices: impl Iterator<Item = &'a [u8]>) -> Pieces {
        let within = input.as_ptr_range();
        let parts = slices.filter(|slice| !slice.is_empty()).map(|slice| {
            match within.contains(&slice.as_ptr()) {
                true => input.slice_ref(slice),
                false => Bytes::copy_from_slice(slice),
            }
        });
        let parts: Vec<Bytes> = parts.collect();
        let length = parts.iter().map(Bytes::len).sum();
        let pieces = Pieces { parts, length };
        match pieces.parts.len() > MANY {
            true => pieces.to_bytes().into(),
            false => pieces,
        }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The last byte.
    pub fn last(&self) -> Option<u8> {
        self.parts.last().and_then(|part| part.last()).copied()
    }

    /// The pieces, in order. None is empty.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.parts.iter()
    }

    /// All in one piece. Copied if they are several.
    pub fn to_bytes(&self) -> Bytes {
        match &self.parts[..] {
            [] => Bytes::new(),
            [one] => one.clone(),
            several => Bytes::from(several.concat()),
        }
    }

    /// To be read from the beginning.
    pub fn reader(&self) -> Reader {
        Reader {
            parts: self.parts.clone(),
            part: 0,
            left: self.length,
        }
    }
}

impl From<Bytes> for Pieces {
    fn from(bytes: Bytes) -> Pieces {
        let length = bytes.len();
        let parts = if length == 0 { Vec::new() } else { vec![bytes] };
        Pieces { parts, length }
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Pieces {
        Bytes::from(bytes).into()
    }
}

impl PartialEq for Pieces {
    fn eq(&self, other: &Pieces) -> bool {
        self.length == other.length && self.to_bytes() == other.to_bytes()
    }
}

impl Eq for Pieces {}

/// What is left to be read of pieces.
#[derive(Debug)]
pub struct Reader {
    parts: Vec<Bytes>,
    part: usize,
    left: usize,
}

impl Buf for Reader {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        self.parts.get(self.part).map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let parts = self.parts[self.part..].iter();
        let pairs = slices.iter_mut().zip(parts);
        pairs
            .map(|(slice, part)| *slice = std::io::IoSlice::new(part))
            .count()
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.left, "more than there is");
        self.left -= count;
        while count > 0 {
            let part = &mut self.parts[self.part];
            let taken = count.min(part.len());
            part.advance(taken);
            count -= taken;
            if part.is_empty() {
                self.part += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_the_input_is_not_copied() {
        let input = Bytes::from_static(b"one two three");
        let slices = [&input[..4], b"and ", b"", &input[4..]];
        let pieces = Pieces::of(&input, slices.into_iter());
        let parts: Vec<&Bytes> = pieces.iter().collect();
        assert_eq!(parts, [&b"one "[..], b"and ", b"two three"]);
        assert_eq!(parts[2].as_ptr(), input[4..].as_ptr());
        assert_eq!((pieces.len(), pieces.last()), (17, Some(b'e')));
        assert_eq!(pieces, Pieces::from(b"one and two three".to_vec()));
        assert_ne!(pieces, Pieces::from(b"one and two throo".to_vec()));
        assert_eq!(Pieces::default(), Pieces::from(Bytes::new()));
        // Very many become one.
        let many = Pieces::of(&input, std::iter::repeat_n(&input[..4], 100));
        assert_eq!((many.iter().count(), many.len()), (1, 400));
    }

    #[test]
    fn readers_stop_anywhere() {
        let input = Bytes::from_static(b"abcdefgh");
        let pieces = Pieces::of(&input, [&input[..3], b"XY", &input[3..]].into_iter());
        for first in 0..=pieces.len() {
            let mut reader = pieces.reader();
            let mut all = vec![0; first];
            reader.copy_to_slice(&mut all);
            let mut slices = [std::io::IoSlice::new(&[]); 5];
            let filled = reader.chunks_vectored(&mut slices);
            slices[..filled]
                .iter()
                .for_each(|slice| all.extend_from_slice(slice));
            assert_eq!(all, b"abcXYdefgh");
            assert_eq!(reader.remaining(), pieces.len() - first);
        }
    }
}
