//! Rules from files and folders.

use std::fs;
use std::path::Path;

use poseur_rule::load::{Loaded, Loader};

fn rule(id: &str) -> String {
    format!(
        "title: T {id}\nid: {id}\nlogsource: {{product: x}}\ndetection: {{s: {{a: 1}}, condition: s}}\n"
    )
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn load(paths: &[&Path]) -> Loaded {
    let mut loader = Loader::new();
    for path in paths {
        loader.path(path);
    }
    loader.finish()
}

fn ids(loaded: &Loaded) -> Vec<&str> {
    loaded.rules.iter().map(|rule| rule.id.as_str()).collect()
}

/// The refusals, with the folder's own path left out.
fn refused(loaded: &Loaded, folder: &Path) -> Vec<String> {
    let prefix = folder.display().to_string();
    loaded
        .refused
        .iter()
        .map(|error| {
            error
                .to_string()
                .replace(&format!("{prefix}/"), "")
                .replace(&prefix, ".")
        })
        .collect()
}

#[test]
fn a_folder_is_read_in_order_of_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "b.yml", rule("b"));
    write(at, "a.YAML", rule("a"));
    write(at, "c/z.yml", rule("cz"));
    write(at, "d.yml", format!("{}---\n{}", rule("d1"), rule("d2")));
    write(at, ".hidden.yml", "not: [yaml");
    write(at, ".git/x.yml", "not: [yaml");
    write(at, "README.md", "no rule");
    let loaded = load(&[at]);
    assert_eq!(loaded.refused, []);
    assert_eq!(ids(&loaded), ["a", "b", "cz", "d1", "d2"]);
    assert_eq!(loaded.files, 4);
    let place = &loaded.rules[4].origin.place;
    assert_eq!(
        place.to_string(),
        format!("{}:6:1", at.join("d.yml").display())
    );
}

#[test]
fn a_bad_file_hides_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "a.yml", "title: [\n");
    write(at, "b.yml", b"title: T\xff\n");
    write(at, "c.yml", b"\xff\xfet\0");
    write(at, "d.yml", rule("d"));
    write(at, "e.yml", format!("{}---\n{}", rule("e"), rule("d")));
    let large = "#".repeat((16 << 20) + 1);
    write(at, "f.yml", large);
    let loaded = load(&[at, &at.join("missing.yml"), &at.join("missing")]);
    assert_eq!(ids(&loaded), ["d", "e"]);
    assert_eq!(
        refused(&loaded, at),
        [
            "a.yml:2:1: this is not valid YAML: while parsing a node, did not find expected node content",
            "b.yml:1:9: the file is not UTF-8: save it as UTF-8",
            "c.yml:1:1: the file is UTF-16: save it as UTF-8",
            "e.yml:6:1: duplicate id: d is already that of the rule at d.yml:1:1: give this one an id of its own, or remove it",
            "f.yml: larger than 16 MiB: is this a rule file?",
            "missing.yml: cannot be read (No such file or directory (os error 2)): check the path",
            "missing: cannot be read (No such file or directory (os error 2)): check the path",
        ]
    );
}

#[test]
fn an_empty_folder_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "sub/readme.txt", "no rule");
    let loaded = load(&[at]);
    assert_eq!(
        refused(&loaded, at),
        [
            ".: the folder holds no rules: expected files named .yml or .yaml (Sigma, Microsoft), .toml (Elastic), .kql, .kusto or .csl (Kusto)"
        ]
    );
    let loaded = load(&[&at.join("sub/readme.txt")]);
    assert_eq!(
        refused(&loaded, at),
        [
            "sub/readme.txt: no rule file by its name: expected .yml or .yaml (Sigma, Microsoft), .toml (Elastic), .kql, .kusto or .csl (Kusto)"
        ]
    );
}

#[test]
fn a_file_given_twice_is_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "a.yml", rule("a"));
    let loaded = load(&[&at.join("a.yml"), at, at, &at.join("./a.yml")]);
    assert_eq!(loaded.refused, []);
    assert_eq!((ids(&loaded), loaded.files), (vec!["a"], 1));
}

#[cfg(unix)]
#[test]
fn links_cannot_loop() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "sub/a.yml", rule("a"));
    symlink(at, at.join("sub/up")).expect("a link");
    symlink(at.join("sub"), at.join("again")).expect("a link");
    symlink(at.join("sub/a.yml"), at.join("same.yml")).expect("a link");
    symlink(at.join("nowhere"), at.join("broken.yml")).expect("a link");
    let loaded = load(&[at]);
    assert_eq!(ids(&loaded), ["a"]);
    assert_eq!(
        refused(&loaded, at),
        ["broken.yml: cannot be read (No such file or directory (os error 2)): check the path"]
    );
}

