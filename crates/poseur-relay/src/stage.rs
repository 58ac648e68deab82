//! The tagger of a pipeline, shared by its connections.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_tagger::events::records;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::protobuf::push::{Push, PushTagger};
use poseur_tagger::{Counts, Observer, TagOptions, Tagged, Tagger};

use crate::batch::{Batch, Body};
use crate::convert::in_lines;
use crate::pieces::Pieces;
use crate::telemetry::Meter;

/// Tags batches. Taggers are reused: as many are made as batches are tagged at once.
#[derive(Debug)]
pub struct Stage {
    inner: Mutex<Inner>,
    /// Counts what taggers have seen.
    meter: Arc<Meter>,
}

#[derive(Debug)]
struct Inner {
    matcher: Arc<Matcher>,
    options: TagOptions,
    /// Is told of this matcher's verdicts.
    observer: Arc<dyn Observer>,
    /// Taggers of this matcher that nobody is using.
    chunks: Vec<ChunkTagger>,
    lines: Vec<Tagger>,
    requests: Vec<PushTagger>,
}

impl Stage {
    /// A stage for a matcher, on a meter of its own.
    pub fn new(matcher: Arc<Matcher>, options: TagOptions) -> Stage {
        Stage::on(Arc::default(), matcher, options)
    }

    /// A stage that counts on a meter.
    pub fn on(meter: Arc<Meter>, matcher: Arc<Matcher>, options: TagOptions) -> Stage {
        let inner = Inner {
            observer: meter.observer(matcher.clone()),
            matcher,
            options,
            chunks: Vec::new(),
            lines: Vec::new(),
            requests: Vec::new(),
        };
        Stage {
            inner: Mutex::new(inner),
            meter,
        }
    }

    /// What it counts on.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// From now on, tags by another matcher. Batches that are being tagged end as they began.
    pub fn replace(&self, matcher: Arc<Matcher>, options: TagOptions) {
        let observer = self.meter.observer(matcher.clone());
        let mut inner = self.lock();
        inner.matcher = matcher;
        inner.options = options;
        inner.observer = observer;
        inner.chunks.clear();
        inner.lines.clear();
        inner.requests.clear();
    }

    /// What was seen so far, and how many batches could not be taken apart.
    pub fn counts(&self) -> (Counts, u64) {
        (self.meter.counts(), self.meter.opaque.get())
    }

    /// Tags a batch, as of `now`. Without a match it is the same memory.
    pub fn tag(&self, mut batch: Batch, now: Timestamp) -> Batch {
        let body = batch.body.pieces().to_bytes();
        let tagged = match &batch.body {
            Body::Events(_) => self.with(
                |inner| &mut inner.chunks,
                |matcher, options, observer| {
                    ChunkTagger::new(matcher, options).with_observer(observer)
                },
                ChunkTagger::counts,
                |tagger| {
                    let tagged = tagger.tag(&body, now);
                    tagged.map(|tagged| changed(&body, &tagged))
                },
            ),
            Body::Lines(_) => self.with(
                |inner| &mut inner.lines,
                |matcher, options, observer| Tagger::new(matcher, options).with_observer(observer),
                Tagger::counts,
                |tagger| Ok(changed(&body, &tagger.tag(&body, now))),
            ),
            Body::Push(_) => self.with(
                |inner| &mut inner.requests,
                |matcher, options, observer| {
                    PushTagger::new(matcher, options).with_observer(observer)
                },
                PushTagger::counts,
                |tagger| {
                    self.meter.add_records(records::<Push>(&body));
                    let tagged = tagger.tag(&body, now);
                    tagged.map(|tagged| changed(&body, &tagged))
                },
            ),
            Body::Signal(..) => return batch,
        };
        match (tagged, &mut batch.body) {
            (Ok(None), _) | (_, Body::Signal(..)) => {}
            (Err(_), _) => self.meter.opaque.add(1),
            (Ok(Some(tagged)), Body::Events(pieces) | Body::Lines(pieces) | Body::Push(pieces)) => {
                *pieces = tagged;
                batch.packed = None;
            }
        }
        batch
    }

