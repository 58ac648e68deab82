//! Tags generated traffic over and over, for profilers and quick looks:
//! `throughput teams|escapes|candidates|matching|events [SECONDS] [MEGABYTES]`.

use std::time::{Duration, Instant};

use poseur_benches::{Traffic, chunks, tagger};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let seconds = number(arguments.next()).unwrap_or(3);
    let bytes = number(arguments.next()).unwrap_or(100) as usize * 1_000_000;
    let traffic = match kind.as_str() {
        "teams" => Traffic::teams(bytes, 0.0),
        "escapes" => Traffic::teams(bytes, 0.05),
        "candidates" => Traffic::all_candidates(bytes),
        "matching" => Traffic::all_matching(bytes),
        "events" => Traffic::message_events(bytes),
        _ => {
            eprintln!(
                "usage: throughput teams|escapes|candidates|matching|events [SECONDS] [MEGABYTES]"
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
