//! The figures that end a run, on standard error.

use std::fmt::Write;
use std::time::Duration;

use poseur_tagger::Counts;

use crate::load::Ready;
use crate::terminal::{Colour, Paint};

/// The summary's lines: a name, a number, and on terminals a remark. Names and their order are
/// stable; programs may read them. `more` are figures of the command's own.
pub fn summary(
    counts: &Counts,
    more: &[(&str, u64)],
    rules: &Ready,
    took: Option<Duration>,
    paint: Paint,
) -> String {
    let mut rows: Vec<(String, u64, String)> = vec![
        ("records".into(), counts.records, String::new()),
        (
            "bytes".into(),
            counts.bytes,
            took.map_or_else(String::new, |took| rate(counts.bytes, took)),
        ),
        ("candidates".into(), counts.candidates, String::new()),
        ("matched".into(), counts.matched, String::new()),
        ("matches".into(), counts.matches, String::new()),
        ("suppressed".into(), counts.suppressed, String::new()),
        ("unreadable".into(), counts.all_unreadable(), String::new()),
    ];
    for (reason, count) in counts.unreadable_by_reason() {
        rows.push((format!("  {reason}"), count, String::new()));
    }
    for (name, count) in more {
        rows.push(((*name).into(), *count, String::new()));
    }
    if rules.refused > 0 {
        let loaded = rules.matcher.rules().len() as u64;
        rows.push(("rules".into(), loaded, String::new()));
        rows.push(("refused files".into(), rules.refused as u64, String::new()));
    }
    let name_width = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let digits = rows
        .iter()
        .map(|(_, count, _)| count.to_string().len())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for (name, count, remark) in rows {
        let line = format!("{name:name_width$}  {count:>digits$}");
        let line = match name.as_str() {
            "matched" if count > 0 => paint.of(Colour::Red, line),
            "unreadable" | "  failed" | "refused files" if count > 0 => {
                paint.of(Colour::Yellow, line)
            }
            _ => line.into(),
        };
        let _ = write!(out, "{line}");
        if !remark.is_empty() {
            let _ = write!(out, "  {}", paint.of(Colour::Dim, remark));
        }
        out.push('\n');
    }
    out
}

/// How long it took, and how fast that is.
fn rate(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds <= 0.0 {
        return String::new();
    }
    format!(
        "in {seconds:.2} s, {} a second",
        size(bytes as f64 / seconds)
    )
}

/// A number of bytes for people.
fn size(bytes: f64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.5 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use poseur_matcher::record::Unreadable;
    use poseur_matcher::{Matcher, schema};

    use super::*;

    #[test]
    fn figures_are_aligned() {
        let mut counts = Counts::default();
        (counts.records, counts.bytes) = (12, 34567);
        counts.unreadable(Unreadable::Broken);
        counts.unreadable(Unreadable::TooLong);
        let wanted = "\
records              12
bytes             34567
candidates            0
matched               0
matches               0
suppressed            0
unreadable            2
  not valid JSON      1
  too long            1
";
        let matcher = Matcher::new(Vec::new(), Vec::new(), schema::built_in(), None);
        let mut rules = Ready {
            matcher: Arc::new(matcher.unwrap()),
            refused: 0,
        };
        assert_eq!(summary(&counts, &[], &rules, None, Paint::plain()), wanted);
        let half = Some(Duration::from_millis(500));
        let timed = summary(&counts, &[], &rules, half, Paint::plain());
        assert!(
            timed.contains("34567  in 0.50 s, 69.1 kB a second\n"),
            "{timed}"
        );
        rules.refused = 12;
        let more = summary(&counts, &[], &rules, None, Paint::plain());
        assert!(
            more.ends_with("\nrules                 0\nrefused files        12\n"),
            "{more}"
        );
    }

    #[test]
    fn sizes_for_people() {
        for (bytes, wanted) in [
            (0.0, "0 bytes"),
            (999.0, "999 bytes"),
            (1000.0, "1.0 kB"),
            (1_650_000_000.0, "1.6 GB"),
            (999_900.0, "1.0 MB"),
            (123_456_789.0, "123 MB"),
        ] {
            assert_eq!(size(bytes), wanted);
        }
    }
}
