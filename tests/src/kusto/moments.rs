//! Kusto's moments and lengths of time as text.

const SECOND: i64 = 10_000_000;

/// `2026-03-01T12:00:00.0000000Z`
pub fn print(ticks: i64) -> String {
    let (days, rest) = (
        ticks.div_euclid(86_400 * SECOND),
        ticks.rem_euclid(86_400 * SECOND),
    );
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{}.{:07}Z",
        clock(rest),
        rest % SECOND
    )
}

/// `[-][d.]hh:mm:ss[.fffffff]`
pub fn print_length(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let ticks = ticks.unsigned_abs() as i64;
    let (days, rest) = (ticks / (86_400 * SECOND), ticks % (86_400 * SECOND));
    let days = if days > 0 {
        format!("{days}.")
    } else {
        String::new()
    };
    let fraction = match rest % SECOND {
        0 => String::new(),
        fraction => format!(".{fraction:07}"),
    };
    format!("{sign}{days}{}{fraction}", clock(rest))
}

/// `hh:mm:ss` of ticks within a day.
fn clock(ticks: i64) -> String {
    let seconds = ticks / SECOND;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Year, month and day of a number of days since 1970, by counting.
fn date(mut days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    loop {
        if days < 0 {
            year -= 1;
            days += 365 + i64::from(leap(year));
        } else if days >= 365 + i64::from(leap(year)) {
            days -= 365 + i64::from(leap(year));
            year += 1;
        } else {
            break;
        }
    }
    let mut month = 1;
    loop {
        let length = match month {
            2 => 28 + i64::from(leap(year)),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        if days < length {
            return (year, month, days + 1);
        }
        days -= length;
        month += 1;
    }
}

/// Ticks of a text `[-][d.]hh:mm:ss[.fffffff]`.
pub fn length(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let number = |text: &str, least: usize, most: usize| {
        let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| text.parse::<i64>().ok()).flatten()
    };
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = match hours.split_once('.') {
        Some((days, hours)) => (number(days, 1, 7)?, hours),
        None => (0, hours),
    };
    let (seconds, fraction) = match seconds.split_once('.') {
        Some((seconds, fraction)) => (seconds, number(&format!("{fraction:0<7}"), 7, 7)?),
        None => (seconds, 0),
    };
    let (hours, minutes) = (number(hours, 2, 2)?, number(minutes, 2, 2)?);
    let seconds = number(seconds, 2, 2)?;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(sign * (seconds * SECOND + fraction))
}
