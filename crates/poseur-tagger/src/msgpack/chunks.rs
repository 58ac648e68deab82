//! The tagger for chunks of events: a chunk in, the same bytes out with tags spliced in.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_matcher::record::{Handle, MAX_DEPTH, Record, Unreadable};

use super::document::Map;
use super::events::event;
use super::head::nesting;
use crate::counts::Counts;
use crate::events::{Event, Events, Format, Hit};
use crate::json::document::Pool;
use crate::splice::Splicer;
use crate::tag::{Style, TagOptions, TagWriter};
use crate::tagged::{Observer, Output, Tagged};

/// Chunks as Fluent Bit and Fluentd pass them on: see [`events`](super::events).
#[derive(Debug)]
pub struct Chunk;

impl Format for Chunk {
    type Record<'a> = Map<'a>;

    fn event(chunk: &[u8], at: usize) -> Result<Event, Unreadable> {
        event(chunk, at)
    }

    fn record<'a>(
        chunk: &'a [u8],
        at: Handle,
        pool: &'a Pool,
    ) -> Result<Option<Map<'a>>, Unreadable> {
        Map::new(chunk, at, pool).map(Some)
    }

    fn check(record: &Map<'_>) -> Result<(), Unreadable> {
        record.check()
    }
}

/// What a tag may nest an event to: so many containers are inside each other then, at most. Who receives the chunk
/// may not go deeper, and loses all of it: Fluent Bit 2.2 and 3.2 take 31, 4.2 and 5.1 take 62.
pub const MOST_NESTED: usize = 24;

/// Tags chunks of events. Memory is reused from chunk to chunk.
///
/// An event that would nest deeper than 24 containers, and deeper than it did, gets a tag in the style `minimal`,
/// and if that does not do, none.
#[derive(Debug)]
pub struct ChunkTagger {
    chunks: Events<Chunk>,
    output: Output,
    /// Writes tags that hardly nest.
    flat: Splicer,
}

impl ChunkTagger {
    /// A tagger for a matcher.
    pub fn new(matcher: Arc<Matcher>, options: TagOptions) -> ChunkTagger {
        let flat = TagOptions {
            style: Style::Minimal,
            ..options.clone()
        };
        let splicer = |options| Splicer::new(TagWriter::new(&matcher, options));
        ChunkTagger {
            output: Output::new(splicer(options)),
            flat: splicer(flat),
            chunks: Events::new(matcher),
        }
    }

    /// Tells an observer of every verdict, summary included.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> ChunkTagger {
        self.chunks = self.chunks.with_summary();
        self.output.observe(observer);
        self
    }

    /// What was seen so far.
    pub fn counts(&self) -> &Counts {
        &self.chunks.counts
    }

    /// Tags a chunk of events, as of `now`.
    ///
    /// # Errors
    /// If the chunk cannot be taken apart into events: it is best passed on as it is.
    pub fn tag<'a>(
        &'a mut self,
        chunk: &'a [u8],
        now: Timestamp,
    ) -> Result<Tagged<'a>, Unreadable> {
        let ChunkTagger {
            chunks,
            output,
            flat,
        } = self;
        output.clear();
        chunks.read(chunk, now, &mut |hit| {
            let Hit {
                record: map,
                root,
                verdict,
            } = hit;
            let mark = output.mark();
            output.splice(map, root, 0, verdict)?;
            if nests_too_deep(output, chunk, map.root()) {
                output.back(&mark);
                output.splice_by(flat, map, root, 0, verdict)?;
                if nests_too_deep(output, chunk, map.root()) {
                    output.back(&mark);
                }
            }
            Ok(())
        })?;
        Ok(output.finish(chunk))
    }
}

/// Whether the record nests deeper, as it is now, than it may and than it did.
fn nests_too_deep(output: &mut Output, chunk: &[u8], record: Handle) -> bool {
    let deepest = |bytes: &[u8], at| match nesting(bytes, at, 2 * MAX_DEPTH) {
        Ok((nesting, _)) => nesting,
        Err(_) => usize::MAX,
    };
    let now = deepest(output.record(chunk, record.start..record.end), 0);
    now > MOST_NESTED && now > deepest(chunk, record.start)
}
