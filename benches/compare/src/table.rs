//! The results as Markdown.

use std::fmt::Write;

use crate::results::{Outcome, Results, Row};
use crate::statistics::digits;

/// The table, what it was measured on, and what its columns mean.
pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    let megabytes = |bytes: u64| digits(bytes as f64 / 1e6);
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{}. {}. {}: {} MB, {} records, {} of them matching; slow tools (marked *) get the first {} MB. \
         Input and output in {}. {}.\n",
        results.date,
        results.machine.text(),
        results.traffic,
        megabytes(results.whole.bytes),
        results.whole.lines,
        results.whole.matching,
        megabytes(results.slice.bytes),
        results.place,
        match results.rounds {
            1 => "One round".to_owned(),
            rounds => format!("Medians of {rounds} rounds, in each of which every tool ran once"),
        },
    );
    text.push_str(
        "| tool | does | CPU s per GB | CPU, poseur = 1 | GB/s | time, cat = 1 | peak memory | others kept |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in &results.rows {
        text.push_str(&line(row));
    }
    if !results.absent.is_empty() {
        let _ = writeln!(text, "\nNot installed: {}.", results.absent.join(", "));
    }
    if !results.unable.is_empty() {
        let unable = results.unable.join(", ");
        let _ = writeln!(text, "\nWithout a way to say this rule: {unable}.");
    }
    text.push_str(
        "\n\"CPU\" is user and system time together. \"GB/s\" and \"time\" are by the clock. \"Others kept\" is the share of \
         records without a tag that came out byte for byte as they went in.\n",
    );
    text
}

fn line(row: &Row) -> String {
    let tool = escaped(format!("{} {}", row.name, row.version).trim());
    let does = row.does.text();
    match &row.outcome {
        Outcome::Wrong { reason } => {
            format!(
                "| {tool} | {does} | **wrong: {}** | | | | | |\n",
                escaped(reason)
            )
        }
        Outcome::Failed { reason } => {
            format!(
                "| {tool} | {does} | **failed: {}** | | | | | |\n",
                escaped(reason)
            )
        }
        Outcome::Measured(figures) => {
            let slice = if figures.on_slice { " *" } else { "" };
            let ratio = |ratio: Option<f64>| ratio.map_or("–".to_owned(), digits);
            let kept = figures.kept.map_or("–".to_owned(), percent);
            format!(
                "| {tool}{slice} | {does} | {} | {} | {} | {} | {} MB | {kept} |\n",
                digits(figures.cpu_per_gb),
                ratio(figures.cpu_to_poseur),
                digits(1.0 / figures.wall_per_gb),
                ratio(figures.wall_to_cat),
                digits(figures.peak / 1e6),
            )
        }
    }
}

/// A share as per cent. Only all of it is 100 %.
fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100 %".to_owned();
    }
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::sample;

    #[test]
    fn a_row_of_every_kind() {
        let text = markdown(&sample());
        for line in [
            "| cat 1.2.3 | copies | 0.250 | 0.556 | 4.00 | 1.00 | 5.00 MB | – |",
            "| poseur 1.2.3 | tags in place | 0.450 | 1.00 | 2.00 | 2.00 | 5.00 MB | – |",
            "| slow &lt;one> 1.2.3 * | tags | 55.0 | 122 | 0.0200 | 200 | 5.00 MB | 95.1 % |",
            "| liar 1.2.3 | tags | **wrong: 2 lines instead of 3** | | | | | |",
            "| broken 1.2.3 | only finds matches | **failed: exit status: 2** | | | | | |",
            "Not installed: vector.",
            "Without a way to say this rule: rsigma.",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}\n{text}");
        }
        assert!(
            text.contains("1000 MB, 625000 records, 625 of them matching"),
            "{text}"
        );
        let columns: Vec<usize> = text
            .lines()
            .filter(|line| line.starts_with('|'))
            .map(|line| line.matches('|').count())
            .collect();
        assert_eq!(columns, [9; 7]);
    }

    #[test]
    fn only_all_is_a_hundred_per_cent() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.9999), "99.9 %");
        assert_eq!(percent(0.0), "0.0 %");
    }
}
