//! An operator's program that records go through after they were tagged: `tag --vrl`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use poseur_tagger::Rewrite;

use crate::error::Error;
use crate::terminal::Messages;

#[cfg(feature = "vrl")]
use poseur_vrl::program as vrl;

/// What there is without the feature: no program.
#[cfg(not(feature = "vrl"))]
mod vrl {
    use std::fmt;

    #[derive(Debug, Clone)]
    pub enum Program {}

    /// Of the program that there is not.
    #[derive(Debug)]
    #[allow(dead_code)]
    pub enum Failure {
        Failed,
        Aborted(String),
    }

    impl fmt::Display for Failure {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Ok(())
        }
    }

    impl Program {
        pub fn run(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Failure> {
            match *self {}
        }
    }
}

/// A compiled program, and what came of it. Clones share the figures.
#[derive(Debug, Clone)]
pub struct Program {
    program: vrl::Program,
    figures: Arc<Figures>,
    messages: Option<Messages>,
}

#[derive(Debug, Default)]
struct Figures {
    ran: AtomicU64,
    failed: AtomicU64,
    aborted: AtomicU64,
    told: AtomicBool,
}

impl Program {
    /// Reads and compiles a program. What VRL has to say about it is printed.
    ///
    /// # Errors
    /// If it cannot be read or does not compile; always, if the command was built without VRL.
    #[cfg(feature = "vrl")]
    pub fn load(path: &Path) -> Result<Program, Error> {
        let name = path.display().to_string();
        let unreadable = |reason: String| Error::Program(format!("{name}: {reason}"));
        let bytes =
            std::fs::read(path).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
        let source = String::from_utf8(bytes)
            .map_err(|_| unreadable("the file is not UTF-8: save it as UTF-8".to_owned()))?;
        match vrl::Program::compile(&source) {
            Ok(compiled) => {
                if !compiled.warnings.is_empty() {
                    crate::terminal::show(&compiled.warnings);
                }
                Ok(Program {
                    program: compiled.program,
                    figures: Arc::default(),
                    messages: None,
                })
            }
            Err(wrong) => {
                crate::terminal::show(&wrong.to_string());
                let errors = match wrong.errors {
                    1 => "an error".to_owned(),
                    errors => format!("{errors} errors"),
                };
                Err(unreadable(format!("the program has {errors}, see above")))
            }
        }
    }

    /// Says how to build a command that has VRL.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "vrl"))]
    pub fn load(_: &Path) -> Result<Program, Error> {
        Err(Error::Misused(
            "this poseur was built without VRL: for --vrl, build it with \
             `cargo build --release -p poseur --features vrl`"
                .to_owned(),
        ))
    }

    /// Tells the first failure as it happens.
    pub fn telling(mut self, messages: Messages) -> Program {
        self.messages = Some(messages);
        self
    }

    /// Figures for the summary.
    pub fn figures(&self) -> Vec<(&'static str, u64)> {
        let Figures {
            ran,
            failed,
            aborted,
            ..
        } = &*self.figures;
        let figure = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        let mut rows = vec![("program", figure(ran))];
        rows.extend([("  failed", figure(failed)), ("  aborted", figure(aborted))]);
        rows.retain(|(name, figure)| *name == "program" || *figure > 0);
        rows
    }
}

impl Rewrite for Program {
    fn rewrite(&mut self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let figures = &self.figures;
        figures.ran.fetch_add(1, Ordering::Relaxed);
        match self.program.run(record, out) {
            Ok(()) => return true,
            Err(vrl::Failure::Aborted(_)) => {
                figures.aborted.fetch_add(1, Ordering::Relaxed);
            }
            Err(failure) => {
                figures.failed.fetch_add(1, Ordering::Relaxed);
                if let Some(messages) = &self.messages
                    && !figures.told.swap(true, Ordering::Relaxed)
                {
                    messages.say(&format!(
                        "warning: the program failed, and the record stays as it was (told once): {failure}"
                    ));
                }
            }
        }
        false
    }
}
