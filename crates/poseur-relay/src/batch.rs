//! What moves through a pipeline.

use bytes::Bytes;

use crate::compression::Compression;
use crate::pieces::Pieces;

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

    /// How the body is best sent to a receiver that understands gzip anyway: as it came, if it came with gzip, and like
    /// this otherwise.
    pub fn gzip_or(&self, other: Compression) -> Compression {
        match &self.packed {
            Some(packed) if packed.compression == Compression::Gzip => Compression::Gzip,
            _ => other,
        }
    }

    /// The body compressed like this: as it came, if it came so.
    pub fn packed_as(&self, compression: Compression) -> Pieces {
        match &self.packed {
            Some(packed) if packed.compression == compression => packed.bytes.clone().into(),
            _ => compression.pack(self.body.pieces()),
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

/// Records, in the form that their source has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// MessagePack events, one after the other: `[time, record]` or `[[time, metadata], record]`.
    Events(Pieces),
    /// NDJSON. The last line may be without its line feed.
    Lines(Pieces),
    /// What Fluent Bit says is no log: it passes untouched, under its signal (1 metrics, 2 traces).
    Signal(i64, Pieces),
    /// One `vector.PushEventsRequest` of Vector's protocol, not compressed.
    Push(Pieces),
}

impl Body {
    /// The bytes, whatever they are.
    pub fn pieces(&self) -> &Pieces {
        let (Body::Events(pieces)
        | Body::Lines(pieces)
        | Body::Signal(_, pieces)
        | Body::Push(pieces)) = self;
        pieces
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
