//! The tagger: a buffer of records in, the same bytes out with tags spliced in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::record::{Handle, Unreadable};
use poseur_matcher::{Matcher, Scratch, Verdict};

use crate::candidates::Candidates;
use crate::counts::Counts;
use crate::json::document::{Document, Pool, trim};
use crate::json::index::Index;
use crate::splice::Splicer;
use crate::tag::{TagOptions, TagWriter};
use crate::tagged::{Observer, Output, Tagged};

/// Reads lines of JSON and decides about them; shared by tagging, hunting and explaining.
#[derive(Debug)]
pub struct Lines {
    matcher: Arc<Matcher>,
    candidates: Candidates,
    scratch: Scratch,
    index: Index,
    pool: Pool,
    /// Every record is checked whole, so that all unreadable ones are counted.
    check_all: bool,
    /// What was seen so far.
    pub counts: Counts,
}

impl Lines {
    /// Reads for a matcher.
    pub fn new(matcher: Arc<Matcher>) -> Lines {
        Lines {
            candidates: Candidates::new(matcher.witnesses()),
            scratch: Scratch::new(&matcher),
            matcher,
            index: Index::default(),
            pool: Pool::default(),
            check_all: false,
            counts: Counts::default(),
        }
    }

    /// Looks at every record and checks it whole, instead of searching for candidates.
    pub fn check_all(mut self) -> Lines {
        self.candidates = Candidates::all();
        self.check_all = true;
        self
    }

    /// Visits every record, those without a verdict too: theirs is empty.
    pub fn with_unmatched(mut self) -> Lines {
        self.candidates = Candidates::all();
        self.scratch = self.scratch.with_unmatched();
        self
    }

    /// Fills in the verdicts' summaries.
    pub fn with_summary(mut self) -> Lines {
        self.scratch = self.scratch.with_summary();
        self
    }

    /// The matcher.
    pub fn matcher(&self) -> &Arc<Matcher> {
        &self.matcher
    }

