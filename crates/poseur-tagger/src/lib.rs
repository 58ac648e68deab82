//! Zero-copy readers, candidate search and tag splicing over buffers of records.
//!
//! This crate turns a matcher's verdicts into bytes; it knows nothing of files or sockets.

pub mod json;
