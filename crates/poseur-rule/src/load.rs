//! Rules from files and folders.
//!
//! A file that cannot be used is refused with its reason and hides no other: the caller decides
//! whether to go on with what was loaded.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::documents::Documents;
use crate::error::{LoadError, Place};
use crate::exception::Exception;
use crate::model::Rule;
use crate::pack;
use crate::sigma::{self, Filter};

/// Largest file that is read: a rule file of this size is something else.
const MAX_BYTES: usize = 16 << 20;

/// The languages of rule files. A file's extension tells its language, here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Sigma,
}

impl Format {
    const EXTENSIONS: &str = ".yml or .yaml (Sigma)";

    fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "yml" | "yaml" => Some(Format::Sigma),
            _ => None,
        }
    }

    fn read(self, file: &str, text: &str) -> Documents {
        match self {
            Format::Sigma => sigma::read(file, text),
        }
    }
}

/// What was loaded, and what was not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Loaded {
    /// The rules, in the order of the files; no two have the same id.
    pub rules: Vec<Rule>,
    /// Sigma filters among the files, for the rules above.
    pub filters: Vec<Exception>,
    /// Why files and documents were refused, in the order they were met.
    pub refused: Vec<LoadError>,
    /// How many files were read.
    pub files: usize,
}

/// Collects rules from files, folders and the built-in pack.
///
/// ```
/// use poseur_rule::load::Loader;
///
/// let mut loader = Loader::new();
/// loader.built_in();
/// loader.path("no/such/folder");
/// let loaded = loader.finish();
/// assert_eq!(loaded.rules.len(), 2);
/// assert_eq!(loaded.refused[0].place.to_string(), "no/such/folder");
/// ```
#[derive(Debug, Default)]
pub struct Loader {
    loaded: Loaded,
    filters: Vec<Filter>,
    /// Where each id was taken.
    ids: HashMap<String, Place>,
    /// Files and folders already visited, by their real paths: a link back must not loop, and a
    /// file given twice is no second rule.
    visited: HashSet<PathBuf>,
}

impl Loader {
    /// A loader that has read nothing yet.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Adds the built-in pack.
    pub fn built_in(&mut self) {
        for rule in pack::built_in() {
            self.rule(rule);
        }
    }

    /// Adds a file, or all rule files in a folder and the folders below it, by name. In folders,
    /// hidden files and files of other kinds are passed over.
    pub fn path(&mut self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        if !path.is_dir() {
            self.file(path);
            return;
        }
        match self.folder(path) {
            Ok(0) => self.refuse(
                path,
                format!(
                    "the folder holds no rules: expected files named {}",
                    Format::EXTENSIONS
                ),
            ),
            Ok(_) => {}
            Err(error) => self.unreadable(path, &error),
        }
    }

    /// Adds the documents of a Sigma text. `file` is the name that errors and rules give.
    pub fn text(&mut self, file: &str, text: &str) {
        self.add(Format::Sigma, file, text);
    }

    /// What was loaded. Filters are bound to the rules they name.
    pub fn finish(self) -> Loaded {
        let mut loaded = self.loaded;
        loaded.filters = self
            .filters
            .iter()
            .map(|filter| filter.among(&loaded.rules))
            .collect();
        loaded
    }

    /// Visits a folder; the number of rule files in it, those already visited included.
    fn folder(&mut self, path: &Path) -> io::Result<usize> {
        if !self.visited.insert(fs::canonicalize(path)?) {
            // What it holds has been loaded or is being loaded: it is not empty.
            return Ok(1);
        }
        let mut entries = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<PathBuf>>>()?;
        entries.sort();
        let mut found = 0;
        for entry in entries {
            let hidden = entry
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if hidden {
                continue;
            }
            match fs::metadata(&entry) {
                Ok(about) if about.is_dir() => match self.folder(&entry) {
                    Ok(below) => found += below,
                    Err(error) => self.unreadable(&entry, &error),
                },
                // A pipe or a device in a folder of rules would be waited on for ever.
                Ok(about) if !about.is_file() => {}
                // What cannot be looked at is a file to `file`, which says why.
                Ok(_) | Err(_) if Format::of(&entry).is_some() => {
                    found += 1;
                    self.file(&entry);
                }
                Ok(_) | Err(_) => {}
            }
        }
        Ok(found)
    }

    fn file(&mut self, path: &Path) {
        let Some(format) = Format::of(path) else {
            return match fs::metadata(path) {
                Ok(_) => self.refuse(
                    path,
                    format!("no rule file by its name: expected {}", Format::EXTENSIONS),
                ),
                Err(error) => self.unreadable(path, &error),
            };
        };
        match fs::canonicalize(path) {
            Ok(real) => {
                if !self.visited.insert(real) {
                    return;
                }
            }
            Err(error) => return self.unreadable(path, &error),
        }
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            return self.unreadable(path, &error);
        }
        self.loaded.files += 1;
        if bytes.len() > MAX_BYTES {
            return self.refuse(
                path,
                format!("larger than {} MiB: is this a rule file?", MAX_BYTES >> 20),
            );
        }
        let file = path.display().to_string();
        match std::str::from_utf8(&bytes) {
            Ok(text) => self.add(format, &file, text),
            Err(error) => {
                let error = not_utf8(&file, &bytes, error.valid_up_to());
                self.loaded.refused.push(error);
            }
        }
    }

    fn add(&mut self, format: Format, file: &str, text: &str) {
        let documents = format.read(file, text);
        for rule in documents.rules {
            self.rule(rule);
        }
        self.filters.extend(documents.filters);
        self.loaded.refused.extend(documents.errors);
    }

    fn rule(&mut self, rule: Rule) {
        let place = rule.origin.place.clone();
        if let Some(first) = self.ids.get(&rule.id) {
            let reason = format!(
                "the rule id {} is already that of the rule at {first}: give this one an id of \
                 its own, or remove it",
                rule.id
            );
            self.loaded.refused.push(LoadError::new(place, reason));
            return;
        }
        self.ids.insert(rule.id.clone(), place);
        self.loaded.rules.push(rule);
    }

    fn refuse(&mut self, path: &Path, reason: String) {
        let place = Place::new(path.display().to_string(), 0, 0);
        self.loaded.refused.push(LoadError::new(place, reason));
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "check its permissions",
            _ => "check the file and its disk",
        };
        self.refuse(path, format!("cannot be read ({error}): {advice}"));
    }
}

/// The error for text in another encoding, at its first byte that is not UTF-8.
fn not_utf8(file: &str, bytes: &[u8], valid: usize) -> LoadError {
    let before = String::from_utf8_lossy(&bytes[..valid]);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let place = Place::new(
        file,
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    );
    let reason = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the file is UTF-16: save it as UTF-8",
        _ => "the file is not UTF-8: save it as UTF-8",
    };
    LoadError::new(place, reason)
}
