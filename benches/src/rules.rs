//! Rules by the hundred.

use poseur_rule::model::Rule;
use poseur_tests::rules::{Generated, Options, generate};

/// With the built-in ones, five hundred.
pub(crate) fn others(options: Options) -> Vec<Generated> {
    generate(&Options {
        count: 498,
        ..options
    })
}

/// Five hundred generated rules, the built-in ones left out. None matches Teams traffic.
pub fn five_hundred(options: Options) -> Vec<Rule> {
    others(options).iter().map(Generated::rule).collect()
}

/// The same as Elastic's files.
pub fn five_hundred_files(options: Options) -> Vec<String> {
    others(options).iter().map(Generated::toml).collect()
}

/// A rule without a literal that matching records hold: with it every record is walked.
pub fn walker() -> Rule {
    let walkers = Options {
        count: 1,
        o365: 1.0,
        unwitnessed: 1.0,
        ..Options::default()
    };
    generate(&walkers)[0].rule()
}
