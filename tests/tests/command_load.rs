//! Where rules come from: files and folders of mixed languages, what is refused of them, and the
//! pages of types and mappings.

mod command_support;

use serde_json::{Value, json};

use command_support::*;

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "12222222-2222-4222-8222-222222222222";

/// An Elastic rule.
fn kuery(id: &str, query: &str) -> String {
    format!(
        "[rule]\nrule_id = \"{id}\"\nname = \"K {id}\"\ntype = \"query\"\nlanguage = \"kuery\"\nquery = '''\n{query}\n'''\n"
    )
}

/// A Microsoft query file.
fn kusto(id: &str, query: &str) -> String {
    format!("id: {id}\nname: M {id}\nquery: |\n  {query}\n")
}

/// A folder of rules in all languages, and of what lies around in a checkout.
fn mixed() -> Folder {
    let folder = Folder::new();
    folder.file("rules/a.yml", rule("a", "Sigma", "x", "1"));
    folder.file("rules/b.toml", kuery("b", "x: 2"));
    folder.file("rules/deep/c.yaml", kusto("c", "T | where x == '3'"));
    folder.file("rules/deep/d.kql", "T | where x == '4'");
    folder.file("rules/pyproject.toml", "[project]\nname = 'rules'\n");
    folder.file("rules/mkdocs.yml", "site_name: rules\n");
    folder.file("rules/README.md", "no rule");
    folder
}

/// The ids of the rules that match a record.
fn matching(sources: &[&str], record: &str) -> Value {
    let tagged = run([&["tag", "--quiet"][..], sources].concat(), record).expect(0);
    tagged.json()["poseur"]["rules"].clone()
}

