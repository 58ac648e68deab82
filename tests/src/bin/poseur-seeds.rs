//! Writes seeds for the fuzz targets from the generators of the property tests:
//! `poseur-seeds FOLDER COUNT`.

use std::fs;
use std::path::Path;

use poseur_tests::msgpack::{TIMES, packed};
use poseur_tests::protobuf;
use poseur_tests::strategies;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What a line becomes for a target.
type Form = fn(Vec<u8>) -> Option<Vec<u8>>;

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: poseur-seeds FOLDER COUNT");
        std::process::exit(2);
    };
    let count: usize = count.parse().unwrap_or(50);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let plain = |line: Vec<u8>| Some(line);
    let chunk = |line: Vec<u8>| Some([TIMES[line.len() % 2], &packed(&line)?].concat());
    let push = |line: Vec<u8>| {
        let events = protobuf::events_of(&protobuf::packed(&line)?);
        Some(protobuf::request(&events))
    };
    let sources = [
        ("tagger", strategies::lines().boxed(), plain as Form),
        ("json_reader", strategies::any_json().boxed(), plain),
        ("fluent_filter", strategies::lines().boxed(), chunk),
        ("protobuf", strategies::lines().boxed(), push),
        ("http_body", strategies::any_json().boxed(), plain),
    ];
    for (target, lines, form) in sources {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for number in 0..count {
            let Ok(line) = lines.new_tree(&mut runner) else {
                continue;
            };
            if let Some(seed) = form(line.current().0) {
                fs::write(folder.join(format!("seed-{number:03}")), seed)?;
            }
        }
    }
    Ok(())
}
