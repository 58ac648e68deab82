//! Rules and exceptions from where the arguments say, ready to run; what is wrong is told.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::LoadError;
use poseur_setup::load;

use crate::args::Sources;
use crate::error::Error;
use crate::terminal;

impl From<&Sources> for poseur_setup::Sources {
    fn from(sources: &Sources) -> Self {
        let sources = sources.clone();
        poseur_setup::Sources {
            rules: sources.rules,
            with_built_in: sources.with_built_in,
            strict: sources.strict,
            types: sources.types,
            mapping: sources.mapping,
            exceptions: sources.exceptions,
            schema: sources.schema,
            schema_file: sources.schema_file,
        }
    }
}

/// What a run works with.
#[derive(Debug)]
pub struct Ready {
    /// The compiled rules and exceptions.
    pub matcher: Arc<Matcher>,
    /// How many files in folders of rules were refused, wholly or in part.
    pub refused: usize,
}

/// The moment that decides about time windows and expiry.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// Always the same.
    Fixed(Timestamp),
    /// The system's.
    System,
}

impl Clock {
    /// The clock that the arguments ask for.
    pub fn new(sources: &Sources) -> Clock {
        sources.at.map_or(Clock::System, Clock::Fixed)
    }

    /// The time.
    pub fn now(self) -> Timestamp {
        match self {
            Clock::Fixed(at) => at,
            Clock::System => Timestamp::now(),
        }
    }
}

/// Loads and compiles, and warns on standard error.
///
/// # Errors
/// [`Error::Refused`] with everything that must not be wrong.
pub fn ready(sources: &Sources) -> Result<Ready, Error> {
    let mut loaded = load(&sources.into());
    let warnings = loaded.warnings(Clock::new(sources).now());
    let matcher = loaded.compile(&sources.schema);
    let (fatal, others) = loaded.by_gravity();
    if let Some(warning) = refusals(&others) {
        terminal::say(&warning);
    }
    match matcher {
        Some(matcher) if fatal.is_empty() => {
            warnings
                .iter()
                .for_each(|warning| terminal::say(&format!("warning: {warning}")));
            Ok(Ready {
                matcher: Arc::new(matcher),
                refused: files(&others),
            })
        }
        _ => Err(Error::Refused(fatal)),
    }
}

/// One line about files in folders that were refused: how many, some of them, and how to see all.
fn refusals(errors: &[LoadError]) -> Option<String> {
    /// More of them would hide what else there is to say.
    const SHOWN: usize = 3;
    let count = match files(errors) {
        0 => return None,
        1 => "1 file with rules is refused, wholly or in part".to_owned(),
        files => format!("{files} files with rules are refused, wholly or in part"),
    };
    let mut seen = HashSet::new();
    let first = errors.iter().filter(|error| seen.insert(&error.place.file));
    let first: Vec<String> = first.take(SHOWN).map(ToString::to_string).collect();
    let more = match files(errors) - first.len() {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Some(format!(
        "warning: {count}: {}{more} (`poseur check` with the same --rules tells all)",
        first.join("; ")
    ))
}

/// How many files errors are about.
pub fn files(errors: &[LoadError]) -> usize {
    let files: HashSet<&str> = errors
        .iter()
        .map(|error| error.place.file.as_str())
        .collect();
    files.len()
}
