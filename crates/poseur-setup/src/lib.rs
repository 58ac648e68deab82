//! Rules, exceptions and schemas from where an operator says, compiled; with all errors at once.
//!
//! Everything that runs a matcher starts here, so that a path means the same everywhere.
//!
//! # Load rules
//!
//! ```
//! use std::path::PathBuf;
//! use poseur_setup::Sources;
//! use poseur_setup::ready::ready;
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let rules = folder.path().join("rules");
//! # std::fs::create_dir(&rules).unwrap();
//! # std::fs::write(rules.join("contractor.yml"), "title: Chat opened by a contractor\nid: 7b3c0f2e-5a41-4e0e-9d52-0a2f6f1f2c11
//! # logsource: {product: m365, service: audit}
//! # detection:\n  chat: {event.action: ChatCreated, user.domain: tailspin-toys.example}\n  condition: chat\n").unwrap();
//! let sources = Sources {
//!     // Sigma, Elastic's and Microsoft's rule files, mixed as they come.
//!     rules: vec![rules],
//!     with_built_in: true,
//!     // A pack that comes with Poseur; or files and folders of your own.
//!     exceptions: vec![PathBuf::from("known-services")],
//!     ..Sources::default()
//! };
//! match ready(&sources, jiff::Timestamp::now()) {
//!     // `matcher` decides, `watch` knows when to load again, `notices` are for the operator.
//!     Ok(ready) => assert_eq!(ready.matcher.rules().len(), 3),
//!     // All that is wrong, each with file, line and column.
//!     Err(errors) => panic!("{errors:?}"),
//! }
//! ```
//!
//! What comes next is in `poseur_tagger`: tagging buffers with the matcher, or looking at single verdicts.

pub mod ready;
pub mod watch;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use poseur_matcher::schema::{self, Schema};
use poseur_matcher::{Matcher, MatcherError};
use poseur_rule::error::{LoadError, Place};
use poseur_rule::exception::{self, Exception, PACKS};
use poseur_rule::load::Loader;
use poseur_rule::mapping::Mappings;
use poseur_rule::model::Rule;
use poseur_rule::types::Types;

/// Where rules, exceptions and schemas come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Files and folders of rules; none: the built-in pack.
    pub rules: Vec<PathBuf>,
    /// The built-in pack as well.
    pub with_built_in: bool,
    /// All files in folders of rules must load.
    pub strict: bool,
    /// Files with types of fields and columns, before the built-in ones.
    pub types: Vec<PathBuf>,
    /// Files that rename the fields of Sigma rules.
    pub mapping: Vec<PathBuf>,
    /// Files and folders of exceptions, and names of packs.
    pub exceptions: Vec<PathBuf>,
    /// The shape of the records: the name of a schema; empty or `auto` recognises each.
    pub schema: String,
    /// Files with more fields and schemas.
    pub schema_file: Vec<PathBuf>,
}

/// What was found where the sources say.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The rules that could be read.
    pub rules: Vec<Rule>,
    /// The exceptions that could be read, Sigma filters among them.
    pub exceptions: Vec<Exception>,
    /// All schemas.
    pub schemas: Vec<Schema>,
    /// Everything that is wrong.
    pub refused: Vec<Refused>,
    /// Files in folders of rules that are about something else.
    pub passed_over: Vec<String>,
    /// List files that exceptions name.
    pub lists: Vec<PathBuf>,
    /// Files that must load, as places name them.
    named: HashSet<String>,
    /// All files must load.
    strict: bool,
}

impl Sources {
    /// Everything that is read: files and folders, with the list files of exceptions that were loaded.
    pub fn files(&self, loaded: &Loaded) -> Vec<PathBuf> {
        let named = [&self.rules, &self.types, &self.mapping, &self.schema_file];
        let exceptions = self.exceptions.iter().filter(|path| {
            let pack = path.to_str().and_then(exception::pack);
            pack.is_none()
        });
        let all = named.into_iter().flatten().chain(exceptions);
        all.chain(&loaded.lists).cloned().collect()
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What, and where.
    pub error: LoadError,
    /// Nothing runs because of it. What is refused in a folder of rules is only left out.
    pub fatal: bool,
}

/// Loads everything, and collects what is wrong.
pub fn load(sources: &Sources) -> Loaded {
    let mut loaded = Loaded {
        schemas: schema::built_in(),
        strict: sources.strict,
        ..Loaded::default()
    };
    let mut loader = loaded.loader(sources);
    if sources.rules.is_empty() || sources.with_built_in {
        loader.built_in();
    }
    for path in &sources.rules {
        loader.path(path);
    }
    let rules = loader.finish();
    loaded.rules = rules.rules;
    loaded.passed_over = rules.passed_over;
    loaded.named = rules.named;
    for error in rules.refused {
        loaded.refuse(error);
    }
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
    loaded.lists = files.lists;
    loaded.must(files.refused.into_iter().map(with_pack_names));
    exceptions.extend(rules.filters);
    let (exceptions, duplicates) = exception::unique(exceptions);
    loaded.exceptions = exceptions;
    loaded.must(duplicates);
    let mut schemas = std::mem::take(&mut loaded.schemas);
    loaded.pages(&sources.schema_file, |file, text| {
        schema::add(&mut schemas, file, text)
    });
    loaded.schemas = schemas;
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

fn read_page(path: &Path) -> Result<String, LoadError> {
    let wrong =
        |reason: String| LoadError::new(Place::new(path.display().to_string(), 0, 0), reason);
    let bytes = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("the file is not UTF-8: save it as UTF-8".into()))
}

impl Loaded {
    /// A loader of rules as the sources say.
    pub fn loader(&mut self, sources: &Sources) -> Loader {
        let mut types = Types::built_in();
        self.pages(&sources.types, |file, text| types.add(file, text));
        let mut mappings = Mappings::default();
        self.pages(&sources.mapping, |file, text| mappings.add(file, text));
        Loader::new().with_types(types).with_mappings(mappings)
    }

