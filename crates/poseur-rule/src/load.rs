//! Rules from files and folders.
//!
//! A file that cannot be used is refused with its reason and hides no other: the caller decides
//! whether to go on with what was loaded.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use crate::documents::Documents;
use crate::elastic;
use crate::error::{LoadError, Place};
use crate::exception::Exception;
use crate::files::{self, Kind};
use crate::kusto;
use crate::mapping::Mappings;
use crate::model::Rule;
use crate::pack;
use crate::sigma::{self, Filter};
use crate::types::Types;
use crate::yaml::{self, Node};

/// Largest file that is read: a rule file of this size is something else.
const MAX_BYTES: usize = 16 << 20;

/// The kinds of rule files. A file's extension tells its kind, here and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// Sigma, or a Microsoft query file: the content tells.
    Yaml,
    /// An Elastic rule file.
    Toml,
    /// A Kusto query by itself.
    Query,
}

impl Format {
    const EXTENSIONS: &str =
        ".yml or .yaml (Sigma, Microsoft), .toml (Elastic), .kql, .kusto or .csl (Kusto)";

    fn of(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "yml" | "yaml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            "kql" | "kusto" | "csl" => Some(Format::Query),
            _ => None,
        }
    }

    /// Reads a text.
    fn read(self, file: &str, text: &str, types: &Types) -> Content {
        match self {
            Format::Yaml => match yaml::parse(file, text) {
                Ok(nodes) => {
                    let (is_rule, is_query) =
                        (nodes.iter().any(is_rule), nodes.iter().any(is_query));
                    Content {
                        is_other: !is_rule && !is_query,
                        documents: match is_query {
                            true => kusto::read_nodes(file, text, &nodes, types),
                            false => sigma::read_nodes(file, text, &nodes),
                        },
                    }
                }
                Err(error) => Documents {
                    errors: vec![error],
                    ..Documents::default()
                }
                .into(),
            },
            Format::Toml => Content {
                is_other: !text.lines().any(opens_rule),
                documents: elastic::read(file, text, types),
            },
            Format::Query => kusto::read_query(file, text, types).into(),
        }
    }
}

/// Whether a line of TOML begins the table `rule`, or something in it.
fn opens_rule(line: &str) -> bool {
    let line = line.trim_start_matches(['[', ' ', '\t', '\u{feff}']);
    let rest = line.strip_prefix("rule");
    rest.is_some_and(|rest| rest.trim_start().starts_with(['.', ']', '=']))
}

/// What is in a file.
struct Content {
    documents: Documents,
    /// The file is evidently about something else than rules: in a folder that is no error.
    is_other: bool,
}

impl From<Documents> for Content {
    fn from(documents: Documents) -> Content {
        Content {
            documents,
            is_other: false,
        }
    }
}

/// Whether a YAML document is one of Microsoft's query files.
fn is_query(document: &Node) -> bool {
    let has = |key| document.get(key).is_some();
    has("query") && !has("detection") && !has("correlation") && !has("filter")
}

/// Whether a YAML document has a key that only Sigma has.
fn is_rule(document: &Node) -> bool {
    ["detection", "logsource", "correlation", "filter"]
        .into_iter()
        .any(|key| document.get(key).is_some())
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
    /// Files in folders that have the extension of a rule file and are about something else.
    pub passed_over: Vec<String>,
    /// Files and folders that were given by name, as places name them. What else is refused was only
    /// found in a folder.
    pub named: HashSet<String>,
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
    types: Types,
    mappings: Mappings,
    /// Where each id was taken.
    ids: HashMap<String, Place>,
    /// Files and folders already visited, by their real paths, and the name they had then: a link
    /// back must not loop, and a file given twice is no second rule.
    visited: HashMap<PathBuf, String>,
}

/// What was met on the way through a folder.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    /// Rule files.
    files: usize,
    /// Some of them were read before.
    again: bool,
}

impl AddAssign for Found {
    fn add_assign(&mut self, more: Found) {
        self.files += more.files;
        self.again |= more.again;
    }
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Somebody wrote its name.
    Name,
    /// It is in a folder that somebody named.
    Folder,
}

impl Loaded {
    /// Whether what stands in this file was asked for by name, and not just met in a folder.
    pub fn is_named(&self, file: &str) -> bool {
        self.named.contains(file)
    }
}

impl Loader {
    /// A loader that has read nothing yet, with the built-in types of fields and columns.
    pub fn new() -> Loader {
        Loader {
            types: Types::built_in(),
            ..Loader::default()
        }
    }

    /// With other types of fields and columns.
    pub fn with_types(mut self, types: Types) -> Loader {
        self.types = types;
        self
    }

    /// With other names for the fields of Sigma rules and filters.
    pub fn with_mappings(mut self, mappings: Mappings) -> Loader {
        self.mappings = mappings;
        self
    }

    /// Adds the built-in pack.
    pub fn built_in(&mut self) {
        for rule in pack::built_in() {
            self.rule(rule);
        }
    }

