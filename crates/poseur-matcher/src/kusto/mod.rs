//! Kusto's scalar expressions, evaluated on the columns of one record.
//!
//! What a function means is in docs/semantics.md, and where that says nothing, in Kusto's own
//! documentation (learn.microsoft.com/kusto/query), from which the tables in the tests are made.
//! Evaluation may allocate: conditions come here last, after all plain tests.

mod address;
mod arithmetic;
mod dynamic;
mod expression;
mod json;
mod text;
mod time;
mod url;
mod value;

pub use expression::Expression;
pub use json::Json;
pub use time::{parse_moment, parse_span};
pub use value::Value;
