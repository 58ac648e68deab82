//! Dates as Elasticsearch reads them in queries: ISO 8601 with parts left out, milliseconds since 1970,
//! and date math (`now-15m`, `2026-11-20||+1d/d`).
//!
//! A date stands for the time from its first to its last millisecond. What is left out begins with the
//! lowest value; the last millisecond has the month and the day 1 where they are left out, but the
//! last hour, minute and second ("Missing date components" of the range query's documentation).

use jiff::ToSpan as _;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;

use crate::model::{Comparison, Moment, Test};

const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000 * MILLISECOND;

/// The time that a date stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Period {
    /// The first moment.
    start: Moment,
    /// The first moment that is over.
    end: Moment,
}

impl Period {
    /// What a timestamp in this relation to the date satisfies.
    pub(super) fn test(self, comparison: Comparison) -> Test {
        let Period { start, end } = self;
        match comparison {
            Comparison::Equal => Test::Within {
                from: start,
                to: end,
            },
            Comparison::Less => Test::Time(Comparison::Less, start),
            Comparison::LessOrEqual => Test::Time(Comparison::Less, end),
            Comparison::Greater => Test::Time(Comparison::GreaterOrEqual, end),
            Comparison::GreaterOrEqual => Test::Time(Comparison::GreaterOrEqual, start),
        }
    }
}

/// Reads a date. The error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Period, String> {
    if let Some(math) = text.strip_prefix("now") {
        let offset = from_now(math)?;
        return Ok(Period {
            start: Moment::FromNow(offset),
            end: Moment::FromNow(offset + MILLISECOND),
        });
    }
    let unreadable = || {
        format!("`{text}` is no date: write it like 2026-11-20, 2026-11-20T12:00:00Z or now-15m")
    };
    match text.split_once("||") {
        None => {
            let (start, end) = written(text).ok_or_else(unreadable)?;
            Ok(Period {
                start: Moment::At(start),
                end: Moment::At(end),
            })
        }
        Some((anchor, math)) => {
            let (anchor, _) = written(anchor).ok_or_else(unreadable)?;
            let steps = steps(math)?;
            let too_far = || format!("`{text}` is beyond any calendar");
            let at = |last| calculated(anchor, &steps, last).ok_or_else(too_far);
            Ok(Period {
                start: Moment::At(at(false)?),
                end: Moment::At(at(true)? + MILLISECOND),
            })
        }
    }
}

/// One step of date math.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// So many units on.
    Add(i64, Unit),
    /// To the unit's start.
    Round(Unit),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn of(letter: char) -> Option<Unit> {
        Some(match letter {
            'y' => Unit::Year,
            'M' => Unit::Month,
            'w' => Unit::Week,
            'd' => Unit::Day,
            'h' | 'H' => Unit::Hour,
            'm' => Unit::Minute,
            's' => Unit::Second,
            _ => return None,
        })
    }

    /// Seconds, of the units that always have as many.
    fn seconds(self) -> Option<i128> {
        Some(match self {
            Unit::Year | Unit::Month => return None,
            Unit::Week => 7 * 86_400,
            Unit::Day => 86_400,
            Unit::Hour => 3_600,
            Unit::Minute => 60,
            Unit::Second => 1,
        })
    }
}

fn steps(math: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = math;
    while let Some(sign) = rest.chars().next() {
        let wrong = || {
            format!(
                "`{math}` is no date math: write steps like +1d, -2h and /d (units y M w d h m s)"
            )
        };
        let behind = match sign {
            '+' | '-' | '/' => &rest[1..],
            _ => return Err(wrong()),
        };
        let count = behind.len()
            - behind
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .len();
        let (digits, behind) = behind.split_at(count);
        let unit = behind.chars().next().and_then(Unit::of).ok_or_else(wrong)?;
        rest = &behind[1..];
        if sign == '/' {
            if !digits.is_empty() {
                return Err(wrong());
            }
            steps.push(Step::Round(unit));
            continue;
        }
        let count: i32 = match digits {
            "" => 1,
            _ => digits.parse().map_err(|_| wrong())?,
        };
        let count = i64::from(count) * if sign == '-' { -1 } else { 1 };
        steps.push(Step::Add(count, unit));
    }
    Ok(steps)
}

/// Nanoseconds from now, of the math behind `now`.
fn from_now(math: &str) -> Result<i128, String> {
    let mut seconds = 0_i128;
    for step in steps(math)? {
        match step {
            Step::Add(count, unit) => {
                let length = unit.seconds().ok_or_else(|| {
                    "`now` and months or years depend on the calendar: count in weeks (w), days (d) or \
                     less"
                        .to_owned()
                })?;
                seconds += i128::from(count) * length;
            }
            Step::Round(_) => {
                return Err(
                    "`now` is not rounded here: leave the `/` and its unit out, as in now-1d"
                        .into(),
                );
            }
        }
    }
    Ok(seconds * SECOND)
}

/// The moment that the steps lead to, of the first or the last millisecond.
fn calculated(anchor: i128, steps: &[Step], last: bool) -> Option<i128> {
    let mut at = civil(anchor)?;
    for step in steps {
        at = match *step {
            Step::Add(count, unit) => add(at, count, unit)?,
            Step::Round(unit) => {
                let start = round(at, unit)?;
                if last {
                    let next = add(start, 1, unit)?;
                    next.checked_sub(1.millisecond()).ok()?
                } else {
                    start
                }
            }
        };
    }
    nanoseconds(at)
}

