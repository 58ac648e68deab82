//! Zero-copy readers, candidate search and tag splicing over buffers of records.
//!
//! This crate turns a matcher's verdicts into bytes; it knows nothing of files or sockets.

pub mod candidates;
pub mod counts;
pub mod events;
pub mod finding;
pub mod frames;
pub mod json;
pub mod msgpack;
pub mod protobuf;
pub mod splice;
pub mod tag;
pub mod tagged;
pub mod tagger;

pub use counts::Counts;
pub use tag::{Style, TagOptions};
pub use tagged::{Observer, Tagged};
pub use tagger::{Lines, Rewrite, Tagger};
