//! The stage beside a shipper: what comes in is tagged, sent on, and acknowledged only when the downstream has
//! accepted it.
//!
//! ```text
//! source ──► Room (bytes) ──► Stage (tags) ──► Lane of a sink ──► accepted? ──► acknowledged
//! ```
//!
//! It keeps nothing that a crash could lose: what is not acknowledged is still with its sender. Order is kept
//! per connection of a source, because each has a [`sink::Lane`] of its own.
//!
//! So far: the Forward protocol of Fluentd and Fluent Bit, in and out ([`forward`], [`source::forward`],
//! [`sink::forward`]), without TLS.

pub mod admin;
pub mod batch;
pub mod config;
pub mod convert;
pub mod forward;
pub mod pipeline;
pub mod serve;
pub mod sink;
pub mod source;
pub mod stage;
pub mod telemetry;
