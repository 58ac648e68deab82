//! The `poseur` command: arguments, files and terminals around the tagger.
//!
//! [`main`] is the whole of it; the modules are public for tests.

pub mod args;
pub mod check;
pub mod compressed;
pub mod diff;
pub mod error;
pub mod explain;
pub mod export;
#[cfg(feature = "serve")]
mod files;
pub mod hunt;
pub mod input;
pub mod json;
pub mod load;
mod memory;
pub mod output;
pub mod pipeline;
pub mod program;
pub mod rsyslog;
pub mod rules;
pub mod run;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shell;
pub mod summary;
pub mod tag;
pub mod terminal;
pub mod words;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::error::Error;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    memory::prepare();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::from(error::DONE),
        Err(error) => {
            error
                .messages()
                .iter()
                .for_each(|message| terminal::say(message));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Error> {
    match arguments.command {
        Command::Tag(args) => tag::run(&args),
        Command::Hunt(args) => hunt::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Rules { command } => rules::run(&command),
        Command::Export { command } => export::run(&command),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { out } => shell::man(out.as_deref()),
    }
}
