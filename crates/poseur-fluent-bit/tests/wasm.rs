//! The WebAssembly module, run as Fluent Bit runs it. `POSEUR_WASM` names the module that
//! `scripts/build-wasm` made; without it nothing is tested.

mod wasm_host;

use std::path::PathBuf;
use std::sync::Arc;

use poseur_fluent_bit::wasm::record::{RecordFilter, deepest};
use poseur_fluent_bit::wasm::{EXCEPTIONS, RULES};
use poseur_matcher::{Matcher, schema};
use poseur_rule::{exception, pack};
use poseur_setup::Sources;
use poseur_tagger::{TagOptions, Tagger};
use poseur_tests::conformance::check;
use poseur_tests::strategies::{self, now};
use poseur_tests::traffic::{Config, Kind, Shape, generate_bytes};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use wasm_host::{Files, Host};

const MATCH: &str = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;

const RULE: &str = "title: Sent\nid: aaaaaaaa-0000-4000-8000-000000000001\n\
logsource: {category: test}\ndetection:\n  sent: {event.action: MessageSent}\n  condition: sent\n";

const SENT: &str =
    r#"{"Operation":"MessageSent","Workload":"MicrosoftTeams","UserId":"a@fabrikam.example"}"#;

/// Where the module is.
fn module() -> Option<PathBuf> {
    let module = std::env::var_os("POSEUR_WASM").map(PathBuf::from);
    if module.is_none() {
        println!("skipped: POSEUR_WASM names no module (scripts/build-wasm makes one)");
    }
    module
}

fn host(files: &[(&str, &str)]) -> Option<Host> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Some(Host::new(&module()?, files.collect::<Files>(), now()))
}

fn tagger() -> Tagger {
    let matcher = Matcher::new(pack::built_in(), vec![], schema::built_in(), None).unwrap();
    Tagger::new(Arc::new(matcher), TagOptions::default())
}

/// Lines of all kinds and shapes, and lines made to be difficult.
fn lines() -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for kind in [Kind::Mixed, Kind::MessageEvents] {
        let config = Config {
            candidate_rate: Some(0.3),
            match_rate: 0.1,
            ..Config::new(kind, Shape::All)
        };
        let text = generate_bytes(config, 2_000_000).0;
        lines.extend(text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
    }
    let mut runner = TestRunner::deterministic();
    for _ in 0..3000 {
        lines.push(
            strategies::lines()
                .new_tree(&mut runner)
                .unwrap()
                .current()
                .0,
        );
    }
    // A host's records end at the first NUL.
    lines.retain(|line| !line.is_empty() && !line.contains(&0));
    lines
}

#[test]
fn every_record_comes_out_as_the_tagger_writes_it() {
    let Some(mut host) = host(&[]) else { return };
    let mut tagger = tagger();
    let (mut native, _) = RecordFilter::new(&Sources::default(), now());
    let (mut tagged, mut same, mut flat) = (0, 0, 0);
    for line in lines() {
        let mut expected = tagger.tag(&line, now()).to_vec();
        let found = host.filter(&line);
        if found.as_ref().unwrap_or(&line) != &expected {
            // A tag that would nest too deep for the host.
            expected = match native.tag(&line, now) {
                Some(answer) => answer.strip_suffix(&[0]).unwrap().to_vec(),
                None => line.clone(),
            };
            flat += 1;
        }
        match found {
            None => same += 1,
            Some(_) => tagged += 1,
        }
        let found = found.unwrap_or_else(|| line.clone());
        assert!(
            found == expected,
            "{}\nbecomes {}\nand not {}",
            String::from_utf8_lossy(&line),
            String::from_utf8_lossy(&found),
            String::from_utf8_lossy(&expected),
        );
    }
    println!(
        "{tagged} records tagged, {flat} with a flat tag or none for their depth, {same} left alone"
    );
    assert!(tagged > 500 && same > 3000, "{tagged} {same}");
    assert!(flat < tagged / 20, "{flat}");
    assert_eq!(
        host.log(),
        "[poseur] info: 2 rule(s) and 0 exception(s) in force\n"
    );
}

#[test]
fn the_conformance_suite() {
    let Some(mut host) = host(&[]) else { return };
    let (all, tagged) = check(now(), |record| {
        host.filter(record).unwrap_or_else(|| record.to_vec())
    });
    println!("{tagged} of {all} records tagged");
}

#[test]
fn the_deepest_records_do_not_stop_it() {
    let Some(mut host) = host(&[]) else { return };
    for record in deepest() {
        host.filter(&record);
        assert!(host.filter(MATCH.as_bytes()).is_some());
    }
}

