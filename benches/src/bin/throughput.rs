//! Tags generated traffic over and over, for profilers and quick looks:
//! `throughput teams|escapes|candidates|matching|events|passed|walked [SECONDS] [MEGABYTES]`.

use std::time::{Duration, Instant};

use poseur_benches::{Traffic, chunks, five_hundred, tagger_with};
use poseur_tests::rules::Options;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let seconds = number(arguments.next()).unwrap_or(3);
    let bytes = number(arguments.next()).unwrap_or(100) as usize * 1_000_000;
    let mut rules = Vec::new();
    let traffic = match kind.as_str() {
        "teams" => Traffic::teams(bytes, 0.0),
        "escapes" => Traffic::teams(bytes, 0.05),
        "candidates" => Traffic::all_candidates(bytes),
        "matching" => Traffic::all_matching(bytes),
        "events" => Traffic::message_events(bytes),
        "passed" | "walked" => {
            let walked = kind == "walked";
            rules = five_hundred(if walked {
                Options::walking()
            } else {
                Options::default()
            });
            Traffic::teams(bytes, 0.0)
        }
        _ => {
            eprintln!(
                "usage: throughput teams|escapes|candidates|matching|events|passed|walked [SECONDS] [MEGABYTES]"
            );
            std::process::exit(2);
        }
    };
    let mut tagger = tagger_with(&rules);
    let mut best = Duration::MAX;
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let before = tagger.counts().matched;
        let start = Instant::now();
        for chunk in chunks(&traffic.bytes) {
            std::hint::black_box(tagger.tag(chunk, Traffic::now()).is_unchanged());
        }
        best = best.min(start.elapsed());
        assert_eq!(tagger.counts().matched - before, traffic.matches());
    }
    let rate = traffic.bytes.len() as f64 / best.as_secs_f64() / 1e9;
    let counts = tagger.counts();
    let share = counts.candidates as f64 / counts.records as f64;
    let candidates = tagger.candidates();
    println!(
        "{kind}: {rate:.2} GB/s at best, {:.1} % of the records walked, {} literals by {}",
        share * 100.0,
        candidates.literals().len(),
        candidates.method(),
    );
}
