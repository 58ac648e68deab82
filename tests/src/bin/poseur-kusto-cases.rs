//! Writes random Kusto queries for engines that are not ours: `tests/kusto/duckdb_check.py` evaluates
//! them, Microsoft's parser reads them (`tests/kusto/check.mjs --files`).

use std::io::Write;
use std::path::PathBuf;
use std::{error, fs, io};

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::kusto::mutate::mutate;
use poseur_tests::kusto::print::{self, Spellings};
use poseur_tests::kusto::{duckdb, random};
use poseur_tests::strategies::dice::Dice;
use poseur_tests::strategies::document::{Node, Style, render};
use poseur_tests::strategies::now;

/// Random Kusto queries for other engines.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    cases: Cases,
    /// How many queries.
    #[arg(long, global = true, default_value_t = 1000)]
    queries: usize,
    /// What everything follows from.
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum Cases {
    /// Rows, queries, and our verdict on each row, to standard output.
    Rows {
        /// How many rows the table has.
        #[arg(long, default_value_t = 40)]
        rows: usize,
    },
    /// A file for each query: `NUMBER.accepted.kql` if we take it, `NUMBER.refused.kql` if not. Every
    /// second one has tokens too many, too few or swapped.
    Syntax {
        /// Where to.
        folder: PathBuf,
    },
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments = Arguments::parse();
    let mut types = Types::built_in();
    types
        .add("types.yml", &random::page())
        .map_err(|errors| format!("{errors:?}"))?;
    let mut dice = Dice::new(arguments.seed);
    match &arguments.cases {
        Cases::Rows { rows } => {
            let rows: Vec<String> = (0..*rows).map(|_| row(dice.number())).collect();
            write_rows(&rows, arguments.queries, &types, &mut dice)
        }
        Cases::Syntax { folder } => Ok(write_files(folder, arguments.queries, &types, &mut dice)?),
    }
}

fn write_files(
    folder: &std::path::Path,
    queries: usize,
    types: &Types,
    dice: &mut Dice,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut refused = 0;
    for number in 0..queries {
        let condition = random::condition_of(1 + dice.below(5), dice.number());
        let mut query = print::print(&condition, dice.number());
        if number % 2 == 1 {
            query = mutate(&query, dice.number());
        }
        let read = read_query("query.kql", &query, types);
        let verdict = match read.errors.first() {
            Some(error) if number % 2 == 0 => {
                return Err(io::Error::other(format!("refused: {error}\n{query}")));
            }
            Some(_) => "refused",
            None => "accepted",
        };
        refused += usize::from(verdict == "refused");
        fs::write(folder.join(format!("{number:06}.{verdict}.kql")), query)?;
    }
    eprintln!("{queries} queries, {refused} refused");
    Ok(())
}

fn write_rows(
    rows: &[String],
    queries: usize,
    types: &Types,
    dice: &mut Dice,
) -> Result<(), Box<dyn error::Error>> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{{\"now\":\"{}\",\"rows\":[{}]}}",
        now(),
        rows.join(",")
    )?;
    let mut left_out: Vec<(&str, usize)> = Vec::new();
    let mut written = 0;
    while written < queries {
        let condition = random::condition_of(1 + dice.below(4), dice.number());
        if let Some(reason) = duckdb::known_difference(&condition) {
            match left_out.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => left_out.push((reason, 1)),
            }
            continue;
        }
        let seed = if dice.chance(20) { 0 } else { dice.number() };
        let query = print::filter(&condition, seed, Spellings::Common);
        let read = read_query("query.kql", &query, types);
        if let Some(error) = read.errors.first() {
            return Err(format!("refused: {error}\n{query}").into());
        }
        let mut lines = Lines::new(matcher(read.rules, Some("ecs")));
        let verdicts: Vec<String> = rows
            .iter()
            .map(|row| holds(&mut lines, row.as_bytes(), now()).to_string())
            .collect();
        let query = String::from_utf8(render(&Node::text(&query), Style::default()))?;
        let verdicts = verdicts.join(",");
        writeln!(out, "{{\"query\":{query},\"verdicts\":[{verdicts}]}}")?;
        written += 1;
    }
    for (reason, count) in left_out {
        eprintln!("{count} queries left out: {reason}");
    }
    Ok(())
}

fn holds(lines: &mut Lines, row: &[u8], now: Timestamp) -> bool {
    let mut found = false;
    lines.read(row, now, &mut |_| {
        found = true;
        Ok(())
    });
    found
}

/// A row that DuckDB can hold: no moments finer than microseconds, no number that overflows when it
/// is added to.
fn row(seed: u64) -> String {
    let members = random::fitting_record(seed)
        .into_iter()
        .filter(|(name, node)| match node {
            Node::Text(text) if *name == "At" => text.len() <= 26,
            Node::Number(number) => number != "9223372036854775807",
            // A string in a dynamic column is JSON's string there, not the JSON it holds.
            Node::Text(_) => *name != "d" && *name != "e",
            _ => true,
        });
    let node = Node::map(members);
    String::from_utf8_lossy(&render(&node, Style::default())).into_owned()
}
