//! Published query files on the machine of whoever runs this: none of them is part of the project.
//!
//! `POSEUR_KUSTO_QUERIES=DIR` names the folder. Every query that is about one record only must load; what
//! is refused is counted by reason and shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use poseur_rule::kusto::{read_query, read_yaml};
use poseur_rule::types::Types;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// What is refused because it is about more than one record, or is no Kusto.
fn is_expected(reason: &str) -> bool {
    [
        "looks across",
        "not valid YAML",
        "is missing",
        "a function that gives a table",
        "is a function, and Poseur does not know its definition",
        "is no value that is defined before",
        "a second query begins here",
    ]
    .iter()
    .any(|part| reason.contains(part))
}

#[test]
fn published_queries() {
    let Some(folder) = std::env::var_os("POSEUR_KUSTO_QUERIES") else {
        eprintln!("skipped: POSEUR_KUSTO_QUERIES is not set");
        return;
    };
    let types = Types::built_in();
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    paths.sort();
    let (mut loaded, mut refused, mut unexpected) = (0, BTreeMap::new(), Vec::new());
    for path in &paths {
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        let name = path.display().to_string();
        let documents = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => read_yaml(&name, &text, &types),
            Some("kql" | "kusto" | "csl") => read_query(&name, &text, &types),
            _ => continue,
        };
        assert!(
            documents.rules.is_empty() || documents.errors.is_empty(),
            "half-loaded: {name}"
        );
        loaded += usize::from(!documents.rules.is_empty());
        if let Some(error) = documents.errors.first() {
            let reason = error.reason.split(':').next().unwrap_or_default();
            *refused.entry(reason.to_owned()).or_insert(0) += 1;
            if !is_expected(&error.reason) {
                unexpected.push(error.to_string());
            }
        }
    }
    eprintln!(
        "{loaded} loaded, {} refused",
        refused.values().sum::<usize>()
    );
    for (reason, count) in &refused {
        eprintln!("{count:5} {reason}");
    }
    for error in &unexpected {
        eprintln!("look at: {error}");
    }
    assert!(loaded > 0, "no query in the folder loads");
}
