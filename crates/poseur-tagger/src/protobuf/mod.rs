//! Vector's protocol: logs in a `vector.PushEventsRequest` read in place, and what is written into them.
//!
//! Declared in Vector's repository, in `proto/vector/vector.proto` and `lib/vector-core/proto/event.proto`:
//! [`message::Message`] is what Poseur needs to know of them.

pub mod document;
pub mod encode;
mod lengths;
pub mod message;
pub mod push;
mod splice;
pub mod wire;
