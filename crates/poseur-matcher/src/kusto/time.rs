//! Moments and lengths of time, in ticks of 100 nanoseconds.

use jiff::ToSpan;
use jiff::civil::Date;

use super::value::Value;
use crate::time::parse;

/// Ticks in a second.
const SECOND: i64 = 10_000_000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Ticks from the start of year 1 to 1970.
pub const YEAR_ONE: i64 = 719_162 * DAY;
/// The start of year 10000.
const END: i64 = 2_932_897 * DAY;

/// A moment, if it is one that Kusto knows: of the years 1 to 9999.
pub fn moment(ticks: Option<i64>) -> Value {
    let known = ticks.filter(|ticks| (-YEAR_ONE..END).contains(ticks));
    known.map_or(Value::Null, Value::DateTime)
}

/// A length of time.
pub fn span(ticks: Option<i64>) -> Value {
    ticks.map_or(Value::Null, Value::TimeSpan)
}

/// The moment a text names: a timestamp, a date, or a date with hours and minutes.
pub fn parse_moment(text: &str) -> Option<i64> {
    let full = match text.len() {
        10 => format!("{text}T00:00:00"),
        16 => format!("{text}:00"),
        _ => text.to_owned(),
    };
    let nanoseconds = parse(full.as_bytes())?;
    let ticks = i64::try_from(nanoseconds.div_euclid(100)).ok();
    match moment(ticks) {
        Value::DateTime(ticks) => Some(ticks),
        _ => None,
    }
}

/// The length of time that a text `[-][d.]hh:mm:ss[.fffffff]` names.
pub fn parse_span(text: &[u8]) -> Option<i64> {
    let (sign, text) = match text.strip_prefix(b"-") {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let number = |digits: &[u8]| -> Option<i64> {
        let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        all.then(|| std::str::from_utf8(digits).ok()?.parse().ok())
            .flatten()
    };
    let colon = memchr::memchr(b':', text)?;
    let (days, time) = match memchr::memchr(b'.', &text[..colon]) {
        Some(dot) => (number(&text[..dot])?, &text[dot + 1..]),
        None => (0, text),
    };
    let two = |from: usize, below: i64| {
        let digits = number(time.get(from..from + 2)?)?;
        (digits < below).then_some(digits)
    };
    if time.get(2) != Some(&b':') || time.get(5) != Some(&b':') {
        return None;
    }
    let seconds = (two(0, 24)? * 60 + two(3, 60)?) * 60 + two(6, 60)?;
    let fraction = match time.get(8..)? {
        [] => 0,
        [b'.', digits @ ..] if digits.len() <= 7 => {
            number(digits)? * 10_i64.pow(7 - digits.len() as u32)
        }
        _ => return None,
    };
    days.checked_mul(DAY)?
        .checked_add(seconds * SECOND + fraction)
        .map(|ticks| sign * ticks)
}

/// `2026-01-02T03:04:05.1234567Z`
pub fn write_moment(ticks: i64) -> String {
    let days = ticks.div_euclid(DAY);
    let date = Date::constant(1970, 1, 1).checked_add(days.days());
    let date = date.unwrap_or(if days < 0 { Date::MIN } else { Date::MAX });
    let (hour, minute, second, fraction) = clock(ticks.rem_euclid(DAY));
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{fraction:07}Z")
}

/// `[-][d.]hh:mm:ss[.fffffff]`
pub fn write_span(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let length = ticks.unsigned_abs();
    let days = match length / DAY as u64 {
        0 => String::new(),
        days => format!("{days}."),
    };
    let (hour, minute, second, fraction) = clock((length % DAY as u64) as i64);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:07}"),
    };
    format!("{sign}{days}{hour:02}:{minute:02}:{second:02}{fraction}")
}

/// Hour, minute, second and ticks of a time of day.
fn clock(ticks: i64) -> (i64, i64, i64, i64) {
    let seconds = ticks / SECOND;
    let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
    (hour, minute, seconds % 60, ticks % SECOND)
}

/// `startofday(a[, days])`
pub fn start_of_day(ticks: i64, offset: i64) -> Value {
    let days = ticks.div_euclid(DAY).checked_add(offset);
    moment(days.and_then(|days| days.checked_mul(DAY)))
}

/// `hourofday(a)`
pub fn hour_of_day(ticks: i64) -> Value {
    Value::Long(ticks.rem_euclid(DAY) / HOUR)
}

/// `dayofweek(a)`: since the last Sunday.
pub fn day_of_week(ticks: i64) -> Value {
    // 1970 began on a Thursday.
    Value::TimeSpan((ticks.div_euclid(DAY) + 4).rem_euclid(7) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00.0000000Z")),
            (
                "2015-12-31 23:59:59.9",
                Some("2015-12-31T23:59:59.9000000Z"),
            ),
            (
                "2026-07-23T09:09:09.123456789+02:00",
                Some("2026-07-23T07:09:09.1234567Z"),
            ),
            ("2026-07-23", Some("2026-07-23T00:00:00.0000000Z")),
            ("2026-07-23T09:09", Some("2026-07-23T09:09:00.0000000Z")),
            ("0001-01-01", Some("0001-01-01T00:00:00.0000000Z")),
            (
                "9999-12-31T23:59:59.9999999Z",
                Some("9999-12-31T23:59:59.9999999Z"),
            ),
            ("0000-01-01", None),
            ("0001-01-01T00:00:00+01:00", None),
            (
                "1969-12-31T23:59:59.99999999Z",
                Some("1969-12-31T23:59:59.9999999Z"),
            ),
            ("2026-02-30", None),
            ("12-02-2022", None),
            ("", None),
            ("1234567890", None),
            ("ééééé", None),
        ] {
            let written = parse_moment(text).map(write_moment);
            assert_eq!(written.as_deref(), expected, "{text}");
        }
        assert_eq!(Value::DateTime(0).to_long(), Some(621_355_968_000_000_000));
        assert_eq!(moment(Some(END)), Value::Null);
    }

    #[test]
    fn spans() {
        for (text, expected) in [
            ("00:00:01", Some(SECOND)),
            ("-00:00:01", Some(-SECOND)),
            ("1.00:00:00", Some(DAY)),
            ("10.01:00:00.5", Some(10 * DAY + HOUR + SECOND / 2)),
            ("00:00:00.0000001", Some(1)),
            ("24:00:00", None),
            ("1:00:00", None),
            ("00:60:00", None),
            ("00:00", None),
            ("00:00:00.", None),
            ("00:00:00.00000001", None),
            ("x.00:00:00", None),
            (".00:00:00", None),
            ("99999999999999.00:00:00", None),
            ("", None),
            ("1d", None),
        ] {
            assert_eq!(parse_span(text.as_bytes()), expected, "{text}");
        }
        for text in ["00:00:01", "-2.03:04:05.0600000", "10.00:00:00"] {
            assert_eq!(write_span(parse_span(text.as_bytes()).unwrap()), text);
        }
        assert_eq!(write_span(i64::MIN), "-10675199.02:48:05.4775808");
    }
}
