//! The tagger of a pipeline, shared by its connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::{Counts, TagOptions, Tagged, Tagger};

use crate::batch::{Batch, Body};

/// Tags batches. Taggers are reused: as many are made as batches are tagged at once.
#[derive(Debug)]
pub struct Stage {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    matcher: Arc<Matcher>,
    options: TagOptions,
    /// Taggers of this matcher that nobody is using.
    chunks: Vec<ChunkTagger>,
    lines: Vec<Tagger>,
    /// What taggers have seen.
    counts: Counts,
    /// Batches that could not be taken apart, and were passed on untouched.
    opaque: u64,
}

impl Stage {
    /// A stage for a matcher.
    pub fn new(matcher: Arc<Matcher>, options: TagOptions) -> Stage {
        let inner = Inner {
            matcher,
            options,
            chunks: Vec::new(),
            lines: Vec::new(),
            counts: Counts::default(),
            opaque: 0,
        };
        Stage {
            inner: Mutex::new(inner),
        }
    }

    /// From now on, tags by another matcher. Batches that are being tagged end as they began.
    pub fn replace(&self, matcher: Arc<Matcher>, options: TagOptions) {
        let mut inner = self.lock();
        inner.matcher = matcher;
        inner.options = options;
        inner.chunks.clear();
        inner.lines.clear();
    }

    /// What was seen so far, and how many batches could not be taken apart.
    pub fn counts(&self) -> (Counts, u64) {
        let inner = self.lock();
        (inner.counts, inner.opaque)
    }

    /// Tags a batch, as of `now`. Without a match it is the same memory.
    pub fn tag(&self, mut batch: Batch, now: Timestamp) -> Batch {
        match &mut batch.body {
            Body::Events(events) => {
                let tagged = self.with(
                    |inner| &mut inner.chunks,
                    ChunkTagger::new,
                    ChunkTagger::counts,
                    |tagger| tagger.tag(events, now).map(changed),
                );
                match tagged {
                    Ok(tagged) => replace(events, tagged),
                    Err(_) => self.lock().opaque += 1,
                }
            }
            Body::Lines(lines) => {
                let tagged = self.with(
                    |inner| &mut inner.lines,
                    Tagger::new,
                    Tagger::counts,
                    |tagger| changed(tagger.tag(lines, now)),
                );
                replace(lines, tagged);
            }
            Body::Signal(..) | Body::Push(_) => {}
        }
        batch
    }

    /// Works with an idle tagger, or a new one, and adds what it has seen.
    fn with<T, U>(
        &self,
        idle: impl Fn(&mut Inner) -> &mut Vec<T>,
        new: impl Fn(Arc<Matcher>, TagOptions) -> T,
        counts: impl Fn(&T) -> &Counts,
        work: impl FnOnce(&mut T) -> U,
    ) -> U {
        let mut inner = self.lock();
        let matcher = inner.matcher.clone();
        let tagger = idle(&mut inner).pop();
        let options = inner.options.clone();
        drop(inner);
        let mut tagger = tagger.unwrap_or_else(|| new(matcher.clone(), options));
        let before = *counts(&tagger);
        let outcome = work(&mut tagger);
        let mut inner = self.lock();
        inner.counts += counts(&tagger).since(&before);
        // Rules may have changed meanwhile.
        if Arc::ptr_eq(&matcher, &inner.matcher) {
            idle(&mut inner).push(tagger);
        }
        outcome
    }

    /// A thread that panicked has left nothing half done: what is behind the lock changes at once.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to take the place of the input, if anything.
fn changed(tagged: Tagged<'_>) -> Option<Bytes> {
    (!tagged.is_unchanged()).then(|| Bytes::from(tagged.to_vec()))
}

fn replace(bytes: &mut Bytes, tagged: Option<Bytes>) {
    if let Some(tagged) = tagged {
        *bytes = tagged;
    }
}