#[test]
fn filters_find_the_rules_loaded_with_them() {
    let mut loader = Loader::new();
    loader.text(
        "f.yml",
        "title: F\nlogsource: {product: m365}\nfilter: {rules: any, s: {a: 1}, condition: not s}\n",
    );
    loader.built_in();
    let loaded = loader.finish();
    assert_eq!(loaded.refused, []);
    assert_eq!(
        loaded.filters[0].rules.as_deref(),
        Some(
            &loaded
                .rules
                .iter()
                .map(|rule| rule.id.clone())
                .collect::<Vec<_>>()[..]
        )
    );
}

#[test]
fn the_ids_of_the_pack_are_taken() {
    let mut loader = Loader::new();
    loader.built_in();
    loader.text("t.yml", &rule("e8e7b6b6-78b0-4015-97fe-c2f28468e0d4"));
    let loaded = loader.finish();
    assert_eq!(loaded.rules.len(), 2);
    assert_eq!(
        loaded.refused[0].to_string(),
        "t.yml:1:1: duplicate id: e8e7b6b6-78b0-4015-97fe-c2f28468e0d4 is already that of the rule at \
         built-in:help-desk-chat-created:1:1: give this one an id of its own, or remove it"
    );
}

#[test]
fn named_files_are_told_from_found_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "rules/bad.yml", "detection: 1\n");
    write(at, "rules/good.yml", rule("a"));
    write(at, "rules/same.yml", rule("a"));
    let named = |paths: &[&Path]| -> Vec<bool> {
        let loaded = load(paths);
        let refused = loaded.refused.iter();
        refused
            .map(|error| loaded.is_named(&error.place.file))
            .collect()
    };
    let rules = at.join("rules");
    let bad = rules.join("bad.yml");
    assert!(named(&[&rules]).iter().all(|named| !named));
    assert!(named(&[&bad]).iter().all(|named| *named));
    // Whatever comes first, and however it is spelt.
    let other = rules.join("./bad.yml");
    let last = |named: Vec<bool>| (named[0], *named.last().expect("a refusal"));
    assert_eq!(last(named(&[&rules, &other])), (true, false));
    assert_eq!(last(named(&[&bad, &rules])), (true, false));
    let (good, same) = (rules.join("good.yml"), rules.join("same.yml"));
    assert_eq!(named(&[&good, &same]), [true]);
    assert_eq!(last(named(&[&rules, &same])), (false, true));
}

#[test]
fn a_folder_without_a_good_rule_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "a.yml", "detection: [\n");
    let loaded = load(&[at]);
    assert_eq!(
        refused(&loaded, at)[1..],
        [".: the one rule file in the folder is refused"]
    );
    assert!(loaded.is_named(&loaded.refused[1].place.file));
    write(at, "b.yml", "detection: [\n");
    assert_eq!(
        refused(&load(&[at]), at)[2],
        ".: all 2 rule files in the folder are refused"
    );
    // Given twice, it has loaded what there is.
    write(at, "c.yml", rule("c"));
    assert_eq!(load(&[at, at]).refused.len(), 2);
}

#[test]
fn what_is_no_rule_is_passed_over_in_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "a.yml", rule("a"));
    write(at, "mkdocs.yml", "site_name: docs\nnav: [a.md]\n");
    write(at, "empty.yml", "# nothing\n");
    write(at, "list.yml", "- a\n");
    write(at, "pyproject.toml", "[project]\nname = 'rules'\n");
    let loaded = load(&[at]);
    assert_eq!(loaded.refused, []);
    assert_eq!((ids(&loaded), loaded.files), (vec!["a"], 5));
    let names = ["empty.yml", "list.yml", "mkdocs.yml", "pyproject.toml"];
    let names = names.map(|name| at.join(name).display().to_string());
    assert_eq!(loaded.passed_over, names);
    // By its name it must be a rule.
    let loaded = load(&[&at.join("mkdocs.yml")]);
    assert!(loaded.passed_over.is_empty() && !loaded.refused.is_empty());
    // A folder of such files holds no rules.
    let docs = tempfile::tempdir().expect("a folder");
    write(docs.path(), "mkdocs.yml", "site_name: docs\n");
    let loaded = load(&[docs.path()]);
    assert!(loaded.refused[0].reason.contains("holds no rules"));
}
