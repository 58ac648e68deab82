//! The tagger as it is measured.

use std::hint::black_box;
use std::sync::{Arc, mpsc};

use poseur_matcher::{Matcher, schema};
use poseur_rule::elastic;
use poseur_rule::model::Rule;
use poseur_rule::types::Types;
use poseur_tagger::msgpack::chunks::ChunkTagger;
use poseur_tagger::protobuf::push::PushTagger;
use poseur_tagger::{TagOptions, Tagger};
use poseur_tests::msgpack::{TIMES, packed};
use poseur_tests::protobuf;

use crate::contender::Contender;
use crate::traffic::{Traffic, chunks, lines};

/// A tagger with the built-in rules.
///
/// # Panics
/// Never: the built-in rules compile.
pub fn tagger() -> Tagger {
    tagger_with(&[])
}

/// The built-in rules and these.
pub fn with_built_in(more: &[Rule]) -> Vec<Rule> {
    let mut rules = poseur_rule::pack::built_in();
    rules.extend_from_slice(more);
    rules
}

/// A tagger with the built-in rules and others.
///
/// # Panics
/// If these do not compile.
pub fn tagger_with(more: &[Rule]) -> Tagger {
    let rules = with_built_in(more);
    let matcher = Matcher::new(rules, Vec::new(), schema::built_in(), None);
    Tagger::new(
        Arc::new(matcher.expect("the rules compile")),
        TagOptions::default(),
    )
}

/// Loads the built-in rules and rule files, from their text to a tagger that is ready.
///
/// # Panics
/// If a file does not load.
pub fn load(files: &[String]) -> Tagger {
    let types = Types::built_in();
    let mut rules = Vec::new();
    for text in files {
        let read = elastic::read("generated.toml", text, &types);
        assert_eq!(read.errors, []);
        rules.extend(read.rules);
    }
    tagger_with(&rules)
}

/// A tagger with buffers that are reused, as the command has them.
pub struct Job {
    tagger: Tagger,
    out: Vec<u8>,
}

impl Job {
    /// For a tagger.
    pub fn new(tagger: Tagger) -> Job {
        let out = Vec::with_capacity(2 << 20);
        Job { tagger, out }
    }

    /// Tags the traffic chunk by chunk. The output is left as slices, as it would be written.
    /// Answers how many records matched.
    pub fn tag(&mut self, bytes: &[u8]) -> u64 {
        self.tag_each(chunks(bytes))
    }

    fn tag_each<'a>(&mut self, chunks: impl Iterator<Item = &'a [u8]>) -> u64 {
        let before = self.tagger.counts().matched;
        for chunk in chunks {
            for slice in self.tagger.tag(chunk, Traffic::now()).slices() {
                black_box(slice);
            }
        }
        self.tagger.counts().matched - before
    }

    /// The same, and the output is put together in a buffer.
    pub fn tag_and_copy(&mut self, bytes: &[u8]) -> u64 {
        let before = self.tagger.counts().matched;
        for chunk in chunks(bytes) {
            self.out.clear();
            for slice in self.tagger.tag(chunk, Traffic::now()).slices() {
                self.out.extend_from_slice(slice);
            }
            black_box(&self.out);
        }
        self.tagger.counts().matched - before
    }

    /// The same as [`Job::tag`], but answers how many lines were walked.
    pub fn walk(&mut self, bytes: &[u8]) -> u64 {
        let before = self.tagger.counts().candidates;
        self.tag(bytes);
        self.tagger.counts().candidates - before
    }
}

/// The tagger with the built-in rules and these, output as slices.
pub(crate) fn tags(name: &'static str, traffic: &Arc<Traffic>, more: &[Rule]) -> Contender {
    let (mut job, own) = (Job::new(tagger_with(more)), traffic.clone());
    let run = move || job.tag(&own.bytes);
    Contender::new(name, traffic.bytes.len(), traffic.matches(), run)
}

