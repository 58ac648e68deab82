//! What the README and the pages in docs/ show is what happens.
//!
//! In these pages
//! - a `sh` block is run, and its output is the `text` block that follows;
//! - a `yaml`, `toml` or `vrl` block that begins with `# NAME` is the file of that name, for the blocks after it;
//! - a `json` block after `<!-- tag of FILE:LINE -->` is the tag of that line;
//! - `<!-- not run -->` before a block says that it is for reading only.

#![cfg(unix)]

mod command_support;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use command_support::{Folder, poseur, run};
use serde_json::Value;

/// A fenced block, and the line before it.
struct Block<'a> {
    language: &'a str,
    before: &'a str,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    let mut before = "";
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(language), false) => {
                open = true;
                blocks.push(Block {
                    language,
                    before,
                    text: String::new(),
                    line: number + 1,
                });
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
        before = line;
    }
    assert!(!open, "a block is never closed");
    blocks
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a page in a folder of its own; how many commands there were.
fn check(page: &str) -> usize {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let folder = Folder::new();
    let examples = root().join("examples").canonicalize().unwrap();
    symlink(examples, folder.path("examples")).unwrap();
    let blocks = blocks(&text);
    let mut ran = 0;
    for (at, block) in blocks.iter().enumerate() {
        let place = format!("{page}:{}", block.line);
        match block.language {
            _ if block.before.contains("not run") => {}
            "yaml" | "toml" | "vrl" => {
                let first = block.text.lines().next().unwrap();
                if let Some(name) = first.strip_prefix("# ").filter(|name| name.contains('.')) {
                    folder.file(name, &block.text);
                }
            }
            "json" => {
                let line = block.before.strip_prefix("<!-- tag of ");
                let line = line.and_then(|line| line.strip_suffix(" -->"));
                if let Some((file, number)) = line.and_then(|line| line.split_once(':')) {
                    let shown: Value = serde_json::from_str(&block.text).unwrap();
                    assert_eq!(shown, tag(file, number.parse().unwrap()), "{place}");
                    ran += 1;
                }
            }
            "sh" => {
                let printed = shell(&block.text, &folder, &place);
                if let Some(shown) = blocks.get(at + 1).filter(|next| next.language == "text") {
                    assert_eq!(printed, shown.text, "{place}");
                }
                ran += 1;
            }
            _ => {}
        }
    }
    ran
}

/// What a script prints, with `poseur` the command under test.
fn shell(script: &str, folder: &Folder, place: &str) -> String {
    let command = poseur(["--version"]);
    let programs = Path::new(command.get_program())
        .parent()
        .unwrap()
        .to_owned();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    for name in ["NO_COLOR", "COLUMNS", "CLICOLOR_FORCE"] {
        shell.env_remove(name);
    }
    let output = shell
        .arg("-ec")
        .arg(script.replace("cargo run --release -- ", "poseur "))
        .current_dir(folder.path(""))
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The tag of a line of a file.
fn tag(file: &str, line: usize) -> Value {
    let records = std::fs::read_to_string(root().join(file)).unwrap();
    let record = records.lines().nth(line - 1).unwrap();
    let tagged: Value = run(["tag", "--quiet"], record).expect(0).json();
    tagged["poseur"].clone()
}

#[test]
fn the_readme_shows_what_happens() {
    assert!(check("README.md") >= 6);
}

/// The pages of the book, in the order of its contents.
fn pages() -> Vec<String> {
    let contents = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let links = contents.split("](").skip(1);
    let names = links.map(|rest| rest.split_once(')').unwrap().0);
    names.map(|name| format!("docs/{name}")).collect()
}

#[test]
fn the_pages_show_what_happens() {
    let mut ran = 0;
    for page in pages() {
        // Its commands need the feature.
        if page != "docs/vrl.md" || cfg!(feature = "vrl") {
            ran += check(&page);
        }
    }
    assert!(ran >= 12, "{ran}");
}

#[test]
fn every_page_is_in_the_book() {
    let pages = pages();
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let page = format!("docs/{name}");
        assert!(
            !name.ends_with(".md") || name == "SUMMARY.md" || pages.contains(&page),
            "docs/SUMMARY.md does not name {name}"
        );
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let others = [
        "README.md",
        "ARCHITECTURE.md",
        "BENCHMARKS.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/SUMMARY.md",
        "examples/samples/README.md",
        "packaging/README.md",
    ];
    let others = others.map(str::to_owned);
    let mut links = 0;
    for page in others.into_iter().chain(pages()) {
        let path = root().join(&page);
        let text = std::fs::read_to_string(&path).unwrap();
        for rest in text.split("](").skip(1) {
            let (target, _) = rest.split_once(')').unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.starts_with("https://") {
                continue;
            }
            let leads = path.parent().unwrap().join(target);
            assert!(
                leads.exists(),
                "{page} links to {target}, which is not there"
            );
            links += 1;
        }
    }
    assert!(links > 10);
}
