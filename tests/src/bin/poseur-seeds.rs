//! Writes seeds for the fuzz targets from the generators of the property tests:
//! `poseur-seeds FOLDER COUNT`.

use std::fs;
use std::path::Path;

use poseur_tests::strategies;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: poseur-seeds FOLDER COUNT");
        std::process::exit(2);
    };
    let count: usize = count.parse().unwrap_or(50);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let sources = [
        ("tagger", strategies::lines().boxed()),
        ("json_reader", strategies::any_json().boxed()),
    ];
    for (target, lines) in sources {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        for number in 0..count {
            let Ok(line) = lines.new_tree(&mut runner) else {
                continue;
            };
            fs::write(folder.join(format!("seed-{number:03}")), line.current().0)?;
        }
    }
    Ok(())
}