    /// Decides about all records of a buffer of whole lines (the last may lack its line feed), as
    /// of `now`. `visit` gets every record that has a verdict, in order.
    pub fn read(
        &mut self,
        buffer: &[u8],
        now: Timestamp,
        visit: &mut dyn FnMut(Hit<'_>) -> Result<(), Unreadable>,
    ) {
        self.counts.bytes += buffer.len() as u64;
        let mut from = 0;
        loop {
            let next = self.candidates.next(buffer, from);
            self.counts.records += next.passed;
            let Some(line) = next.line else { break };
            from = line.end + 1;
            self.counts.records += (line.end < buffer.len()) as u64;
            self.line(buffer, line, now, visit);
        }
        // A last line without its line feed is a record all the same.
        self.counts.records += !matches!(buffer.last(), None | Some(b'\n')) as u64;
    }

    fn line(
        &mut self,
        buffer: &[u8],
        range: Range<usize>,
        now: Timestamp,
        visit: &mut dyn FnMut(Hit<'_>) -> Result<(), Unreadable>,
    ) {
        let line = &buffer[range.clone()];
        let (start, end) = trim(line);
        if start == end {
            return;
        }
        self.counts.candidates += 1;
        let counts = &mut self.counts;
        let outcome = Document::new(line, &mut self.index, &self.pool).and_then(|document| {
            if self.check_all {
                document.check()?;
            }
            // A module must be small: there is one reader then, that of texts inside texts.
            #[cfg(target_arch = "wasm32")]
            let record: &dyn poseur_matcher::record::Record = &document;
            #[cfg(not(target_arch = "wasm32"))]
            let record = &document;
            self.matcher
                .decide(record, now, &mut self.scratch, &mut |root, verdict| {
                    // Nothing is written because of a document that is not valid through and through.
                    document.check()?;
                    counts.verdict(verdict);
                    visit(Hit {
                        document: &document,
                        line: range.clone(),
                        root,
                        verdict,
                    })
                })
        });
        if let Err(reason) = outcome {
            self.counts.unreadable(reason);
        }
    }

    /// Decides about one line like [`Lines::read`], and also explains it.
    ///
    /// # Errors
    /// If the line is not readable.
    pub fn explain(
        &mut self,
        line: &[u8],
        now: Timestamp,
    ) -> Result<Vec<(Handle, Vec<poseur_matcher::explain::Explanation>)>, Unreadable> {
        let document = Document::new(line, &mut self.index, &self.pool)?;
        document.check()?;
        self.matcher.explain(&document, now, &mut self.scratch)
    }
}

/// A record that has a verdict.
pub struct Hit<'a> {
    /// The line it is in.
    pub document: &'a Document<'a>,
    /// Where the line is in the buffer, without its line feed.
    pub line: Range<usize>,
    /// The record, in the document.
    pub root: Handle,
    /// The verdict.
    pub verdict: &'a Verdict,
}

/// Tags buffers of NDJSON. Memory is reused from buffer to buffer.
///
/// ```
/// use std::sync::Arc;
/// use poseur_matcher::{Matcher, schema};
/// use poseur_tagger::{TagOptions, Tagger};
///
/// let rules = poseur_rule::pack::built_in();
/// let matcher = Matcher::new(rules, vec![], schema::built_in(), None).unwrap();
/// let mut tagger = Tagger::new(Arc::new(matcher), TagOptions::default());
/// let now = "2026-11-20T12:00:00Z".parse().unwrap();
/// let row = r#"{"Timestamp":"2026-11-19T08:00:00Z","IsExternalThread":true,"RecipientDetails":"Help Desk"}"#;
/// let tagged = tagger.tag(row.as_bytes(), now).to_vec();
/// assert!(String::from_utf8(tagged).unwrap().contains(r#","poseur":{"rules":["389ead4a-"#));
/// ```
#[derive(Debug)]
pub struct Tagger {
    lines: Lines,
    output: Output,
    rewrite: Option<Box<dyn Rewrite>>,
}

/// Something that makes other records of those that are visited, after they were tagged.
pub trait Rewrite: fmt::Debug + Send {
    /// Appends what is to stand in the place of a record; `false` if it is to stay.
    fn rewrite(&mut self, record: &[u8], out: &mut Vec<u8>) -> bool;
}

impl Tagger {
    /// A tagger for a matcher.
    pub fn new(matcher: Arc<Matcher>, options: TagOptions) -> Tagger {
        Tagger::with_lines(Lines::new(matcher), options)
    }

    /// A tagger that reads its lines in a certain way.
    pub fn with_lines(lines: Lines, options: TagOptions) -> Tagger {
        let tag = TagWriter::new(lines.matcher(), options);
        Tagger {
            lines,
            output: Output::new(Splicer::new(tag)),
            rewrite: None,
        }
    }

    /// Lets every record that the lines visit be rewritten.
    pub fn with_rewrite(mut self, rewrite: Box<dyn Rewrite>) -> Tagger {
        self.rewrite = Some(rewrite);
        self
    }

    /// Tells an observer of every verdict, summary included.
    pub fn with_observer(mut self, observer: Arc<dyn Observer>) -> Tagger {
        self.lines = self.lines.with_summary();
        self.output.observe(observer);
        self
    }

    /// What was seen so far.
    pub fn counts(&self) -> &Counts {
        &self.lines.counts
    }

    /// The matcher.
    pub fn matcher(&self) -> &Arc<Matcher> {
        self.lines.matcher()
    }

    /// The candidate search in use.
    pub fn candidates(&self) -> &Candidates {
        &self.lines.candidates
    }

    /// Tags a buffer of whole lines (the last may lack its line feed), as of `now`.
    pub fn tag<'a>(&'a mut self, input: &'a [u8], now: Timestamp) -> Tagged<'a> {
        let Tagger {
            lines,
            output,
            rewrite,
        } = self;
        output.clear();
        lines.read(input, now, &mut |hit| {
            let offset = hit.line.start;
            if !hit.verdict.is_empty() {
                output.splice(hit.document, hit.root, offset, hit.verdict)?;
            }
            if let Some(rewrite) = rewrite {
                let record = hit.root.start + offset..hit.root.end + offset;
                output.rewrite(input, record, |record, out| rewrite.rewrite(record, out));
            }
            Ok(())
        });
        output.finish(input)
    }
}