    /// Reads files one by one; they must be good.
    fn pages(
        &mut self,
        paths: &[PathBuf],
        mut add: impl FnMut(&str, &str) -> Result<(), Vec<LoadError>>,
    ) {
        for path in paths {
            let file = path.display().to_string();
            match read_page(path) {
                Ok(text) => self.must(add(&file, &text).err().unwrap_or_default()),
                Err(error) => self.must([error]),
            }
        }
    }

    /// Notes what must not be wrong.
    fn must(&mut self, errors: impl IntoIterator<Item = LoadError>) {
        let fatal = |error| Refused { error, fatal: true };
        self.refused.extend(errors.into_iter().map(fatal));
    }

    /// Notes what is wrong with a rule.
    fn refuse(&mut self, error: LoadError) {
        let fatal = self.strict || self.named.contains(&error.place.file);
        self.refused.push(Refused { error, fatal });
    }

    /// What must not be wrong, and what else is.
    pub fn by_gravity(self) -> (Vec<LoadError>, Vec<LoadError>) {
        let (fatal, others): (Vec<_>, Vec<_>) =
            self.refused.into_iter().partition(|refused| refused.fatal);
        let errors = |refused: Vec<Refused>| refused.into_iter().map(|refused| refused.error);
        (errors(fatal).collect(), errors(others).collect())
    }

    /// Compiles what could be read; adds what cannot be compiled to what is refused. `None` if
    /// nothing can be compiled at all.
    pub fn compile(&mut self, schema: &str) -> Option<Matcher> {
        let schemas = self.schemas.clone();
        let compile = |rules: &[Rule], exceptions: &[Exception]| {
            let (rules, exceptions) = (rules.to_vec(), exceptions.to_vec());
            Matcher::new(
                rules,
                exceptions,
                schemas.clone(),
                (!schema.is_empty()).then_some(schema),
            )
        };
        let error = match compile(&self.rules, &self.exceptions) {
            Ok(matcher) => return Some(matcher),
            Err(error) => error,
        };
        if let MatcherError::UnknownSchema { .. } = error {
            let place = Place::new("--schema", 0, 0);
            self.must([LoadError::new(place, error.to_string())]);
            return None;
        }
        // The error does not say which rule it is, and there may be others.
        let rules = culprits(&self.rules, &|rules| compile(rules, &[]).err());
        let exceptions = culprits(&self.exceptions, &|exceptions| {
            compile(&[], exceptions).err()
        });
        for (at, reason) in exceptions.into_iter().rev() {
            let exception = self.exceptions.remove(at);
            self.refuse(LoadError::new(exception.place, reason));
        }
        for (at, reason) in rules.iter().rev() {
            let place = self.rules.remove(*at).origin.place;
            self.refuse(LoadError::new(place, reason));
        }
        match compile(&self.rules, &self.exceptions) {
            Ok(_) if self.rules.is_empty() && !rules.is_empty() => {
                let place = Place::new("--rules", 0, 0);
                self.must([LoadError::new(place, "no rule is left: all were refused")]);
                None
            }
            Ok(matcher) => Some(matcher),
            Err(error) => {
                let place = Place::new("all rules together", 0, 0);
                self.must([LoadError::new(place, error.to_string())]);
                None
            }
        }
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

/// The positions of those that cannot be compiled, and why. Halves that compile are done with, so that
/// one among hundreds is found in the time of a few attempts at all of them.
fn culprits<T>(
    items: &[T],
    compile: &dyn Fn(&[T]) -> Option<MatcherError>,
) -> Vec<(usize, String)> {
    match compile(items) {
        None => Vec::new(),
        Some(_) if items.is_empty() => Vec::new(),
        Some(error) if items.len() == 1 => vec![(0, error.to_string())],
        Some(_) => {
            let middle = items.len() / 2;
            let mut found = culprits(&items[..middle], compile);
            let right = culprits(&items[middle..], compile);
            found.extend(right.into_iter().map(|(at, reason)| (at + middle, reason)));
            found
        }
    }
}
