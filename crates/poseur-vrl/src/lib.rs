//! Poseur in the Vector Remap Language.

pub mod export;
#[cfg(feature = "functions")]
pub mod functions;
#[cfg(feature = "functions")]
pub mod program;
