//! What limits the tagger, and what people would use instead. All get the same bytes, and each the most
//! favourable use that is fair: programs and rules are compiled before, buffers are reused, and only the
//! one rule is asked that the traffic can match.

pub mod limits;
pub mod plain;
pub mod search;
#[cfg(feature = "peers")]
pub mod sigma;
#[cfg(feature = "peers")]
pub mod sonic;
pub mod tree;
#[cfg(feature = "peers")]
pub mod vrl;
