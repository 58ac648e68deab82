//! Compares `poseur tag` with other programs that are installed.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use poseur_compare::comparison::{self, Settings};
use poseur_compare::input::Source;
use poseur_compare::process::{self, Job};
use poseur_compare::{Error, machine, picture, table, tools};

/// Compare `poseur tag` with other programs: the same input, the same answers, whole processes from file to file.
///
/// Makes the input, has each program that is installed do the job once and checks its answer, then times those that
/// answered right, in turns. The table goes to standard output.
#[derive(Parser)]
#[command(name = "poseur-compare", args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    hidden: Option<Hidden>,

    /// Compare on these raw Office 365 records, one a line, instead of generated ones; repeated up to --megabytes
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,

    /// What the generated records are about, and so which rule the other programs are asked for
    #[arg(long, value_enum, default_value_t = Traffic::Teams, conflicts_with = "input")]
    traffic: Traffic,

    /// How much input
    #[arg(long, value_name = "MB", default_value_t = 300)]
    megabytes: u64,

    /// How much of it slow programs get, at least [default: a fifth]
    #[arg(long, value_name = "MB")]
    slice: Option<u64>,

    /// How often each program is timed
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,

    /// A program that needs longer than this for all of the input gets the slice
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    patience: f64,

    /// 20 MB and one round: is all well?
    #[arg(long)]
    quick: bool,

    /// Only these programs beside poseur, each of which must be there
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    tools: Option<Vec<String>>,

    /// One more program: a line for sh that reads $INPUT, and writes $OUTPUT with the key `poseur` in matching records
    #[arg(long, value_name = "NAME=COMMAND", value_parser = named)]
    also: Vec<(String, String)>,

    /// The command `poseur` [default: built by cargo, or beside this program, or on PATH]
    #[arg(long, value_name = "PROGRAM")]
    poseur: Option<PathBuf>,

    /// Where input and outputs are put and deleted again [default: /dev/shm if it has room, or the temporary folder]
    ///
    /// A run that is interrupted leaves its folder, poseur-compare-*, there.
    #[arg(long, value_name = "FOLDER")]
    place: Option<PathBuf>,

    /// Write comparison.md, comparison.svg and comparison.json into this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  All programs that are installed, on 300 MB of generated records:
    cargo run --release -p poseur-compare
  Some of them, with your own pipeline beside them:
    cargo run --release -p poseur-compare -- --tools cat,jq --also 'mine=./pipeline <\"$INPUT\" >\"$OUTPUT\"'
  Records of which nearly a third must be looked at:
    cargo run --release -p poseur-compare -- --traffic message-events
  Your own records, and the results as files:
    cargo run --release -p poseur-compare -- --input audit.ndjson --out results";

#[derive(Clone, Copy, ValueEnum)]
enum Traffic {
    /// Teams audit records: Elastic's rogue help-desk chat
    Teams,
    /// Defender MessageEvents: Microsoft's suspicious external user
    MessageEvents,
}

#[derive(Subcommand)]
enum Hidden {
    /// Runs a program and prints what it took, as JSON.
    #[command(hide = true)]
    Measure(Measure),
}

#[derive(Args)]
struct Measure {
    #[arg(long)]
    stdin: Option<PathBuf>,
    #[arg(long)]
    stdout: Option<PathBuf>,
    #[arg(long)]
    stderr: PathBuf,
    #[arg(long)]
    endless: Option<PathBuf>,
    program: PathBuf,
    #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    if let Some(Hidden::Measure(one)) = arguments.hidden.take() {
        return measure(one);
    }
    match compare(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("poseur-compare: not all programs answered right; the table says which");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("poseur-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(one: Measure) -> ExitCode {
    let job = Job {
        arguments: one.arguments,
        stdin: one.stdin,
        stdout: one.stdout,
        endless: one.endless,
    };
    match serde_json::to_string(&process::measure(&one.program, &job, &one.stderr)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Compares; whether all programs answered right.
fn compare(arguments: Arguments) -> Result<bool, Error> {
    let poseur = match &arguments.poseur {
        Some(program) => program.clone(),
        None => {
            build()?;
            tools::find_poseur()?
        }
    };
    let source = match (arguments.input.is_empty(), arguments.traffic) {
        (false, _) => Source::Files(arguments.input),
        (true, Traffic::Teams) => Source::Teams,
        (true, Traffic::MessageEvents) => Source::MessageEvents,
    };
    let known = tools::find(source.rule(), arguments.tools.as_deref())?;
    let (copying, others): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|tool| tool.name == "cat");
    let mut tools = copying;
    tools.extend([tools::poseur(&poseur, 1), tools::poseur(&poseur, 2)]);
    tools.extend(others);
    let also = arguments.also.iter();
    tools.extend(also.map(|(name, command)| tools::custom(name, command)));

    let bytes = 1_000_000
        * if arguments.quick {
            20
        } else {
            arguments.megabytes
        };
    let slice = match arguments.slice {
        Some(slice) => slice * 1_000_000,
        // Who answers right must have found more than a few records.
        None if arguments.quick => bytes,
        None => bytes / 5,
    };
    let settings = Settings {
        source,
        bytes,
        slice: slice.min(bytes),
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        patience: arguments.patience,
        place: arguments.place.unwrap_or_else(|| place(bytes)),
        measurer: env::current_exe().map_err(|error| Error::Measure(error.to_string()))?,
    };
    if cfg!(debug_assertions) {
        eprintln!("poseur-compare: this is a debug build; its figures mean nothing");
    }
    let results = comparison::run(&settings, &tools, &mut |text| eprintln!("{text}"))?;
    let markdown = table::markdown(&results);
    print!("{markdown}");
    if let Some(folder) = &arguments.out {
        let json = serde_json::to_string_pretty(&results)
            .map_err(|error| Error::Measure(error.to_string()))?;
        fs::create_dir_all(folder).map_err(Error::file(folder))?;
        write(folder, "comparison.md", &markdown)?;
        write(folder, "comparison.svg", &picture::svg(&results))?;
        write(folder, "comparison.json", &(json + "\n"))?;
    }
    Ok(results.all_agree())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(Error::file(&path))
}

/// Builds `poseur` beside this program if cargo runs it, so that what is compared is what the sources say.
fn build() -> Result<(), Error> {
    let Some(cargo) = env::var_os("CARGO") else {
        return Ok(());
    };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "poseur", "--bin", "poseur"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    // What went wrong, cargo has said.
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Error::Build),
    }
}

/// A folder in memory with room for the input, its slice and an output that may be larger; else the temporary folder.
fn place(bytes: u64) -> PathBuf {
    let memory = Path::new("/dev/shm");
    if machine::is_in_memory(memory) && machine::room(memory) > 4 * bytes {
        memory.to_owned()
    } else {
        env::temp_dir()
    }
}

fn named(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, command)) if !name.is_empty() => Ok((name.to_owned(), command.to_owned())),
        _ => Err("write NAME=COMMAND".to_owned()),
    }
}