fn add(at: DateTime, count: i64, unit: Unit) -> Option<DateTime> {
    let span = jiff::Span::new();
    let span = match unit {
        Unit::Year => span.try_years(count),
        Unit::Month => span.try_months(count),
        Unit::Week => span.try_weeks(count),
        Unit::Day => span.try_days(count),
        Unit::Hour => span.try_hours(count),
        Unit::Minute => span.try_minutes(count),
        Unit::Second => span.try_seconds(count),
    };
    at.checked_add(span.ok()?).ok()
}

/// The start of the unit; a week begins on Monday.
fn round(at: DateTime, unit: Unit) -> Option<DateTime> {
    let (date, time) = (at.date(), at.time());
    Some(match unit {
        Unit::Year => date.first_of_year().into(),
        Unit::Month => date.first_of_month().into(),
        Unit::Week => {
            let days = date.weekday().since(Weekday::Monday);
            date.checked_sub(i64::from(days).days()).ok()?.into()
        }
        Unit::Day => date.into(),
        Unit::Hour => date.at(time.hour(), 0, 0, 0),
        Unit::Minute => date.at(time.hour(), time.minute(), 0, 0),
        Unit::Second => date.at(time.hour(), time.minute(), time.second(), 0),
    })
}

fn civil(nanoseconds: i128) -> Option<DateTime> {
    let at = jiff::Timestamp::from_nanosecond(nanoseconds).ok()?;
    Some(at.to_zoned(TimeZone::UTC).datetime())
}

fn nanoseconds(at: DateTime) -> Option<i128> {
    let at = at.to_zoned(TimeZone::UTC).ok()?;
    Some(at.timestamp().as_nanosecond())
}

/// The first nanosecond of what is written, and the first one after it.
fn written(text: &str) -> Option<(i128, i128)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // Four digits are a year.
    if number && text.len() != 4 {
        let at = i128::from(text.parse::<i64>().ok()?) * MILLISECOND;
        return civil(at).map(|_| (at, at + MILLISECOND));
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = digits_of(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |month| digits_of(month, 2))?;
    let day = parts.next().map_or(Some(1), |day| digits_of(day, 2))?;
    if parts.next().is_some() || (time.is_some() && date.len() != 10) {
        return None;
    }
    let date = Date::new(
        year.try_into().ok()?,
        month.try_into().ok()?,
        day.try_into().ok()?,
    )
    .ok()?;
    let midnight = nanoseconds(date.into())?;
    let Some(time) = time.filter(|time| !time.is_empty()) else {
        return Some((midnight, midnight + 86_400 * SECOND));
    };
    let (time, offset) = zone(time)?;
    let (start, length) = time_of_day(time)?;
    let start = midnight + start - offset;
    Some((start, start + length))
}

/// Nanoseconds since midnight, and how long the smallest written unit is: at least a millisecond.
fn time_of_day(time: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = match time.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (time, None),
    };
    let mut parts = whole.split(':');
    let mut next = |limit: i128| match parts.next() {
        Some(part) => digits_of(part, 2)
            .map(i128::from)
            .filter(|n| *n < limit)
            .map(Some),
        None => Some(None),
    };
    let (hour, minute, second) = (next(24)??, next(60)?, next(60)?);
    if parts.next().is_some() || (fraction.is_some() && second.is_none()) {
        return None;
    }
    let seconds = hour * 3_600 + minute.unwrap_or(0) * 60 + second.unwrap_or(0);
    let (part, length) = match (minute, second, fraction) {
        (_, _, Some(fraction)) => {
            if !(1..=9).contains(&fraction.len()) {
                return None;
            }
            let digits: i128 = digits_of(fraction, fraction.len())?.into();
            let nanoseconds = digits * 10_i128.pow(9 - fraction.len() as u32);
            // Elasticsearch keeps milliseconds.
            (nanoseconds / MILLISECOND * MILLISECOND, MILLISECOND)
        }
        (_, Some(_), None) => (0, SECOND),
        (Some(_), None, None) => (0, 60 * SECOND),
        (None, _, None) => (0, 3_600 * SECOND),
    };
    Some((seconds * SECOND + part, length))
}

/// The time without its zone, and the zone's offset in nanoseconds; without a zone it is UTC.
fn zone(time: &str) -> Option<(&str, i128)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, 0));
    };
    let (time, zone) = time.split_at(at);
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let colon = zone[1..].find(':');
    if !matches!((digits.len(), colon), (2, None) | (4, None | Some(2))) || zone.len() > 6 {
        return None;
    }
    let hours = digits_of(&digits[..2], 2).filter(|hours| *hours <= 18)?;
    let minutes = match &digits[2..] {
        "" => 0,
        minutes => digits_of(minutes, 2).filter(|minutes| *minutes < 60)?,
    };
    let offset = i128::from(hours * 3_600 + minutes * 60) * SECOND;
    Some((
        time,
        if zone.starts_with('-') {
            -offset
        } else {
            offset
        },
    ))
}

/// A number of exactly so many digits.
fn digits_of(text: &str, count: usize) -> Option<u32> {
    let fits = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}
