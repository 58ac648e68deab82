//! Findings for people: an aligned table.
//!
//! Rows are held back until enough are known to choose the widths of the columns, but not for long.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use poseur_rule::model::Level;
use poseur_tagger::finding::Finding;

use crate::terminal::{Colour, Paint, cut, harmless, padding, width};

/// So many rows decide about the widths.
const HELD: usize = 200;

/// People wait no longer than this for the first rows.
const PATIENCE: Duration = Duration::from_secs(1);

const COLUMNS: usize = 5;
const HEADINGS: [&str; COLUMNS] = ["TIME", "RULE", "WHO", "AGAINST", "ON"];
const GAP: &str = "  ";

/// No column is made narrower.
const NARROWEST: usize = 8;

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    cells: [String; COLUMNS],
    level: Level,
    suppressed: bool,
}

impl Row {
    /// The row of a finding. All texts are harmless for terminals.
    pub fn new(finding: &Finding<'_>) -> Row {
        let against = match finding.whom().as_slice() {
            [] => String::new(),
            [one] => harmless(one).into_owned(),
            [first, more @ ..] => format!("{} +{}", harmless(first), more.len()),
        };
        let on = match (finding.exception(), finding.on().next()) {
            (Some(exception), _) => format!("suppressed by {}", harmless(&exception.id)),
            (None, Some(on)) => format!("{}: {}", harmless(&on.field), harmless(&on.value)),
            (None, None) => String::new(),
        };
        Row {
            cells: [
                finding
                    .time()
                    .map_or_else(String::new, |time| moment(&time)),
                harmless(&finding.rule().title).into_owned(),
                finding
                    .who()
                    .map_or_else(String::new, |who| harmless(&who).into_owned()),
                against,
                on,
            ],
            level: finding.rule().level,
            suppressed: finding.exception().is_some(),
        }
    }
}

/// A timestamp to the second, without zone; other texts as they are.
fn moment(time: &str) -> String {
    let bytes = time.as_bytes();
    let is_timestamp = bytes.len() >= 19
        && bytes[..19].iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            10 => matches!(byte, b'T' | b' '),
            13 | 16 => *byte == b':',
            _ => byte.is_ascii_digit(),
        });
    match is_timestamp {
        true => time[..19].replace('T', " "),
        false => harmless(time).into_owned(),
    }
}

/// A table that is being written.
#[derive(Debug)]
pub struct Table {
    paint: Paint,
    /// Columns of the terminal; `None` where lines may be as long as they like.
    columns: Option<usize>,
    /// Rows come in while somebody is waiting: none is held back.
    prompt: bool,
    held: Vec<Row>,
    since: Option<Instant>,
    widths: Option<[usize; COLUMNS]>,
}

impl Table {
    /// A table for a terminal of so many columns. With `prompt`, rows are shown as they come.
    pub fn new(paint: Paint, columns: Option<usize>, prompt: bool) -> Table {
        Table {
            paint,
            columns,
            prompt,
            held: Vec::new(),
            since: None,
            widths: None,
        }
    }

    /// Takes rows, and writes what can be written.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn rows(&mut self, rows: Vec<Row>, out: &mut impl Write) -> io::Result<()> {
        if let Some(widths) = self.widths {
            return self.write(&widths, &rows, out);
        }
        if !rows.is_empty() {
            self.since.get_or_insert_with(Instant::now);
            self.held.extend(rows);
        }
        if self.is_due() {
            self.settle(true, out)
        } else {
            Ok(())
        }
    }

    /// Rows were held back for long enough.
    pub fn is_due(&self) -> bool {
        let waited = || self.since.is_some_and(|since| since.elapsed() > PATIENCE);
        !self.held.is_empty() && (self.prompt || self.held.len() >= HELD || waited())
    }

    /// Writes what was held back.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.held.is_empty() {
            Ok(())
        } else {
            self.settle(false, out)
        }
    }

    /// Chooses the widths from the rows held back, and writes them. If `more` rows may come, spare
    /// room is for them.
    fn settle(&mut self, more: bool, out: &mut impl Write) -> io::Result<()> {
        let rows = std::mem::take(&mut self.held);
        let mut wanted = HEADINGS.map(width);
        for row in &rows {
            for (wanted, cell) in wanted.iter_mut().zip(&row.cells) {
                *wanted = width(cell).max(*wanted);
            }
        }
        let widths = self
            .columns
            .map_or(wanted, |columns| share(wanted, columns, more));
        self.widths = Some(widths);
        let mut line = String::new();
        for (column, (heading, width)) in HEADINGS.iter().zip(widths).enumerate() {
            line.push_str(heading);
            if column + 1 < COLUMNS {
                line.push_str(&padding(heading, width));
                line.push_str(GAP);
            }
        }
        writeln!(out, "{}", self.paint.of(Colour::Bold, line))?;
        self.write(&widths, &rows, out)
    }

    fn write(
        &self,
        widths: &[usize; COLUMNS],
        rows: &[Row],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut lines = String::new();
        for row in rows {
            for (column, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
                let shown = match self.columns {
                    Some(_) => cut(cell, *width),
                    None => cell.into(),
                };
                let fill = padding(&shown, *width);
                let colour = match row.level {
                    _ if row.suppressed => Some(Colour::Dim),
                    _ if column != 1 => None,
                    Level::High | Level::Critical => Some(Colour::Red),
                    Level::Medium => Some(Colour::Yellow),
                    Level::Low | Level::Informational => None,
                };
                match colour {
                    Some(colour) => lines.push_str(&self.paint.of(colour, shown)),
                    None => lines.push_str(&shown),
                }
                if column + 1 < COLUMNS {
                    lines.push_str(&fill);
                    lines.push_str(GAP);
                }
            }
            lines.truncate(lines.trim_end().len());
            lines.push('\n');
        }
        out.write_all(lines.as_bytes())
    }
}

