//! MessagePack: maps read in place, and what is written into them.

pub mod chunks;
pub mod document;
pub mod encode;
pub mod events;
pub mod head;
mod splice;
