//! The byte encodings that modifiers apply to a value: UTF-16 and Base64.

/// Which UTF-16 a modifier asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf16 {
    /// Little-endian: `wide` and `utf16le`.
    Little,
    /// Big-endian: `utf16be`.
    Big,
    /// Little-endian behind a byte-order mark: `utf16`.
    Marked,
}

/// The text in UTF-16.
pub(super) fn utf16(text: &str, form: Utf16) -> Vec<u8> {
    let mark = (form == Utf16::Marked).then_some(0xfeff);
    mark.into_iter()
        .chain(text.encode_utf16())
        .flat_map(|unit: u16| match form {
            Utf16::Big => unit.to_be_bytes(),
            Utf16::Little | Utf16::Marked => unit.to_le_bytes(),
        })
        .collect()
}

/// Base64 with padding (RFC 4648).
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            if i <= chunk.len() {
                let six = (bits >> (18 - 6 * i)) & 63;
                out.push(char::from(ALPHABET[six as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The three texts that the bytes leave in Base64, by their position modulo three: what depends on
/// their neighbours is cut off. `None` if the bytes are too few to leave a text in each.
pub(super) fn base64_offsets(bytes: &[u8]) -> Option<[String; 3]> {
    let cut = |shift: usize| {
        let mut shifted = vec![b' '; shift];
        shifted.extend_from_slice(bytes);
        let text = base64(&shifted);
        let start = [0, 2, 3][shift];
        let end = text.len() - [0, 3, 2][shifted.len() % 3];
        text.get(start..end)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    Some([cut(0)?, cut(1)?, cut(2)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_known_texts() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{0}\u{10}\u{7f}", "ABB/"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text, "{bytes:?}");
        }
    }

    #[test]
    fn offsets_are_found_at_every_position() {
        for value in ["abc", "help", "helpd", "/bin/bash", "é€"] {
            let offsets = base64_offsets(value.as_bytes()).unwrap();
            for before in 0..7 {
                for after in 0..4 {
                    let whole = format!("{}{value}{}", "x".repeat(before), "y".repeat(after));
                    let encoded = base64(whole.as_bytes());
                    assert!(
                        encoded.contains(&offsets[before % 3]),
                        "{value} {before} {after}"
                    );
                }
            }
        }
        assert_eq!(base64_offsets(b"a"), None);
        assert_eq!(base64_offsets(b""), None);
    }

    #[test]
    fn utf16_forms() {
        assert_eq!(utf16("ab", Utf16::Little), b"a\0b\0");
        assert_eq!(utf16("ab", Utf16::Big), b"\0a\0b");
        assert_eq!(utf16("ab", Utf16::Marked), b"\xff\xfea\0b\0");
    }
}
