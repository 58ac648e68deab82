//! The parts of the tagger, each by itself through the closest public seam, beside the usual library for
//! that part. Every benchmark's answer is asserted before it is timed. See benches/README.md.

use std::hint::black_box;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use memchr::memmem;
use poseur_benches::parts::{Reader, candidates, lines_hit};
use poseur_benches::{Sizes, Traffic, five_hundred, lines, with_built_in};
use poseur_matcher::bits::Bits;
use poseur_matcher::predicates::{PredicateSet, Scalar};
use poseur_matcher::record::{Handle, Kind};
use poseur_matcher::{Matcher, Scratch, Verdict, schema};
use poseur_rule::model::{Case, Pattern, Rule, Test};
use poseur_tagger::TagOptions;
use poseur_tagger::candidates::Candidates;
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;
use poseur_tagger::splice::{Edits, Splicer};
use poseur_tagger::tag::TagWriter;
use poseur_tests::reference::rules::{EMAIL_WORDS, MEMBER_NAMES};
use poseur_tests::rules::Options;

/// A tenth of what the whole is measured on: parts are compared with each other, not with the memory.
fn size() -> usize {
    let quick = std::env::args().any(|text| text == "--quick" || text == "--test");
    (Sizes::from_environment(quick).whole / 10).max(1 << 20)
}

/// Asserts what a part answers, then times it.
fn measure<T: PartialEq + std::fmt::Debug>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    answer: T,
    mut run: impl FnMut() -> T,
) {
    assert_eq!(run(), answer, "`{name}` answers wrongly");
    group.bench_function(name, |b| b.iter(&mut run));
}

fn matcher(more: &[Rule]) -> Arc<Matcher> {
    let rules = with_built_in(more);
    let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), None);
    Arc::new(matcher.expect("the rules compile"))
}

