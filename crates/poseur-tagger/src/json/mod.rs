//! JSON: documents read in place, and what is written into them.

pub mod check;
pub mod document;
pub mod index;
mod splice;
pub mod text;
