//! Kusto's slow twin: typed expressions as a tree of their own, spelled as a query in every legal way,
//! and evaluated on plain values.
//!
//! Written from docs/semantics.md and Kusto's public documentation, without a look at the front end or
//! the matcher. [`functions`] also serves the model's reference: an expression of the model is made of
//! the same functions.

pub mod duckdb;
pub mod expression;
pub mod functions;
pub mod moments;
pub mod mutate;
pub mod print;
pub mod random;
pub mod table;
pub mod value;

pub use expression::{Expression, evaluate};
pub use print::print;
pub use value::Value;
