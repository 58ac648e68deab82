//! Compiles rules against record schemas into a plan, and decides about one record at a time.

pub mod found;
pub mod paths;
pub mod record;
