//! Rules and exceptions of Poseur: the model, the built-in pack and the front ends.
//!
//! This crate knows what a rule *means*; it knows nothing of records or of speed.

pub mod documents;
pub mod elastic;
pub mod error;
pub mod exception;
pub mod expression;
pub mod files;
pub mod kusto;
pub mod load;
pub mod mapping;
pub mod model;
pub mod normal;
pub mod pack;
pub mod sigma;
pub mod types;
pub mod yaml;
