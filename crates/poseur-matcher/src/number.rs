//! Numbers as records write them.

use std::cmp::Ordering;

/// Length of the JSON number that `text` starts with; 0 if it starts with none.
pub fn length(text: &[u8]) -> usize {
    let digits = |from: usize| {
        text[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = text.starts_with(b"-") as usize;
    at += match text.get(at) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(at),
        _ => return 0,
    };
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return 0;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = matches!(text.get(at + 1), Some(b'+' | b'-')) as usize;
        let exponent = digits((at + 1 + sign).min(text.len()));
        if exponent == 0 {
            return 0;
        }
        at += 1 + sign + exponent;
    }
    at
}

/// Whether a text is wholly one JSON number.
pub fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && length(text) == text.len()
}

/// The value of a text that is wholly one JSON number, as near as a double comes.
pub fn parse(text: &[u8]) -> Option<f64> {
    if !is_number(text) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// How two JSON numbers are ordered: exactly for whole numbers, else as doubles. `None` if one of
/// the texts is no number.
pub fn compare(a: &[u8], b: &[u8]) -> Option<Ordering> {
    let whole = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i128>().ok();
    // Rust takes spellings of whole numbers that JSON does not have.
    if !(is_number(a) && is_number(b)) {
        return None;
    }
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => parse(a)?.partial_cmp(&parse(b)?),
    }
}

/// Whether two JSON numbers are the same.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    compare(a, b) == Some(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for text in ["0", "-0", "10", "1.5", "1e3", "-1.25E-07"] {
            assert!(is_number(text.as_bytes()), "{text}");
        }
        for text in [
            "", "-", "01", "+1", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "inf",
        ] {
            assert!(!is_number(text.as_bytes()), "{text}");
        }
        assert!(equal(b"1.0", b"1") && equal(b"1e2", b"100") && equal(b"-0", b"0"));
        assert!(!equal(b"9007199254740993", b"9007199254740992"));
    }
}
