//! Numbers as records write them.

/// Whether a text is wholly one JSON number.
pub fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// The value of a text that is wholly one JSON number, as near as a double comes.
pub fn parse(text: &[u8]) -> Option<f64> {
    if !is_number(text) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether two JSON numbers are the same: exactly for whole numbers, else as doubles.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    let whole = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i128>().ok();
    match (whole(a), whole(b)) {
        (Some(a), Some(b)) => a == b,
        _ => match (parse(a), parse(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
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
