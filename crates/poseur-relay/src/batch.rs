//! What moves through a pipeline.

use bytes::Bytes;

/// What a source hands on at once, and what is acknowledged at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Where the records belong: the tag of the Forward protocol. Empty if the source has none.
    pub tag: Bytes,
    /// The records.
    pub body: Body,
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
