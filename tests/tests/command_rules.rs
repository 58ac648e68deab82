//! `poseur check`, `rules`, `completions`, `man` and what every command says about itself.

mod command_support;

use serde_json::{Value, json};

use command_support::*;

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "12222222-2222-4222-8222-222222222222";

#[test]
fn check_tells_what_was_compiled() {
    let folder = Folder::new();
    let exceptions = folder.file(
        "e.yml",
        exception("us", "[a.example, .b.example]", ", expires: 2027-01-31"),
    );
    let ran = run(["check", "--at", AT, "--exceptions", &exceptions], "").expect(0);
    let text = ran.text();
    for wanted in [
        format!("rules: 2\n  sigma  {RULE_A}  high    M365 Teams Rogue Help Desk Chat Created"),
        "built-in:help-desk-chat-created:1".to_owned(),
        "exceptions: 1\n  us  active until 2027-02-01T00:00:00Z  2 entries  all rules  Ann  "
            .to_owned(),
        format!("{exceptions}:1"),
        "  o365      Office 365".to_owned(),
        "  \"ChatCreated\"\n".to_owned(),
        "  \"IsExternalThread\"\n".to_owned(),
    ] {
        assert!(text.contains(&wanted), "{wanted} is missing:\n{text}");
    }
    assert!(ran.err.is_empty());
    assert!(!text.contains("detect:"), "{text}");
    let verbose = run(["check", "-v"], "").expect(0);
    for wanted in [
        "\nschema o365\n  ",
        "  name: o365\n",
        "    external: IsExternalThread is true\n",
        "  looks only at records that hold\n    \"ChatCreated\"\n",
        "  looks at\n    data_stream.dataset\n",
    ] {
        assert!(
            verbose.text().contains(wanted),
            "{wanted} is missing:\n{}",
            verbose.text()
        );
    }
    let later = run(
        [
            "check",
            "--at",
            "2027-02-01T00:00:00Z",
            "--exceptions",
            &exceptions,
        ],
        "",
    )
    .expect(0);
    assert!(
        later.text().contains("us  expired 2027-02-01T00:00:00Z"),
        "{}",
        later.text()
    );
    assert!(later.err.contains("warning: "), "{}", later.err);
}

#[test]
fn check_refuses_with_file_line_and_column() {
    let folder = Folder::new();
    let good = folder.file("good.yml", rule(ONE, "One", "a", "b"));
    let bad = folder.file("bad.yml", rule(TWO, "Two", "a|nonsense", "b"));
    let exceptions = folder.file(
        "e.yml",
        "- {id: a, reason: r, domain: co.uk}\n- {id: b, reason: r, domain: b.example}\n",
    );
    let sources = [
        "--rules",
        &good,
        "--rules",
        &bad,
        "--exceptions",
        &exceptions,
    ];
    let ran = run([&["check"][..], &sources].concat(), "").expect(78);
    assert!(
        ran.text()
            .contains(&format!("rules: 1\n  sigma  {ONE}  low  One")),
        "{}",
        ran.text()
    );
    let refused = ran.text().split("refused: 2\n").nth(1).unwrap();
    assert!(refused.contains(&format!("  {bad}:7:")), "{refused}");
    assert!(refused.contains(&format!("  {exceptions}:1:")), "{refused}");
    assert_eq!(ran.err, "poseur: 2 error(s): see the report\n");
    let ran = run([&["check", "--format", "json"][..], &sources].concat(), "").expect(78);
    let report = ran.json();
    let loaded = &report["loaded"][0];
    assert_eq!(
        (&loaded["id"], &loaded["file"], &loaded["title"]),
        (&json!(ONE), &json!(good), &json!("One"))
    );
    assert_eq!(report["loaded"].as_array().unwrap().len(), 1);
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(
        (&refused[0]["file"], &refused[0]["line"]),
        (&json!(bad), &json!(7))
    );
    assert!(refused[0]["reason"].as_str().unwrap().contains("nonsense"));
    assert_eq!(
        (&refused[1]["file"], &refused[1]["line"]),
        (&json!(exceptions), &json!(1))
    );
    assert_eq!(report["exceptions"][0]["id"], "b");
    assert_eq!(report["search"]["literals"], Value::Array(vec![]));
    let ran = run(["check", "--schema", "nonsense", "--format", "json"], "").expect(78);
    assert_eq!(ran.json()["refused"][0]["file"], "--schema");
}

