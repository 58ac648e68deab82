//! `poseur tag`: the input out again, byte for byte, with tags in the records that matched.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_tagger::frames::Content;
use poseur_tagger::{Counts, TagOptions, Tagger};

use crate::args;
use crate::error::Error;
use crate::input::Job;
use crate::load::{self, Clock};
use crate::output::Output;
use crate::pipeline::{self, LARGE, Turn, Worker};
use crate::run::{self, Run};

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Tag) -> Result<(), Error> {
    let rules = load::ready(&args.sources)?;
    let matcher = rules.matcher.clone();
    let mut output = Output::open(args.output.as_deref(), &args.input.files)?;
    // Records on a terminal leave no room for a progress bar.
    let progress = args.output.is_some() || !io::stdout().is_terminal();
    let run = Run::new(&args.input, progress);
    let options = TagOptions {
        style: args.style.into(),
        key: args.key.clone(),
    };
    let clock = Clock::new(&args.sources);
    let worker = || {
        TagWorker::new(
            matcher.clone(),
            options.clone(),
            clock,
            args.input.check_all,
        )
    };
    let mut workers: Vec<_> = (0..run.threads()).map(|_| worker()).collect();
    let outcome = pipeline::run(run.feed(), &mut workers, &mut output);
    if let Err(error) = outcome {
        run.messages.finish();
        return Err(output.error(error));
    }
    let mut counts = Counts::default();
    for worker in &workers {
        counts += worker.counts();
    }
    run.finish(&counts, &rules)
}

/// Tags frames and writes them out.
pub struct TagWorker {
    matcher: Arc<Matcher>,
    options: TagOptions,
    clock: Clock,
    check_all: bool,
    tagger: Tagger,
    /// What was seen by earlier taggers, or by none.
    before: Counts,
}

impl TagWorker {
    /// A worker that tags with a matcher.
    pub fn new(
        matcher: Arc<Matcher>,
        options: TagOptions,
        clock: Clock,
        check_all: bool,
    ) -> TagWorker {
        let tagger = tagger(&matcher, &options, check_all);
        TagWorker {
            matcher,
            options,
            clock,
            check_all,
            tagger,
            before: Counts::default(),
        }
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        let mut counts = self.before;
        counts += *self.tagger.counts();
        counts
    }
}

fn tagger(matcher: &Arc<Matcher>, options: &TagOptions, check_all: bool) -> Tagger {
    Tagger::with_lines(run::lines(matcher, check_all), options.clone())
}

impl Worker for TagWorker {
    type Sink = Output;

    fn work(&mut self, job: &Job, turn: &mut Turn<'_, Output>) -> io::Result<()> {
        let bytes = job.frame.bytes();
        if job.frame.content() != Content::Lines {
            job.frame.count_unread(&mut self.before);
            return turn.take(|out| out.write_all(bytes));
        }
        let tagged = self.tagger.tag(bytes, self.clock.now());
        turn.take(|out| tagged.write_to(out))?;
        if bytes.len() > LARGE {
            self.before = self.counts();
            self.tagger = tagger(&self.matcher, &self.options, self.check_all);
        }
        Ok(())
    }
}
