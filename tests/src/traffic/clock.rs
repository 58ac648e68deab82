//! Time: a clock that runs through the 30 days before the base time, and the ways a timestamp is written.

use super::rng::Rng;

/// How long before the base time the traffic begins. A little less than rule B's 30 days, so that every record is
/// inside that window however the seconds fall.
const WINDOW: i64 = 30 * DAY - 3600;
/// One day in seconds.
pub(super) const DAY: i64 = 86_400;

/// A moment: seconds since 1970 and ten-millionths of a second, the precision of the real records.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub secs: i64,
    pub ticks: u32,
}

/// How a moment is written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    /// `2026-11-01T09:00:00`: audit records, which are in UTC without saying so.
    Bare,
    /// `2026-11-01T09:00:00Z`
    Seconds,
    /// `2026-11-01T09:00:00.123Z`
    Millis,
    /// `2026-11-01T09:00:00.1234567Z`
    Ticks,
}

impl Stamp {
    /// The same moment, `secs` later (or earlier).
    pub fn plus(self, secs: i64) -> Self {
        Self {
            secs: self.secs + secs,
            ..self
        }
    }

    pub fn millis(self) -> u64 {
        self.secs as u64 * 1000 + u64::from(self.ticks / 10_000)
    }

    pub fn write(self, format: Format, out: &mut Vec<u8>) {
        let (year, month, day) = civil(self.secs.div_euclid(DAY));
        let of_day = self.secs.rem_euclid(DAY) as u32;
        let mut text = *b"0000-00-00T00:00:00.0000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], of_day / 3600);
        digits(&mut text[14..16], of_day / 60 % 60);
        digits(&mut text[17..19], of_day % 60);
        digits(&mut text[20..27], self.ticks);
        match format {
            Format::Bare => out.extend_from_slice(&text[..19]),
            Format::Seconds => {
                out.extend_from_slice(&text[..19]);
                out.push(b'Z');
            }
            Format::Millis => {
                out.extend_from_slice(&text[..23]);
                out.push(b'Z');
            }
            Format::Ticks => out.extend_from_slice(&text),
        }
    }
}

/// Writes `value` into all of `place`, with leading zeros.
fn digits(place: &mut [u8], mut value: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Year, month and day of a day number since 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (u32, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

/// Gives each record its moment. Time goes forward, on average ten seconds a record, and starts over at the beginning
/// of the window when it reaches the end: a long stream must not run out of it.
pub(super) struct Clock {
    at: i64,
    /// Ten-millionths of a second since the window began.
    elapsed: i64,
}

impl Clock {
    pub fn new(at: i64) -> Self {
        Self { at, elapsed: 0 }
    }

    pub fn next(&mut self, rng: &mut Rng) -> Stamp {
        self.elapsed = (self.elapsed + i64::from(rng.below(200_000_000))) % (WINDOW * 10_000_000);
        Stamp {
            secs: self.at - WINDOW + self.elapsed / 10_000_000,
            ticks: (self.elapsed % 10_000_000) as u32,
        }
    }
}
