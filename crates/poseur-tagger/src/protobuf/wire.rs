//! Protobuf's wire format: numbers of variable length, and fields.

use std::ops::Range;

use poseur_matcher::record::Unreadable;

/// The most bytes that a number takes.
const LONGEST: usize = 10;

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Which one it is.
    pub number: u32,
    /// All of its bytes.
    pub range: Range<usize>,
    /// Where its value begins; of what has a length, the length.
    pub head: usize,
    /// Its value.
    pub value: Value,
}

/// The value of a field, as far as it can be told without knowing the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number of variable length.
    Varint(u64),
    /// Eight bytes, the lowest first.
    Fixed64(u64),
    /// Bytes, text or a message: where it stands.
    Bytes(Range<usize>),
    /// Four bytes.
    Fixed32,
}

/// The number at `at`, and the position after it.
///
/// # Errors
/// If the input ends in it, or it is larger than 64 bits.
#[inline]
pub fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), Unreadable> {
    let mut number = 0;
    for (place, &byte) in bytes.get(at..).unwrap_or_default().iter().enumerate() {
        // Of the last byte only one bit is left.
        if place == LONGEST - 1 && byte > 1 {
            return Err(Unreadable::Broken);
        }
        number |= u64::from(byte & 0x7F) << (7 * place);
        if byte < 0x80 {
            return Ok((number, at + place + 1));
        }
    }
    Err(Unreadable::Truncated)
}

/// Appends a number.
pub fn write_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// How many bytes a number takes.
pub fn varint_len(number: u64) -> usize {
    (number | 1).ilog2() as usize / 7 + 1
}

/// The field at `at` of a message that ends where `bytes` end.
///
/// # Errors
/// If the input ends in it, or there is no field. Groups, which proto3 does not have, are none.
#[inline]
pub fn field(bytes: &[u8], at: usize) -> Result<Field, Unreadable> {
    let (key, head) = varint(bytes, at)?;
    let key = u32::try_from(key).map_err(|_| Unreadable::Broken)?;
    let number = key >> 3;
    if number == 0 {
        return Err(Unreadable::Broken);
    }
    let (value, end) = match key & 7 {
        0 => {
            let (number, end) = varint(bytes, head)?;
            (Value::Varint(number), end)
        }
        1 => {
            let eight = bytes.get(head..).and_then(<[u8]>::first_chunk);
            let eight = eight.ok_or(Unreadable::Truncated)?;
            (Value::Fixed64(u64::from_le_bytes(*eight)), head + 8)
        }
        2 => {
            let (length, start) = varint(bytes, head)?;
            let length = usize::try_from(length).map_err(|_| Unreadable::Truncated)?;
            let end = start.checked_add(length);
            let end = end.filter(|end| *end <= bytes.len());
            let end = end.ok_or(Unreadable::Truncated)?;
            (Value::Bytes(start..end), end)
        }
        5 if head + 4 <= bytes.len() => (Value::Fixed32, head + 4),
        5 => return Err(Unreadable::Truncated),
        _ => return Err(Unreadable::Broken),
    };
    Ok(Field {
        number,
        range: at..end,
        head,
        value,
    })
}

/// The fields of a message that stands there in some bytes. An error is the last.
#[inline]
pub fn fields(
    bytes: &[u8],
    message: Range<usize>,
) -> impl Iterator<Item = Result<Field, Unreadable>> + '_ {
    let Range { mut start, end } = message;
    let bytes = bytes.get(..end).unwrap_or_default();
    std::iter::from_fn(move || {
        let field = (start < bytes.len()).then(|| field(bytes, start))?;
        start = field.as_ref().map_or(bytes.len(), |field| field.range.end);
        Some(field)
    })
}

