//! Poseur in the Vector Remap Language.

#[cfg(feature = "functions")]
pub mod functions;
#[cfg(feature = "functions")]
pub mod program;
