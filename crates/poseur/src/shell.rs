//! Completion scripts and manual pages, made of the definitions of the arguments.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Arguments;
use crate::error::Error;
use crate::output;

/// Prints a completion script.
///
/// # Errors
/// If standard output cannot be written.
pub fn completions(shell: Shell) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "poseur", &mut script);
    output::print(&script)
}

/// Prints the manual pages, or writes one file for each command into a folder.
///
/// # Errors
/// If the output cannot be written.
pub fn man(folder: Option<&Path>) -> Result<(), Error> {
    let pages = pages().map_err(|error| Error::output("the manual", error))?;
    let Some(folder) = folder else {
        let all: Vec<u8> = pages.into_iter().flat_map(|(_, page)| page).collect();
        return output::print(&all);
    };
    let wrong = |path: &Path, error| Error::output(path.display().to_string(), error);
    fs::create_dir_all(folder).map_err(|error| wrong(folder, error))?;
    for (name, page) in pages {
        let path = folder.join(name);
        fs::write(&path, page).map_err(|error| wrong(&path, error))?;
    }
    Ok(())
}

/// All pages by file name, that of `poseur` first.
///
/// # Errors
/// None that anybody has seen: the pages are written to memory.
pub fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    page(&command, &mut pages)?;
    Ok(pages)
}

fn page(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let page = Man::new(command.clone())
        .source(concat!("poseur ", env!("CARGO_PKG_VERSION")))
        .manual("Poseur");
    let mut text = Vec::new();
    page.render(&mut text)?;
    pages.push((page.get_filename(), text));
    command
        .get_subcommands()
        .try_for_each(|below| self::page(below, pages))
}
