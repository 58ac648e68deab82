//! Where batches come from. A kind of source is a file here.

pub mod forward;
pub mod http;
pub mod listen;
