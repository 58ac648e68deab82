//! List files: one name a line, or one column of a CSV file.
//!
//! Both readers hand every entry to `add` and note what it refuses, with the list's own name and
//! line. Of a list with thousands of bad entries the first few are reported, and how many more.

use std::fmt;

use csv::{ReaderBuilder, Terminator, Trim};

use super::domain::NameError;
use crate::error::{LoadError, Place};
use crate::yaml::closest;

/// Most errors that one list file reports one by one.
pub(super) const REPORTED: usize = 20;

/// Adds one entry, or says why not.
pub(super) type Add<'a> = &'a mut dyn FnMut(&str) -> Result<(), NameError>;

/// Reads a list with one name a line. Blank lines are skipped, and comments: from a `#` that
/// starts the line or follows white space, to the end of the line (an address may hold a `#`).
pub(super) fn lines(file: &str, data: &[u8], add: Add<'_>) -> Vec<LoadError> {
    let mut report = Report::new(file);
    let Some(data) = report.text(data) else {
        return report.finish();
    };
    for (index, line) in data.split(|byte| *byte == b'\n').enumerate() {
        let Ok(line) = std::str::from_utf8(line) else {
            report.error(index + 1, 0, NOT_UTF8);
            continue;
        };
        let entry = without_comment(line);
        let name = entry.trim();
        if name.is_empty() {
            continue;
        }
        if let Err(reason) = add(name) {
            let indent = entry.len() - entry.trim_start().len();
            let column = entry[..indent].chars().count() + 1;
            report.error(index + 1, column, format!("{}: {reason}", Shown(name)));
        }
    }
    report.finish()
}

/// Reads the named column of a CSV file with a header row. Empty cells are skipped.
pub(super) fn column(file: &str, data: &[u8], name: &str, add: Add<'_>) -> Vec<LoadError> {
    let mut report = Report::new(file);
    let Some(data) = report.text(data) else {
        return report.finish();
    };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        // Rows of another length than the header are refused below, with a reason of our own.
        .flexible(true)
        // A CR before the newline is white space, and trimmed.
        .terminator(Terminator::Any(b'\n'))
        .trim(Trim::All)
        .from_reader(data);
    let mut rows = reader.byte_records();
    let header = match rows.next() {
        None => {
            report.error(
                0,
                0,
                "the file is empty; a header row must name the columns",
            );
            return report.finish();
        }
        Some(Err(error)) => {
            report.error(0, 0, format!("this cannot be read as CSV: {error}"));
            return report.finish();
        }
        Some(Ok(header)) => header,
    };
    let index = match find_column(&header, name) {
        Ok(index) => index,
        Err(reason) => {
            report.error(1, 0, reason);
            return report.finish();
        }
    };
    for row in rows {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                report.error(0, 0, format!("this cannot be read as CSV: {error}"));
                break;
            }
        };
        let line = || {
            let start = row.position().map_or(0, |position| position.byte());
            line_of(data, usize::try_from(start).unwrap_or(usize::MAX))
        };
        if row.iter().all(<[u8]>::is_empty) {
            continue;
        }
        // In a row of another length every cell after the slip stands in the wrong column.
        let Some(cell) = row.get(index).filter(|_| row.len() == header.len()) else {
            report.later(|| {
                let (cells, columns) = (row.len(), header.len());
                let reason = format!(
                    "this row has {cells} cells and the header {columns}; is a comma or a quote amiss?"
                );
                (line(), reason)
            });
            continue;
        };
        if cell.is_empty() {
            continue;
        }
        let refused = match std::str::from_utf8(cell) {
            Err(_) => NOT_UTF8.to_owned(),
            Ok(cell) => match add(cell) {
                Ok(()) => continue,
                Err(reason) => format!("{}: {reason}", Shown(cell)),
            },
        };
        report.later(|| (line(), refused));
    }
    report.finish()
}

const NOT_UTF8: &str = "this is not UTF-8 text";

/// What stands before a comment.
fn without_comment(line: &str) -> &str {
    let mut before = ' ';
    for (index, c) in line.char_indices() {
        if c == '#' && before.is_whitespace() {
            return &line[..index];
        }
        before = c;
    }
    line
}

