//! Compiles rules against record schemas into a plan, and decides about one record at a time.

pub mod bits;
mod column;
mod cover;
mod derive;
pub mod dispatch;
pub mod equalities;
pub mod evaluate;
pub mod explain;
pub mod field;
pub mod found;
pub mod hash;
pub mod json;
pub mod keywords;
pub mod kusto;
mod like;
pub mod matcher;
pub mod network;
pub mod number;
pub mod paths;
pub mod pattern;
pub mod plan;
pub mod predicates;
pub mod program;
pub mod record;
mod report;
pub mod schema;
pub mod shape;
pub mod terms;
pub mod time;
pub mod traverse;
mod trust;
pub mod verdict;
mod witness;
pub mod words;

pub use matcher::{Matcher, MatcherError, Scratch};
pub use verdict::Verdict;
