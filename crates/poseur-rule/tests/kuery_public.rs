//! Elastic's public rules, where a copy of them is at hand: every query in kuery loads, nothing else does.
//!
//! `POSEUR_ELASTIC_RULES` names the folders, divided by `:`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use poseur_rule::elastic;
use poseur_rule::types::Types;

const VARIABLE: &str = "POSEUR_ELASTIC_RULES";

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            files(&path, out);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            out.push(path);
        }
    }
}

/// The words behind `type =` and `language =`, found without reading the TOML.
fn kind(text: &str) -> [&str; 2] {
    ["type = \"", "language = \""].map(|key| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(key));
        lines.next().map_or("", |rest| rest.trim_end_matches('"'))
    })
}

#[test]
fn public_rules() {
    let Some(folders) = std::env::var_os(VARIABLE) else {
        eprintln!("skipped: {VARIABLE} names no folder");
        return;
    };
    let mut paths = Vec::new();
    for folder in std::env::split_paths(&folders) {
        files(&folder, &mut paths);
    }
    let types = Types::built_in();
    let mut loaded = 0;
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in &paths {
        let text = std::fs::read_to_string(path).expect("a readable file");
        let documents = elastic::read(&path.display().to_string(), &text, &types);
        let [kind, language] = kind(&text);
        let expected = kind == "query" && language == "kuery";
        match (documents.rules.len(), documents.errors.as_slice()) {
            (1, []) if expected => loaded += 1,
            (0, [error]) if !expected && error.place.line > 0 && error.reason.contains(kind) => {
                *refused.entry(error.reason.clone()).or_default() += 1;
            }
            (rules, errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                wrong.push(format!("{}: {rules} rules, {errors:?}", path.display()));
            }
        }
    }
    eprintln!(
        "{} files, {loaded} loaded, {} wrong",
        paths.len(),
        wrong.len()
    );
    for (reason, count) in &refused {
        eprintln!("{count:5}  {reason}");
    }
    assert_eq!(wrong, [""; 0]);
    assert!(loaded > 0, "no rules in {}", folders.display());
}
