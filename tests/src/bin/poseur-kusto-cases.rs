//! Writes cases for `tests/kusto/duckdb_check.py`: rows, queries, and our verdict on each row.

use std::io::Write;

use clap::Parser;
use jiff::Timestamp;
use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;
use poseur_tagger::Lines;
use poseur_tests::agreement::matcher;
use poseur_tests::kusto::print::{self, Spellings};
use poseur_tests::kusto::{duckdb, random};
use poseur_tests::strategies::dice::Dice;
use poseur_tests::strategies::document::{Node, Style, render};
use poseur_tests::strategies::now;

/// Random Kusto queries with Poseur's verdicts on a table of random rows.
#[derive(Parser)]
struct Arguments {
    /// How many queries.
    #[arg(long, default_value_t = 1000)]
    queries: usize,
    /// How many rows the table has.
    #[arg(long, default_value_t = 40)]
    rows: usize,
    /// What the queries and rows follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let mut types = Types::built_in();
    types
        .add("types.yml", &random::page())
        .map_err(|errors| format!("{errors:?}"))?;
    let mut dice = Dice::new(arguments.seed);
    let rows: Vec<String> = (0..arguments.rows).map(|_| row(dice.number())).collect();

    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{{\"now\":\"{}\",\"rows\":[{}]}}",
        now(),
        rows.join(",")
    )?;
    let mut skipped: Vec<(&str, usize)> = Vec::new();
    let mut written = 0;
    while written < arguments.queries {
        let condition = random::condition_of(1 + dice.below(4), dice.number());
        if let Some(reason) = duckdb::known_difference(&condition) {
            match skipped.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => skipped.push((reason, 1)),
            }
            continue;
        }
        let seed = if dice.chance(20) { 0 } else { dice.number() };
        let query = print::filter(&condition, seed, Spellings::Common);
        let read = read_query("query.kql", &query, &types);
        if let Some(error) = read.errors.first() {
            return Err(format!("refused: {error}\n{query}").into());
        }
        let mut lines = Lines::new(matcher(read.rules, Some("ecs")));
        let verdicts: Vec<String> = rows
            .iter()
            .map(|row| holds(&mut lines, row.as_bytes(), now()).to_string())
            .collect();
        let query = String::from_utf8(render(&Node::text(&query), Style::default()))?;
        writeln!(
            out,
            "{{\"query\":{query},\"verdicts\":[{}]}}",
            verdicts.join(",")
        )?;
        written += 1;
    }
    for (reason, count) in skipped {
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
