//! Where results go: standard output or a file, written to without a buffer in between.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::input;

/// An output and its name.
#[derive(Debug)]
pub struct Output {
    file: File,
    /// For messages.
    pub name: String,
}

impl Output {
    /// Opens a file, or standard output. Nothing is opened, and so nothing overwritten, if the
    /// output is one of the inputs.
    ///
    /// # Errors
    /// If the output is an input too, or cannot be created.
    pub fn open(path: Option<&Path>, inputs: &[PathBuf]) -> Result<Output, Error> {
        let (name, about) = match path {
            Some(path) => (path.display().to_string(), fs::metadata(path).ok()),
            None => {
                let file = standard_output().map_err(|error| Error::output(STANDARD, error))?;
                let about = file.metadata().ok();
                refuse_input(STANDARD, about.as_ref(), inputs)?;
                return Ok(Output {
                    file,
                    name: STANDARD.to_owned(),
                });
            }
        };
        refuse_input(&name, about.as_ref(), inputs)?;
        match path.map(File::create) {
            Some(Ok(file)) => Ok(Output { file, name }),
            Some(Err(error)) => Err(Error::Output { name, error }),
            None => Err(Error::Output {
                name,
                error: io::ErrorKind::NotFound.into(),
            }),
        }
    }

    /// An error of writing to this output.
    pub fn error(&self, error: io::Error) -> Error {
        Error::output(&self.name, error)
    }
}

const STANDARD: &str = "standard output";

fn refuse_input(name: &str, about: Option<&Metadata>, inputs: &[PathBuf]) -> Result<(), Error> {
    match about.and_then(|about| input::same_file(inputs, about)) {
        Some(_) => Err(Error::OutputIsInput {
            name: name.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Standard output without the line buffer that Rust puts before it.
fn standard_output() -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
    }
    #[cfg(windows)]
    {
        use std::os::windows::io::AsHandle;
        Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
    }
}

/// Prints something short on standard output.
///
/// # Errors
/// If it cannot be written.
pub fn print(text: &[u8]) -> Result<(), Error> {
    let mut file = standard_output().map_err(|error| Error::output(STANDARD, error))?;
    file.write_all(text)
        .map_err(|error| Error::output(STANDARD, error))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.file.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
