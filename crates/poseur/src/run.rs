//! What `tag` and `hunt` have in common: inputs through workers, then a summary.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use poseur_matcher::Matcher;
use poseur_tagger::{Counts, Lines};

use crate::args::Input;
use crate::error::Error;
use crate::input::{self, Feed};
use crate::load::Ready;
use crate::pipeline;
use crate::summary::summary;
use crate::terminal::{Messages, Paint};

/// One run over inputs.
pub struct Run<'a> {
    input: &'a Input,
    /// Where failures are told.
    pub messages: Messages,
    started: Instant,
}

impl<'a> Run<'a> {
    /// Begins a run. If `progress` may be shown, there is a bar where somebody can see it and an end
    /// is in sight.
    pub fn new(input: &'a Input, progress: bool) -> Run<'a> {
        let messages = match input::total_size(&input.files) {
            Some(bytes) if progress && !input.quiet => Messages::with_progress(bytes),
            _ => Messages::new(),
        };
        Run {
            input,
            messages,
            started: Instant::now(),
        }
    }

    /// How many workers there are to be.
    pub fn threads(&self) -> usize {
        match self.input.threads {
            0 => thread::available_parallelism().map_or(1, usize::from),
            // More threads than this only wait for each other.
            wanted => wanted.min(256),
        }
    }

    /// The inputs.
    pub fn feed(&self) -> Feed {
        let feed = Feed::new(
            &self.input.files,
            self.input.max_line,
            self.messages.clone(),
        );
        feed.with_frame_size(pipeline::frame_size(self.threads()))
    }

    /// Removes the progress bar and prints the summary, with some more figures; an error if an input could not be
    /// read.
    ///
    /// # Errors
    /// [`Error::Inputs`].
    pub fn finish(
        &self,
        counts: &Counts,
        more: &[(&str, u64)],
        rules: &Ready,
    ) -> Result<(), Error> {
        self.messages.finish();
        if !self.input.quiet {
            let took = io::stderr().is_terminal().then(|| self.started.elapsed());
            let text = summary(counts, more, rules, took, Paint::stderr());
            let _ = io::stderr().write_all(text.as_bytes());
        }
        match self.messages.any_failed() {
            true => Err(Error::Inputs),
            false => Ok(()),
        }
    }
}

/// Reads records for a matcher as the arguments say.
pub fn lines(matcher: &Arc<Matcher>, check_all: bool) -> Lines {
    let lines = Lines::new(matcher.clone());
    if check_all { lines.check_all() } else { lines }
}
