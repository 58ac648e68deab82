//! Writing JSON texts: verdicts carry their context as JSON, whatever format the record has.

/// How many containers are open at the deepest place of a JSON text.
pub fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut most, mut inside, mut escaped) = (0_usize, 0, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            _ if inside => {}
            b'{' | b'[' => {
                depth += 1;
                most = most.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// Whether more than so many containers are open at the deepest place of a JSON text.
pub fn nests_deeper(json: &[u8], most: usize) -> bool {
    // Nearly all values hold fewer brackets; they are counted many at a time. `[` and `{` differ in one bit.
    let opening = |part: &[u8]| -> usize {
        let opening = part.iter().map(|byte| u8::from(byte | 0x20 == b'{'));
        usize::from(opening.sum::<u8>())
    };
    json.chunks(128).map(opening).sum::<usize>() > most && nesting(json) > most
}

/// Appends a text as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that what Poseur
/// writes is always valid.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    // Nearly all texts are valid, and finding that out is much quicker than going through them.
    if std::str::from_utf8(text).is_ok() {
        return quoted(text, out);
    }
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        escape(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Appends a text as a JSON string; bytes that are not UTF-8 stay as they are.
pub fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends a text as the inside of a JSON string with the least escaping: `"`, `\` and control
/// characters; all other bytes as they are.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    loop {
        let plain = plain_length(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(&byte) = rest.get(plain) else { return };
        rest = &rest[plain + 1..];
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\t' => b't',
            b'\r' => b'r',
            0x08 => b'b',
            0x0C => b'f',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[(byte >> 4) as usize]);
                out.push(HEX[(byte & 15) as usize]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}

/// How many bytes from the start stand in a JSON string as they are.
fn plain_length(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let whole = words
        .iter()
        .take_while(|word| specials(u64::from_le_bytes(**word)) == 0);
    let start = whole.count() * 8;
    let rest = text[start..].iter();
    let plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    start + rest.take_while(plain).count()
}

/// Bits are set if any of eight bytes is a quote, a backslash or a control character; the lowest
/// one is in the first such byte.
#[inline]
pub fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    // Borrows only reach bytes after the first zero, so the lowest bit is exact.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    (control | quote | backslash) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings() {
        for (json, expected) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[{},[]],"b":{}}"#, 3),
            (r#"["[[[[","\"[[[",{"}{":1}]"#, 2),
            (r#"["\\",[["\\\""]]]"#, 3),
            (&"[]".repeat(300), 1),
            (&format!("{}{}", "[".repeat(300), "]".repeat(300)), 300),
        ] {
            assert_eq!(nesting(json.as_bytes()), expected, "{json}");
            for most in 0..5 {
                assert_eq!(
                    nests_deeper(json.as_bytes(), most),
                    expected > most,
                    "{json}"
                );
            }
        }
    }

    #[test]
    fn escapes() {
        let mut out = vec![];
        escape("a\"\\\n\t\r\u{8}\u{c}\u{0}\u{1f}é/".as_bytes(), &mut out);
        assert_eq!(out, r#"a\"\\\n\t\r\b\f\u0000\u001fé/"#.as_bytes());
        out.clear();
        string(b"a\xff\xfeb", &mut out);
        assert_eq!(out, "\"a\u{FFFD}\u{FFFD}b\"".as_bytes());
    }
}
