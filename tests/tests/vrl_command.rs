//! `poseur tag --vrl`, as a user runs it.

#![cfg(unix)]

mod command_support;

use command_support::{AT, Folder, RULE_B, run};
use serde_json::{Value, json};

const MATCH: &str = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
const OTHER: &str = r#"{ "Operation" : "MessageSent", "z": 1, "a": 1.50 }"#;

/// Runs `tag` with a program and further arguments.
fn tag(program: &str, more: &[&str], input: impl Into<Vec<u8>>) -> command_support::Ran {
    let folder = Folder::new();
    let path = folder.path("program.vrl");
    folder.file("program.vrl", program);
    let mut args = vec!["tag", "--at", AT, "--vrl", path.as_str()];
    args.extend(more);
    run(args, input)
}

#[test]
fn a_program_sees_tagged_records_and_no_others() {
    let program = ".alert = .poseur.rules[0]\ndel(.poseur)\ndel(.Timestamp)";
    let input = format!("{OTHER}\n{MATCH}\r\n\nnot json\n{OTHER}");
    let ran = tag(program, &[], input).expect(0);
    let lines: Vec<&str> = ran.text().split('\n').collect();
    let rewritten = format!(
        "{{\"IsExternalThread\":true,\"RecipientDetails\":\"Help Desk\",\"alert\":\"{RULE_B}\"}}\r"
    );
    assert_eq!(lines, [OTHER, &rewritten, "", "not json", OTHER]);
    assert_eq!((ran.figure("matched"), ran.figure("program")), (1, 1));
    assert!(!ran.err.contains("failed") && !ran.err.contains("aborted"));
}

#[test]
fn a_program_sees_all_records_if_it_is_to() {
    let program = ".seen = !is_null(.poseur)";
    let input = format!("{OTHER}\nnot json\n[1,{MATCH},{OTHER}]\n");
    let ran = tag(program, &["--vrl-on", "all", "--style", "minimal"], input).expect(0);
    let lines: Vec<&str> = ran.text().lines().collect();
    let other = json!({"Operation": "MessageSent", "z": 1, "a": 1.5, "seen": false});
    let mut matched: Value = serde_json::from_str(MATCH).unwrap();
    matched["poseur"] = json!({"rules": [RULE_B]});
    matched["seen"] = json!(true);
    assert_eq!(serde_json::from_str::<Value>(lines[0]).unwrap(), other);
    assert_eq!(lines[1], "not json");
    let batch: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!(batch, json!([1, matched, other]));
    assert_eq!((ran.figure("program"), ran.figure("matched")), (3, 1));
}

#[test]
fn the_functions_and_the_library_are_there() {
    // The rules of the run and those of the program are two things.
    let program = r#"
        . = poseur_tag(., at: "2026-11-20T12:00:00Z", key: "again", style: "minimal")
        .digest = encode_base64(upcase("a"))
    "#;
    let ran = tag(program, &["--style", "minimal"], format!("{MATCH}\n")).expect(0);
    let tagged = ran.json();
    assert_eq!(tagged["again"], tagged["poseur"]);
    assert_eq!(tagged["digest"], "QQ==");
}

#[test]
fn a_record_on_which_the_program_fails_or_aborts_stays_as_it_was() {
    let plain = {
        let folder = Folder::new();
        folder.file("none.ndjson", MATCH);
        run(["tag", "--at", AT], format!("{MATCH}\n")).expect(0)
    };
    for (program, figure) in [
        (".x = 1\n.y = to_int!(.RecipientDetails)", "failed"),
        (".x = 1\nabort", "aborted"),
        (
            ".x = 1\nif is_string(.RecipientDetails) { abort \"no\" }",
            "aborted",
        ),
    ] {
        let ran = tag(program, &[], format!("{MATCH}\n{MATCH}\n")).expect(0);
        assert_eq!(ran.text(), plain.text().repeat(2), "{program}");
        assert_eq!((ran.figure("program"), ran.figure(figure)), (2, 2));
        let told = ran.err.matches("the program failed").count();
        assert_eq!(told, usize::from(figure == "failed"), "{}", ran.err);
    }
}

#[test]
fn many_threads_keep_the_order() {
    let mut input = String::new();
    for number in 0..20_000 {
        let record = match number % 3 {
            0 => MATCH.replacen('{', &format!("{{\"n\":{number},"), 1),
            _ => format!("{{\"n\":{number}}}"),
        };
        input.push_str(&record);
        input.push('\n');
    }
    let ran = tag(". = {\"n\": .n}", &["--threads", "3"], input).expect(0);
    let wanted: Vec<String> = (0..20_000)
        .map(|number| format!("{{\"n\":{number}}}"))
        .collect();
    let lines: Vec<&str> = ran.text().lines().collect();
    assert!(lines == wanted);
    assert_eq!(ran.figure("program"), 6_667);
}

#[test]
fn what_a_program_leaves_is_written_whatever_it_is() {
    for (program, wanted) in [
        (". = [1, {\"b\": 2, \"a\": 1}]", "[1,{\"a\":1,\"b\":2}]\n"),
        (". = null", "null\n"),
        (". = {}", "{}\n"),
        (
            ".Timestamp = parse_timestamp!(.Timestamp, \"%+\")\n. = {\"t\": .Timestamp, \"f\": 1.0}",
            "{\"f\":1.0,\"t\":\"2026-11-19T08:00:00Z\"}\n",
        ),
    ] {
        let ran = tag(program, &[], format!("{MATCH}\n")).expect(0);
        assert_eq!(ran.text(), wanted, "{program}");
    }
}

#[test]
fn a_program_that_does_not_compile_is_shown() {
    for (program, says) in [
        (".x = to_int(.y)", "unhandled fallible assignment"),
        ("nonsense(", "syntax error"),
        (
            "poseur_match(., rules: \"nowhere.yml\")",
            "argument \"rules\": nowhere.yml",
        ),
    ] {
        let ran = tag(program, &[], format!("{MATCH}\n")).expect(78);
        assert_eq!(ran.text(), "");
        assert!(ran.err.contains(says), "{program}: {}", ran.err);
        assert!(
            ran.err.contains("program.vrl: the program has"),
            "{}",
            ran.err
        );
    }
    let ran = run(["tag", "--vrl", "no-such.vrl"], "").expect(78);
    assert!(
        ran.err.contains("no-such.vrl: cannot be read"),
        "{}",
        ran.err
    );
    run(["tag", "--vrl-on", "all"], "").expect(2);
}
