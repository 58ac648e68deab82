//! Every dependency may be used under a licence that `deny.toml` allows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The licences of `deny.toml`: the texts of the list `allow`.
fn allowed(root: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root.join("deny.toml")).unwrap();
    let (_, list) = text.split_once("\nallow = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    let names = list.split('"').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// All packages of the lock file, on every platform and with all features. Their files are here already where the tests
/// could be built; only those of other platforms may have to be fetched.
fn metadata(root: &Path) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |more: &[&str]| -> Output {
        let mut command = Command::new(&cargo);
        command.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--all-features",
        ]);
        command.args(more).current_dir(root).output().unwrap()
    };
    let mut output = run(&["--offline"]);
    if !output.status.success() {
        output = run(&[]);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether a licence expression of the SPDX specification allows a use under these licences. `/`
/// is how `OR` was written once.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let text = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let mut words = text.split_whitespace().peekable();
    let permitted = any(&mut words, allowed)?;
    match words.next() {
        None => Ok(permitted),
        Some(word) => Err(format!("`{word}` is not expected in `{expression}`")),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut permitted = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all(words, allowed)?;
    }
    Ok(permitted)
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Result<bool, String> {
    let mut permitted = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        permitted &= one(words, allowed)?;
    }
    Ok(permitted)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Result<bool, String> {
    match words.next() {
        Some("(") => {
            let permitted = any(words, allowed)?;
            match words.next() {
                Some(")") => Ok(permitted),
                _ => Err("a parenthesis is never closed".to_owned()),
            }
        }
        None | Some(")" | "AND" | "OR" | "WITH") => Err("a licence is missing".to_owned()),
        Some(name) => {
            let mut licence = name.to_owned();
            if words.next_if_eq(&"WITH").is_some() {
                let exception = words.next().ok_or("an exception is missing")?;
                licence = format!("{name} WITH {exception}");
            }
            Ok(allowed.contains(&licence))
        }
    }
}

#[test]
fn every_dependency_is_licensed_as_allowed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let allowed = allowed(&root);
    assert!(allowed.contains("MIT"), "{allowed:?}");
    let metadata = metadata(&root);
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 20);
    let mut refused = Vec::new();
    for package in packages {
        let (name, version) = (&package["name"], &package["version"]);
        match package["license"].as_str() {
            None => refused.push(format!("{name} {version} does not say its licence")),
            Some(expression) => match permits(expression, &allowed) {
                Ok(true) => {}
                Ok(false) => refused.push(format!("{name} {version} is under {expression}")),
                Err(reason) => refused.push(format!("{name} {version}: {reason}: {expression}")),
            },
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    println!("{} packages, all licensed as allowed", packages.len());
}

#[test]
fn expressions() {
    let allowed: BTreeSet<String> = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"]
        .map(str::to_owned)
        .into();
    for (expression, wanted) in [
        ("MIT", Some(true)),
        ("GPL-3.0-only", Some(false)),
        ("GPL-3.0-only OR MIT", Some(true)),
        ("GPL-3.0-only/MIT", Some(true)),
        ("MIT AND GPL-3.0-only", Some(false)),
        ("MIT AND Zlib", Some(true)),
        ("GPL-3.0-only AND Zlib OR MIT", Some(true)),
        ("GPL-3.0-only AND (Zlib OR MIT)", Some(false)),
        ("(GPL-3.0-only OR MIT) AND Zlib", Some(true)),
        ("Apache-2.0", Some(false)),
        ("Apache-2.0 WITH LLVM-exception", Some(true)),
        ("MIT WITH LLVM-exception", Some(false)),
        ("", None),
        ("MIT OR", None),
        ("MIT Zlib", None),
        ("(MIT", None),
        ("MIT)", None),
    ] {
        assert_eq!(permits(expression, &allowed).ok(), wanted, "{expression}");
    }
}