/// Shares the columns of a terminal out. The first column has what it wants; of the others, the
/// widest give way first.
fn share(wanted: [usize; COLUMNS], columns: usize, more: bool) -> [usize; COLUMNS] {
    let room = columns.saturating_sub(GAP.len() * (COLUMNS - 1) + wanted[0]);
    let total = |most: usize| {
        wanted[1..]
            .iter()
            .map(|width| (*width).min(most))
            .sum::<usize>()
    };
    let widest = wanted[1..].iter().copied().max().unwrap_or(0);
    let most = (NARROWEST..=widest)
        .rev()
        .find(|most| total(*most) <= room)
        .unwrap_or(NARROWEST);
    let mut widths = wanted;
    for width in &mut widths[1..] {
        *width = (*width).min(most);
    }
    // What is left over goes to those that still want some, one by one.
    let mut left = room.saturating_sub(total(most));
    for (width, wanted) in widths[1..].iter_mut().zip(&wanted[1..]) {
        let extra = (wanted - *width).min(left);
        *width += extra;
        left -= extra;
    }
    if more {
        let each = left / (COLUMNS - 1);
        widths[1..].iter_mut().for_each(|width| *width += each);
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_share_the_room() {
        assert_eq!(share([19, 10, 10, 10, 10], 80, false), [19, 10, 10, 10, 10]);
        assert_eq!(share([19, 10, 10, 10, 10], 80, true), [19, 13, 13, 13, 13]);
        assert_eq!(share([19, 40, 10, 10, 40], 80, false), [19, 17, 10, 10, 16]);
        assert_eq!(share([19, 40, 40, 40, 40], 20, false), [19, 8, 8, 8, 8]);
        for columns in 60..200 {
            let widths = share([19, 50, 30, 30, 60], columns, true);
            let line = widths.iter().sum::<usize>() + 8;
            assert!(line <= columns.max(59), "{columns}: {widths:?}");
        }
    }

    #[test]
    fn timestamps_are_short() {
        for (time, wanted) in [
            ("2026-11-19T08:00:01.1234567Z", "2026-11-19 08:00:01"),
            ("2026-11-19 08:00:01", "2026-11-19 08:00:01"),
            ("yesterday", "yesterday"),
            ("2026-11-19T08:00\u{1b}01", "2026-11-19T08:00␛01"),
            ("日本語日本語日本語日本語", "日本語日本語日本語日本語"),
        ] {
            assert_eq!(moment(time), wanted);
        }
    }

    fn row(rule: &str) -> Row {
        let cells = [
            "2026-11-19 08:00:01",
            rule,
            "日本@evil.example",
            "a@b.example +2",
            "f: v",
        ];
        Row {
            cells: cells.map(str::to_owned),
            level: Level::High,
            suppressed: false,
        }
    }

    #[test]
    fn rows_are_held_until_widths_are_known() {
        let mut out = Vec::new();
        let mut table = Table::new(Paint::plain(), Some(80), false);
        table.rows(vec![row("one")], &mut out).unwrap();
        table.rows(vec![row("and two")], &mut out).unwrap();
        assert!(out.is_empty());
        table.finish(&mut out).unwrap();
        let wanted = "\
TIME                 RULE     WHO                AGAINST         ON
2026-11-19 08:00:01  one      日本@evil.example  a@b.example +2  f: v
2026-11-19 08:00:01  and two  日本@evil.example  a@b.example +2  f: v
";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
        let mut out = Vec::new();
        Table::new(Paint::plain(), None, true)
            .rows(vec![row("x")], &mut out)
            .unwrap();
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 2);
    }
}
