//! Kusto's literals: strings, numbers, lengths of time, and `type(value)`.

use jiff::civil;

use super::token::{is_name_part, name_length};
use crate::expression::{ColumnType, Literal};
use crate::model::Number;

/// Ticks of 100 nanoseconds in a second.
pub(super) const SECOND: i64 = 10_000_000;
/// Ticks in a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// A literal and how many bytes it took, or what is wrong with it.
type Read<T> = Result<(T, usize), String>;

/// Quotes of texts that may go over several lines.
const FENCES: [&str; 2] = ["```", "~~~"];

/// Whether a string literal starts here: `'…'`, `"…"`, `@"…"`, `h"…"`, or three backticks or tildes.
pub(super) fn starts_text(text: &str) -> bool {
    let text = text.strip_prefix(['h', 'H']).unwrap_or(text);
    let text = text.strip_prefix('@').unwrap_or(text);
    text.starts_with(['\'', '"']) || FENCES.iter().any(|fence| text.starts_with(fence))
}

/// The string literal that starts here.
pub(super) fn text(source: &str) -> Read<String> {
    let plain = source.strip_prefix(['h', 'H']).unwrap_or(source);
    let unmarked = plain.strip_prefix('@').unwrap_or(plain);
    let verbatim = unmarked.len() < plain.len();
    let before = source.len() - unmarked.len();
    if let Some(fence) = FENCES.iter().find(|fence| unmarked.starts_with(**fence)) {
        let inner = &unmarked[fence.len()..];
        let end = inner
            .find(fence)
            .ok_or_else(|| format!("this text has no end: {fence} is missing"))?;
        return Ok((inner[..end].to_owned(), before + 2 * fence.len() + end));
    }
    let quote = unmarked.chars().next().unwrap_or('"');
    let inner = &unmarked[quote.len_utf8()..];
    let (content, length) = if verbatim {
        verbatim_content(inner, quote)?
    } else {
        escaped_content(inner, quote)?
    };
    Ok((content, before + 2 * quote.len_utf8() + length))
}

fn no_end(quote: char) -> String {
    format!("this text has no end: {quote} is missing on its line")
}

/// Text up to the quote; two quotes stand for one.
fn verbatim_content(inner: &str, quote: char) -> Read<String> {
    let mut out = String::new();
    let mut at = 0;
    loop {
        let rest = &inner[at..];
        let end = rest
            .find([quote, '\n', '\r'])
            .filter(|end| rest[*end..].starts_with(quote))
            .ok_or_else(|| no_end(quote))?;
        out.push_str(&rest[..end]);
        at += end;
        if !inner[at + 1..].starts_with(quote) {
            return Ok((out, at));
        }
        out.push(quote);
        at += 2;
    }
}