#[test]
fn rules_that_cannot_be_compiled_are_named() {
    let folder = Folder::new();
    // Valid, but too large for one automaton.
    let huge = |id: &str| rule(id, "Huge", "a|re", "'((((x{100}){100}){100}){100})'");
    let bad = folder.file("rules/bad.yml", huge(ONE));
    let worse = folder.file("rules/worse.yml", huge(TWO));
    folder.file("rules/good.yml", rule("3", "Good", "a", "b"));
    let rules = folder.path("rules");
    let ran = run(["check", "--strict", "--rules", &rules], "").expect(78);
    assert!(
        ran.text().contains(&format!("  {bad}:")) && ran.text().contains(&format!("  {worse}:")),
        "{}",
        ran.text()
    );
    let ran = run(["tag", "--strict", "--rules", &rules], "{}").expect(78);
    assert!(
        ran.err.contains(&bad) && ran.err.contains(&worse),
        "{}",
        ran.err
    );
    assert!(ran.out.is_empty());
}

#[test]
fn rules_are_listed_and_shown() {
    let folder = Folder::new();
    folder.file("one.yml", rule(ONE, "One", "colour|startswith", "red"));
    folder.file("two.yml", rule(TWO, "Two \u{202e}", "a", "b"));
    let rules = folder.path("");
    let ran = run(["rules", "list", "--rules", &rules], "").expect(0);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(
        lines[0].starts_with("ID   ") && lines[0].contains("LEVEL  LANGUAGE  TITLE"),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].starts_with(&format!("{ONE}  low    sigma     One ")),
        "{}",
        lines[1]
    );
    assert!(lines[2].contains("Two \\u{202e}"), "{}", lines[2]);
    let list = run(["rules", "list", "--format", "json"], "")
        .expect(0)
        .json();
    assert_eq!(list[0]["id"], RULE_A);
    assert_eq!(list[0]["techniques"], json!(["T1566.003"]));
    let ran = run(["rules", "show", "111", "--rules", &rules], "").expect(0);
    assert!(
        ran.text().starts_with("One\n\nid        "),
        "{}",
        ran.text()
    );
    assert!(
        ran.text()
            .contains("\nmatches when\n  colour starts with \"red\"\n\nlooks at\n  colour\n"),
        "{}",
        ran.text()
    );
    let shown = run(
        ["rules", "show", ONE, "--rules", &rules, "--format", "json"],
        "",
    )
    .expect(0)
    .json();
    assert_eq!(shown["fields"], json!(["colour"]));
    assert!(
        shown["condition"]
            .to_string()
            .contains(r#""field":"colour""#),
        "{shown}"
    );
    for (id, reason) in [
        ("1", "2 rules have ids that begin with 1: "),
        ("x", "no loaded rule has the id x"),
    ] {
        let ran = run(["rules", "show", id, "--rules", &rules], "").expect(1);
        assert!(ran.err.contains(reason), "{}", ran.err);
    }
    assert!(
        run(["rules", "show", "E8E7"], "")
            .expect(0)
            .text()
            .contains(RULE_A)
    );
}

const COMMANDS: [&str; 8] = [
    "tag",
    "hunt",
    "explain",
    "check",
    "rules",
    "export",
    "completions",
    "man",
];

#[test]
fn shells_can_complete() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = run(["completions", shell], "").expect(0);
        for command in COMMANDS {
            assert!(ran.text().contains(command), "{shell}: {command}");
        }
        assert!(ran.text().contains("check-all"), "{shell}");
    }
    run(["completions", "no-such-shell"], "").expect(2);
}

#[test]
fn there_are_manual_pages() {
    let ran = run(["man"], "").expect(0);
    let folder = Folder::new();
    run(["man", "--out", &folder.path("man")], "").expect(0);
    for command in COMMANDS {
        assert!(
            ran.text().contains(&format!("poseur {command}"))
                || ran.text().contains(&format!("poseur\\-{command}")),
            "{command}"
        );
        assert!(!folder.read(&format!("man/poseur-{command}.1")).is_empty());
    }
    assert!(!folder.read("man/poseur-rules-show.1").is_empty());
    let page = String::from_utf8(folder.read("man/poseur.1")).unwrap();
    assert!(
        page.starts_with(".ie") && page.contains(".TH poseur 1"),
        "{}",
        &page[..200]
    );
    let file = folder.file("file", "");
    run(["man", "--out", &file], "").expect(1);
}

#[test]
fn every_command_explains_itself() {
    for command in COMMANDS {
        let ran = run([command, "--help"], "").expect(0);
        assert!(ran.text().contains("Examples:"), "{command}");
        assert!(!run([command, "-h"], "").expect(0).out.is_empty());
    }
    let help = run(["--help"], "").expect(0);
    for wanted in COMMANDS.iter().chain(&["Exit codes:", "78"]) {
        assert!(help.text().contains(wanted), "{wanted}");
    }
    let version = run(["--version"], "").expect(0);
    assert!(version.text().starts_with("poseur ") && version.text().contains("reads JSON with"));
    run::<&str>([], "").expect(2);
    run(["dance"], "").expect(2);
}
