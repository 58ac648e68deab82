//! What Poseur is tested with: an evaluator that is slow and obviously right, and generators of
//! records and rules around every edge the project knows of.

pub mod agreement;
pub mod conformance;
#[cfg(unix)]
pub mod fluent_bit;
pub mod kuery;
pub mod kusto;
pub mod msgpack;
pub mod protobuf;
pub mod reference;
pub mod rules;
pub mod splicing;
pub mod strategies;
pub mod tagging;
pub mod traffic;
