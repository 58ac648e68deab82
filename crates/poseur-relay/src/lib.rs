//! The stage beside a shipper: what comes in is tagged, sent on, and acknowledged only when the downstream has
//! accepted it.
//!
//! ```text
//! net ──► Source ──► Room (bytes) ──► Stage (tags) ──► Form of the sink ──► Lane ──► accepted? ──► acknowledged
//! ```
//!
//! It keeps nothing that a crash could lose: what is not acknowledged is still with its sender. Order is kept
//! per connection of a source, because each has a [`sink::Lane`] of its own.
//!
//! A kind of source or sink is one file in [`source`] or [`sink`]: its configuration, and an implementation of
//! [`source::Source`] or of [`sink::Sink`]. Connections are made and accepted in [`net`], whatever they speak.

pub mod admin;
pub mod batch;
pub mod compression;
pub mod config;
pub mod convert;
pub mod forward;
pub mod grpc;
pub mod kafka;
pub mod net;
pub mod pieces;
pub mod pipeline;
pub mod serve;
pub mod sink;
pub mod source;
pub mod stage;
pub mod telemetry;
