//! `poseur hunt`: only the matches.

mod table;
mod tally;
mod write;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use poseur_matcher::Matcher;
use poseur_tagger::finding::Finding;
use poseur_tagger::frames::Content;
use poseur_tagger::{Counts, Lines};

use crate::args::{self, HuntFormat};
use crate::error::Error;
use crate::input::{self, Job};
use crate::load::{self, Clock};
use crate::output::Output;
use crate::pipeline::{self, LARGE, Turn, Worker};
use crate::run::{self, Run};
use crate::terminal::{self, Messages, Paint};

use table::{Row, Table};
use tally::Tally;
use write::Csv;

/// Runs the command.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &args::Hunt) -> Result<(), Error> {
    let rules = load::ready(&args.sources)?;
    let matcher = rules.matcher.clone();
    let output = Output::open(None, &args.input.files)?;
    let on_terminal = io::stdout().is_terminal();
    let format = args.format.unwrap_or(match on_terminal {
        true => HuntFormat::Table,
        false => HuntFormat::Json,
    });
    let run = Run::new(&args.input, true);
    let prompt = input::total_size(&args.input.files).is_none();
    let table = Table::new(Paint::stdout(), terminal::columns(), prompt);
    let mut sink = Sink {
        output,
        table,
        messages: run.messages.clone(),
    };
    let feed = run.feed();
    let names = feed.names();
    let worker = || HuntWorker {
        lines: hunting(&matcher, args.input.check_all),
        matcher: matcher.clone(),
        names: names.clone(),
        clock: Clock::new(&args.sources),
        format,
        suppressed: args.suppressed,
        check_all: args.input.check_all,
        before: Counts::default(),
        tally: Tally::default(),
    };
    let mut workers: Vec<_> = (0..run.threads()).map(|_| worker()).collect();
    let outcome = sink
        .begin(format)
        .and_then(|()| pipeline::run(feed, &mut workers, &mut sink))
        .and_then(|()| sink.write(|table, out| table.finish(out)));
    let mut counts = Counts::default();
    let mut tally = Tally::default();
    for worker in workers {
        counts += worker.counts();
        tally += worker.tally;
    }
    let outcome = outcome.and_then(|()| match args.input.quiet {
        true => Ok(()),
        false => sink.tally(&tally, &matcher, on_terminal),
    });
    if let Err(error) = outcome {
        run.messages.finish();
        return Err(sink.output.error(error));
    }
    run.finish(&counts, &[], &rules)
}

fn hunting(matcher: &Arc<Matcher>, check_all: bool) -> Lines {
    run::lines(matcher, check_all).with_summary()
}

/// Where findings go.
struct Sink {
    output: Output,
    table: Table,
    messages: Messages,
}

impl Sink {
    fn begin(&mut self, format: HuntFormat) -> io::Result<()> {
        if format != HuntFormat::Csv {
            return Ok(());
        }
        let mut csv = Csv::new();
        csv.header()?;
        self.output.write_all(&csv.finish()?)
    }

    /// Writes with the progress bar out of the way: both may be on one terminal.
    fn write(
        &mut self,
        write: impl FnOnce(&mut Table, &mut Output) -> io::Result<()>,
    ) -> io::Result<()> {
        let Sink {
            output,
            table,
            messages,
        } = self;
        messages.beside(|| write(table, output))
    }

    /// The summary belongs to the table on a terminal, and on standard error elsewhere.
    fn tally(&mut self, tally: &Tally, matcher: &Matcher, on_terminal: bool) -> io::Result<()> {
        self.messages.finish();
        if on_terminal {
            let text = tally.text(matcher, Paint::stdout());
            let gap = if text.is_empty() { "" } else { "\n" };
            return self
                .output
                .write_all(format!("{gap}{text}{gap}").as_bytes());
        }
        let _ = io::stderr().write_all(tally.text(matcher, Paint::stderr()).as_bytes());
        Ok(())
    }
}

/// Finds matches in frames.
struct HuntWorker {
    matcher: Arc<Matcher>,
    lines: Lines,
    names: Arc<[String]>,
    clock: Clock,
    format: HuntFormat,
    suppressed: bool,
    check_all: bool,
    before: Counts,
    tally: Tally,
}

impl HuntWorker {
    fn counts(&self) -> Counts {
        let mut counts = self.before;
        counts += self.lines.counts;
        counts
    }
}

impl Worker for HuntWorker {
    type Sink = Sink;

    fn work(&mut self, job: &Job, turn: &mut Turn<'_, Sink>) -> io::Result<()> {
        let bytes = job.frame.bytes();
        if job.frame.content() != Content::Lines {
            job.frame.count_unread(&mut self.before);
            return turn.take(|_| Ok(()));
        }
        let file = &self.names[job.input];
        let (mut at, mut line) = (0, job.line);
        let (mut rows, mut text, mut csv) = (Vec::new(), Vec::new(), Csv::new());
        let mut outcome = Ok(());
        let HuntWorker {
            matcher,
            lines,
            tally,
            suppressed,
            format,
            clock,
            ..
        } = self;
        lines.read(bytes, clock.now(), &mut |hit| {
            line += memchr::memchr_iter(b'\n', &bytes[at..hit.line.start]).count() as u64;
            at = hit.line.start;
            for finding in Finding::all(matcher, hit.verdict, *suppressed) {
                if finding.exception().is_none() {
                    tally.count(&finding);
                }
                match format {
                    HuntFormat::Table => rows.push(Row::new(&finding)),
                    HuntFormat::Json => write::json(&finding, file, line, &mut text),
                    HuntFormat::Csv => {
                        if let Err(error) = csv.finding(&finding, file, line) {
                            outcome = Err(error);
                        }
                    }
                }
            }
            Ok(())
        });
        outcome?;
        if *format == HuntFormat::Csv {
            text = csv.finish()?;
        }
        turn.take(|sink| {
            if rows.is_empty() && text.is_empty() && !sink.table.is_due() {
                return Ok(());
            }
            sink.write(|table, out| {
                out.write_all(&text)?;
                table.rows(rows, out)
            })
        })?;
        if bytes.len() > LARGE {
            self.before = self.counts();
            self.lines = hunting(&self.matcher, self.check_all);
        }
        Ok(())
    }
}
