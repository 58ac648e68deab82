//! Timestamps as records write them.

use jiff::civil::Date;

/// The moment an RFC 3339 text names, in nanoseconds since 1970: `T` or one space between date and time, up to nine
/// fraction digits, zone `Z`, `+hh:mm` or none, which means UTC. A leap second is the second after.
/// Anything else is no moment.
pub fn parse(text: &[u8]) -> Option<i128> {
    // Checked byte by byte, because the library takes more forms than records may have.
    let digits = |from: usize, count: usize| -> Option<i64> {
        let digits = text.get(from..from + count)?;
        digits.iter().try_fold(0, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + (digit - b'0') as i64)
        })
    };
    let separated = text.get(4) == Some(&b'-')
        && text.get(7) == Some(&b'-')
        && matches!(text.get(10), Some(b'T' | b' '))
        && text.get(13) == Some(&b':')
        && text.get(16) == Some(&b':');
    if !separated {
        return None;
    }
    let mut at = 19;
    let mut nanoseconds = 0;
    if text.get(at) == Some(&b'.') {
        let count = text[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 || count > 9 {
            return None;
        }
        nanoseconds = digits(at + 1, count)? * 10_i64.pow(9 - count as u32);
        at += 1 + count;
    }
    let offset = match text.get(at..)? {
        [] | [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(at + 1, 2)?, digits(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let date = Date::new(
        digits(0, 4)? as i16,
        digits(5, 2)? as i8,
        digits(8, 2)? as i8,
    );
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let day = date
        .ok()?
        .duration_since(Date::constant(1970, 1, 1))
        .as_secs();
    let seconds = day + (hour * 60 + minute) * 60 + second - offset;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn table() {
        for (text, expected) in [
            (
                "2026-07-23T09:09:09.9551737Z",
                Some("2026-07-23T09:09:09.9551737Z"),
            ),
            ("2026-07-23T09:09:09", Some("2026-07-23T09:09:09Z")),
            ("2026-07-23 09:09:09Z", Some("2026-07-23T09:09:09Z")),
            (
                "2026-07-23T09:09:09.123456789+02:00",
                Some("2026-07-23T07:09:09.123456789Z"),
            ),
            ("2026-07-23T09:09:09-00:30", Some("2026-07-23T09:39:09Z")),
            ("2026-02-30T09:09:09Z", None),
            ("2026-07-23T24:00:00Z", None),
            ("2026-07-23T09:09:60Z", Some("2026-07-23T09:10:00Z")),
            ("2026-07-23T09:09:61Z", None),
            ("2026-07-23t09:09:09Z", None),
            ("2026-07-23T09:09:09z", None),
            ("2026-07-23T09:09", None),
            ("2026-07-23", None),
            ("2026-07-23T09:09:09.Z", None),
            ("2026-07-23T09:09:09.1234567890Z", None),
            ("2026-07-23T09:09:09+0200", None),
            ("2026-07-23T09:09:09 Z", None),
            ("+2026-07-23T09:09:09Z", None),
            ("9999-12-31T23:59:60-23:00X", None),
            ("1753261749", None),
            ("", None),
        ] {
            let expected = expected.map(|text| text.parse::<Timestamp>().unwrap().as_nanosecond());
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }
}
