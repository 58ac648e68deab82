//! Other hosts of the same rules beside the matcher, record by record.

#[cfg(feature = "vrl")]
pub mod both;
#[cfg(feature = "vrl")]
pub mod program;
