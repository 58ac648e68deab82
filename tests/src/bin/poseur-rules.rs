//! Writes made-up kuery rules as Elastic publishes them, one a file, for benchmarks.

use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use clap::Parser;
use poseur_tests::rules::{Options, generate};

/// Write made-up kuery rules of the shape that the public ones have, each in a TOML file of its own.
///
/// The same arguments give the same files on every machine.
#[derive(Parser)]
#[command(name = "poseur-rules")]
struct Arguments {
    /// How many rules
    #[arg(short, long, default_value_t = 500)]
    count: usize,

    /// The seed that everything random follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Share of rules for Office 365 audit records, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    o365: f64,

    /// Share of those about operations that `poseur-traffic --kind teams` writes
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    met: f64,

    /// Share of those for which every record must be looked at
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    unwitnessed: f64,

    /// The folder to write to; made if it is not there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("poseur-rules: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let options = Options {
        count: arguments.count,
        seed: arguments.seed,
        o365: arguments.o365,
        met: arguments.met,
        unwitnessed: arguments.unwitnessed,
    };
    fs::create_dir_all(&arguments.output)?;
    for (number, rule) in generate(&options).iter().enumerate() {
        let file = arguments.output.join(format!("rule-{number:04}.toml"));
        fs::write(file, rule.toml())?;
    }
    Ok(())
}
