//! The VRL functions against the tagger: the same verdicts and the same tags, on every record.
//!
//! A line is read as VRL reads it. What it holds then is written as VRL writes it, and tagged as NDJSON.
//! So both judge the same values; what VRL makes of JSON (of equal keys the last, sorted keys) is
//! its own affair.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;

use jiff::Timestamp;
use poseur_matcher::{Matcher, schema};
use poseur_tagger::tag::TagWriter;
use poseur_tagger::{Lines, Style, TagOptions, Tagger};
use poseur_tests::conformance;
use poseur_tests::rules::{Options, generate};
use poseur_tests::strategies::{self, config, random};
use poseur_tests::tagging;
use poseur_tests::traffic::{Config, Kind, Shape, Traffic};
use proptest::prelude::*;
use std::sync::Arc;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{Program, TargetValue, TimeZone};
use vrl::value::{Secrets, Value};

/// A program with the functions.
fn compile(program: &str) -> Program {
    match vrl::compiler::compile(program, &poseur_vrl::functions::all()) {
        Ok(compiled) => compiled.program,
        Err(errors) => panic!("{program}: {errors:?}"),
    }
}

fn run(program: &Program, event: &Value) -> Value {
    let mut target = TargetValue {
        value: event.clone(),
        metadata: Value::Null,
        secrets: Secrets::default(),
    };
    let answer = Runtime::default().resolve(&mut target, program, &TimeZone::default());
    answer.expect("the functions cannot fail")
}

/// One set of rules, as programs and as taggers.
struct Both {
    at: Timestamp,
    verdict: Program,
    /// By style.
    tags: Vec<(Program, Tagger)>,
    lines: Lines,
    writer: TagWriter,
}

/// What came of one record.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Outcome {
    /// The verdicts, in order.
    verdicts: Vec<Value>,
}

impl Both {
    /// `arguments` say the same to the functions as the matcher was made of.
    fn new(matcher: Arc<Matcher>, arguments: &str, at: &str) -> Both {
        let style = |name: &str, style| {
            let program = format!("poseur_tag(., {arguments} at: \"{at}\", style: \"{name}\")");
            (compile(&program), tagging::styled(matcher.clone(), style))
        };
        Both {
            at: at.parse().unwrap(),
            verdict: compile(&format!("poseur_match(., {arguments} at: \"{at}\")")),
            tags: vec![
                style("namespace", Style::Namespace),
                style("ecs", Style::Ecs),
                style("minimal", Style::Minimal),
            ],
            lines: Lines::new(matcher.clone()),
            writer: TagWriter::new(&matcher, TagOptions::default()),
        }
    }

    /// Checks a line that VRL can read; `None` for others.
    fn check(&mut self, line: &[u8]) -> Option<Outcome> {
        let line = String::from_utf8_lossy(line);
        let text = line.trim_start_matches('\u{feff}');
        let event: Value = serde_json::from_str(text).ok()?;
        let written = serde_json::to_vec(&event).unwrap();

        let mut verdicts = Vec::new();
        let mut whole = true;
        self.lines.read(&written, self.at, &mut |hit| {
            let mut tag = Vec::new();
            self.writer.value(hit.verdict, &mut tag);
            verdicts.push(read(&tag));
            whole = hit.root.start == 0;
            Ok(())
        });
        let answer = run(&self.verdict, &event);
        let wanted = match verdicts.as_slice() {
            [] => Value::Null,
            [only] if whole => only.clone(),
            all => Value::Object([("records".into(), Value::Array(all.to_vec()))].into()),
        };
        assert_eq!(answer, wanted, "the verdict on {text}");

        for (program, tagger) in &mut self.tags {
            let tagged = tagging::tag(tagger, &written, self.at);
            let answer = serde_json::to_vec(&run(program, &event)).unwrap();
            // VRL's reader of JSON rounds floats: both texts go through it.
            let [answer, wanted] = [answer, tagged].map(|text| read(&text));
            assert_eq!(answer, wanted, "the tags of {text}");
        }
        Some(Outcome { verdicts })
    }
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

thread_local! {
    /// By forced schema.
    static BUILT_IN: RefCell<HashMap<String, Both>> = RefCell::default();
}

fn check_built_in(line: &[u8], schema: &str) -> Option<Outcome> {
    BUILT_IN.with_borrow_mut(|all| {
        let both = all.entry(schema.to_owned()).or_insert_with(|| {
            let rules = poseur_rule::pack::built_in();
            let matcher = Matcher::new(rules, vec![], schema::built_in(), Some(schema));
            let arguments = format!("schema: \"{schema}\",");
            Both::new(Arc::new(matcher.unwrap()), &arguments, strategies::NOW)
        });
        both.check(line)
    })
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn records_in_every_shape(line in strategies::lines()) {
        check_built_in(&line.0, "auto");
    }

    #[test]
    fn forced_schemas(
        line in strategies::lines(),
        schema in prop::sample::select(vec!["o365", "ecs", "defender", "hunting", "envelope"]),
    ) {
        check_built_in(&line.0, schema);
    }

    #[test]
    fn any_value(line in strategies::any_json()) {
        check_built_in(&line.0, "auto");
    }

    #[test]
    fn random_records(line in random::lines()) {
        check_built_in(&line.0, "auto");
    }
}

/// Lines of traffic, all shapes.
fn traffic(kind: Kind, seed: u64, lines: usize) -> Vec<Vec<u8>> {
    let mut config = Config::new(kind, Shape::All);
    config.seed = seed;
    config.candidate_rate = Some(0.4);
    config.match_rate = 0.2;
    config.escape_rate = 0.2;
    let mut traffic = Traffic::new(config).unwrap();
    let mut all = Vec::new();
    for _ in 0..lines {
        let mut line = Vec::new();
        traffic.next(&mut line);
        all.push(line);
    }
    all
}

/// The ids in the tags that a tagger writes into a line.
fn ids(tagger: &mut Lines, line: &[u8], at: Timestamp) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let matcher = tagger.matcher().clone();
    tagger.read(line, at, &mut |hit| {
        let rules = hit.verdict.rules();
        all.push(rules.map(|rule| matcher.rules()[rule].id.clone()).collect());
        Ok(())
    });
    all
}

