//! The Forward protocol, version 1, as bytes: frames in all modes, acknowledgements, the handshake.
//!
//! Source: <https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>. Nothing here waits
//! or reads by itself, so that all of it can be tested and fuzzed without a network.

pub mod chunk;
pub mod codec;
pub mod handshake;
pub mod options;
pub mod read;