/// The tagger with the built-in rules, output put together.
pub(crate) fn copies(traffic: &Arc<Traffic>) -> Contender {
    let (mut job, own) = (Job::new(tagger()), traffic.clone());
    let run = move || job.tag_and_copy(&own.bytes);
    let (bytes, answer) = (traffic.bytes.len(), traffic.matches());
    Contender::new("poseur, output copied", bytes, answer, run)
}

/// The records as a shipper has them, in chunks of events of about this many bytes.
///
/// # Panics
/// If a record is no object.
pub fn events(traffic: &Traffic, size: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for line in lines(&traffic.bytes) {
        let record = packed(line).expect("a generated record is an object");
        if all.last().is_none_or(|chunk| chunk.len() > size) {
            all.push(Vec::new());
        }
        let chunk = all.last_mut().expect("there is one");
        chunk.extend_from_slice(TIMES[0]);
        chunk.extend_from_slice(&record);
    }
    all
}

/// The tagger for chunks of events, which must find so many matches.
pub fn tags_events(name: &'static str, events: &Arc<Vec<Vec<u8>>>, answer: u64) -> Contender {
    let matcher = tagger().matcher().clone();
    let mut tagger = ChunkTagger::new(matcher, TagOptions::default());
    tags_each(name, events, answer, move |chunk| {
        let before = tagger.counts().matched;
        let tagged = tagger.tag(chunk, Traffic::now());
        tagged.expect("whole events").slices().for_each(see);
        tagger.counts().matched - before
    })
}

/// The records as Vector has them, in requests of about this many bytes.
///
/// # Panics
/// If a record is no object.
pub fn requests(traffic: &Traffic, size: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    for line in lines(&traffic.bytes) {
        let fields = protobuf::packed(line).expect("a generated record is an object");
        if all.last().is_none_or(|request| request.len() > size) {
            all.push(Vec::new());
        }
        let request = all.last_mut().expect("there is one");
        let [event, _] = protobuf::events_of(&fields);
        // Requests one after the other are one.
        request.extend_from_slice(&protobuf::request(&[event]));
    }
    all
}

/// The tagger for requests, which must find so many matches.
pub fn tags_requests(name: &'static str, requests: &Arc<Vec<Vec<u8>>>, answer: u64) -> Contender {
    let matcher = tagger().matcher().clone();
    let mut tagger = PushTagger::new(matcher, TagOptions::default());
    tags_each(name, requests, answer, move |request| {
        let before = tagger.counts().matched;
        let tagged = tagger.tag(request, Traffic::now());
        tagged.expect("whole events").slices().for_each(see);
        tagger.counts().matched - before
    })
}

/// Buffers one by one; what is done with one answers its matches.
fn tags_each(
    name: &'static str,
    buffers: &Arc<Vec<Vec<u8>>>,
    answer: u64,
    mut tag: impl FnMut(&[u8]) -> u64 + 'static,
) -> Contender {
    let own = buffers.clone();
    let run = move || own.iter().map(|buffer| tag(buffer)).sum();
    let bytes = buffers.iter().map(Vec::len).sum();
    Contender::new(name, bytes, answer, run)
}

/// What nobody looks at might not be made.
fn see(slice: &[u8]) {
    black_box(slice);
}

/// Two taggers on a thread each, which take the chunks in turn. As in the command, the threads are there
/// before the records come.
pub(crate) fn two_threads(traffic: &Arc<Traffic>) -> Contender {
    let workers = [0, 1].map(|number| {
        let (go, start) = mpsc::channel();
        let (finish, count) = mpsc::channel();
        let (mut job, own) = (Job::new(tagger()), traffic.clone());
        std::thread::spawn(move || {
            for () in start {
                let own = chunks(&own.bytes).skip(number).step_by(2);
                if finish.send(job.tag_each(own)).is_err() {
                    return;
                }
            }
        });
        (go, count)
    });
    let run = move || {
        for (go, _) in &workers {
            go.send(()).expect("the thread waits for it");
        }
        let counts = workers.iter().map(|(_, count)| count.recv());
        counts.map(|count| count.expect("no panic")).sum()
    };
    let (bytes, answer) = (traffic.bytes.len(), traffic.matches());
    Contender::new("poseur, two threads", bytes, answer, run)
}