/// Text up to the quote, with escapes.
fn escaped_content(inner: &str, quote: char) -> Read<String> {
    let mut out = String::new();
    // The first half of a pair of \u escapes.
    let mut high = None;
    let mut at = 0;
    loop {
        let rest = &inner[at..];
        let end = rest
            .find([quote, '\\', '\n', '\r'])
            .ok_or_else(|| no_end(quote))?;
        if end > 0 {
            out.extend(high.take().map(|_| char::REPLACEMENT_CHARACTER));
            out.push_str(&rest[..end]);
            at += end;
        }
        let stop = &inner[at..];
        if !stop.starts_with('\\') {
            if !stop.starts_with(quote) {
                return Err(no_end(quote));
            }
            out.extend(high.take().map(|_| char::REPLACEMENT_CHARACTER));
            return Ok((out, at));
        }
        let (code, length) = escape(&stop[1..]).ok_or_else(|| {
            let next = stop[1..].chars().next().filter(|next| !next.is_control());
            let next = next.map_or(String::new(), |next| next.escape_debug().to_string());
            format!("`\\{next}` is no escape: write `\\\\{next}`, or the text as @{quote}…{quote}")
        })?;
        at += 1 + length;
        match (high.take(), code) {
            (None, 0xD800..=0xDBFF) => high = Some(code),
            (Some(first), 0xDC00..=0xDFFF) => {
                let joined = 0x10000 + ((first - 0xD800) << 10) + (code - 0xDC00);
                out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            (Some(_), 0xD800..=0xDBFF) => {
                out.push(char::REPLACEMENT_CHARACTER);
                high = Some(code);
            }
            (lone, _) => {
                out.extend(lone.map(|_| char::REPLACEMENT_CHARACTER));
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
    }
}

/// The code of an escape, and its bytes behind the backslash.
fn escape(text: &str) -> Option<(u32, usize)> {
    let hex = |count: usize| {
        let digits = text.get(1..1 + count)?;
        let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some((
            u32::from_str_radix(digits, 16).ok().filter(|_| valid)?,
            1 + count,
        ))
    };
    let first = text.chars().next()?;
    let simple = |code: u32| Some((code, 1));
    match first {
        '\\' | '\'' | '"' => simple(first.into()),
        'a' => simple(7),
        'b' => simple(8),
        't' => simple(9),
        'n' => simple(10),
        'v' => simple(11),
        'f' => simple(12),
        'r' => simple(13),
        'x' => hex(2),
        'u' => hex(4),
        'U' => hex(8),
        '0'..='7' => {
            let most = if first <= '3' { 3 } else { 2 };
            let digits = text.bytes().take(most);
            let count = digits
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count();
            Some((u32::from_str_radix(&text[..count], 8).ok()?, count))
        }
        _ => None,
    }
}

/// The number or length of time that starts here; `None`: it is a name that begins with a digit.
pub(super) fn number(text: &str) -> Option<Read<Literal>> {
    if let Some(length) = real_length(text) {
        let literal = real(&text[..length]).map(|literal| (literal, length));
        return Some(literal.ok_or_else(|| format!("`{}` is no number", &text[..length])));
    }
    if let Some((literal, length)) = length_of_time(text) {
        let ticks = literal.map(|ticks| (Literal::TimeSpan(ticks), length));
        return Some(ticks.ok_or_else(|| out_of_range(&text[..length])));
    }
    let length = name_length(text);
    let word = &text[..length];
    let digits =
        |text: &str, valid: fn(&u8) -> bool| !text.is_empty() && text.as_bytes().iter().all(valid);
    let hex = word.strip_prefix("0x").or(word.strip_prefix("0X"));
    let number = match hex {
        Some(hex) if digits(hex, u8::is_ascii_hexdigit) => i64::from_str_radix(hex, 16),
        _ if digits(word, u8::is_ascii_digit) => word.parse(),
        _ => return None,
    };
    Some(match number {
        Ok(number) => Ok((Literal::Long(number), length)),
        Err(_) => Err(out_of_range(word)),
    })
}

fn out_of_range(text: &str) -> String {
    format!("`{text}` is beyond what Kusto's numbers hold")
}

/// Digits at the start.
fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// `1.5`, `1.`, `1e5`.
fn real_length(text: &str) -> Option<usize> {
    let mut at = digits(text);
    let exponent = |text: &str| {
        let rest = text.strip_prefix(['e', 'E'])?;
        let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let count = digits(unsigned);
        (count > 0).then(|| text.len() - unsigned.len() + count)
    };
    let rest = &text[at..];
    if rest.starts_with('.') && (!rest.starts_with("..") || rest.starts_with("...")) {
        at += 1 + digits(&rest[1..]);
        at += exponent(&text[at..]).unwrap_or(0);
    } else {
        at += exponent(rest)?;
    }
    (!text[at..].starts_with(is_name_part)).then_some(at)
}

/// A real number in Kusto's spelling, brought to JSON's.
fn real(text: &str) -> Option<Literal> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let split = text.find(['e', 'E']).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(split);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    let number = Number::new(format!("{sign}{whole}{point}{fraction}{exponent}"))?;
    number.as_f64().is_finite().then_some(Literal::Real(number))
}

/// `1.5h`: its ticks (`None`: too many) and its bytes.
fn length_of_time(text: &str) -> Option<(Option<i64>, usize)> {
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let count = whole + if fraction > 0 { 1 + fraction } else { 0 };
    let unit = &text[count..count + name_length(&text[count..])];
    let ticks = unit_ticks(unit)?;
    Some((ticks_of(&text[..count], ticks), count + unit.len()))
}

/// A count, perhaps with a fraction, of units that are given in ticks; nanoseconds are -100.
fn ticks_of(count: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = count.split_once('.').unwrap_or((count, ""));
    if unit < 0 {
        return Some(whole.parse::<i64>().ok()? / -unit);
    }
    let part: f64 = format!("0.{fraction}0").parse().ok()?;
    let ticks = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    ticks.checked_add((part * unit as f64).round() as i64)
}

fn unit_ticks(unit: &str) -> Option<i64> {
    Some(match unit {
        "d" | "day" | "days" => DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600 * SECOND,
        "m" | "min" | "minute" | "minutes" => 60 * SECOND,
        "s" | "sec" | "second" | "seconds" => SECOND,
        "ms" | "milli" | "millis" | "millisec" | "millisecond" | "milliseconds" => SECOND / 1_000,
        "micro" | "micros" | "microsec" | "microsecond" | "microseconds" => 10,
        "nano" | "nanos" | "nanosec" | "nanosecond" | "nanoseconds" => -100,
        "tick" | "ticks" => 1,
        _ => return None,
    })
}

/// `type(value)`, of which the bracket has been read; `None`: the word is no type that takes a value
/// this way.
pub(super) fn typed(word: &str, text: &str) -> Option<Read<Literal>> {
    let kind = match word {
        "datetime" | "date" => ColumnType::DateTime,
        "timespan" | "time" => ColumnType::TimeSpan,
        "int" | "long" | "int32" | "int64" => ColumnType::Long,
        "real" | "double" | "decimal" => ColumnType::Real,
        "bool" => ColumnType::Bool,
        "guid" => ColumnType::Text,
        _ => return None,
    };
    let Some(end) = text
        .find([')', '\n', '\r'])
        .filter(|end| text[*end..].starts_with(')'))
    else {
        return Some(Err(format!("`{word}(` has no `)` on its line")));
    };
    let content = text[..end].trim();
    let unquoted = content
        .strip_prefix(['"', '\''])
        .and_then(|rest| rest.strip_suffix(['"', '\'']))
        .unwrap_or(content);
    let literal = match kind {
        _ if content == "null" => Some(Literal::Null(kind)),
        ColumnType::Text => is_guid(unquoted).then(|| Literal::Text(unquoted.to_ascii_lowercase())),
        kind => from_text(unquoted, kind),
    };
    Some(match literal {
        Some(literal) => Ok((literal, end + 1)),
        None => Err(format!("`{content}` is no value of type {word}")),
    })
}

fn is_guid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// The value of a type that a text spells, as Kusto's conversions read it; `None`: none.
pub(super) fn from_text(text: &str, kind: ColumnType) -> Option<Literal> {
    let text = text.trim();
    Some(match kind {
        ColumnType::Text => Literal::Text(text.to_owned()),
        ColumnType::Bool => match text {
            _ if text.eq_ignore_ascii_case("true") => Literal::Bool(true),
            _ if text.eq_ignore_ascii_case("false") => Literal::Bool(false),
            "1" => Literal::Bool(true),
            "0" => Literal::Bool(false),
            _ => return None,
        },
        ColumnType::Long => {
            let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
            let negative = text.starts_with('-');
            match unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
                Some(hex) => {
                    let valid = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                    let number = i64::from_str_radix(hex, 16).ok().filter(|_| valid)?;
                    Literal::Long(if negative { -number } else { number })
                }
                None => Literal::Long(text.parse().ok()?),
            }
        }
        ColumnType::Real => {
            let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
            let whole = digits(unsigned);
            let plain = whole > 0
                && (whole == unsigned.len() || real_length(unsigned) == Some(unsigned.len()));
            plain.then(|| real(text)).flatten()?
        }
        ColumnType::DateTime => Literal::DateTime(date_time(text)?),
        ColumnType::TimeSpan => Literal::TimeSpan(time_span(text)?),
        ColumnType::Dynamic => return None,
    })
}

/// A number of so many digits at the start of a text, and the rest.
fn count(text: &str, digits_allowed: std::ops::RangeInclusive<usize>) -> Option<(i64, &str)> {
    let length = digits(text);
    let number = text[..length].parse().ok()?;
    digits_allowed
        .contains(&length)
        .then_some((number, &text[length..]))
}

/// The ticks behind a decimal point: seven digits count, further ones are dropped.
fn fraction(digits: &str) -> i64 {
    let digits = format!("{digits:0<7.7}");
    digits.parse().unwrap_or(0)
}

/// ISO 8601 as Kusto takes it: `2024-01-31`, with `T` or a space `08:30`, seconds, a fraction, and `Z`
/// or an offset. Ticks since 1970.
fn date_time(text: &str) -> Option<i64> {
    let (year, rest) = count(text, 4..=4)?;
    let (month, rest) = count(rest.strip_prefix(['-', '/'])?, 1..=2)?;
    let (day, rest) = count(rest.strip_prefix(['-', '/'])?, 1..=2)?;
    let date = civil::Date::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    );
    let days = date.ok()?.since(civil::date(1970, 1, 1)).ok()?.get_days();
    let mut ticks = i64::from(days) * DAY;
    let mut rest = rest;
    if let Some(time) = rest.strip_prefix(['T', 't']).or_else(|| {
        let time = rest.trim_start();
        (time.len() < rest.len()).then_some(time)
    }) {
        let (hour, after) = count(time, 1..=2)?;
        let (minute, after) = count(after.strip_prefix(':')?, 1..=2)?;
        ticks += in_range(hour, 23)? * 3_600 * SECOND + in_range(minute, 59)? * 60 * SECOND;
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            let (second, after) = count(after, 1..=2)?;
            ticks += in_range(second, 59)? * SECOND;
            rest = after;
            if let Some(after) = rest.strip_prefix('.') {
                let length = digits(after);
                ticks += fraction(&after[..length]);
                rest = (length > 0).then(|| &after[length..])?;
            }
        }
    }
    let zone = rest.trim_start();
    let offset = match zone {
        "" | "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, after) = count(zone.strip_prefix(['+', '-'])?, 2..=2)?;
            let (minutes, after) = count(after.strip_prefix(':')?, 2..=2)?;
            after.is_empty().then_some(())?;
            sign * (in_range(hours, 23)? * 60 + in_range(minutes, 59)?)
        }
    };
    Some(ticks - offset * 60 * SECOND)
}

