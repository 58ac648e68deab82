//! What can go wrong with the comparison itself. What goes wrong with a tool is a result.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The files given as input hold no record.
    #[error("the input holds no JSON object: give files with one record on each line")]
    NoRecords,
    /// The input is larger than what is to be compared on a slice of it.
    #[error("{0}")]
    Size(String),
    /// The command under test is nowhere.
    #[error(
        "no `poseur` beside this program or on PATH: build it with \
         `cargo build --release -p poseur`, or say where it is with --poseur"
    )]
    NoPoseur,
    /// Cargo could not build the command under test.
    #[error("cargo cannot build poseur: see above, or say with --poseur which one to compare")]
    Build,
    /// A tool asked for by name is not installed.
    #[error("{0} is not on PATH: install it, or leave it out of --tools")]
    NoTool(String),
    /// A tool asked for by name is not known.
    #[error("{0} is no tool this command knows: use --also NAME=COMMAND")]
    UnknownTool(String),
    /// A tool asked for by name has no way to say the rule.
    #[error("{0} has no way to say the rule of this traffic: leave it out of --tools")]
    UnableTool(String),
    /// The process that runs and measures a tool failed.
    #[error("cannot measure: {0}")]
    Measure(String),
}

impl Error {
    /// An error of the system about a file.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::File {
            path: path.to_owned(),
            source,
        }
    }
}