#[test]
fn odd_arguments_get_the_record_back() {
    let Some(mut host) = host(&[]) else { return };
    let record = host.place(MATCH.as_bytes());
    let length = MATCH.len() as u32;
    let end = host.memory_size();
    for (place, length) in [
        // A record larger than the heap of a host that does not use `malloc`.
        (0, length),
        (0, 10_000_000),
        (0, 0),
        (record, 0),
        (record, u32::MAX),
        (u32::MAX, length),
        (u32::MAX, u32::MAX),
        (end, 1),
        (end - 1, 2),
        (end - 1, 1),
        // Cut off.
        (record, length - 1),
        (record + 1, length - 1),
    ] {
        assert_eq!(host.call(place, length), place, "{place} {length}");
    }
    // The length may count the NUL.
    let expected = tagger().tag(MATCH.as_bytes(), now()).to_vec();
    for length in [length, length + 1] {
        let answer = host.call(record, length);
        assert_ne!(answer, record);
        assert_eq!(host.text(answer), expected);
    }
    for record in [
        &b" "[..],
        b"{",
        b"}",
        b"null",
        b"{}",
        b"\xff",
        b"{\"ChatCreated\":\"\xff\"}",
    ] {
        assert_eq!(host.filter(record), None);
    }
}

#[test]
fn huge_records_and_many_of_them() {
    let Some(mut host) = host(&[]) else { return };
    let mut huge = format!("{},\"More\":\"", MATCH.trim_end_matches('}'));
    huge += &"x".repeat(20_000_000);
    huge += "\"}";
    let expected = tagger().tag(huge.as_bytes(), now()).to_vec();
    assert_eq!(host.filter(huge.as_bytes()), Some(expected));
    // What is given back is used again.
    let size = host.memory_size();
    for length in 0..2000 {
        assert!(host.filter(MATCH.as_bytes()).is_some());
        assert_eq!(
            host.filter(format!("{{\"a\":\"{}\"}}", "x".repeat(length)).as_bytes()),
            None
        );
    }
    assert_eq!(host.memory_size(), size);
    // A host that cannot give so much gives nothing.
    assert_eq!(host.allocate(u32::MAX - 100), 0);
}

#[test]
fn rules_and_exceptions_are_those_of_the_folders() {
    let rule = format!("{RULES}/below/sent.yml");
    let exceptions = format!("{EXCEPTIONS}/partners.yml");
    let list = format!("{EXCEPTIONS}/domains.txt");
    let exception = "- id: partner\n  reason: r\n  domain: {file: domains.txt}\n";
    // More names than one look into the folder answers.
    let others: Vec<String> = (0..1000)
        .map(|n| format!("{RULES}/{}{n}.txt", "x".repeat(n % 60)))
        .collect();
    let others = others.iter().map(|name| (name.as_str(), "no rule"));
    let rules: Vec<(&str, &str)> = others.chain([(rule.as_str(), RULE)]).collect();
    let Some(mut host) = host(&rules) else { return };
    assert_eq!(host.filter(MATCH.as_bytes()), None);
    let tagged = String::from_utf8(host.filter(SENT.as_bytes()).unwrap()).unwrap();
    assert!(
        tagged.contains(r#""rules":["aaaaaaaa-0000-4000-8000-000000000001"]"#),
        "{tagged}"
    );
    assert_eq!(
        host.log(),
        "[poseur] info: 1 rule(s) and 0 exception(s) in force\n"
    );
    let all = [
        (rule.as_str(), RULE),
        (exceptions.as_str(), exception),
        (list.as_str(), "fabrikam.example\n"),
    ];
    let mut host = self::host(&all).unwrap();
    host.filter(SENT.as_bytes());
    assert_eq!(
        host.log(),
        "[poseur] info: 1 rule(s) and 1 exception(s) in force\n"
    );
    assert!(exception::load(&[]).refused.is_empty());
}

#[test]
fn wrong_rules_are_told_of_once_and_nothing_is_tagged() {
    for (name, text, told) in [
        (format!("{RULES}/a.yml"), "detection: [", "a.yml:"),
        (format!("{RULES}/a.txt"), "", "the folder holds no rules"),
        (format!("{EXCEPTIONS}/a.yml"), "- id: 1", "a.yml:1"),
    ] {
        let Some(mut host) = host(&[(&name, text)]) else {
            return;
        };
        for _ in 0..3 {
            assert_eq!(host.filter(MATCH.as_bytes()), None);
            assert_eq!(host.filter(SENT.as_bytes()), None);
        }
        let log = host.log();
        assert!(log.contains(told), "{log}");
        assert_eq!(log.matches("no record is tagged until").count(), 1, "{log}");
    }
}