fn in_range(number: i64, most: i64) -> Option<i64> {
    (number <= most).then_some(number)
}

/// `1.5h`, `[-][d.]hh:mm[:ss[.fffffff]]`, or a number of days. Ticks.
fn time_span(text: &str) -> Option<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let days = digits(text);
    if days > 0 && days == text.len() {
        return text.parse::<i64>().ok()?.checked_mul(sign * DAY);
    }
    if let Some((ticks, length)) = length_of_time(text)
        && length == text.len()
    {
        return Some(sign * ticks?);
    }
    let (mut ticks, mut rest) = (0_i64, text);
    if let Some((days, after)) = count(text, 1..=8)
        && let Some(after) = after.strip_prefix('.')
    {
        ticks = days.checked_mul(DAY)?;
        rest = after;
    }
    let (hours, after) = count(rest, 1..=2)?;
    let (minutes, after) = count(after.strip_prefix(':')?, 1..=2)?;
    let mut part = in_range(hours, 23)? * 3_600 * SECOND + in_range(minutes, 59)? * 60 * SECOND;
    rest = after;
    if let Some(after) = rest.strip_prefix(':') {
        let (seconds, after) = count(after, 1..=2)?;
        part += in_range(seconds, 59)? * SECOND;
        rest = after;
        if let Some(after) = rest.strip_prefix('.') {
            let length = digits(after);
            part += fraction(&after[..length]);
            rest = (length > 0).then(|| &after[length..])?;
        }
    }
    rest.is_empty()
        .then(|| ticks.checked_add(part))?
        .map(|ticks| sign * ticks)
}
