//! `poseur hunt` and `poseur explain`, as processes.

mod command_support;

use std::path::Path;

use poseur_tests::traffic::{Config, Kind, Shape, generate_bytes};
use serde_json::{Value, json};

use command_support::*;

fn hunt(args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    run([&["hunt", "--at", AT][..], args].concat(), input)
}

fn explain(args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    run([&["explain", "--at", AT][..], args].concat(), input)
}

#[test]
fn a_pipe_gets_one_object_a_match() {
    let ran = hunt(&[], format!("{{}}\n\n{}\n", chat("helpdesk@evil.example"))).expect(0);
    let wanted = json!({
        "time": "2026-11-19T08:00:00",
        "rule": RULE_A,
        "title": "M365 Teams Rogue Help Desk Chat Created",
        "level": "high",
        "who": "helpdesk@evil.example",
        "whom": ["ann@contoso.example"],
        "on": [
            {"field": "user.email", "value": "helpdesk@evil.example", "keyword": "helpdesk"},
            {"field": "user.name", "value": "helpdesk", "keyword": "helpdesk"},
        ],
        "where": "19:chat",
        "file": "standard input",
        "line": 3,
        "suppressed": null,
    });
    let mut found = ran.json_lines();
    assert_eq!(found.len(), 1);
    let context = found[0].as_object_mut().unwrap().remove("context").unwrap();
    assert_eq!(found[0], wanted);
    assert_eq!(context["user.domain"], "evil.example");
    assert_eq!(context["o365.audit.CommunicationType"], "OneOnOne");
    // Keys are where they were, and are there also when there is nothing to say.
    let keys = [
        "time",
        "rule",
        "title",
        "level",
        "who",
        "whom",
        "on",
        "where",
        "file",
        "line",
        "context",
        "suppressed",
    ];
    let places: Vec<usize> = keys
        .iter()
        .map(|key| ran.text().find(&format!("\"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{}", ran.text());
    assert_eq!(ran.figure("matched"), 1);
    assert!(
        ran.err.contains("by sender's domain\n  evil.example  1\n"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("by day\n  2026-11-19  1\n"), "{}", ran.err);
    let bare = hunt(
        &["-q"],
        "{\"Timestamp\":\"2026-11-19T00:00:00Z\",\"IsExternalThread\":1,\"RecipientDetails\":\"Help Desk\"}",
    );
    let bare = bare.expect(0);
    assert_eq!(
        (bare.json_lines()[0]["who"].clone(), bare.err.as_str()),
        (Value::Null, "")
    );
}

#[test]
fn lines_are_numbered_in_each_file() {
    let folder = Folder::new();
    let (input, truths) = generate_bytes(
        Config {
            match_rate: 0.05,
            ..Config::new(Kind::Mixed, Shape::All)
        },
        4_000_000,
    );
    let one = folder.file(
        "one.ndjson",
        [b"\r\n\n".as_slice(), &vec![b'x'; 150_000], b"\n", &input].concat(),
    );
    // The second has no line feed at its end.
    let two = folder.file("two.ndjson", input.trim_ascii_end());
    let plain: Vec<(String, u64)> = {
        let tagged = |bytes: &[u8]| run(["tag", "-q", "--at", AT], bytes.to_vec()).expect(0).out;
        let lines = |file: &str, bytes: &[u8], offset: u64| {
            let out = tagged(bytes);
            let lines: Vec<_> = out
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect();
            let hits = (1..).zip(lines).filter(|(_, line)| {
                String::from_utf8_lossy(line).contains("\"poseur\":{\"rules\"")
            });
            hits.map(|(line, _)| (file.to_owned(), line + offset))
                .collect::<Vec<_>>()
        };
        [lines(&one, &input, 3), lines(&two, &input, 0)].concat()
    };
    for threads in ["1", "2", "5"] {
        let ran = hunt(
            &["--max-line", "100K", "--threads", threads, &one, &two],
            "",
        )
        .expect(0);
        let found = ran.json_lines();
        assert_eq!(
            found.len() as u64,
            2 * (truths.matches_a + truths.matches_b)
        );
        let mut places: Vec<(String, u64)> = found
            .iter()
            .map(|found| {
                (
                    found["file"].as_str().unwrap().to_owned(),
                    found["line"].as_u64().unwrap(),
                )
            })
            .collect();
        // A batch may hold several.
        places.dedup();
        assert_eq!(places, plain, "{threads} threads");
    }
}

#[test]
fn suppressed_matches_are_listed_if_wanted() {
    let folder = Folder::new();
    let file = folder.file("e.yml", exception("us", "msp.example", ""));
    let input = format!(
        "{}\n{}\n",
        chat("helpdesk@msp.example"),
        chat("helpdesk@evil.example")
    );
    let ran = hunt(&["--exceptions", &file], input.clone()).expect(0);
    assert_eq!(ran.json_lines().len(), 1);
    assert_eq!((ran.figure("matches"), ran.figure("suppressed")), (1, 1));
    let ran = hunt(&["--exceptions", &file, "--suppressed"], input.clone()).expect(0);
    let found = ran.json_lines();
    assert_eq!(
        found[0]["suppressed"],
        json!({"exception": "us", "reason": "it is us"})
    );
    assert_eq!(found[0]["who"], "helpdesk@msp.example");
    assert_eq!(found[1]["suppressed"], Value::Null);
    // They are no matches, and not counted as such.
    assert!(!ran.err.contains("msp.example"), "{}", ran.err);
    let ran = hunt(
        &["--exceptions", &file, "--suppressed", "--format", "table"],
        input,
    )
    .expect(0);
    assert!(ran.text().contains("suppressed by us"), "{}", ran.text());
}

#[test]
fn spreadsheets_get_csv() {
    let evil = r#"=cmd,\"x\"\nhelpdesk@evil.example"#;
    let ran = hunt(&["--format", "csv"], chat(evil)).expect(0);
    let lines: Vec<&str> = ran.text().split("\r\n").collect();
    assert_eq!(
        lines[0],
        "time,rule,title,level,who,whom,on,where,file,line,suppressed"
    );
    let wanted = format!(
        "2026-11-19T08:00:00,{RULE_A},M365 Teams Rogue Help Desk Chat Created,high,\"'=cmd,\"\"x\"\"\nhelpdesk@evil.example\",ann@contoso.example,"
    );
    assert!(lines[1].starts_with(&wanted), "{}", lines[1]);
    assert!(
        lines[1].ends_with(",19:chat,standard input,1,"),
        "{}",
        lines[1]
    );
    assert_eq!(
        hunt(&["--format", "csv"], "")
            .expect(0)
            .text()
            .lines()
            .count(),
        1
    );
}

#[test]
fn tables_are_aligned_and_harmless() {
    let senders = [
        "helpdesk@evil.example",
        "helpdesk-日本@evil.example",
        r"\u001b[2J\u202ehelpdesk@evil.example",
    ];
    let input: String = senders.map(|sender| chat(sender) + "\n").concat();
    let ran = hunt(&["--format", "table"], input).expect(0);
    let wanted = "\
TIME                 RULE                                     WHO                                    AGAINST              ON
2026-11-19 08:00:00  M365 Teams Rogue Help Desk Chat Created  helpdesk@evil.example                  ann@contoso.example  user.email: helpdesk@evil.example
2026-11-19 08:00:00  M365 Teams Rogue Help Desk Chat Created  helpdesk-日本@evil.example             ann@contoso.example  user.email: helpdesk-日本@evil.example
2026-11-19 08:00:00  M365 Teams Rogue Help Desk Chat Created  ␛[2J\\u{202e}helpdesk@evil.example      ann@contoso.example  user.email: ␛[2J\\u{202e}helpdesk@evil.example
";
    // The widest sender decides; take what is the same whatever the width.
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeeze(ran.text()), squeeze(wanted));
    let columns: Vec<usize> = ran
        .text()
        .lines()
        .map(|line| unicode_columns(&line[..line.find("ann@").or(line.find("AGAINST")).unwrap()]))
        .collect();
    assert!(
        columns.iter().all(|column| *column == columns[0]),
        "{columns:?}\n{}",
        ran.text()
    );
}

/// Columns of a text in which only CJK characters are wide.
fn unicode_columns(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if ('\u{3000}'..'\u{a000}').contains(&c) {
                2
            } else {
                1
            }
        })
        .sum()
}

/// Runs a command line on a pseudo-terminal; `None` where there is no `script`.
fn on_a_terminal(arguments: &str, columns: usize) -> Option<String> {
    if !Path::new("/usr/bin/script").exists() || !cfg!(target_os = "linux") {
        eprintln!("skipped: there is no `script` here");
        return None;
    }
    let program = poseur([""; 0])
        .get_program()
        .to_owned()
        .into_string()
        .unwrap();
    let line = format!("stty rows 24 cols {columns} && '{program}' {arguments}");
    let mut command = std::process::Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "xterm");
    command.env_remove("NO_COLOR");
    Some(run_command(command, "").expect(0).text().replace('\r', ""))
}

#[test]
fn a_terminal_gets_a_table_and_a_summary() {
    let folder = Folder::new();
    let file = folder.file(
        "in.ndjson",
        format!("{}\n", chat("helpdesk@evil.example")).repeat(3),
    );
    let Some(text) = on_a_terminal(&format!("hunt --at {AT} {file}"), 90) else {
        return;
    };
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("\u{1b}[1mTIME"), "{text}");
    assert!(
        lines[1].starts_with("2026-11-19 08:00:00  \u{1b}[31mM365"),
        "{text}"
    );
    assert!(lines[1].contains('…'), "{text}");
    for line in &lines[1..4] {
        let plain = line.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        assert!(unicode_columns(&plain) <= 90, "{line}");
    }
    for wanted in [
        "by rule",
        "  M365 Teams Rogue Help Desk Chat Created  3",
        "  evil.example  3",
        "  2026-11-19  3",
        "records",
        "a second",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    let text = on_a_terminal(&format!("hunt --at {AT} {file} -q --format json"), 90).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn an_explanation_goes_clause_by_clause() {
    let input = format!(
        "{}\n\n{{\"a\":\n{}\n",
        chat("ann@evil.example"),
        chat("helpdesk@evil.example")
    );
    let ran = explain(&["--rule", "e8e7"], input.clone()).expect(0);
    let text = ran.text();
    for wanted in [
        "standard input:1  schema o365\n  ✗ e8e7b6b6-78b0-4015-97fe-c2f28468e0d4  M365 Teams Rogue Help Desk Chat Created\n    ✗ all of\n",
        "      ✓ chat: all of\n        ✓ data_stream.dataset is \"o365.audit\" (case-sensitive)  ← \"o365.audit\"\n",
        "        ✗ posing_address: at least one of\n          ✗ user.email contains \"helpdesk\" (case-sensitive)  ← \"ann@evil.example\"\n",
        "          ✗ user.email contains \"help-desk\" (case-sensitive)  ← the same\n",
        "standard input:3  unreadable: cut off\n",
        "standard input:4  schema o365\n  ✓ e8e7b6b6-78b0-4015-97fe-c2f28468e0d4  M365 Teams Rogue Help Desk Chat Created: match\n",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
    }
    assert!(!text.contains(RULE_B));
    assert!(
        explain(&[], input.clone())
            .expect(0)
            .text()
            .contains(RULE_B)
    );
    // Without a locale that has them, no signs beyond ASCII.
    let mut command = poseur(["explain", "--at", AT]);
    command.env("LC_ALL", "C");
    let plain = run_command(command, input.clone()).expect(0);
    assert!(
        plain.text().is_ascii() && plain.text().contains("  + e8e7b6b6"),
        "{}",
        plain.text()
    );
    let ran = explain(&["--rule", "nothing"], input).expect(1);
    assert!(
        ran.err.contains("no loaded rule has the id nothing"),
        "{}",
        ran.err
    );
}

#[test]
fn an_explanation_names_exceptions() {
    let folder = Folder::new();
    let file = folder.file("e.yml", exception("us", "msp.example", ""));
    let args = ["--exceptions", &file, "--rule", RULE_A];
    let ran = explain(&args, chat("helpdesk@msp.example")).expect(0);
    assert!(
        ran.text()
            .contains(": suppressed by the exception us (it is us)\n"),
        "{}",
        ran.text()
    );
    let ran = explain(
        &[&args[..], &["--format", "json"]].concat(),
        chat("helpdesk@msp.example"),
    )
    .expect(0);
    let rule = &ran.json_lines()[0]["judged"][0]["rules"][0];
    assert_eq!(
        (&rule["holds"], &rule["matched"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        rule["suppressed_by"],
        json!([{"exception": "us", "reason": "it is us"}])
    );
}

#[test]
fn explanations_have_a_form_for_programs() {
    let batch = format!(
        "[{},{}]",
        chat("helpdesk@evil.example"),
        row("2026-11-19T00:00:00Z")
    );
    let ran = explain(&["--format", "json"], format!("{batch}\n17\n")).expect(0);
    let found = ran.json_lines();
    let place = |found: &Value| {
        (
            found["line"].clone(),
            found["record"].clone(),
            found["unreadable"].clone(),
        )
    };
    assert_eq!(place(&found[0]), (json!(1), json!(1), Value::Null));
    assert_eq!(place(&found[1]), (json!(1), json!(2), Value::Null));
    assert_eq!(
        place(&found[2]),
        (json!(2), Value::Null, json!("not an object"))
    );
    assert_eq!(found[1]["judged"][0]["schema"], "hunting");
    let clause = &found[1]["judged"][0]["rules"][1]["clause"];
    assert_eq!(
        clause["all"][0],
        json!({
            "holds": true,
            "name": "external",
            "is": {
                "holds": true, "field": "IsExternalThread", "test": "is true", "keyword": "true",
                "values": ["true"], "more": false,
            },
        })
    );
}

/// The promise that explanations make: they cannot disagree with tags.
#[test]
fn explanations_agree_with_tags() {
    for (kind, shape) in [(Kind::Mixed, Shape::All), (Kind::MessageEvents, Shape::All)] {
        let config = Config {
            match_rate: 0.1,
            candidate_rate: Some(0.4),
            ..Config::new(kind, shape)
        };
        let (input, truths) = generate_bytes(config, 1_000_000);
        let explained = explain(&["--format", "json"], input.clone())
            .expect(0)
            .json_lines();
        let mut from_tags: Vec<(u64, String)> = hunt(&["-q"], input)
            .expect(0)
            .json_lines()
            .iter()
            .map(|found| {
                (
                    found["line"].as_u64().unwrap(),
                    found["rule"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        let mut from_clauses = Vec::new();
        for record in &explained {
            let judged = record["judged"].as_array().unwrap();
            for rule in judged
                .iter()
                .flat_map(|judged| judged["rules"].as_array().unwrap())
            {
                assert_eq!(rule["holds"], rule["clause"]["holds"]);
                assert_eq!(rule["holds"], rule["matched"], "{record}");
                if rule["holds"] == true {
                    from_clauses.push((
                        record["line"].as_u64().unwrap(),
                        rule["rule"].as_str().unwrap().to_owned(),
                    ));
                }
            }
        }
        assert_eq!(from_tags.len() as u64, truths.matches_a + truths.matches_b);
        from_tags.sort();
        from_clauses.sort();
        assert_eq!(from_tags, from_clauses, "{kind:?}");
    }
}
