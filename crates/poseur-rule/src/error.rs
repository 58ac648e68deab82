//! Errors of the front ends: every one names a file, a line and a column.

use std::fmt;

/// A position in a file a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file's name as the operator gave it, or `built-in:NAME`.
    pub file: String,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the whole line is meant.
    pub column: usize,
}

impl Place {
    /// A position.
    pub fn new(file: impl Into<String>, line: usize, column: usize) -> Place {
        Place {
            file: file.into(),
            line,
            column,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// Why a rule, an exception or a schema was not loaded. Displays as `FILE:LINE:COLUMN: reason`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct LoadError {
    /// Where.
    pub place: Place,
    /// What is wrong and what to do about it, in one line.
    pub reason: String,
}

impl LoadError {
    /// An error at a position. Reasons may quote a file: of a long one the middle is left out, and line
    /// feeds and other controls become spaces.
    pub fn new(place: Place, reason: impl Into<String>) -> LoadError {
        LoadError {
            place,
            reason: shortened(reason.into().replace(char::is_control, " ")),
        }
    }
}

/// A text of a length that people read, its beginning and its end.
fn shortened(text: String) -> String {
    const HALF: usize = 512;
    let count = text.chars().count();
    if count <= 2 * HALF {
        return text;
    }
    let start: String = text.chars().take(HALF).collect();
    let end: String = text.chars().skip(count - HALF).collect();
    format!("{start} … {end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_can_be_read() {
        let reason = |text: String| LoadError::new(Place::new("f", 1, 1), text).reason;
        assert_eq!(
            reason("`n\r\now\u{1b}` is no date".into()),
            "`n  ow ` is no date"
        );
        let long = reason(format!("a{}z", "é".repeat(9_000)));
        assert!(long.starts_with('a') && long.ends_with('z') && long.chars().count() < 1_100);
    }
}
