//! `poseur tag`: the input out again, byte for byte, with tags in the records that matched.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_tagger::frames::Content;
use poseur_tagger::{Counts, TagOptions, Tagger};

use crate::args::{self, ProgramOn};
use crate::error::Error;
use crate::input::Job;
use crate::load::{self, Clock};
use crate::output::Output;
use crate::pipeline::{self, LARGE, Turn, Worker};
use crate::program::Program;
use crate::rsyslog;
use crate::run::{self, Run};

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Tag) -> Result<(), Error> {
    let program = args.vrl.as_deref().map(Program::load).transpose()?;
    let rules = load::ready(&args.sources)?;
    let matcher = rules.matcher.clone();
    let mut output = Output::open(args.output.as_deref(), &args.input.files)?;
    // Records on a terminal leave no room for a progress bar.
    let progress = args.output.is_some() || !io::stdout().is_terminal();
    let run = Run::new(&args.input, progress);
    let options = TagOptions::from(&args.look);
    let program = program.map(|program| program.telling(run.messages.clone()));
    let making = Making {
        matcher,
        options,
        check_all: args.input.check_all,
        program: program.clone(),
        program_on: args.vrl_on,
        rsyslog: args.rsyslog,
    };
    let clock = Clock::new(&args.sources);
    let worker = || TagWorker::new(making.clone(), clock);
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
    let figures = program.map(|program| program.figures());
    run.finish(&counts, &figures.unwrap_or_default(), &rules)
}

/// What taggers are made of.
#[derive(Debug, Clone)]
pub struct Making {
    /// Rules and exceptions.
    pub matcher: Arc<Matcher>,
    /// How tags look.
    pub options: TagOptions,
    /// Every record is checked whole.
    pub check_all: bool,
    /// What records go through.
    pub program: Option<Program>,
    /// Which of them do.
    pub program_on: ProgramOn,
    /// What is written are replies to rsyslog.
    pub rsyslog: bool,
}

impl Making {
    fn tagger(&self) -> Tagger {
        let mut lines = run::lines(&self.matcher, self.check_all);
        if self.program.is_some() && self.program_on == ProgramOn::All {
            lines = lines.with_unmatched();
        }
        let tagger = Tagger::with_lines(lines, self.options.clone());
        match &self.program {
            Some(program) => tagger.with_rewrite(Box::new(program.clone())),
            None => tagger,
        }
    }
}

/// Tags frames and writes them out.
pub struct TagWorker {
    making: Making,
    clock: Clock,
    tagger: Tagger,
    /// What was seen by earlier taggers, or by none.
    before: Counts,
}

impl TagWorker {
    /// A worker with a tagger.
    pub fn new(making: Making, clock: Clock) -> TagWorker {
        TagWorker {
            tagger: making.tagger(),
            making,
            clock,
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

impl Worker for TagWorker {
    type Sink = Output;

    fn work(&mut self, job: &Job, turn: &mut Turn<'_, Output>) -> io::Result<()> {
        let bytes = job.frame.bytes();
        let now = self.clock.now();
        let is_lines = job.frame.content() == Content::Lines;
        if !is_lines {
            job.frame.count_unread(&mut self.before);
        }
        if self.making.rsyslog {
            let replies = rsyslog::replies(&job.frame, &mut self.tagger, now);
            turn.take(|out| out.write_all(&replies))?;
        } else if is_lines {
            let tagged = self.tagger.tag(bytes, now);
            turn.take(|out| tagged.write_to(out))?;
        } else {
            turn.take(|out| out.write_all(bytes))?;
        }
        if is_lines && bytes.len() > LARGE {
            self.before = self.counts();
            self.tagger = self.making.tagger();
        }
        Ok(())
    }
}
