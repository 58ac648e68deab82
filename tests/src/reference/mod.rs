//! The slow, obviously right twin: judges one line after `docs/semantics.md`, and nothing else.
//!
//! It shares the rule model with the fast path and not a line of its code. Everything is copied,
//! recursed over and compared in the plainest way, so that a reader can hold the page beside it.

pub mod columns;
pub mod evaluate;
pub mod fields;
pub mod json;
pub mod rules;
pub mod shape;
pub mod subject;
pub mod words;

pub use evaluate::{Judged, Outcome, verdicts};