#[test]
fn traffic_in_all_shapes_is_judged_as_its_lines_are() {
    let rules = poseur_rule::pack::built_in();
    let exceptions = poseur_rule::exception::pack("known-services").unwrap();
    let at = "2026-11-20T12:00:00Z";
    let matcher = tagging::compile(rules, exceptions);
    let mut both = Both::new(matcher.clone(), "exceptions: \"known-services\",", at);
    let mut lines = Lines::new(matcher);
    let (mut records, mut found) = (0, 0);
    for (kind, seed) in [(Kind::Mixed, 1), (Kind::Teams, 2), (Kind::MessageEvents, 3)] {
        for line in traffic(kind, seed, 1_000) {
            let outcome = both.check(&line).expect("traffic is JSON");
            // The line as it is, before VRL has seen it: the same rules.
            let rules = |verdict: &Value| {
                let rules = verdict
                    .get(vrl::path!("rules"))
                    .unwrap()
                    .as_array()
                    .unwrap();
                let ids = rules.iter().map(|id| id.to_string_lossy().into_owned());
                ids.collect::<Vec<String>>()
            };
            let ours: Vec<_> = outcome.verdicts.iter().map(rules).collect();
            let theirs = ids(&mut lines, line.trim_ascii_end(), both.at);
            assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(&line));
            records += 1;
            found += ours.len();
        }
    }
    println!("{records} lines, {found} records with a verdict");
    assert!(records == 3_000 && found > 300, "{found} prove little");
}

#[test]
fn the_conformance_suite() {
    let program = compile(&format!("poseur_tag(., at: \"{}\")", strategies::NOW));
    let (all, tagged) = conformance::check(strategies::now(), |record| {
        serde_json::to_vec(&run(&program, &read(record))).unwrap()
    });
    println!("{tagged} of {all} records tagged");
}

#[test]
fn five_hundred_rules_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let generated = generate(&Options::default());
    for (number, rule) in generated.iter().enumerate() {
        fs::write(folder.path().join(format!("{number}.toml")), rule.toml()).unwrap();
    }
    let mut sources = poseur_setup::Sources::default();
    sources.rules.push(folder.path().into());
    let mut loaded = poseur_setup::load(&sources);
    let matcher = loaded.compile("auto").unwrap();
    assert_eq!(matcher.rules().len(), generated.len());
    let arguments = format!(
        "rules: {:?}, strict: true,",
        folder.path().display().to_string()
    );
    let mut both = Both::new(Arc::new(matcher), &arguments, "2026-11-20T12:00:00Z");
    let mut found = 0;
    for rule in &generated {
        for (seed, faults) in [(1, 0.0), (2, 0.2)] {
            let line = rule.record(seed, faults);
            found += both.check(line.as_bytes()).unwrap().verdicts.len();
        }
    }
    for line in traffic(Kind::Mixed, 4, 300) {
        both.check(&line);
    }
    assert!(found > 300, "{found} prove little");
}