    /// Tags a value that stands alone, as of `now`: what is to take its place, if anything. It may be lines, or one JSON value
    /// over several: then everything beside the tags keeps its place.
    pub fn tag_value(&self, value: &[u8], now: Timestamp) -> Option<Vec<u8>> {
        let lines = in_lines(value);
        // One value in one line has lost what stood around it, and has spaces in place of line feeds.
        let lost = match &lines {
            Cow::Borrowed(_) => 0,
            Cow::Owned(_) => value.len() - value.trim_ascii_start().len(),
        };
        let (before, rest) = value.split_at(lost);
        let (same, after) = rest.split_at(lines.len());
        self.with(
            |inner| &mut inner.lines,
            |matcher, options, observer| Tagger::new(matcher, options).with_observer(observer),
            Tagger::counts,
            |tagger| {
                let tagged = tagger.tag(&lines, now);
                let is_tagged = !tagged.is_unchanged();
                is_tagged.then(|| {
                    let restored = restored(same, &lines, tagged.slices());
                    [before, &restored, after].concat()
                })
            },
        )
    }

    /// Works with an idle tagger, or a new one, and adds what it has seen.
    fn with<T, U>(
        &self,
        idle: impl Fn(&mut Inner) -> &mut Vec<T>,
        new: impl Fn(Arc<Matcher>, TagOptions, Arc<dyn Observer>) -> T,
        counts: impl Fn(&T) -> &Counts,
        work: impl FnOnce(&mut T) -> U,
    ) -> U {
        let mut inner = self.lock();
        let matcher = inner.matcher.clone();
        let tagger = idle(&mut inner).pop().ok_or_else(|| {
            let (options, observer) = (inner.options.clone(), inner.observer.clone());
            (options, observer)
        });
        drop(inner);
        let mut tagger =
            tagger.unwrap_or_else(|(options, observer)| new(matcher.clone(), options, observer));
        let before = *counts(&tagger);
        let outcome = work(&mut tagger);
        self.meter.add(counts(&tagger).since(&before));
        let mut inner = self.lock();
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

/// These slices one after the other, with what lies in `lines` as it lies in `value`.
fn restored<'a>(value: &[u8], lines: &[u8], slices: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let within = lines.as_ptr_range();
    let mut out = Vec::with_capacity(value.len() + 1024);
    for slice in slices {
        let from = within
            .contains(&slice.as_ptr())
            .then(|| slice.as_ptr() as usize - within.start as usize);
        out.extend_from_slice(match from {
            Some(from) => &value[from..from + slice.len()],
            None => slice,
        });
    }
    out
}

/// What is to take the place of the input, if anything.
fn changed(input: &Bytes, tagged: &Tagged<'_>) -> Option<Pieces> {
    (!tagged.is_unchanged()).then(|| Pieces::of(input, tagged.slices()))
}

#[cfg(test)]
mod tests {
    use poseur_matcher::schema;

    use super::*;

    #[test]
    fn a_value_over_several_lines_keeps_them() {
        let rules = poseur_rule::pack::built_in();
        let matcher = Matcher::new(rules, vec![], schema::built_in(), None).unwrap();
        let stage = Stage::new(Arc::new(matcher), TagOptions::default());
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let row = "{\r\n \"Timestamp\": \"2026-11-19T08:00:00Z\",\n \"IsExternalThread\": true,\n \
                   \"RecipientDetails\": \"Help Desk\"\n}";
        let end = row.rfind("\n}").unwrap();
        for value in [
            row.to_owned(),
            format!("\n {row}\n"),
            format!("{{\n\"records\": [\n{row}]}}"),
        ] {
            let tagged = stage.tag_value(value.as_bytes(), now).unwrap();
            let tagged = String::from_utf8(tagged).unwrap();
            // What was put in stands in one piece: without it, it is the value.
            let (before, rest) = tagged.split_once(",\"poseur\":").unwrap();
            let added = tagged.len() - value.len() - ",\"poseur\":".len();
            assert_eq!(format!("{before}{}", &rest[added..]), value);
            assert!(rest.starts_with("{\"rules\":[\"389ead4a-"), "{tagged}");
        }
        for value in [
            row[..end].to_owned(),
            "{\n \"a\": 1\n}".to_owned(),
            String::new(),
        ] {
            assert_eq!(stage.tag_value(value.as_bytes(), now), None);
        }
        assert_eq!(stage.counts().0.matched, 3);
    }
}
