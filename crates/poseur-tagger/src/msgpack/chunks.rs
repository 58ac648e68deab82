//! The tagger for chunks of events: a chunk in, the same bytes out with tags spliced in.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::record::{Handle, MAX_DEPTH, Record, Unreadable};
use poseur_matcher::{Matcher, Scratch, Verdict};

use super::document::Map;
use super::events::event;
use super::head::nesting;
use crate::candidates::Candidates;
use crate::counts::Counts;
use crate::json::document::Pool;
use crate::splice::Splicer;
use crate::tag::{Style, TagOptions, TagWriter};
use crate::tagged::{Observer, Output, Tagged};

/// Reads chunks of events and decides about their records.
#[derive(Debug)]
pub struct Chunks {
    matcher: Arc<Matcher>,
    candidates: Candidates,
    scratch: Scratch,
    pool: Pool,
    /// What was seen so far. [`Counts::records`] stays 0: events that cannot match are not told apart.
    pub counts: Counts,
}

/// A record that has a verdict.
pub struct Hit<'a> {
    /// The event's record; handles are places in the chunk.
    pub map: &'a Map<'a>,
    /// The record that was decided about, in it.
    pub root: Handle,
    /// The verdict.
    pub verdict: &'a Verdict,
}

impl Chunks {
    /// Reads for a matcher.
    pub fn new(matcher: Arc<Matcher>) -> Chunks {
        Chunks {
            candidates: Candidates::new(matcher.witnesses()),
            scratch: Scratch::new(&matcher),
            matcher,
            pool: Pool::default(),
            counts: Counts::default(),
        }
    }

    /// Fills in the verdicts' summaries.
    pub fn with_summary(mut self) -> Chunks {
        self.scratch = self.scratch.with_summary();
        self
    }

    /// The matcher.
    pub fn matcher(&self) -> &Arc<Matcher> {
        &self.matcher
    }

    /// Decides about all records of a chunk, as of `now`. `visit` gets every record that has a verdict, in
    /// order.
    ///
    /// # Errors
    /// If the chunk cannot be taken apart into events: those before that place may have been visited.
    pub fn read(
        &mut self,
        chunk: &[u8],
        now: Timestamp,
        visit: &mut dyn FnMut(Hit<'_>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        self.counts.bytes += chunk.len() as u64;
        let (mut at, mut record, mut broken) = (0, None, None);
        let mut visited = false;
        loop {
            let from = at;
            // Hits come in order, so that events are passed over once.
            let around = |_, place: usize| -> Option<Range<usize>> {
                while at <= place {
                    match event(chunk, at) {
                        Ok(event) => {
                            at = event.range.end;
                            record = event.record;
                            if place < at {
                                return Some(event.range);
                            }
                        }
                        Err(reason) => {
                            broken = Some(reason);
                            return None;
                        }
                    }
                }
                None
            };
            let (candidate, _) = self.candidates.next_record(chunk, from, around);
            if let Some(reason) = broken {
                return Err(reason);
            }
            if candidate.is_none() {
                break;
            }
            if let Some(record) = record {
                self.record(chunk, record, now, &mut |hit| {
                    visited = true;
                    visit(hit)
                });
            }
        }
        // A chunk is only written anew if all of it can be taken apart.
        while visited && at < chunk.len() {
            at = event(chunk, at)?.range.end;
        }
        Ok(())
    }

    fn record(
        &mut self,
        chunk: &[u8],
        record: Handle,
        now: Timestamp,
        visit: &mut dyn FnMut(Hit<'_>) -> Result<(), Unreadable>,
    ) {
        self.counts.candidates += 1;
        let counts = &mut self.counts;
        let outcome = Map::new(chunk, record, &self.pool).and_then(|map| {
            let mut checked = false;
            self.matcher
                .decide(&map, now, &mut self.scratch, &mut |root, verdict| {
                    // Nothing is written because of a record that is not valid through and through.
                    if !checked {
                        map.check()?;
                        checked = true;
                    }
                    counts.verdict(verdict);
                    let map = &map;
                    visit(Hit { map, root, verdict })
                })
        });
        if let Err(reason) = outcome {
            self.counts.unreadable(reason);
        }
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
    chunks: Chunks,
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
            chunks: Chunks::new(matcher),
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
        chunks.read(chunk, now, &mut |Hit { map, root, verdict }| {
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
