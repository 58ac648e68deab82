//! Poseur inside Fluent Bit.
//!
//! `filter` is what it does, in safe terms; [`native`] is the shared object that Fluent Bit loads,
//! [`wasm`] the module that it interprets.

pub mod filter;
#[cfg(unix)]
pub mod native;
pub mod settings;
pub mod wasm;
