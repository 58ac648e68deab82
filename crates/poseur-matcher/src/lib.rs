//! Compiles rules against record schemas into a plan, and decides about one record at a time.

pub mod bits;
pub mod found;
pub mod number;
pub mod paths;
pub mod pattern;
pub mod predicates;
pub mod program;
pub mod record;
pub mod schema;
pub mod time;
