//! The shared object: what Fluent Bit calls, and what is asked of it.

mod host;
pub mod plugin;
