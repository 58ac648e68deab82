//! The tagger of a pipeline, shared by its connections.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::{Counts, TagOptions};

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
    idle: Vec<ChunkTagger>,
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
            idle: Vec::new(),
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
        inner.idle.clear();
    }

    /// What was seen so far, and how many batches could not be taken apart.
    pub fn counts(&self) -> (Counts, u64) {
        let inner = self.lock();
        (inner.counts, inner.opaque)
    }

    /// Tags a batch, as of `now`. Without a match it is the same memory.
    pub fn tag(&self, mut batch: Batch, now: Timestamp) -> Batch {
        if let Body::Events(events) = &mut batch.body {
            self.tag_events(events, now);
        }
        batch
    }

    fn tag_events(&self, events: &mut Bytes, now: Timestamp) {
        let (mut tagger, matcher) = self.take();
        let before = *tagger.counts();
        let tagged = tagger.tag(events, now).map(|tagged| {
            let changed = !tagged.is_unchanged();
            changed.then(|| Bytes::from(tagged.to_vec()))
        });
        let seen = tagger.counts().since(&before);
        let mut inner = self.lock();
        inner.counts += seen;
        inner.opaque += u64::from(tagged.is_err());
        if Arc::ptr_eq(&matcher, &inner.matcher) {
            inner.idle.push(tagger);
        }
        drop(inner);
        if let Ok(Some(tagged)) = tagged {
            *events = tagged;
        }
    }

    /// A tagger, and the matcher it is for.
    fn take(&self) -> (ChunkTagger, Arc<Matcher>) {
        let mut inner = self.lock();
        let matcher = inner.matcher.clone();
        let tagger = inner.idle.pop();
        let options = inner.options.clone();
        drop(inner);
        let tagger = tagger.unwrap_or_else(|| ChunkTagger::new(matcher.clone(), options));
        (tagger, matcher)
    }

    /// A thread that panicked has left nothing half done: what is behind the lock changes at once.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