/// Appends a field that has a length: what `write` appends.
pub fn write_nested<T>(number: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    write_varint(u64::from(number << 3 | 2), out);
    // Most lengths take one byte; what is longer is moved.
    let head = out.len();
    out.push(0);
    let outcome = write(out);
    let length = out.len() - head - 1;
    match u8::try_from(length) {
        Ok(length) if length < 0x80 => out[head] = length,
        _ => {
            let mut varint = Vec::with_capacity(LONGEST);
            write_varint(length as u64, &mut varint);
            out.splice(head..head + 1, varint);
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, u64::MAX >> bit]) {
            let mut bytes = vec![0xFF];
            write_varint(number, &mut bytes);
            let end = bytes.len();
            assert_eq!(varint_len(number), end - 1, "{number}");
            bytes.push(0x80);
            assert_eq!(varint(&bytes, 1), Ok((number, end)));
            for cut in 1..end {
                assert_eq!(varint(&bytes[..cut], 1), Err(Unreadable::Truncated));
            }
        }
        let long = |last: &[u8]| [&[0x80; 9], last].concat();
        assert_eq!(varint(&long(b"\x01"), 0), Ok((1 << 63, 10)));
        assert_eq!(
            varint(b"\x81\x80\x00", 0),
            Ok((1, 3)),
            "longer than it need be"
        );
        for broken in [long(b"\x02"), long(b"\x80\x01")] {
            assert_eq!(varint(&broken, 0), Err(Unreadable::Broken));
        }
        assert_eq!(varint(b"", 5), Err(Unreadable::Truncated));
    }

    #[test]
    fn table() {
        use Unreadable::{Broken, Truncated};
        let big = f64::to_le_bytes(1.5);
        let fixed = [b"\x29", &big[..]].concat();
        for (bytes, expected) in [
            (&b"\x20\x96\x01"[..], Ok((4, 1, Value::Varint(150)))),
            (&fixed, Ok((5, 1, Value::Fixed64(1.5_f64.to_bits())))),
            (b"\x0A\x03abc", Ok((1, 1, Value::Bytes(2..5)))),
            (b"\xA2\x06\x00", Ok((100, 2, Value::Bytes(3..3)))),
            (b"\x45\x01\x02\x03\x04", Ok((8, 1, Value::Fixed32))),
            (b"\x00\x01", Err(Broken)),
            (b"\x0B\x0C", Err(Broken)),
            (b"\x0E", Err(Broken)),
            (b"\x80\x80\x80\x80\x80\x01\x00", Err(Broken)),
            (
                b"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
                Err(Truncated),
            ),
        ] {
            let found = field(bytes, 0).map(|field| {
                assert_eq!(field.range, 0..bytes.len());
                (field.number, field.head, field.value)
            });
            assert_eq!(found, expected, "{bytes:x?}");
            if expected.is_ok() {
                for cut in 0..bytes.len() {
                    assert_eq!(field(&bytes[..cut], 0), Err(Truncated), "{bytes:x?}, {cut}");
                }
            }
        }
        let all: Vec<_> = fields(b"\xFF\x20\x01\x20\x02\x20", 1..6).collect();
        let numbers = all
            .iter()
            .map(|field| field.as_ref().map(|field| &field.value));
        let (one, two) = (Value::Varint(1), Value::Varint(2));
        assert_eq!(
            numbers.collect::<Vec<_>>(),
            [Ok(&one), Ok(&two), Err(&Truncated)]
        );
        assert_eq!(fields(b"", 3..9).count(), 0);
    }

    #[test]
    fn what_is_nested_has_its_length() {
        for length in [0, 1, 127, 128, 300, 70_000] {
            let mut out = b"x".to_vec();
            write_nested(7, &mut out, |out| out.resize(out.len() + length, b'a'));
            let found = field(&out, 1).unwrap();
            assert_eq!((found.number, found.range.end), (7, out.len()));
            let Value::Bytes(range) = found.value else {
                panic!("no bytes");
            };
            assert_eq!(out[range], vec![b'a'; length]);
        }
    }
}
