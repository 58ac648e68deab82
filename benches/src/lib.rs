//! What the benchmarks share: traffic in memory, and everybody who is measured on it.
//!
//! A [`Workload`] is a kind of traffic with its [`Contender`]s: the tagger, what limits it, and what
//! people would use instead. Each knows what it must answer and says so before it is timed. Two
//! programs time them: `benches/whole.rs` with criterion, one after the other, and the binary `ratios`
//! turn by turn, for ratios that hold on a machine that is not quiet.

mod contender;
pub mod parts;
pub mod peers;
mod poseur;
mod rules;
pub mod targets;
mod traffic;
pub mod workloads;

pub use contender::{Contender, Sizes};
pub use poseur::{
    Job, events, load, requests, tagger, tagger_with, tags_events, tags_requests, with_built_in,
};
pub use rules::{five_hundred, five_hundred_files, walker};
pub use traffic::{Traffic, chunks, lines};
pub use workloads::{WORKLOADS, Workload};
