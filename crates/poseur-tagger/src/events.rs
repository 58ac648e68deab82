//! Reading buffers of events: what lies between candidates is stepped over, event by event.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::record::{Handle, Unreadable};
use poseur_matcher::{Matcher, Scratch, Verdict};

use crate::candidates::Candidates;
use crate::counts::Counts;
use crate::json::document::Pool;
use crate::splice::Target;

/// One event of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// All of its bytes.
    pub range: Range<usize>,
    /// Where its record is; `None` for what has none.
    pub record: Option<Handle>,
}

/// How events stand in a buffer, one after the other.
pub trait Format: 'static {
    /// A record, read in place.
    type Record<'a>: Target;

    /// The event that begins at `at`.
    ///
    /// # Errors
    /// If nothing can be stepped over there.
    fn event(buffer: &[u8], at: usize) -> Result<Event, Unreadable>;

    /// Its record; `None` if what seemed to be one is of another kind.
    ///
    /// # Errors
    /// If it is not readable.
    fn record<'a>(
        buffer: &'a [u8],
        at: Handle,
        pool: &'a Pool,
    ) -> Result<Option<Self::Record<'a>>, Unreadable>;

    /// Checks a record through and through.
    ///
    /// # Errors
    /// If it is not readable.
    fn check(record: &Self::Record<'_>) -> Result<(), Unreadable>;
}

/// A record that has a verdict.
pub struct Hit<'a, R> {
    /// The event's record; handles are places in the buffer.
    pub record: &'a R,
    /// The record that was decided about, in it.
    pub root: Handle,
    /// The verdict.
    pub verdict: &'a Verdict,
}

/// What is called with every hit of a format.
pub type Visit<'v, F> =
    dyn for<'h, 'r> FnMut(Hit<'h, <F as Format>::Record<'r>>) -> Result<(), Unreadable> + 'v;

/// How many events of a buffer have a record, up to where it cannot be taken apart. For figures: it goes over all of
/// them.
pub fn records<F: Format>(buffer: &[u8]) -> u64 {
    let (mut at, mut records) = (0, 0);
    while at < buffer.len()
        && let Ok(event) = F::event(buffer, at)
    {
        at = event.range.end;
        records += u64::from(event.record.is_some());
    }
    records
}

/// Reads buffers of events and decides about their records.
#[derive(Debug)]
pub struct Events<F> {
    matcher: Arc<Matcher>,
    candidates: Candidates,
    scratch: Scratch,
    pool: Pool,
    /// What was seen so far. [`Counts::records`] stays 0: events that cannot match are not told apart.
    pub counts: Counts,
    format: PhantomData<F>,
}

impl<F: Format> Events<F> {
    /// Reads for a matcher.
    pub fn new(matcher: Arc<Matcher>) -> Events<F> {
        Events {
            candidates: Candidates::new(matcher.witnesses()),
            scratch: Scratch::new(&matcher),
            matcher,
            pool: Pool::default(),
            counts: Counts::default(),
            format: PhantomData,
        }
    }

    /// Fills in the verdicts' summaries.
    pub fn with_summary(mut self) -> Events<F> {
        self.scratch = self.scratch.with_summary();
        self
    }

    /// The matcher.
    pub fn matcher(&self) -> &Arc<Matcher> {
        &self.matcher
    }

    /// Decides about all records of a buffer, as of `now`. `visit` gets every record that has a verdict, in
    /// order.
    ///
    /// # Errors
    /// If the buffer cannot be taken apart into events: those before that place may have been visited.
    pub fn read(
        &mut self,
        buffer: &[u8],
        now: Timestamp,
        visit: &mut Visit<'_, F>,
    ) -> Result<(), Unreadable> {
        self.counts.bytes += buffer.len() as u64;
        let (mut at, mut record, mut broken) = (0, None, None);
        let mut visited = false;
        loop {
            let from = at;
            // Hits come in order, so that events are passed over once.
            let around = |_, place: usize| -> Option<Range<usize>> {
                while at <= place {
                    match F::event(buffer, at) {
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
            let (candidate, _) = self.candidates.next_record(buffer, from, around);
            if let Some(reason) = broken {
                return Err(reason);
            }
            if candidate.is_none() {
                break;
            }
            if let Some(record) = record {
                self.record(buffer, record, now, &mut |hit| {
                    visited = true;
                    visit(hit)
                });
            }
        }
        // A buffer is only written anew if all of it can be taken apart.
        while visited && at < buffer.len() {
            at = F::event(buffer, at)?.range.end;
        }
        Ok(())
    }

    fn record(&mut self, buffer: &[u8], at: Handle, now: Timestamp, visit: &mut Visit<'_, F>) {
        let counts = &mut self.counts;
        let outcome = match F::record(buffer, at, &self.pool) {
            Ok(None) => return,
            Ok(Some(record)) => {
                let mut checked = false;
                self.matcher
                    .decide(&record, now, &mut self.scratch, &mut |root, verdict| {
                        // Nothing is written because of a record that is not valid through and through.
                        if !checked {
                            F::check(&record)?;
                            checked = true;
                        }
                        counts.verdict(verdict);
                        let record = &record;
                        visit(Hit {
                            record,
                            root,
                            verdict,
                        })
                    })
            }
            Err(reason) => Err(reason),
        };
        counts.candidates += 1;
        if let Err(reason) = outcome {
            counts.unreadable(reason);
        }
    }
}
