//! Writing JSON texts: verdicts carry their context as JSON, whatever format the record has.

/// Appends a text as a JSON string. Bytes that are not UTF-8 become U+FFFD, so that what Poseur
/// writes is always valid.
pub fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        escape(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{FFFD}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Appends a text as the inside of a JSON string with the least escaping: `"`, `\` and control
/// characters; all other bytes as they are.
pub fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut done = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[done..at]);
        done = at + 1;
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
    out.extend_from_slice(&text[done..]);
}

#[cfg(test)]
mod tests {
    use super::*;

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
