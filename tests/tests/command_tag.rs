//! `poseur tag`, as a process: flags, outputs and exit codes.

mod command_support;

use std::fs::{self, File};
use std::process::Stdio;

use poseur_tests::traffic::{Config, Kind, Shape, generate_bytes};
use serde_json::Value;

use command_support::*;

/// Tags an input as of [`AT`].
fn tag(args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    run([&["tag", "--at", AT][..], args].concat(), input)
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn traffic_is_tagged_and_nothing_else_changes() {
    for (kind, shape) in [
        (Kind::Mixed, Shape::O365),
        (Kind::Mixed, Shape::All),
        (Kind::MessageEvents, Shape::All),
    ] {
        let config = Config {
            match_rate: 0.02,
            ..Config::new(kind, shape)
        };
        let (input, truths) = generate_bytes(config, 3_000_000);
        let ran = tag(&[], input.clone()).expect(0);
        assert_eq!(
            ran.figure("matches"),
            truths.matches_a + truths.matches_b,
            "{kind:?} {shape:?}"
        );
        assert_eq!(ran.figure("records"), truths.lines);
        assert_eq!(ran.figure("bytes"), input.len() as u64);
        assert_eq!(ran.figure("unreadable"), 0);
        let (before, after) = (lines(&input), lines(&ran.out));
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            if before != after {
                assert!(String::from_utf8_lossy(after).contains("\"poseur\":{\"rules\":["));
                assert!(is_within(before, after));
            }
        }
    }
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Whether `before` is left when some bytes of `after` are removed.
fn is_within(before: &[u8], after: &[u8]) -> bool {
    let mut rest = after.iter();
    before.iter().all(|byte| rest.any(|other| other == byte))
}

#[test]
fn threads_change_nothing() {
    let config = Config {
        match_rate: 0.02,
        ..Config::new(Kind::Mixed, Shape::All)
    };
    let (mut input, _) = generate_bytes(config, 12_000_000);
    // Lines that are too long, unreadable ones, and no line feed at the end.
    input.extend_from_slice(
        &[
            b"\n".to_vec(),
            vec![b'x'; 300_000],
            b"\n{\"a\":\nChatCreated{".to_vec(),
        ]
        .concat(),
    );
    input.extend_from_slice(chat("helpdesk@evil.example").as_bytes());
    let folder = Folder::new();
    let file = folder.file("in.ndjson", &input);
    let one = tag(&["--max-line", "200K", &file], "").expect(0);
    assert!(one.figure("matched") > 10);
    assert_eq!(one.figure("too long"), 1);
    for threads in ["2", "3", "7", "0"] {
        let many = tag(&["--max-line", "200K", "--threads", threads, &file], "").expect(0);
        assert!(many.out == one.out, "{threads} threads");
        assert_eq!(many.err, one.err, "{threads} threads");
        let piped = tag(&["--max-line", "200K", "--threads", threads], input.clone()).expect(0);
        assert!(piped.out == one.out, "{threads} threads, from a pipe");
        assert_eq!(piped.err, one.err, "{threads} threads, from a pipe");
    }
}

#[test]
fn styles_and_keys() {
    let record = chat("helpdesk@evil.example");
    let whole = parse(tag(&[], record.clone()).expect(0).text());
    assert_eq!(whole["poseur"]["rules"][0], RULE_A);
    assert_eq!(
        whole["poseur"]["matches"][0]["on"][0]["keyword"],
        "helpdesk"
    );
    let minimal = parse(
        tag(&["--style", "minimal", "--key", "found"], record.clone())
            .expect(0)
            .text(),
    );
    assert_eq!(minimal["found"], serde_json::json!({"rules": [RULE_A]}));
    assert_eq!(minimal["poseur"], Value::Null);
    let ecs = parse(tag(&["--style", "ecs"], record.clone()).expect(0).text());
    assert_eq!(ecs["tags"], serde_json::json!(["poseur"]));
    assert_eq!(ecs["event.risk_score"], 73);
    for bad in [
        &["--key", ""][..],
        &["--style", "pretty"],
        &["--threads", "x"],
        &["--max-line", "0"],
        &["--at", "today"],
        &["--no-such-flag"],
    ] {
        let ran = tag(bad, record.clone()).expect(2);
        assert!(ran.out.is_empty() && ran.err.contains("error"), "{bad:?}");
    }
}

#[test]
fn the_time_is_given_or_the_clock_s() {
    let old = row("2026-10-01T00:00:00Z");
    for (at, matched) in [
        ("2026-10-02T00:00:00Z", 1),
        ("2026-10-31T00:00:00Z", 0),
        ("2026-10-02T02:00:00+02:00", 1),
    ] {
        assert_eq!(
            run(["tag", "--at", at], old.clone())
                .expect(0)
                .figure("matched"),
            matched,
            "{at}"
        );
    }
    let now = jiff::Timestamp::now().to_string();
    assert_eq!(run(["tag"], row(&now)).expect(0).figure("matched"), 1);
    assert_eq!(
        run(["tag"], row("2001-01-01T00:00:00Z"))
            .expect(0)
            .figure("matched"),
        0
    );
}

#[test]
fn the_output_can_be_a_file() {
    let folder = Folder::new();
    let input = folder.file("in.ndjson", chat("helpdesk@evil.example") + "\n");
    let to_pipe = tag(&[&input], "").expect(0);
    let output = folder.file(
        "out.ndjson",
        "what stood here before is longer than the output".repeat(100),
    );
    let to_file = tag(&[&input, "-o", &output], "").expect(0);
    assert!(to_file.out.is_empty());
    assert_eq!(folder.read("out.ndjson"), to_pipe.out);
    assert_eq!(to_file.figure("matched"), 1);
    let ran = tag(&[&input, "-o", &folder.path("no/such/folder/out")], "").expect(1);
    assert!(
        ran.err.starts_with("poseur: ") && ran.err.contains("out: cannot be written: "),
        "{}",
        ran.err
    );
    assert_eq!(ran.err.lines().count(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told() {
    for threads in ["1", "2"] {
        let ran = tag(
            &["--threads", threads, "-o", "/dev/full"],
            chat("x@y.example"),
        )
        .expect(1);
        assert!(
            ran.err
                .starts_with("poseur: /dev/full: cannot be written: No space"),
            "{}",
            ran.err
        );
        assert_eq!(ran.err.lines().count(), 1);
    }
}

#[cfg(unix)]
#[test]
fn an_input_is_never_overwritten() {
    let folder = Folder::new();
    let content = chat("helpdesk@evil.example") + "\n";
    let input = folder.file("in.ndjson", &content);
    let other = folder.file("other.ndjson", "{}\n");
    std::os::unix::fs::symlink(&input, folder.path("symlink")).unwrap();
    fs::hard_link(&input, folder.path("hardlink")).unwrap();
    for output in [
        input.clone(),
        folder.path("symlink"),
        folder.path("hardlink"),
    ] {
        let ran = tag(&[&other, &input, "-o", &output], "").expect(1);
        assert!(ran.err.contains("is an input too"), "{}", ran.err);
        assert!(ran.out.is_empty());
    }
    // The shell has opened these: standard input from the file, standard output onto it.
    let mut command = poseur(["tag", "-o", &input]);
    let status = command
        .stdin(File::open(&input).unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    let mut command = poseur(["tag", &input]);
    let append = File::options().append(true).open(&input).unwrap();
    let status = command
        .stdin(Stdio::null())
        .stdout(append)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(folder.read("in.ndjson"), content.as_bytes());
    // A device is no file that could be lost.
    run(["tag", "-q", "/dev/null", "-o", "/dev/null"], "").expect(0);
}

#[test]
fn rules_come_from_files_and_folders() {
    let folder = Folder::new();
    let one = folder.file(
        "one.yml",
        rule(
            "11111111-1111-4111-8111-111111111111",
            "One",
            "colour",
            "red",
        ),
    );
    folder.file(
        "more/two.yaml",
        rule(
            "22222222-2222-4222-8222-222222222222",
            "Two",
            "colour",
            "red",
        ),
    );
    folder.file("more/README.md", "no rule");
    let input = format!(
        "{}\n{{\"colour\":\"red\"}}\n",
        chat("helpdesk@evil.example")
    );
    for (args, matched, matches) in [
        (vec![], 1, 1),
        (vec!["--rules", one.as_str()], 1, 1),
        (vec!["--rules", &one, "--rules", &folder.path("more")], 1, 2),
        (vec!["--rules", &one, "--with-built-in"], 2, 2),
    ] {
        let ran = tag(&args, input.clone()).expect(0);
        assert_eq!(
            (ran.figure("matched"), ran.figure("matches")),
            (matched, matches),
            "{args:?}"
        );
    }
    tag(&["--with-built-in"], "").expect(2);
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_written() {
    let folder = Folder::new();
    let bad = folder.file(
        "bad/a.yml",
        "title: A\nid: x\ndetection:\n  condition: sel\n",
    );
    folder.file("bad/b.yml", rule("b", "B", "field|unknown", "x"));
    folder.file(
        "bad/good.yml",
        rule("11111111-1111-4111-8111-111111111111", "One", "a", "b"),
    );
    let exceptions = folder.file("e.yml", "- {id: a, reason: r, domain: co.uk}\n");
    let schema = folder.file("s.yml", "name: mine\nfields: 7\n");
    let output = folder.path("out.ndjson");
    let args = [
        "--strict",
        "--rules",
        &folder.path("bad"),
        "--exceptions",
        &exceptions,
        "--exceptions",
        "partnes",
        "--schema-file",
        &schema,
        "-o",
        &output,
    ];
    let ran = tag(&args, chat("x@y.example")).expect(78);
    for file in [&bad, &exceptions, &schema, "b.yml", "partnes"] {
        assert!(ran.err.contains(file), "{file} is not named:\n{}", ran.err);
    }
    assert!(
        ran.err
            .contains("the packs are known-services and partners"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.lines().all(|line| line.starts_with("poseur: ")),
        "{}",
        ran.err
    );
    assert!(ran.err.lines().count() >= 5, "{}", ran.err);
    assert!(ran.out.is_empty() && !folder.has("out.ndjson"));
    let ran = tag(&["--schema", "o356"], "").expect(78);
    assert!(
        ran.err.contains("no schema `o356`") && ran.err.contains("o365"),
        "{}",
        ran.err
    );
    tag(&["--rules", &folder.path("nowhere")], "").expect(78);
}

#[test]
fn exceptions_suppress_matches() {
    let folder = Folder::new();
    let file = folder.file("e.yml", exception("us", "msp.example", ""));
    let ran = tag(&["--exceptions", &file], chat("helpdesk@msp.example")).expect(0);
    assert_eq!((ran.figure("matched"), ran.figure("suppressed")), (0, 1));
    let tagged = parse(ran.text());
    assert_eq!(tagged["poseur"]["rules"], serde_json::json!([]));
    assert_eq!(tagged["poseur"]["suppressed"][0]["exception"], "us");
    let ran = tag(&["--exceptions", &file], chat("helpdesk@evil.example")).expect(0);
    assert_eq!((ran.figure("matched"), ran.figure("suppressed")), (1, 0));
    // A pack, by name; one exception twice is an error.
    tag(
        &["--exceptions", "known-services", "--exceptions", "partners"],
        "",
    )
    .expect(0);
    let ran = tag(
        &["--exceptions", "partners", "--exceptions", "partners"],
        "",
    )
    .expect(78);
    assert!(ran.err.contains("already"), "{}", ran.err);
    // A Sigma filter is an exception, too.
    let rules = folder.file(
        "rules/rule.yml",
        rule(
            "11111111-1111-4111-8111-111111111111",
            "One",
            "colour",
            "red",
        ),
    );
    folder.file(
        "rules/filter.yml",
        "title: Not these\nid: 33333333-3333-4333-8333-333333333333\nlogsource: {category: any}\nfilter:\n  rules: [11111111-1111-4111-8111-111111111111]\n  sel: {shape: round}\n  condition: not sel\n",
    );
    let input = "{\"colour\":\"red\"}\n{\"colour\":\"red\",\"shape\":\"round\"}\n";
    let ran = tag(&["--rules", &rules, "-q"], input).expect(0);
    assert!(ran.err.is_empty());
    let ran = tag(&["--rules", &folder.path("rules")], input).expect(0);
    assert_eq!((ran.figure("matched"), ran.figure("suppressed")), (1, 1));
}

#[test]
fn what_is_hardly_meant_is_warned_about() {
    let folder = Folder::new();
    let text = exception("old", "a.example", ", expires: 2026-01-31")
        + &exception("odd", "b.example", ", rules: [no-such-rule]");
    let file = folder.file("e.yml", text);
    for command in ["tag", "hunt", "explain", "check"] {
        let ran = run([command, "--at", AT, "--exceptions", &file], "").expect(0);
        let warning = |text: &str| {
            ran.err
                .lines()
                .any(|line| line.starts_with("poseur: warning: ") && line.contains(text))
        };
        assert!(
            warning("`old` expired at 2026-02-01T00:00:00Z and is inactive; its owner is Ann"),
            "{command}: {}",
            ran.err
        );
        assert!(
            warning("`odd` is for the rule `no-such-rule`, which is not loaded"),
            "{command}: {}",
            ran.err
        );
    }
    let ran = run(
        [
            "rules",
            "list",
            "--at",
            "2026-01-01T00:00:00Z",
            "--exceptions",
            &file,
        ],
        "",
    )
    .expect(0);
    assert!(!ran.err.contains("expired"));
}

#[test]
fn schemas_can_be_forced_and_extended() {
    let folder = Folder::new();
    let envelope = format!(
        "{{\"message\":{}}}",
        serde_json::json!(chat("helpdesk@evil.example"))
    );
    for (schema, matched) in [("auto", 1), ("envelope", 1), ("o365", 0)] {
        assert_eq!(
            tag(&["--schema", schema], envelope.clone())
                .expect(0)
                .figure("matched"),
            matched,
            "{schema}"
        );
    }
    let file = folder.file(
        "s.yml",
        "name: o365\nfields:\n  event.action: {from: Action}\n",
    );
    let renamed =
        chat("helpdesk@evil.example").replace("\"Operation\":", "\"Operation\":\"x\",\"Action\":");
    assert_eq!(tag(&[], renamed.clone()).expect(0).figure("matched"), 0);
    assert_eq!(
        tag(&["--schema-file", &file], renamed)
            .expect(0)
            .figure("matched"),
        1
    );
}

#[test]
fn quiet_is_quiet() {
    let ran = tag(&["--quiet"], chat("helpdesk@evil.example")).expect(0);
    assert_eq!(ran.err, "");
    assert!(ran.text().contains("\"poseur\""));
}

#[test]
fn rsyslog_gets_one_reply_for_each_line() {
    let config = Config {
        match_rate: 0.3,
        ..Config::new(Kind::Mixed, Shape::All)
    };
    let (mut input, _) = generate_bytes(config, 200_000);
    input.extend_from_slice(b"\nno JSON\n{\"a\":\n\xFF\n");
    input.extend_from_slice(&[b'x'; 3000]);
    input.extend_from_slice(b"\n{\"last\":true}");
    for limit in ["16777216", "2000"] {
        let limit = ["--max-line", limit];
        let plain = tag(&limit, input.clone()).expect(0);
        let replies = tag(&[&limit[..], &["--rsyslog"]].concat(), input.clone()).expect(0);
        assert_eq!(plain.figure("matches"), replies.figure("matches"));
        assert_eq!(plain.figure("unreadable"), replies.figure("unreadable"));
        let (before, after, replies) = (lines(&input), lines(&plain.out), lines(&replies.out));
        assert_eq!((before.len(), after.len()), (replies.len(), replies.len()));
        let mut changed = 0;
        for ((before, after), reply) in before.iter().zip(&after).zip(&replies) {
            let reply = std::str::from_utf8(reply).unwrap();
            if before == after {
                assert_eq!(reply, "{}\n");
            } else {
                let after = std::str::from_utf8(after).unwrap().trim_end_matches('\n');
                assert_eq!(parse(reply), serde_json::json!({ "msg": after }));
                changed += 1;
            }
        }
        assert!(changed > 3, "{changed}");
    }
}
