//! The filter as a WebAssembly module, for `filter_wasm` with `event_format json`.
//!
//! A host gives one record after the other to `poseur_filter`, as JSON. There are no settings: rules and
//! exceptions are those of the folders [`RULES`] and [`EXCEPTIONS`] below a folder that the host has opened
//! for the module.

#[cfg(target_arch = "wasm32")]
mod exports;
#[cfg(target_arch = "wasm32")]
mod host;
pub mod memory;
pub mod record;

/// The folder, or the file, of rules. Without it the built-in pack is in force.
pub const RULES: &str = "poseur/rules";

/// The folder, or the file, of exceptions.
pub const EXCEPTIONS: &str = "poseur/exceptions";
