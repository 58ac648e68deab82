//! Tags generated traffic over and over, for profilers and quick looks:
//! `throughput teams|escapes|candidates|matching|events|rules [SECONDS] [MEGABYTES]`. `rules` compares two rules
//! with five hundred, turn by turn.

use std::time::{Duration, Instant};

use poseur_benches::{
    Traffic, chunks, five_hundred, five_hundred_files, load, tagger, tagger_with, walker,
};
use poseur_tests::rules::Options;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let seconds = number(arguments.next()).unwrap_or(3);
    let bytes = number(arguments.next()).unwrap_or(100) as usize * 1_000_000;
    if kind == "rules" {
        return compare(seconds, bytes);
    }
    let traffic = match kind.as_str() {
        "teams" => Traffic::teams(bytes, 0.0),
        "escapes" => Traffic::teams(bytes, 0.05),
        "candidates" => Traffic::all_candidates(bytes),
        "matching" => Traffic::all_matching(bytes),
        "events" => Traffic::message_events(bytes),
        _ => {
            eprintln!(
                "usage: throughput teams|escapes|candidates|matching|events|rules [SECONDS] [MEGABYTES]"
            );
            std::process::exit(2);
        }
    };
    let mut tagger = tagger();
    let mut best = Duration::MAX;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let start = Instant::now();
        for chunk in chunks(&traffic.bytes) {
            std::hint::black_box(tagger.tag(chunk, Traffic::now()).is_unchanged());
        }
        best = best.min(start.elapsed());
    }
    let rate = traffic.bytes.len() as f64 / best.as_secs_f64() / 1e9;
    println!("{kind}: {rate:.2} GB/s, {:?}", traffic.truths);
    let mut out = vec![0; 2 << 20];
    let (mut copying, mut counting) = (Duration::MAX, Duration::MAX);
    for _ in 0..20 {
        let start = Instant::now();
        for chunk in chunks(&traffic.bytes) {
            out[..chunk.len()].copy_from_slice(chunk);
            std::hint::black_box(&out);
        }
        copying = copying.min(start.elapsed());
        let start = Instant::now();
        for chunk in chunks(&traffic.bytes) {
            std::hint::black_box(memchr::memchr_iter(b'\n', chunk).count());
        }
        counting = counting.min(start.elapsed());
    }
    let rate = |time: Duration| traffic.bytes.len() as f64 / time.as_secs_f64() / 1e9;
    println!(
        "memcpy: {:.2} GB/s, counting lines: {:.2} GB/s",
        rate(copying),
        rate(counting)
    );
}

/// Two rules against five hundred on Teams traffic, turn by turn so that both meet the same machine.
fn compare(seconds: u64, bytes: usize) {
    let traffic = Traffic::teams(bytes, 0.0);
    let modes = [
        ("passed by", vec![], five_hundred(Options::default())),
        ("walked", vec![walker()], five_hundred(Options::walking())),
    ];
    for (name, few, many) in modes {
        let mut taggers = [tagger_with(&few), tagger_with(&many)];
        let mut best = [Duration::MAX; 2];
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            for (tagger, best) in taggers.iter_mut().zip(&mut best) {
                let before = tagger.counts().matched;
                let start = Instant::now();
                for chunk in chunks(&traffic.bytes) {
                    std::hint::black_box(tagger.tag(chunk, Traffic::now()).is_unchanged());
                }
                *best = start.elapsed().min(*best);
                assert_eq!(tagger.counts().matched - before, traffic.truths.matches_a);
            }
        }
        let rate = best.map(|time| traffic.bytes.len() as f64 / time.as_secs_f64() / 1e9);
        for (tagger, rate) in taggers.iter().zip(rate) {
            let counts = tagger.counts();
            let share = counts.candidates as f64 / counts.records as f64;
            let candidates = tagger.candidates();
            println!(
                "{name}: {rate:.2} GB/s, {:.1} % walked, {} literals by {}",
                share * 100.0,
                candidates.literals().len(),
                candidates.method(),
            );
        }
        println!("{name}: {:.2} times as slow", rate[0] / rate[1]);
    }
    let files = five_hundred_files(Options::default());
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        std::hint::black_box(load(&files));
        best = best.min(start.elapsed());
    }
    println!("loading 500 rule files: {best:.1?}");
}
