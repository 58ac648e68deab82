//! The tagger for requests of Vector's protocol: a request in, the same bytes out with tags spliced in.

use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_matcher::record::{Handle, Unreadable};

use super::document::Log;
use super::lengths::settle;
use super::message::FIRST;
use super::wire::{Field, Value, field};
use crate::counts::Counts;
use crate::events::{Event, Events, Format, Hit};
use crate::json::document::Pool;
use crate::splice::Splicer;
use crate::tag::{Style, TagOptions, TagWriter};
use crate::tagged::{Observer, Output, Tagged};

/// A `vector.PushEventsRequest`, not compressed. Metrics, traces and fields that are not known have no record.
#[derive(Debug)]
pub struct Push;

impl Format for Push {
    type Record<'a> = Log<'a>;

    fn event(request: &[u8], at: usize) -> Result<Event, Unreadable> {
        let Field {
            number,
            range,
            value,
            ..
        } = field(request, at)?;
        let is_event = number == FIRST && matches!(value, Value::Bytes(_));
        let record = is_event.then_some(Handle {
            start: range.start,
            end: range.end,
        });
        Ok(Event { range, record })
    }

    fn record<'a>(
        request: &'a [u8],
        at: Handle,
        pool: &'a Pool,
    ) -> Result<Option<Log<'a>>, Unreadable> {
        Log::new(request, at, pool)
    }

    fn check(record: &Log<'_>) -> Result<(), Unreadable> {
        record.check()
    }
}

/// What a tag may nest an event to: so many messages are inside each other then, at most, the event itself
/// included. A map takes three, a list two. Who receives a request loses all of it if one event goes deeper than
/// [`MOST_READ`](super::encode::MOST_READ); what is left is for what others may add.
pub const MOST_NESTED: usize = 80;

/// Tags requests. Memory is reused from request to request.
///
/// An event that would nest deeper than 80 messages, and deeper than it did, gets a tag in the style `minimal`,
/// and if that does not do, none.
#[derive(Debug)]
pub struct PushTagger {
    events: Events<Push>,
    output: Output,
    /// Writes tags that hardly nest.
    flat: Splicer,
}

impl PushTagger {
    /// A tagger for a matcher.
    pub fn new(matcher: Arc<Matcher>, options: TagOptions) -> PushTagger {
        let flat = TagOptions {
            style: Style::Minimal,
            ..options.clone()
        };
        let splicer = |options| Splicer::new(TagWriter::new(&matcher, options));
        PushTagger {
            output: Output::new(splicer(options)),
            flat: splicer(flat),
            events: Events::new(matcher),
        }
    }

    /// Tells an observer of every verdict, summary included.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> PushTagger {
        self.events = self.events.with_summary();
        self.output.observe(observer);
        self
    }

    /// What was seen so far.
    pub fn counts(&self) -> &Counts {
        &self.events.counts
    }

    /// Tags a request, as of `now`.
    ///
    /// # Errors
    /// If the request cannot be taken apart into events: it is best passed on as it is.
    pub fn tag<'a>(
        &'a mut self,
        request: &'a [u8],
        now: Timestamp,
    ) -> Result<Tagged<'a>, Unreadable> {
        let PushTagger {
            events,
            output,
            flat,
        } = self;
        output.clear();
        // Events that are tagged, each with the number of its first edit.
        let mut tagged: Vec<(Field, usize)> = Vec::new();
        events.read(request, now, &mut |hit| {
            let Hit {
                record: log,
                root,
                verdict,
            } = hit;
            if tagged.last().is_none_or(|(event, _)| event != log.event()) {
                tagged.push((log.event().clone(), output.edits().list.len()));
            }
            let mut outcome = output.splice(log, root, 0, verdict);
            if outcome == Err(Unreadable::TooDeep) {
                outcome = output.splice_by(flat, log, root, 0, verdict);
            }
            match outcome {
                Err(Unreadable::TooDeep) => Ok(()),
                outcome => outcome,
            }
        })?;
        settle(request, &tagged, output.edits());
        Ok(output.finish(request))
    }
}
