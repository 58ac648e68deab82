//! Rules, exceptions and schemas from where the arguments say, compiled; with all errors at once.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::schema::{self, Schema};
use poseur_matcher::{Matcher, MatcherError};
use poseur_rule::error::{LoadError, Place};
use poseur_rule::exception::{self, Exception, Ground, PACKS};
use poseur_rule::load::Loader;
use poseur_rule::model::Rule;

use crate::args::Sources;
use crate::error::Error;
use crate::terminal;

/// What was found where the arguments say.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules that could be read.
    pub rules: Vec<Rule>,
    /// The exceptions that could be read, Sigma filters among them.
    pub exceptions: Vec<Exception>,
    /// All schemas.
    pub schemas: Vec<Schema>,
    /// Everything that is wrong.
    pub refused: Vec<LoadError>,
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
/// [`Error::Refused`] with everything that is wrong.
pub fn matcher(sources: &Sources) -> Result<Arc<Matcher>, Error> {
    let mut loaded = load(sources);
    let warnings = loaded.warnings(Clock::new(sources).now());
    match loaded.compile(&sources.schema) {
        Some(matcher) if loaded.refused.is_empty() => {
            warnings
                .iter()
                .for_each(|warning| terminal::say(&format!("warning: {warning}")));
            Ok(Arc::new(matcher))
        }
        _ => Err(Error::Refused(loaded.refused)),
    }
}

/// Loads everything, and collects what is wrong.
pub fn load(sources: &Sources) -> Loaded {
    let mut loader = Loader::new();
    if sources.rules.is_empty() || sources.with_built_in {
        loader.built_in();
    }
    for path in &sources.rules {
        loader.path(path);
    }
    let rules = loader.finish();
    let mut loaded = Loaded {
        rules: rules.rules,
        refused: rules.refused,
        schemas: schema::built_in(),
        ..Loaded::default()
    };
    let mut exceptions = Vec::new();
    let mut paths: Vec<PathBuf> = Vec::new();
    for source in &sources.exceptions {
        match source.to_str().and_then(exception::pack) {
            Some(pack) => exceptions.extend(pack),
            None => paths.push(source.clone()),
        }
    }
    let files = exception::load(&paths);
    exceptions.extend(files.exceptions);
    loaded
        .refused
        .extend(files.refused.into_iter().map(with_pack_names));
    exceptions.extend(rules.filters);
    let (exceptions, duplicates) = exception::unique(exceptions);
    loaded.exceptions = exceptions;
    loaded.refused.extend(duplicates);
    for path in &sources.schema_file {
        match read_schema(path) {
            Ok(text) => {
                let file = path.display().to_string();
                if let Err(errors) = schema::add(&mut loaded.schemas, &file, &text) {
                    loaded.refused.extend(errors);
                }
            }
            Err(error) => loaded.refused.push(error),
        }
    }
    loaded
}

/// Names the packs to somebody who may have misspelt one.
fn with_pack_names(mut error: LoadError) -> LoadError {
    let path = Path::new(&error.place.file);
    if error.place.line == 0 && path.components().count() == 1 && !path.exists() {
        let names: Vec<&str> = PACKS.iter().map(|(name, _)| *name).collect();
        error.reason = format!("{}; the packs are {}", error.reason, names.join(" and "));
    }
    error
}

fn read_schema(path: &Path) -> Result<String, LoadError> {
    let wrong =
        |reason: String| LoadError::new(Place::new(path.display().to_string(), 0, 0), reason);
    let bytes = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("the file is not UTF-8: save it as UTF-8".into()))
}

impl Loaded {
    /// Compiles what could be read; adds what cannot be compiled to what is refused. `None` if
    /// nothing can be compiled at all.
    pub fn compile(&mut self, schema: &str) -> Option<Matcher> {
        let compile = |rules: &[Rule], exceptions: &[Exception]| {
            let (rules, exceptions) = (rules.to_vec(), exceptions.to_vec());
            Matcher::new(rules, exceptions, self.schemas.clone(), Some(schema))
        };
        let error = match compile(&self.rules, &self.exceptions) {
            Ok(matcher) => return Some(matcher),
            Err(error) => error,
        };
        let mut refused = Vec::new();
        if let MatcherError::UnknownSchema { .. } = error {
            refused.push(LoadError::new(
                Place::new("--schema", 0, 0),
                error.to_string(),
            ));
            self.refused.extend(refused);
            return None;
        }
        // The error does not say which rule it is, and there may be others: one by one, then.
        let mut rules = self.rules.clone();
        rules.retain(|rule| match compile(std::slice::from_ref(rule), &[]) {
            Ok(_) => true,
            Err(error) => {
                refused.push(LoadError::new(rule.origin.place.clone(), error.to_string()));
                false
            }
        });
        let mut exceptions = self.exceptions.clone();
        exceptions.retain(|exception| {
            if matches!(exception.ground, Ground::Trusted(_)) {
                return true;
            }
            match compile(&[], std::slice::from_ref(exception)) {
                Ok(_) => true,
                Err(error) => {
                    refused.push(LoadError::new(exception.place.clone(), error.to_string()));
                    false
                }
            }
        });
        let matcher = compile(&rules, &exceptions);
        if let Err(error) = &matcher {
            refused.push(LoadError::new(
                Place::new("all rules together", 0, 0),
                error.to_string(),
            ));
        }
        self.rules = rules;
        self.exceptions = exceptions;
        self.refused.extend(refused);
        matcher.ok()
    }

    /// What is not wrong, but hardly meant: exceptions that are no longer in force, or that are for
    /// rules which are not loaded.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let expired = exception::expired(&self.exceptions, now);
        let mut warnings: Vec<String> = expired.iter().map(ToString::to_string).collect();
        let known: HashSet<&str> = self.rules.iter().map(|rule| rule.id.as_str()).collect();
        for exception in &self.exceptions {
            for id in exception.rules.iter().flatten() {
                if !known.contains(id.as_str()) {
                    warnings.push(format!(
                        "{}: the exception `{}` is for the rule `{id}`, which is not loaded",
                        exception.place, exception.id
                    ));
                }
            }
        }
        if self.rules.is_empty() && self.refused.is_empty() {
            warnings.push("there are no rules: nothing can match".to_owned());
        }
        warnings
    }
}
