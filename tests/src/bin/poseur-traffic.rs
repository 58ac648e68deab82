//! Writes invented Microsoft 365 traffic, for benchmarks and demonstrations.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use poseur_tests::traffic::{Config, DEFAULT_AT, Kind, Shape, Traffic, Truths};

/// Write invented Microsoft 365 audit traffic, one line after another, to benchmark a detector with.
///
/// The records have the form of real ones; every name, address and id in them is made up. The same arguments give the
/// same bytes on every machine. When all is written, a summary on standard error says how many records match, so that
/// what a detector finds can be checked against it.
#[derive(Parser)]
#[command(name = "poseur-traffic", after_help = EXAMPLES)]
struct Arguments {
    /// What the records are about
    #[arg(short, long, value_enum, default_value_t = Kind::Teams)]
    kind: Kind,

    /// How a line dresses its records. Not every shape fits every kind
    ///
    /// The O365 and ECS shapes and envelope-o365audit are for audit records, defender and hunting for message events;
    /// the others are for both.
    /// [default: o365, or defender for message events]
    #[arg(short, long, value_enum)]
    shape: Option<Shape>,

    /// Stop after this many bytes, at the end of a line: 300MB, 10GB, 64KiB. Default 10MB
    #[arg(short, long, value_parser = bytes, conflicts_with = "records")]
    bytes: Option<u64>,

    /// Stop after this many records (a batch counts as the records it holds)
    #[arg(short = 'n', long)]
    records: Option<u64>,

    /// Where to write; standard output if not given
    #[arg(short, long)]
    output: Option<PathBuf>,

    /// The seed that everything random follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Share of records that a pre-filter must look at, 0 to 1, the matching ones included
    ///
    /// For Teams and mixed traffic these are ChatCreated records, for message events the rows of external threads.
    /// About half of the former are near misses: a detector that is only roughly right will trip over them.
    /// [default: 0.01, or 0.3 for message events]
    #[arg(long, value_name = "SHARE")]
    candidates: Option<f64>,

    /// Share of records that match, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    matches: f64,

    /// Share of records that hold \u00xx escapes, 0 to 1. Such records cannot be judged by their raw bytes
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    escapes: f64,

    /// Average size of a record in bytes, reached by padding; 0 pads nothing. Envelopes come on top
    #[arg(long, value_name = "BYTES", default_value_t = 1600)]
    size: usize,

    /// Records a line in the batch shapes
    #[arg(long, value_name = "N", default_value_t = 8)]
    batch: usize,

    /// End lines with CRLF, as exports from Azure storage do
    #[arg(long)]
    crlf: bool,

    /// Timestamps lie within the 30 days before this time. Give the same time to `poseur --at`
    /// [default: 2026-11-20T12:00:00Z]
    #[arg(long, value_name = "RFC3339")]
    at: Option<jiff::Timestamp>,
}

const EXAMPLES: &str = "\
Examples:
  Teams audit records, as the Office 365 Management API gives them:
    poseur-traffic --kind teams --bytes 300MB -o teams.ndjson
  A tenant's whole audit log, half a million records, without escapes:
    poseur-traffic --kind mixed --records 500000 --escapes 0 -o mixed.ndjson
  Defender message events in every shape they come in:
    poseur-traffic --kind message-events --shape all --bytes 1GB -o events.ndjson";

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough, such as `head`, is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("poseur-traffic: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let config = config(&arguments);
    let mut traffic = Traffic::new(config.clone()).map_err(io::Error::other)?;
    let mut sink: Box<dyn Write> = match &arguments.output {
        Some(path) => Box::new(File::create(path).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?),
        None => Box::new(io::stdout().lock()),
    };
    let records = arguments.records.unwrap_or(u64::MAX);
    let bytes = arguments.bytes.unwrap_or(if arguments.records.is_some() {
        u64::MAX
    } else {
        10_000_000
    });
    // Writes of this size are few enough, and the buffer still fits the cache.
    const FULL: usize = 256 * 1024;
    let mut buffer = Vec::with_capacity(FULL + 64 * 1024);
    let mut truths = Truths::default();
    while truths.records < records && truths.bytes < bytes {
        let before = buffer.len();
        let truth = traffic.next(&mut buffer);
        truths.add(truth, buffer.len() - before);
        if buffer.len() >= FULL {
            sink.write_all(&buffer)?;
            buffer.clear();
        }
    }
    sink.write_all(&buffer)?;
    sink.flush()?;
    summary(&config, &truths);
    Ok(())
}

fn config(arguments: &Arguments) -> Config {
    let usual = match arguments.kind {
        Kind::MessageEvents => Shape::Defender,
        _ => Shape::O365,
    };
    Config {
        seed: arguments.seed,
        candidate_rate: arguments.candidates,
        match_rate: arguments.matches,
        escape_rate: arguments.escapes,
        size: Some(arguments.size).filter(|&size| size > 0),
        batch: arguments.batch,
        crlf: arguments.crlf,
        at: arguments.at.map_or(DEFAULT_AT, jiff::Timestamp::as_second),
        ..Config::new(arguments.kind, arguments.shape.unwrap_or(usual))
    }
}

fn summary(config: &Config, truths: &Truths) {
    let what = match config.kind {
        Kind::MessageEvents => "external threads",
        _ => "chats created",
    };
    eprintln!("{:>14} bytes", truths.bytes);
    eprintln!("{:>14} lines", truths.lines);
    eprintln!(
        "{:>14} records, {} bytes on average",
        truths.records,
        truths.bytes / truths.records.max(1)
    );
    eprintln!("{:>14} candidates ({what})", truths.candidates);
    eprintln!("{:>14} with \\u00xx escapes", truths.escaped);
    eprintln!(
        "{:>14} match rule A (rogue help-desk chat created)",
        truths.matches_a
    );
    eprintln!(
        "{:>14} match rule B (suspicious external contact)",
        truths.matches_b
    );
}

/// Reads `300MB`, `64KiB` or `4096`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        other => {
            return Err(format!(
                "`{other}` is no unit of size; use kB, MB, GB, KiB, MiB or GiB"
            ));
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a size begins with a number".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "that is too large".to_owned())
}
