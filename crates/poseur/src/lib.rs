//! The `poseur` command: arguments, files and terminals around the tagger.
//!
//! [`main`] is the whole of it; the modules are public for tests.

pub mod args;
pub mod compressed;
pub mod error;
pub mod input;
pub mod load;
pub mod output;
pub mod pipeline;
pub mod run;
pub mod summary;
pub mod tag;
pub mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Arguments, Command};
use crate::error::Error;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
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
        _ => todo!(),
    }
}
