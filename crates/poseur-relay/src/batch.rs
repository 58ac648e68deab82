//! What moves through a pipeline.

use bytes::Bytes;

use crate::compression::Compression;

/// What a source hands on at once, and what is acknowledged at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where the records belong: the tag of the Forward protocol. Empty if the source has none.
    pub tag: Bytes,
    /// The records.
    pub body: Body,
    /// The body as it came, if it came compressed and nothing in it was changed.
    pub packed: Option<Packed>,
}

impl Batch {
    /// A batch that did not come compressed.
    pub fn new(tag: Bytes, body: Body) -> Batch {
        Batch {
            tag,
            body,
            packed: None,
        }
    }

    /// The body compressed like this: as it came, if it came so.
    pub fn packed_as(&self, compression: Compression) -> Bytes {
        match &self.packed {
            Some(packed) if packed.compression == compression => packed.bytes.clone(),
            _ => compression.pack(self.body.bytes()),
        }
    }
}

/// A compressed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// How; never [`Compression::None`].
    pub compression: Compression,
    /// What it was compressed to.
    pub bytes: Bytes,
}

/// Records as bytes, in the form that their source has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// MessagePack events, one after the other: `[time, record]` or `[[time, metadata], record]`.
    Events(Bytes),
    /// NDJSON. The last line may be without its line feed.
    Lines(Bytes),
    /// What Fluent Bit says is no log: it passes untouched, under its signal (1 metrics, 2 traces).
    Signal(i64, Bytes),
    /// One `vector.PushEventsRequest` of Vector's protocol, not compressed.
    Push(Bytes),
}

impl Body {
    /// The bytes, whatever they are.
    pub fn bytes(&self) -> &Bytes {
        let (Body::Events(bytes) | Body::Lines(bytes) | Body::Signal(_, bytes) | Body::Push(bytes)) =
            self;
        bytes
    }
}

/// What a sink takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// [`Body::Events`] and [`Body::Signal`].
    Events,
    /// [`Body::Lines`].
    Lines,
    /// [`Body::Push`].
    Push,
    /// Whatever there is.
    Any,
}