/// Where the one column with this name is.
fn find_column(header: &csv::ByteRecord, name: &str) -> Result<usize, String> {
    let mut found = header
        .iter()
        .enumerate()
        .filter(|(_, cell)| *cell == name.as_bytes());
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (Some(_), Some(_)) => Err(format!("the header names the column `{name}` twice")),
        (None, _) => {
            let known: Vec<&str> = header
                .iter()
                .filter_map(|cell| std::str::from_utf8(cell).ok())
                .collect();
            let hint = match closest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.len() == 1 && known[0].contains([';', '\t']) => {
                    "the columns must be separated by commas".to_owned()
                }
                None => format!("the header has {}", Shown(&known.join(", "))),
            };
            Err(format!("there is no column `{name}`: {hint}"))
        }
    }
}

/// The line of the first row at or after an offset. The reader's own count is not used: it leaves
/// out the blank lines that it skips before a row.
fn line_of(data: &[u8], start: usize) -> usize {
    let start = start.min(data.len());
    let skipped = data[start..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let newlines = data[..start + skipped]
        .iter()
        .filter(|byte| **byte == b'\n');
    newlines.count() + 1
}

/// An entry in an error: not longer than a line, and without control characters.
pub(super) struct Shown<'t>(pub(super) &'t str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 80;
        f.write_str("`")?;
        for c in self.0.chars().take(MOST) {
            // Zero-width characters are what an operator cannot find without help.
            if c.is_control()
                || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if self.0.chars().nth(MOST).is_some() {
            f.write_str("…")?;
        }
        f.write_str("`")
    }
}

/// Errors of one list file, the first [`REPORTED`] of them.
struct Report<'f> {
    file: &'f str,
    errors: Vec<LoadError>,
    more: usize,
}