fn search(c: &mut Criterion) {
    let traffics = [
        ("teams", Traffic::teams(size(), 0.0), Vec::new()),
        (
            "teams, 5 % with escapes",
            Traffic::teams(size(), 0.05),
            Vec::new(),
        ),
        (
            "message events",
            Traffic::message_events(size()),
            Vec::new(),
        ),
        (
            "teams, 500 rules",
            Traffic::teams(size(), 0.0),
            five_hundred(Options::default()),
        ),
    ];
    for (name, traffic, rules) in traffics {
        let bytes = traffic.bytes.as_slice();
        let search = Candidates::new(matcher(&rules).witnesses());
        let literals = search.literals();
        let finders: Vec<_> = literals.iter().map(memmem::Finder::new).collect();
        let holds = |line: &&[u8]| finders.iter().any(|finder| finder.find(line).is_some());
        let answer = lines(bytes).filter(holds).count() as u64;
        assert!(answer > 0, "{literals:?}");
        let mut group = c.benchmark_group(format!("candidate search, {name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        // A witness counts for nothing without a keyword, so that the search stops less often.
        let found = candidates(&search, bytes);
        assert!((traffic.matches()..=answer).contains(&found), "{found}");
        let ours = || candidates(&search, bytes);
        measure(
            &mut group,
            "poseur, confirmed and lines counted along",
            found,
            ours,
        );
        let automaton = AhoCorasick::new(literals).expect("an automaton");
        let theirs = || {
            lines_hit(bytes, |from| {
                automaton.find(&bytes[from..]).map(|hit| from + hit.start())
            })
        };
        measure(&mut group, "aho-corasick", answer, theirs);
        if let [first, ..] = finders.as_slice() {
            let one = || {
                lines_hit(bytes, |from| {
                    first.find(&bytes[from..]).map(|hit| from + hit)
                })
            };
            let alone = lines(bytes)
                .filter(|line| first.find(line).is_some())
                .count() as u64;
            measure(&mut group, "memmem, the first literal alone", alone, one);
        }
        group.finish();
    }
}

fn reader(c: &mut Criterion) {
    let traffic = Traffic::all_candidates(size());
    let lines: Vec<&[u8]> = lines(&traffic.bytes).collect();
    let mut group = c.benchmark_group("reader, teams chats");
    group.throughput(Throughput::Bytes(traffic.bytes.len() as u64));
    let all = lines.len();
    let mut reader = Reader::default();
    measure(&mut group, "index", all, || {
        lines.iter().filter(|line| reader.index(line)).count()
    });
    measure(&mut group, "index and walk", all, || {
        lines.iter().filter(|line| reader.read(line)).count()
    });
    measure(&mut group, "check the whole grammar", all, || {
        let valid = |line: &&&[u8]| poseur_tagger::json::check::check(line).is_ok();
        lines.iter().filter(valid).count()
    });
    measure(&mut group, "serde_json, parse", all, || {
        let parsed =
            |line: &&&[u8]| black_box(serde_json::from_slice::<serde_json::Value>(line)).is_ok();
        lines.iter().filter(parsed).count()
    });
    #[cfg(feature = "peers")]
    measure(&mut group, "sonic-rs, parse", all, || {
        let parsed =
            |line: &&&[u8]| black_box(sonic_rs::from_slice::<sonic_rs::Value>(line)).is_ok();
        lines.iter().filter(parsed).count()
    });
    group.finish();
}

/// The texts of a member at the top.
fn texts(traffic: &Traffic, key: &str) -> Vec<String> {
    let texts = lines(&traffic.bytes).filter_map(|line| {
        let record: serde_json::Value = serde_json::from_slice(line).ok()?;
        Some(record[key].as_str()?.to_owned())
    });
    texts.collect()
}

fn set(tests: impl Iterator<Item = Test>) -> (PredicateSet, usize) {
    let mut set = PredicateSet::default();
    let mut count = 0;
    for test in tests {
        set.add(&test, count as u32);
        count += 1;
    }
    set.finish().expect("a set");
    (set, count)
}

fn predicates(c: &mut Criterion) {
    let traffic = Traffic::all_candidates(size());
    let users = texts(&traffic, "UserId");
    let names: Vec<String> = (0..500)
        .map(|number| format!("user-{number}@contoso.example"))
        .collect();
    let words = |words: &[&str], case| -> Vec<Test> {
        let tests = words
            .iter()
            .map(|word| Test::Text(Pattern::contains(*word), case));
        tests.collect()
    };
    let equal = |texts: Vec<&str>| -> Vec<Test> {
        let tests = texts
            .iter()
            .map(|text| Test::Text(Pattern::equals(*text), Case::Exact));
        tests.collect()
    };
    // One of the users is among the equal names, so that there is something to find.
    let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
    known.push(&users[0]);
    let holds = |text: &str| EMAIL_WORDS.iter().any(|word| text.contains(word));
    let folded = |text: &str| holds(&text.to_ascii_lowercase());
    let is_known = |text: &str| known.contains(&text);
    let is_name = |text: &str| MEMBER_NAMES.contains(&text);
    let mut all = MEMBER_NAMES.to_vec();
    all.push(&users[0]);
    type Plain<'a> = &'a dyn Fn(&str) -> bool;
    let sets: [(&str, Vec<Test>, Plain<'_>); 4] = [
        ("9 keywords", words(&EMAIL_WORDS, Case::Exact), &holds),
        (
            "9 keywords, any case",
            words(&EMAIL_WORDS, Case::Ascii),
            &folded,
        ),
        ("8 equal texts", equal(all), &|text| {
            text == users[0] || is_name(text)
        }),
        ("501 equal texts", equal(known.clone()), &is_known),
    ];
    for (name, tests, plain) in sets {
        let mut group = c.benchmark_group(format!("predicate set, {name}, user ids"));
        let bytes = users.iter().map(String::len).sum::<usize>();
        group.throughput(Throughput::Bytes(bytes as u64));
        let answer = users.iter().filter(|user| plain(user)).count();
        assert!(answer > 0, "{name}");
        let (set, count) = set(tests.into_iter());
        let mut bits = Bits::default();
        measure(&mut group, "poseur, all predicates", answer, || {
            let satisfied = |user: &&String| {
                bits.reset(count);
                let text = user.as_bytes();
                let value = Scalar {
                    kind: Kind::Text,
                    text,
                };
                set.test(value, Traffic::now(), &mut bits);
                (0..count as u32).any(|bit| bits.has(bit))
            };
            users.iter().filter(satisfied).count()
        });
        measure(
            &mut group,
            "one text after the other, to the first",
            answer,
            || users.iter().filter(|user| plain(user)).count(),
        );
        group.finish();
    }
}

fn conditions(c: &mut Criterion) {
    let traffics = [
        ("teams chats", Traffic::all_candidates(size()), Vec::new()),
        (
            "teams, 500 rules",
            Traffic::teams(size(), 0.0),
            five_hundred(Options::walking()),
        ),
        (
            "message events",
            Traffic::message_events(size()),
            Vec::new(),
        ),
    ];
    for (name, traffic, rules) in traffics {
        let matcher = matcher(&rules);
        let (lines, pool): (Vec<_>, _) = (lines(&traffic.bytes).collect(), Pool::default());
        let mut indices: Vec<_> = lines.iter().map(|_| Index::default()).collect();
        let documents: Vec<_> = documents(&lines, &mut indices, &pool);
        let mut scratch = Scratch::new(&matcher);
        let mut group = c.benchmark_group(format!("conditions, {name}"));
        group.throughput(Throughput::Bytes(traffic.bytes.len() as u64));
        let answer = traffic.matches();
        measure(
            &mut group,
            "walk and decide, indexed before",
            answer,
            || {
                let mut matched = 0;
                for document in &documents {
                    let read = matcher.decide(
                        document,
                        Traffic::now(),
                        &mut scratch,
                        &mut |_, verdict| {
                            matched += u64::from(!verdict.is_empty());
                            Ok(())
                        },
                    );
                    assert!(read.is_ok());
                }
                matched
            },
        );
        group.finish();
    }
}

fn documents<'a>(
    lines: &[&'a [u8]],
    indices: &'a mut [Index],
    pool: &'a Pool,
) -> Vec<Document<'a>> {
    let documents = lines.iter().zip(indices);
    let documents = documents.map(|(line, index)| Document::new(line, index, pool));
    documents
        .map(|document| document.expect("a record"))
        .collect()
}

fn splice(c: &mut Criterion) {
    let traffic = Traffic::all_matching(size());
    let matcher = matcher(&[]);
    let (lines, pool): (Vec<_>, _) = (lines(&traffic.bytes).collect(), Pool::default());
    let mut indices: Vec<_> = lines.iter().map(|_| Index::default()).collect();
    let documents = documents(&lines, &mut indices, &pool);
    let mut scratch = Scratch::new(&matcher);
    let mut verdicts: Vec<(Handle, Verdict)> = Vec::new();
    for document in &documents {
        let read = matcher.decide(
            document,
            Traffic::now(),
            &mut scratch,
            &mut |root, verdict| {
                verdicts.push((root, verdict.clone()));
                Ok(())
            },
        );
        assert!(read.is_ok());
    }
    let mut splicer = Splicer::new(TagWriter::new(&matcher, TagOptions::default()));
    let mut edits = Edits::default();
    let mut group = c.benchmark_group("splice, teams chats, all matching");
    group.throughput(Throughput::Bytes(traffic.bytes.len() as u64));
    measure(
        &mut group,
        "write the tags",
        traffic.matches() as usize,
        || {
            edits.list.clear();
            for (document, (root, verdict)) in documents.iter().zip(&verdicts) {
                edits.made.clear();
                let spliced = splicer.splice(document, *root, verdict, &mut edits);
                assert!(spliced.is_ok() && !edits.made.is_empty());
            }
            edits.list.len()
        },
    );
    group.finish();
}

fn settings() -> Criterion {
    let second = std::time::Duration::from_secs(1);
    Criterion::default()
        .sample_size(20)
        .warm_up_time(second / 2)
        .measurement_time(second)
}

criterion_group!(
    name = benches;
    config = settings();
    targets = search, reader, predicates, conditions, splice
);
criterion_main!(benches);
