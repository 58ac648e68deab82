//! The corpus of queries that Microsoft's parser is run on as well: `tests/kusto`.

use std::path::Path;

use poseur_rule::kusto::read_query;
use poseur_rule::types::Types;

/// A query, and the start of its heading: `accept`, or `refuse LINE:COLUMN REASON`.
fn blocks() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/kusto/queries.txt");
    let text = std::fs::read_to_string(path).expect("the corpus of queries");
    let mut blocks: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("=== "), blocks.last_mut()) {
            (Some(heading), _) => blocks.push((heading.to_owned(), String::new())),
            (None, Some((_, query))) => *query += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    for (_, query) in &mut blocks {
        *query = format!("{}\n", query.trim_end());
    }
    blocks
}

#[test]
fn queries_are_accepted_or_refused() {
    let types = Types::built_in();
    let (mut accepted, mut refused, mut wrong) = (0, 0, Vec::new());
    for (heading, query) in blocks() {
        let documents = read_query("q.kql", &query, &types);
        let (wanted, reason) = heading.split_once(' ').unwrap_or((&heading, ""));
        let errors: Vec<String> = documents.errors.iter().map(ToString::to_string).collect();
        let fits = match wanted {
            "accept" => {
                accepted += 1;
                documents.rules.len() == 1 && errors.is_empty()
            }
            "refuse" | "syntax" => {
                refused += 1;
                let reason = reason.replacen(' ', ": ", 1);
                documents.rules.is_empty()
                    && errors.len() == 1
                    && errors[0].starts_with(&format!("q.kql:{reason}"))
            }
            _ => false,
        };
        if !fits {
            wrong.push(format!("{heading}\n{query}{errors:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(accepted >= 150, "{accepted} accepted");
    assert!(refused >= 80, "{refused} refused");
}
