//! A real Fluent Bit, if `POSEUR_FLUENT_BIT` names one: records through the filter and past it.
//! `POSEUR_FLUENT_BIT_MEGABYTES` says how many megabytes of them.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use poseur_tests::traffic::{Config, Kind, Shape, Truths, generate_bytes};

/// How the filter stands in the pipeline.
const PLACES: [(&str, &str, &str); 3] = [
    ("without", "", ""),
    (
        "as a filter",
        "",
        "  filters:\n    - {name: poseur, match: '*'}\n",
    ),
    (
        "as a processor",
        "      processors:\n        logs:\n          - name: poseur\n",
        "",
    ),
];

fn run(program: &str, folder: &Path, processors: &str, filters: &str) -> String {
    let out = folder.join("out.ndjson");
    let _ = fs::remove_file(&out);
    let test = std::env::current_exe().unwrap();
    let plugin = folder.join("flb-filter_poseur.so");
    fs::copy(test.with_file_name("libposeur_fluent_bit.so"), &plugin).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let config = format!(
        "service: {{flush: 0.5, grace: 30, log_level: info}}\n\
         plugins:\n  - {plugin}\n\
         parsers:\n  - {{name: json, format: json}}\n\
         pipeline:\n\
         \x20 inputs:\n\
         \x20   - name: tail\n\
         \x20     path: {input}\n\
         \x20     read_from_head: true\n\
         \x20     exit_on_eof: true\n\
         \x20     buffer_max_size: 1M\n\
         \x20     parser: json\n\
         {processors}\
         {filters}\
         \x20 outputs:\n\
         \x20   - {{name: file, match: '*', path: {folder}, file: out.ndjson, format: plain}}\n",
        plugin = shown(&plugin),
        input = shown(&folder.join("in.ndjson")),
        folder = shown(folder),
    );
    let path = folder.join("fluent-bit.yaml");
    fs::write(&path, config).unwrap();
    let ran = Command::new(program).arg("-c").arg(&path).output().unwrap();
    let log = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{log}");
    assert!(!log.contains("error"), "{log}");
    fs::read_to_string(&out).unwrap_or_else(|error| panic!("no output: {error}: {log}"))
}

/// A line without its tag, and whether there was one.
fn without_tag(line: &str) -> (String, bool) {
    match line.split_once(r#","poseur":{"rules":["#) {
        // The tag is the last member.
        Some((before, _)) => (format!("{before}}}"), true),
        None => (line.to_owned(), false),
    }
}

#[test]
fn records_pass_through_a_real_fluent_bit() {
    let Ok(program) = std::env::var("POSEUR_FLUENT_BIT") else {
        eprintln!("skipped: POSEUR_FLUENT_BIT names no Fluent Bit to try the filter in");
        return;
    };
    let megabytes = std::env::var("POSEUR_FLUENT_BIT_MEGABYTES").ok();
    let megabytes: usize = megabytes.and_then(|text| text.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    for kind in [Kind::Teams, Kind::MessageEvents] {
        let mut config = Config::new(
            kind,
            if kind == Kind::Teams {
                Shape::O365
            } else {
                Shape::Defender
            },
        );
        config.at = Timestamp::now().as_second();
        config.match_rate = 0.01;
        let (input, truths): (_, Truths) = generate_bytes(config, megabytes * 500_000);
        fs::write(folder.path().join("in.ndjson"), &input).unwrap();
        let mut plain = String::new();
        for (place, processors, filters) in PLACES {
            let out = run(&program, folder.path(), processors, filters);
            let mut tags = 0;
            let stripped: Vec<String> = out
                .lines()
                .map(|line| {
                    let (line, tagged) = without_tag(line);
                    tags += u64::from(tagged);
                    line
                })
                .collect();
            if plain.is_empty() {
                assert_eq!(stripped.len() as u64, truths.lines);
                plain = out;
                continue;
            }
            assert!(
                stripped.iter().eq(plain.lines()),
                "{kind:?} {place}: records differ"
            );
            assert_eq!(
                tags,
                truths.matches_a + truths.matches_b,
                "{kind:?} {place}"
            );
        }
    }
}
