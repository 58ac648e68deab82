//! Kuery's slow twin: queries as a tree of their own, spelled as text in every legal way, and judged
//! on plain JSON values as Elasticsearch would judge the document.
//!
//! Written from docs/semantics.md and Kibana's grammar, without a look at the front end. It knows
//! neither the model nor the schemas: an ECS document is a set of names with values.

pub mod document;
pub mod evaluate;
pub mod print;
pub mod query;
pub mod random;

pub use evaluate::holds;
pub use print::{print, rule_file};
pub use query::{Kind, Name, Query, Spelling, Types, Value, Values};
