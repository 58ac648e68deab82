//! The output: stretches of the input, with what was made in between.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::ops::Range;
use std::sync::Arc;

use poseur_matcher::Verdict;
use poseur_matcher::record::{Handle, Unreadable};

use crate::splice::{Edit, Edits, Splicer, Target};

/// Collects what is spliced into a buffer. Memory is reused from buffer to buffer.
#[derive(Debug)]
pub struct Output {
    splicer: Splicer,
    edits: Edits,
    pieces: Vec<Piece>,
    /// A record with its edits, for those who rewrite it.
    record: Vec<u8>,
    observer: Option<Arc<dyn Observer>>,
}

/// Somebody who is told of every verdict that becomes a tag. Records without a match cost nothing more.
pub trait Observer: fmt::Debug + Send + Sync {
    /// A verdict, with its summary, of the matcher that the tagger was made for.
    fn observe(&self, verdict: &Verdict);
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Input(Range<usize>),
    Made(Range<usize>),
}

impl Output {
    /// For the tags of a splicer.
    pub fn new(splicer: Splicer) -> Output {
        Output {
            splicer,
            edits: Edits::default(),
            pieces: Vec::new(),
            record: Vec::new(),
            observer: None,
        }
    }

    /// From now on, tells of every verdict.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Begins with another buffer.
    pub fn clear(&mut self) {
        self.edits.list.clear();
        self.edits.made.clear();
    }

    /// Tags the object at `root` of a record that begins at `offset` in the buffer. Records come in the order
    /// of their places.
    ///
    /// # Errors
    /// If the object cannot be tagged; nothing is edited then.
    pub fn splice<T: Target>(
        &mut self,
        target: &T,
        root: Handle,
        offset: usize,
        verdict: &Verdict,
    ) -> Result<(), Unreadable> {
        if let Some(observer) = &self.observer {
            observer.observe(verdict);
        }
        splice(
            &mut self.splicer,
            &mut self.edits,
            target,
            root,
            offset,
            verdict,
        )
    }

    /// The same, with the tags of another splicer, after those of the first have proved too much. Nobody is told again.
    ///
    /// # Errors
    /// As [`Output::splice`].
    pub fn splice_by<T: Target>(
        &mut self,
        other: &mut Splicer,
        target: &T,
        root: Handle,
        offset: usize,
        verdict: &Verdict,
    ) -> Result<(), Unreadable> {
        splice(other, &mut self.edits, target, root, offset, verdict)
    }

    /// The edits so far.
    pub fn edits(&mut self) -> &mut Edits {
        &mut self.edits
    }

    /// Where the edits are now.
    pub fn mark(&self) -> Mark {
        Mark {
            edits: self.edits.list.len(),
            made: self.edits.made.len(),
        }
    }

    /// Takes back what was spliced since.
    pub fn back(&mut self, mark: &Mark) {
        self.edits.list.truncate(mark.edits);
        self.edits.made.truncate(mark.made);
    }

    /// The last record of a buffer, as it is now.
    pub fn record(&mut self, input: &[u8], record: Range<usize>) -> &[u8] {
        let Edits { list, made } = &self.edits;
        let first = list.partition_point(|edit| edit.replaced.start < record.start);
        self.record.clear();
        let mut done = record.start;
        for edit in &list[first..] {
            self.record
                .extend_from_slice(&input[done..edit.replaced.start]);
            self.record.extend_from_slice(&made[edit.made.clone()]);
            done = edit.replaced.end;
        }
        self.record.extend_from_slice(&input[done..record.end]);
        &self.record
    }

    /// Puts something else in the place of the last record of a buffer: `rewrite` gets it as it is now, and
    /// appends what it is to be. If it says `false`, the record stays.
    pub fn rewrite(
        &mut self,
        input: &[u8],
        record: Range<usize>,
        rewrite: impl FnOnce(&[u8], &mut Vec<u8>) -> bool,
    ) {
        self.record(input, record.clone());
        let Edits { list, made } = &mut self.edits;
        let first = list.partition_point(|edit| edit.replaced.start < record.start);
        let start = made.len();
        if rewrite(&self.record, made) {
            list.truncate(first);
            list.push(Edit {
                replaced: record,
                made: start..made.len(),
            });
        } else {
            made.truncate(start);
        }
    }

    /// The buffer as it is now.
    pub fn finish<'a>(&'a mut self, input: &'a [u8]) -> Tagged<'a> {
        self.pieces.clear();
        let mut done = 0;
        for edit in &self.edits.list {
            self.pieces.push(Piece::Input(done..edit.replaced.start));
            self.pieces.push(Piece::Made(edit.made.clone()));
            done = edit.replaced.end;
        }
        self.pieces.push(Piece::Input(done..input.len()));
        Tagged {
            input,
            made: &self.edits.made,
            pieces: &self.pieces,
        }
    }
}

/// A state of the edits, to come back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    edits: usize,
    made: usize,
}

fn splice<T: Target>(
    splicer: &mut Splicer,
    edits: &mut Edits,
    target: &T,
    root: Handle,
    offset: usize,
    verdict: &Verdict,
) -> Result<(), Unreadable> {
    let first = edits.list.len();
    let outcome = splicer.splice(target, root, verdict, edits);
    match outcome {
        Ok(()) => {
            let edits = &mut edits.list[first..];
            for edit in &mut *edits {
                edit.replaced.start += offset;
                edit.replaced.end += offset;
            }
            edits.sort_by_key(|edit| edit.replaced.start);
        }
        Err(_) => edits.list.truncate(first),
    }
    outcome
}

/// A tagged buffer: stretches of the input, with what was made in between.
#[derive(Debug)]
pub struct Tagged<'a> {
    input: &'a [u8],
    made: &'a [u8],
    pieces: &'a [Piece],
}

impl<'a> Tagged<'a> {
    /// The output, piece by piece.
    pub fn slices(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.pieces.iter().map(|piece| match piece {
            Piece::Input(range) => &self.input[range.clone()],
            Piece::Made(range) => &self.made[range.clone()],
        })
    }

    /// Whether nothing was changed.
    pub fn is_unchanged(&self) -> bool {
        self.pieces.len() <= 1
    }

    /// Length of the output in bytes.
    pub fn len(&self) -> usize {
        self.slices().map(<[u8]>::len).sum()
    }

    /// Whether there is no output.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the output without putting it together first.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, out: &mut (impl Write + ?Sized)) -> io::Result<()> {
        // The system takes at most 1024 slices at once.
        const MOST: usize = 1024;
        let mut slices = self
            .slices()
            .filter(|slice| !slice.is_empty())
            .map(IoSlice::new);
        let mut batch = Vec::new();
        loop {
            batch.clear();
            batch.extend(slices.by_ref().take(MOST));
            match batch.as_slice() {
                [] => return Ok(()),
                [slice] => out.write_all(slice)?,
                _ => write_all_vectored(out, &mut batch)?,
            }
        }
    }

    /// The output, put together.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len());
        self.slices().for_each(|slice| out.extend_from_slice(slice));
        out
    }
}

fn write_all_vectored(
    out: &mut (impl Write + ?Sized),
    mut slices: &mut [IoSlice<'_>],
) -> io::Result<()> {
    while !slices.is_empty() {
        match out.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
