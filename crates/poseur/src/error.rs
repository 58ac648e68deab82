//! What can go wrong, and the exit code it means.

use std::io;

use poseur_rule::error::LoadError;
use poseur_vrl::export::ExportError;

/// Everything was done.
pub const DONE: u8 = 0;
/// Something failed while running: an input, the output.
pub const FAILED: u8 = 1;
/// Two rules are compared and differ, as `diff` has it.
pub const DIFFERENT: u8 = 1;
/// The arguments are wrong. The code that clap uses.
pub const MISUSED: u8 = 2;
/// Rules, exceptions, schemas or a program are bad. The code that Vector uses.
pub const REFUSED: u8 = 78;

/// Why a command did not do all of its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Rules, exceptions or schemas were refused. Nothing was read or written.
    #[error("{} error(s) in rules, exceptions or schemas", .0.len())]
    Refused(Vec<LoadError>),
    /// Something cannot be exported exactly. Nothing was written.
    #[error("{} error(s) in what is exported", .0.len())]
    Export(Vec<ExportError>),
    /// The same, told in a report already.
    #[error("{0} error(s): see the report")]
    Check(usize),
    /// The output cannot be written.
    #[error("{name}: cannot be written: {error}")]
    Output {
        /// The file, or `standard output`.
        name: String,
        /// What the system says.
        error: io::Error,
    },
    /// Writing would destroy an input.
    #[error("{name}: is an input too: write to another file")]
    OutputIsInput {
        /// The file.
        name: String,
    },
    /// A configuration, or what it names, is wrong. Nothing was started.
    #[error("{} error(s) in the configuration", .0.len())]
    Config(Vec<String>),
    /// Records were taken that nobody has accepted: told already.
    #[error("some records were not delivered")]
    Undelivered,
    /// The system does not give what is needed to run.
    #[error("cannot be started: {0}")]
    Runtime(io::Error),
    /// A program cannot be used: why.
    #[error("{0}")]
    Program(String),
    /// No loaded rule has the id, or several have.
    #[error("{0}")]
    Rule(String),
    /// The same where the exit code 1 has another meaning.
    #[error("{0}")]
    Misused(String),
    /// Two rules differ: told already.
    #[error("the rules have different conditions")]
    Different,
    /// The reader of the output went away, as `head` does. That is no failure.
    #[error("the reader of the output went away")]
    ClosedPipe,
    /// What failed has been told already, as it happened.
    #[error("some inputs could not be read to their end")]
    Inputs,
}

impl Error {
    /// An error of writing to `name`.
    pub fn output(name: impl Into<String>, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Error::ClosedPipe,
            _ => Error::Output {
                name: name.into(),
                error,
            },
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Refused(_)
            | Error::Export(_)
            | Error::Check(_)
            | Error::Config(_)
            | Error::Program(_) => REFUSED,
            Error::ClosedPipe => DONE,
            Error::Different => DIFFERENT,
            Error::Misused(_) => MISUSED,
            _ => FAILED,
        }
    }

    /// The lines to print; none if there is nothing left to tell.
    pub fn messages(&self) -> Vec<String> {
        match self {
            Error::Refused(errors) => errors.iter().map(ToString::to_string).collect(),
            Error::Export(errors) => errors.iter().map(ToString::to_string).collect(),
            Error::Config(errors) => errors.clone(),
            Error::ClosedPipe | Error::Inputs | Error::Different => Vec::new(),
            other => vec![other.to_string()],
        }
    }
}
