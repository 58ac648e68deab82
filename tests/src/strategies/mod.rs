//! Generators of record lines and of rules, around every edge the project knows of.
//!
//! What decides about a match (states of clauses, layers, damage) shrinks; spelling, order and
//! layout hang on a seed and on rates that shrink to the plain form.

pub mod audit;
pub mod clause;
pub mod dice;
pub mod document;
pub mod external;
pub mod extra;
pub mod layout;
pub mod random;
pub mod wrap;

use std::fmt;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

use dice::Dice;
use document::{Node, Style, render};

/// The present moment that the generated timestamps lie around.
pub const NOW: &str = "2026-03-01T12:00:00Z";

/// [`NOW`] as a timestamp.
pub fn now() -> Timestamp {
    NOW.parse().unwrap_or_default()
}

/// Settings for a property test in a file of `tests/`: this many cases, failures kept beside the
/// source (`NAME.regressions`, to be committed).
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// A generated line, without its line feed; shown as escaped ASCII when a test fails.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(pub Vec<u8>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// Ways to spell a document; shrinks to the plain one.
pub fn styles() -> impl Strategy<Value = Style> {
    let rate = |most: u8| prop_oneof![2 => Just(0), 2 => 0..most, 1 => Just(most)];
    (rate(100), rate(60), rate(100), any::<u64>()).prop_map(|(escapes, space, shuffled, seed)| {
        Style {
            // Every letter escaped makes a record six times as long; nested, thirty-six times.
            escapes: if escapes > 80 { escapes } else { escapes / 8 },
            space: space / 2,
            shuffled,
            seed,
        }
    })
}

/// Any record around rule A or rule B, in any flat shape.
pub fn records() -> impl Strategy<Value = Node> {
    prop_oneof![
        4 => audit::audit(true),
        4 => audit::audit(false),
        3 => external::external(false),
        3 => external::external(true),
        1 => random::record(),
    ]
}

/// Lines around rule A and rule B in every shape, some of them damaged.
pub fn lines() -> impl Strategy<Value = Line> {
    let others = proptest::collection::vec(records(), 0..2);
    (records(), wrap::layers(), others, styles(), wrap::damage()).prop_map(
        |(record, layers, others, mut style, damage)| {
            let others = if layers.is_empty() { &[] } else { &others[..] };
            let mut dice = Dice::new(style.seed);
            let node = wrap::wrap(record, &layers, others, &mut dice);
            if layers.len() > 2 {
                style.escapes = style.escapes.min(5);
            }
            Line(without_feeds(wrap::hurt(render(&node, style), &damage)))
        },
    )
}

/// Lines of plain JSON values of any kind, and some that are none.
pub fn any_json() -> impl Strategy<Value = Line> {
    (extra::tree(), styles(), wrap::damage())
        .prop_map(|(node, style, damage)| Line(wrap::hurt(render(&node, style), &damage)))
}

/// A line ends at a line feed, so what stands for white space inside it is another one.
pub fn without_feeds(mut line: Vec<u8>) -> Vec<u8> {
    for byte in &mut line {
        if *byte == b'\n' {
            *byte = b' ';
        }
    }
    line
}