#[test]
fn languages_can_be_mixed() {
    let folder = mixed();
    let rules = folder.path("rules");
    let list = run(["rules", "list", "--rules", &rules, "--format", "json"], "");
    let list = list.expect(0).json();
    let languages: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["language"].as_str().unwrap())
        .collect();
    assert_eq!(languages, ["sigma", "kuery", "kusto", "kusto"]);
    let sources = ["--rules", &rules];
    for (record, id) in [
        (r#"{"x":"1"}"#, "a"),
        (r#"{"x":"2"}"#, "b"),
        (r#"{"x":"3"}"#, "c"),
    ] {
        assert_eq!(matching(&sources, record), json!([id]), "{record}");
    }
    // Nothing is wrong, and nothing is said.
    let ran = run(["tag", "--rules", &rules], "{}").expect(0);
    assert!(
        !ran.err.contains("warning") && !ran.err.contains("refused"),
        "{}",
        ran.err
    );
    let ran = run(["check", "--rules", &rules], "").expect(0);
    assert!(
        ran.text()
            .contains("passed over, about something else: 2\n"),
        "{}",
        ran.text()
    );
    let ran = run(["check", "-v", "--rules", &rules], "").expect(0);
    assert!(ran.text().contains("pyproject.toml\n"), "{}", ran.text());
    let ran = run(["check", "--format", "json", "--rules", &rules], "")
        .expect(0)
        .json();
    assert_eq!(ran["passed_over"].as_array().unwrap().len(), 2);
    // By its name such a file must be a rule.
    for name in [
        "rules/pyproject.toml",
        "rules/mkdocs.yml",
        "rules/README.md",
    ] {
        let ran = run(["tag", "--rules", &folder.path(name)], "{}").expect(78);
        assert!(ran.err.contains(name), "{}", ran.err);
    }
}

#[test]
fn refused_files_of_a_folder_are_warned_about() {
    let folder = mixed();
    let rules = folder.path("rules");
    let bad = folder.file("rules/bad.toml", kuery("e", "x: (1"));
    let ran = run(["tag", "--rules", &rules], r#"{"x":"1"}"#).expect(0);
    assert!(
        ran.err
            .starts_with("poseur: warning: 1 file with rules is refused, wholly or in part: "),
        "{}",
        ran.err
    );
    assert!(ran.err.contains(&format!("{bad}:7:")), "{}", ran.err);
    assert!(ran.err.contains("`poseur check`"), "{}", ran.err);
    assert_eq!((ran.figure("rules "), ran.figure("refused files")), (4, 1));
    assert!(ran.text().contains(r#""rules":["a"]"#), "{}", ran.text());
    // hunt says the same.
    let ran = run(["hunt", "--rules", &rules], r#"{"x":"1"}"#).expect(0);
    assert_eq!(ran.figure("refused files"), 1);
    // explain and the list go on, too.
    run(["explain", "--rules", &rules], "{}").expect(0);
    run(["rules", "list", "--rules", &rules], "").expect(0);
    // A named file must load, wherever else it is found.
    for sources in [vec![&bad], vec![&rules, &bad], vec![&bad, &rules]] {
        let sources = sources.into_iter().flat_map(|path| ["--rules", path]);
        let args: Vec<&str> = ["tag"].into_iter().chain(sources).collect();
        let ran = run(args, r#"{"x":"1"}"#).expect(78);
        assert!(ran.err.contains(&bad) && ran.out.is_empty(), "{}", ran.err);
    }
    // So must all with --strict.
    for command in ["tag", "hunt", "explain", "check"] {
        run([command, "--strict", "--rules", &rules], "{}").expect(78);
    }
    run(["check", "--rules", &rules], "").expect(0);
}

#[test]
fn hundreds_of_refusals_are_one_line() {
    let folder = Folder::new();
    folder.file("rules/good.yml", rule(ONE, "Good", "a", "b"));
    for number in 0..300 {
        let bad = rule(&format!("r{number}"), "Bad", "a|nonsense", "b");
        folder.file(&format!("rules/bad{number:03}.yml"), bad);
    }
    let rules = folder.path("rules");
    let ran = run(["tag", "--rules", &rules], "{}").expect(0);
    let warnings: Vec<&str> = ran
        .err
        .lines()
        .filter(|line| line.contains("warning"))
        .collect();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].contains("300 files with rules are refused")
            && warnings[0].contains("bad002.yml")
            && !warnings[0].contains("bad003.yml")
            && warnings[0].contains("and 297 more"),
        "{}",
        warnings[0]
    );
    assert_eq!(ran.figure("refused files"), 300);
    let ran = run(["check", "--rules", &rules], "").expect(0);
    assert!(ran.text().contains("\nrefused: 300\n"), "{}", ran.text());
    assert!(
        ran.text().ends_with(
            "\nin all\n      1  loaded, sigma\n    300  refused, unknown modifier `nonsense`\n"
        ),
        "{}",
        ran.text()
    );
    let ran = run(["check", "--format", "json", "--rules", &rules], "")
        .expect(0)
        .json();
    assert_eq!(ran["counts"]["refused, unknown modifier `nonsense`"], 300);
    assert_eq!(ran["refused"][0]["fatal"], false);
}

#[test]
fn a_folder_must_have_a_rule_that_loads() {
    let folder = Folder::new();
    folder.file("none/README.md", "no rule");
    folder.file("bad/a.yml", rule(ONE, "Bad", "a|nonsense", "b"));
    folder.file("bad/b.toml", "[rule]\n");
    for (name, reason) in [
        ("none", "the folder holds no rules"),
        ("bad", "all 2 rule files in the folder are refused"),
    ] {
        let ran = run(["tag", "--rules", &folder.path(name)], "{}").expect(78);
        assert!(ran.err.contains(reason), "{}", ran.err);
    }
}

#[test]
fn ids_are_taken_once() {
    let folder = Folder::new();
    let first = folder.file("rules/a.yml", rule(ONE, "First", "a", "1"));
    let second = folder.file("rules/b.toml", kuery(ONE, "a: 2"));
    let rules = folder.path("rules");
    let ran = run(["tag", "--rules", &rules], "{}").expect(0);
    let wanted =
        format!("{second}:1:1: duplicate id: {ONE} is already that of the rule at {first}:1:1");
    assert!(ran.err.contains(&wanted), "{}", ran.err);
    let ran = run(["tag", "--rules", &first, "--rules", &second], "{}").expect(78);
    assert!(ran.err.contains(&wanted), "{}", ran.err);
    // One of the pack's ids, in a folder beside the pack.
    folder.file("pack/a.toml", kuery(RULE_A, "a: 2"));
    folder.file("pack/b.toml", kuery(TWO, "a: 2"));
    let ran = run(
        ["check", "--with-built-in", "--rules", &folder.path("pack")],
        "",
    )
    .expect(0);
    assert!(
        ran.text().contains("refused, duplicate id\n"),
        "{}",
        ran.text()
    );
    assert!(ran.text().starts_with("rules: 3\n"), "{}", ran.text());
}

#[test]
fn one_rule_among_hundreds_that_cannot_be_compiled() {
    let folder = Folder::new();
    for number in 0..500 {
        let good = rule(&format!("r{number}"), "Good", "a|re", &format!("x{number}"));
        folder.file(&format!("rules/good{number:03}.yml"), good);
    }
    let huge = rule(ONE, "Huge", "a|re", "'((((x{100}){100}){100}){100})'");
    let bad = folder.file("rules/good250x.yml", huge);
    let rules = folder.path("rules");
    let ran = run(["tag", "--rules", &rules], r#"{"a":"x499"}"#).expect(0);
    assert!(ran.err.contains(&bad), "{}", ran.err);
    assert!(ran.text().contains("\"r499\""), "{}", ran.text());
    assert_eq!(ran.figure("rules "), 500);
    run(["tag", "--strict", "--rules", &rules], "").expect(78);
    run(["tag", "--rules", &rules, "--rules", &bad], "").expect(78);
}

#[test]
fn types_of_fields_are_declared() {
    let folder = Folder::new();
    let rules = folder.file("r.toml", kuery("r", "door.opened >= 10"));
    let record = r#"{"door":{"opened":"9"}}"#;
    // As text, 9 comes after 10.
    assert_eq!(matching(&["--rules", &rules], record), json!(["r"]));
    let types = folder.file("types.yml", "fields:\n  door.opened: number\n");
    let ran = run(
        ["tag", "--quiet", "--rules", &rules, "--types", &types],
        record,
    )
    .expect(0);
    assert_eq!(ran.text(), record);
    // The last page wins.
    let other = folder.file("other.yml", "fields:\n  door.opened: keyword\n");
    let both = ["--rules", &rules, "--types", &types, "--types", &other];
    assert_eq!(matching(&both, record), json!(["r"]));
    let wrong = folder.file("wrong.yml", "fields:\n  door.opened: numbre\n");
    for command in ["tag", "hunt", "explain", "check"] {
        let ran = run([command, "--rules", &rules, "--types", &wrong], record).expect(78);
        let told = format!("{}{}", ran.text(), ran.err);
        assert!(told.contains(&format!("{wrong}:2:16:")), "{told}");
        assert!(told.contains("did you mean number?"), "{told}");
    }
    run(["check", "--types", &folder.path("missing.yml")], "").expect(78);
}

#[test]
fn fields_of_sigma_rules_are_renamed() {
    let folder = Folder::new();
    let sigma = folder.file("rules/s.yml", rule("s", "Sigma", "User|startswith", "ann"));
    folder.file("rules/k.toml", kuery("k", "User: ann*"));
    let mapping = folder.file(
        "m.yml",
        "name: mine\npriority: 10\ntransformations:\n  - type: field_name_mapping\n    mapping:\n      User: [user.name, user.email]\n    rule_conditions:\n      - {type: logsource, category: any}\n",
    );
    let rules = folder.path("rules");
    let sources = ["--rules", &rules, "--mapping", &mapping];
    for (record, ids) in [
        (r#"{"user":{"name":"Anna"}}"#, json!(["s"])),
        (r#"{"user":{"email":"ann@a.example"}}"#, json!(["s"])),
        (r#"{"User":"anna"}"#, json!(["k"])),
    ] {
        assert_eq!(matching(&sources, record), ids, "{record}");
    }
    let shown = run(
        [
            "rules",
            "show",
            "s",
            "--rules",
            &rules,
            "--mapping",
            &mapping,
        ],
        "",
    )
    .expect(0);
    assert!(
        shown.text().contains("  at least one of\n    user.email starts with \"ann\"\n    user.name starts with \"ann\"\n"),
        "{}",
        shown.text()
    );
    // Rules for other logs keep their names.
    let other = folder.file(
        "other.yml",
        "transformations:\n  - {type: field_name_prefix, prefix: x., rule_conditions: [{type: logsource, category: no}]}\n",
    );
    let sources = ["--rules", &sigma, "--mapping", &other];
    assert_eq!(matching(&sources, r#"{"User":"anna"}"#), json!(["s"]));
    let wrong = folder.file("wrong.yml", "transformations:\n  - {type: add_condition}\n");
    let ran = run(["tag", "--rules", &sigma, "--mapping", &wrong], "").expect(78);
    assert!(
        ran.err.contains(&format!(
            "{wrong}:2:12: the transformation `add_condition` is not known: mappings only rename"
        )),
        "{}",
        ran.err
    );
}