impl<'f> Report<'f> {
    fn new(file: &'f str) -> Report<'f> {
        Report {
            file,
            errors: Vec::new(),
            more: 0,
        }
    }

    /// The data without a byte-order mark, if it can be UTF-8.
    fn text<'d>(&mut self, data: &'d [u8]) -> Option<&'d [u8]> {
        if data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff") {
            self.error(0, 0, "this is UTF-16 text; save the list as UTF-8");
            return None;
        }
        Some(data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data))
    }

    fn error(&mut self, line: usize, column: usize, reason: impl Into<String>) {
        if self.errors.len() < REPORTED {
            let place = Place::new(self.file, line, column);
            self.errors.push(LoadError::new(place, reason));
        } else {
            self.more += 1;
        }
    }

    /// As `error`, for a line that takes time to find.
    fn later(&mut self, error: impl FnOnce() -> (usize, String)) {
        if self.errors.len() < REPORTED {
            let (line, reason) = error();
            self.error(line, 0, reason);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<LoadError> {
        if self.more > 0 {
            let reason = format!("{} more entries of this list were refused", self.more);
            self.errors
                .push(LoadError::new(Place::new(self.file, 0, 0), reason));
        }
        self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader found: names, and errors as they display.
    fn found(read: impl FnOnce(Add<'_>) -> Vec<LoadError>) -> (Vec<String>, Vec<String>) {
        let mut names = Vec::new();
        let errors = read(&mut |name| {
            if name.starts_with('!') {
                return Err(NameError::Empty);
            }
            names.push(name.to_owned());
            Ok(())
        });
        (names, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn lists_of_lines() {
        const REFUSED: &str = "nothing is written here";
        let cases: &[(&[u8], &[&str], &[String])] = &[
            (b"", &[], &[]),
            (b"\n\n", &[], &[]),
            (b"a\nb", &["a", "b"], &[]),
            (b"a\r\n  b \t\r\n\r\nc\r\n", &["a", "b", "c"], &[]),
            ("\u{feff}a\n".as_bytes(), &["a"], &[]),
            (
                b"# all\na # one\n  # two\nb#EXT#@c\n#",
                &["a", "b#EXT#@c"],
                &[],
            ),
            (
                b"a\n!b\n\xff\n  !c # d\ne",
                &["a", "e"],
                &[
                    format!("l.txt:2:1: `!b`: {REFUSED}"),
                    format!("l.txt:3: {NOT_UTF8}"),
                    format!("l.txt:4:3: `!c`: {REFUSED}"),
                ],
            ),
            (
                b"!a\0\x1b[31m\xe2\x80\x8b",
                &[],
                &[format!(
                    "l.txt:1:1: `!a\\u{{0}}\\u{{1b}}[31m\\u{{200b}}`: {REFUSED}"
                )],
            ),
            (
                b"\xff\xfea\0",
                &[],
                &["l.txt: this is UTF-16 text; save the list as UTF-8".to_owned()],
            ),
        ];
        for (data, names, errors) in cases {
            let (found, refused) = found(|add| lines("l.txt", data, add));
            let shown = data.escape_ascii();
            assert_eq!(found, *names, "{shown}");
            assert_eq!(refused, *errors, "{shown}");
        }
    }

    #[test]
    fn columns() {
        const REFUSED: &str = "nothing is written here";
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("TenantId\na\nb\n", &["a", "b"], &[]),
            ("\u{feff}TenantId,Name\r\na,A\r\nb,B", &["a", "b"], &[]),
            ("\"TenantId\",Name\n\"a\",\"A, B\"\n", &["a"], &[]),
            ("Name , TenantId \n A , a \n,\n\nB,\n", &["a"], &[]),
            ("Name,TenantId\r\n\"A\r\nB\",a\r\n,b\r\n", &["a", "b"], &[]),
            (
                "Name,TenantId\r\n\r\nA,!a\r\n\"x\ny\",b\r\n\r\n\r\nC,!c",
                &["b"],
                &[
                    &format!("l.csv:3: `!a`: {REFUSED}"),
                    &format!("l.csv:8: `!c`: {REFUSED}"),
                ],
            ),
            (
                "Name,TenantId\nA\nB,b,c\nD,d\n",
                &["d"],
                &[
                    "l.csv:2: this row has 1 cells and the header 2; is a comma or a quote amiss?",
                    "l.csv:3: this row has 3 cells and the header 2; is a comma or a quote amiss?",
                ],
            ),
            (
                "",
                &[],
                &["l.csv: the file is empty; a header row must name the columns"],
            ),
            (
                "Name,tenantid\nA,a\n",
                &[],
                &["l.csv:1: there is no column `TenantId`: did you mean `tenantid`?"],
            ),
            (
                "a,b\n",
                &[],
                &["l.csv:1: there is no column `TenantId`: the header has `a, b`"],
            ),
            (
                "Name;TenantId\nA;a\n",
                &[],
                &[
                    "l.csv:1: there is no column `TenantId`: the columns must be separated by commas",
                ],
            ),
            (
                "TenantId,TenantId\na,b\n",
                &[],
                &["l.csv:1: the header names the column `TenantId` twice"],
            ),
        ];
        for (data, names, errors) in cases {
            let (found, refused) = found(|add| column("l.csv", data.as_bytes(), "TenantId", add));
            assert_eq!(found, *names, "{data:?}");
            assert_eq!(refused, *errors, "{data:?}");
        }
    }

    #[test]
    fn thousands_of_bad_entries_do_not_flood_the_report() {
        let bad: String = (0..5000).map(|n| format!("!{n}\n")).collect();
        let (names, errors) = found(|add| lines("l.txt", format!("{bad}good").as_bytes(), add));
        assert_eq!(names, ["good"]);
        assert_eq!(errors.len(), REPORTED + 1);
        assert_eq!(
            errors[REPORTED],
            "l.txt: 4980 more entries of this list were refused"
        );
        let csv = format!("id\n{bad}good\n");
        let (names, errors) = found(|add| column("l.csv", csv.as_bytes(), "id", add));
        assert_eq!(names, ["good"]);
        assert_eq!(errors[0], "l.csv:2: `!0`: nothing is written here");
        assert_eq!(
            errors[REPORTED],
            "l.csv: 4980 more entries of this list were refused"
        );
    }
}
