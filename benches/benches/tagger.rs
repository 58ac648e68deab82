//! The tagger in memory, beside its limits (copying and scanning the same bytes) and the plain way
//! (serde_json, parse and write). Every benchmark asserts its match count before it is timed.

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use poseur_benches::{
    Traffic, chunks, five_hundred, five_hundred_files, load, parse_and_write, tagger, tagger_with,
    walker,
};
use poseur_tests::rules::Options;

const FULL: usize = 320 << 20;

/// `POSEUR_BENCH_BYTES` makes the runs shorter, for trying things out.
fn size() -> usize {
    let wanted = std::env::var("POSEUR_BENCH_BYTES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(FULL)
}

fn group<'a>(c: &'a mut Criterion, name: &str, traffic: &Traffic) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.sample_size(10);
    group.throughput(Throughput::Bytes(traffic.bytes.len() as u64));
    group
}

/// Tags the traffic chunk by chunk with one tagger, pieces left unassembled; returns the matches.
fn tag(tagger: &mut poseur_tagger::Tagger, traffic: &Traffic) -> u64 {
    let before = tagger.counts().matched;
    for chunk in chunks(&traffic.bytes) {
        for slice in tagger.tag(chunk, Traffic::now()).slices() {
            black_box(slice);
        }
    }
    tagger.counts().matched - before
}

/// The same, and the output is put together in a buffer that is reused.
fn tag_and_copy(tagger: &mut poseur_tagger::Tagger, traffic: &Traffic, out: &mut Vec<u8>) -> u64 {
    let before = tagger.counts().matched;
    for chunk in chunks(&traffic.bytes) {
        out.clear();
        for slice in tagger.tag(chunk, Traffic::now()).slices() {
            out.extend_from_slice(slice);
        }
        black_box(&out);
    }
    tagger.counts().matched - before
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, traffic: &Traffic) {
    let expected = traffic.truths.matches_a + traffic.truths.matches_b;
    let (mut tagger, mut out) = (tagger(), Vec::new());
    assert_eq!(tag(&mut tagger, traffic), expected);
    group.bench_function("poseur", |b| b.iter(|| tag(&mut tagger, traffic)));
    assert_eq!(tag_and_copy(&mut tagger, traffic, &mut out), expected);
    group.bench_function("poseur, output copied", |b| {
        b.iter(|| tag_and_copy(&mut tagger, traffic, &mut out));
    });
}

fn limits(group: &mut BenchmarkGroup<'_, WallTime>, traffic: &Traffic) {
    let mut out = vec![0; 2 << 20];
    group.bench_function("memcpy", |b| {
        b.iter(|| {
            for chunk in chunks(&traffic.bytes) {
                out[..chunk.len()].copy_from_slice(chunk);
                black_box(&out);
            }
        });
    });
    group.bench_function("memchr, count lines", |b| {
        b.iter(|| memchr::memchr_iter(b'\n', &traffic.bytes).count());
    });
}

fn plain(group: &mut BenchmarkGroup<'_, WallTime>, traffic: &Traffic) {
    let mut out = Vec::new();
    let mut run = || {
        let lines = traffic
            .bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let matched = lines.filter(|line| {
            if out.len() > 1 << 20 {
                out.clear();
            }
            parse_and_write(line, &mut out)
        });
        matched.count()
    };
    assert_eq!(run(), traffic.truths.matches_a as usize);
    group.bench_function("serde_json, parse and write", |b| b.iter(&mut run));
}

fn teams(c: &mut Criterion) {
    let traffic = Traffic::teams(size(), 0.0);
    let mut group = group(c, "teams", &traffic);
    limits(&mut group, &traffic);
    ours(&mut group, &traffic);
    plain(&mut group, &traffic);
    group.finish();
}

fn teams_escapes(c: &mut Criterion) {
    let traffic = Traffic::teams(size(), 0.05);
    let mut group = group(c, "teams, 5 % with escapes", &traffic);
    ours(&mut group, &traffic);
    group.finish();
}

fn all_candidates(c: &mut Criterion) {
    let traffic = Traffic::all_candidates(size());
    let mut group = group(c, "all candidates", &traffic);
    ours(&mut group, &traffic);
    group.finish();
}

fn all_matching(c: &mut Criterion) {
    let traffic = Traffic::all_matching(size());
    let mut group = group(c, "all matching", &traffic);
    ours(&mut group, &traffic);
    group.finish();
}

fn message_events(c: &mut Criterion) {
    let traffic = Traffic::message_events(size());
    let mut group = group(c, "MessageEvents", &traffic);
    ours(&mut group, &traffic);
    group.finish();
}

/// Two rules against five hundred, passed by and walked; and what five hundred cost to load.
fn many_rules(c: &mut Criterion) {
    let traffic = Traffic::teams(size(), 0.0);
    let expected = traffic.truths.matches_a;
    let modes = [
        ("passed by", Vec::new(), Options::default()),
        ("walked", vec![walker()], Options::walking()),
    ];
    for (mode, few, options) in modes {
        let mut group = group(c, &format!("many rules, {mode}"), &traffic);
        for (name, rules) in [("two", few), ("five hundred", five_hundred(options))] {
            let mut tagger = tagger_with(&rules);
            assert_eq!(tag(&mut tagger, &traffic), expected);
            group.bench_function(name, |b| b.iter(|| tag(&mut tagger, &traffic)));
        }
        group.finish();
    }
    let files = five_hundred_files(Options::default());
    let mut group = c.benchmark_group("many rules, loading");
    group.sample_size(10);
    group.bench_function("five hundred files", |b| {
        b.iter(|| assert!(!load(&files).candidates().literals().is_empty()));
    });
    group.finish();
}

criterion_group!(
    benches,
    teams,
    teams_escapes,
    all_candidates,
    all_matching,
    message_events,
    many_rules
);
criterion_main!(benches);
