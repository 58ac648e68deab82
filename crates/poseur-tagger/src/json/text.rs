//! JSON strings, decoded.

use memchr::memchr;

/// Appends the decoded content of a JSON string (the bytes between its quotes).
///
/// A surrogate escape without its other half becomes U+FFFD. An escape that JSON does not have is
/// copied as it stands: such a string is never part of a readable record.
pub fn decode(content: &[u8], out: &mut Vec<u8>) {
    let mut rest = content;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (length, decoded) = match rest.get(1) {
            Some(b'n') => (2, '\n'),
            Some(b't') => (2, '\t'),
            Some(b'r') => (2, '\r'),
            Some(b'b') => (2, '\u{8}'),
            Some(b'f') => (2, '\u{c}'),
            Some(&byte @ (b'"' | b'\\' | b'/')) => (2, byte as char),
            Some(b'u') => unicode(rest).unwrap_or((0, '\\')),
            _ => (0, '\\'),
        };
        if length == 0 {
            out.push(b'\\');
            rest = &rest[1..];
        } else {
            out.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[length..];
        }
    }
    out.extend_from_slice(rest);
}

/// Length and character of the `\uXXXX` escape, or pair of them, that `text` starts with.
fn unicode(text: &[u8]) -> Option<(usize, char)> {
    let first = code_unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((6, character));
    }
    // A surrogate: a high one may be followed by its low one.
    if first < 0xDC00
        && let Some(second @ 0xDC00..=0xDFFF) = code_unit(&text[6..])
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((12, char::from_u32(code).unwrap_or('\u{FFFD}')));
    }
    Some((6, '\u{FFFD}'))
}

fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | (digit as char).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (content, expected) in [
            (&b"plain"[..], &b"plain"[..]),
            (br#"a\"b\\c\/d\b\f\n\r\t"#, b"a\"b\\c/d\x08\x0c\n\r\t"),
            (br"\u0068elp", b"help"),
            (br"\u00E9\u00e9", "éé".as_bytes()),
            (br"\ud83d\ude00!", "😀!".as_bytes()),
            (br"\ud83d", "\u{FFFD}".as_bytes()),
            (br"\ud83dx", "\u{FFFD}x".as_bytes()),
            (br"\ud83d\ud83d\ude00", "\u{FFFD}😀".as_bytes()),
            (br"\ude00\ud83d", "\u{FFFD}\u{FFFD}".as_bytes()),
            (br"\ud83d\n", "\u{FFFD}\n".as_bytes()),
            (b"\xff\\u0041\xfe", b"\xffA\xfe"),
            // Not JSON: copied.
            (br"\x\u12", br"\x\u12"),
            (br"\u+123", br"\u+123"),
            (b"\\", b"\\"),
        ] {
            let mut out = vec![];
            decode(content, &mut out);
            assert_eq!(out, expected, "{}", String::from_utf8_lossy(content));
        }
    }
}