    /// Adds a file, or all rule files in a folder and the folders below it, by name. In folders,
    /// hidden files, files of other kinds and files that evidently hold no rules are passed over.
    pub fn path(&mut self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        self.loaded.named.insert(path.display().to_string());
        if !files::is_folder(path) {
            self.file(path, By::Name);
            return;
        }
        let before = self.count();
        match self.folder(path) {
            Ok(Found { files: 0, .. }) => self.refuse(
                path,
                format!(
                    "the folder holds no rules: expected files named {}",
                    Format::EXTENSIONS
                ),
            ),
            Ok(found) if !found.again && self.count() == before => {
                let reason = match found.files {
                    1 => "the one rule file in the folder is refused".to_owned(),
                    files => format!("all {files} rule files in the folder are refused"),
                };
                self.refuse(path, reason);
            }
            Ok(_) => {}
            Err(error) => self.unreadable(path, &error),
        }
    }

    /// How much was loaded so far.
    fn count(&self) -> usize {
        self.loaded.rules.len() + self.filters.len()
    }

    /// Adds the documents of a YAML text. `file` is the name that errors and rules give.
    pub fn text(&mut self, file: &str, text: &str) {
        self.loaded.named.insert(file.to_owned());
        self.add(Format::Yaml, By::Name, file, text);
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

    /// Visits a folder.
    fn folder(&mut self, path: &Path) -> io::Result<Found> {
        let mut found = Found::default();
        match self.visited.entry(files::identity(path)?) {
            // What it holds has been loaded or is being loaded: it is not empty.
            Entry::Occupied(_) => {
                return Ok(Found {
                    files: 1,
                    again: true,
                });
            }
            Entry::Vacant(new) => new.insert(path.display().to_string()),
        };
        for entry in files::entries(path)? {
            let hidden = entry
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if hidden {
                continue;
            }
            match files::kind(&entry) {
                Ok(Kind::Folder) => match self.folder(&entry) {
                    Ok(below) => found += below,
                    Err(error) => self.unreadable(&entry, &error),
                },
                // A pipe or a device in a folder of rules would be waited on for ever.
                Ok(Kind::Other) => {}
                // What cannot be looked at is a file to `file`, which says why.
                Ok(Kind::File) | Err(_) if Format::of(&entry).is_some() => {
                    found += self.file(&entry, By::Folder);
                }
                Ok(Kind::File) | Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Reads a file, unless it was read before.
    fn file(&mut self, path: &Path, by: By) -> Found {
        let one = Found {
            files: 1,
            again: false,
        };
        let Some(format) = Format::of(path) else {
            match files::kind(path) {
                Ok(_) => self.refuse(
                    path,
                    format!("no rule file by its name: expected {}", Format::EXTENSIONS),
                ),
                Err(error) => self.unreadable(path, &error),
            }
            return one;
        };
        let file = path.display().to_string();
        match files::identity(path) {
            Ok(real) => match self.visited.entry(real) {
                Entry::Occupied(first) => {
                    if by == By::Name {
                        self.loaded.named.insert(first.get().clone());
                    }
                    return Found {
                        files: 1,
                        again: true,
                    };
                }
                Entry::Vacant(new) => new.insert(file.clone()),
            },
            Err(error) => {
                self.unreadable(path, &error);
                return one;
            }
        };
        let bytes = match files::read(path, MAX_BYTES as u64 + 1) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(path, &error);
                return one;
            }
        };
        self.loaded.files += 1;
        if bytes.len() > MAX_BYTES {
            self.refuse(
                path,
                format!("larger than {} MiB: is this a rule file?", MAX_BYTES >> 20),
            );
            return one;
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => return self.add(format, by, &file, text),
            Err(error) => {
                let error = not_utf8(&file, &bytes, error.valid_up_to());
                self.loaded.refused.push(error);
            }
        }
        one
    }

    fn add(&mut self, format: Format, by: By, file: &str, text: &str) -> Found {
        let content = format.read(file, text, &self.types);
        if content.is_other && by == By::Folder {
            self.loaded.passed_over.push(file.to_owned());
            return Found::default();
        }
        let documents = content.documents;
        for rule in documents.rules {
            self.rule(rule);
        }
        for mut filter in documents.filters {
            match self.mappings.filter(&mut filter) {
                Ok(()) => self.filters.push(filter),
                Err(error) => self.loaded.refused.push(error),
            }
        }
        self.loaded.refused.extend(documents.errors);
        Found {
            files: 1,
            again: false,
        }
    }
    fn rule(&mut self, mut rule: Rule) {
        if let Err(error) = self.mappings.rule(&mut rule) {
            self.loaded.refused.push(error);
            return;
        }
        let place = rule.origin.place.clone();
        if let Some(first) = self.ids.get(&rule.id) {
            let reason = format!(
                "duplicate id: {} is already that of the rule at {first}: give this one an id of its \
                 own, or remove it",
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
