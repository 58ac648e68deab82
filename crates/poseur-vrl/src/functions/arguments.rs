//! What both functions are told when a program is compiled: which rules, exceptions and schemas.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use poseur_matcher::Matcher;
use poseur_rule::error::LoadError;
use poseur_setup::{Sources, load};
use vrl::compiler::Parameter;
use vrl::compiler::codes::FunctionCode;
use vrl::compiler::function::ArgumentList;
use vrl::compiler::state::TypeState;
use vrl::compiler::value::kind;
use vrl::diagnostic::{DiagnosticMessage, Label, Note, Span};
use vrl::value::Value;

use super::judge::Judge;

const PATHS: u16 = kind::BYTES | kind::ARRAY;

/// The parameters of both functions.
pub const PARAMETERS: [Parameter; 10] = [
    Parameter::required(
        "value",
        kind::ANY,
        "The record: an object in any shape Poseur knows, or a batch of such objects.",
    ),
    Parameter::optional(
        "rules",
        PATHS,
        "Files and folders of rules, one path or an array of paths. Without it, the built-in pack.",
    ),
    Parameter::optional(
        "exceptions",
        PATHS,
        "Files and folders of exceptions, and names of packs: one, or an array.",
    ),
    Parameter::optional(
        "schema",
        kind::BYTES,
        "The schema that all records have. Without it, the shape of each is recognised.",
    ),
    Parameter::optional(
        "with_built_in",
        kind::BOOLEAN,
        "Use the built-in pack as well as `rules`.",
    ),
    Parameter::optional(
        "strict",
        kind::BOOLEAN,
        "Refuse to compile if any file in a folder of rules is refused.",
    ),
    Parameter::optional(
        "types",
        PATHS,
        "YAML files with types of fields and columns.",
    ),
    Parameter::optional(
        "mapping",
        PATHS,
        "YAML files that rename the fields of Sigma rules.",
    ),
    Parameter::optional(
        "schema_files",
        PATHS,
        "YAML files that add fields or schemas to the built-in ones.",
    ),
    Parameter::optional(
        "at",
        kind::BYTES,
        "The \"now\" of time windows and expiry dates, in RFC 3339. Without it, the system's clock.",
    ),
];

/// Why a program does not compile: an argument cannot be used.
#[derive(Debug)]
pub struct Unusable {
    argument: &'static str,
    reasons: Vec<String>,
}

impl Unusable {
    fn new(argument: &'static str, reason: impl Into<String>) -> Unusable {
        Unusable {
            argument,
            reasons: vec![reason.into()],
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument \"{}\" cannot be used", self.argument)
    }
}

impl std::error::Error for Unusable {}

impl DiagnosticMessage for Unusable {
    fn code(&self) -> usize {
        FunctionCode::InvalidArgument as usize
    }

    fn labels(&self) -> Vec<Label> {
        /// More of them would hide the program.
        const SHOWN: usize = 5;
        // The compiler puts the place of the call there.
        let label = |reason: &String| {
            let text = format!("argument \"{}\": {reason}", self.argument);
            Label::primary(text, Span::default())
        };
        let mut labels: Vec<Label> = self.reasons.iter().take(SHOWN).map(label).collect();
        if self.reasons.len() > SHOWN {
            let more = format!("and {} more", self.reasons.len() - SHOWN);
            labels.push(Label::context(more, Span::default()));
        }
        labels
    }

    fn notes(&self) -> Vec<Note> {
        let hint = match self.argument {
            "style" | "key" => "a tag's style and key are those of `poseur tag`",
            "at" => "a moment is written as in \"2026-11-20T12:00:00Z\"",
            _ => {
                "`poseur check` with the same rules, exceptions and schemas tells all that is wrong"
            }
        };
        vec![Note::Hint(hint.to_owned())]
    }
}

/// The parameter that named a file, or a file below it.
fn parameter(file: &str, sources: &Sources) -> &'static str {
    let named = [
        ("rules", &sources.rules),
        ("exceptions", &sources.exceptions),
        ("types", &sources.types),
        ("mapping", &sources.mapping),
        ("schema_files", &sources.schema_file),
    ];
    let below = |paths: &[PathBuf]| paths.iter().any(|path| Path::new(file).starts_with(path));
    match named.iter().find(|(_, paths)| below(paths)) {
        Some((name, _)) => name,
        None if file == "--schema" => "schema",
        // A list that an exception refers to can be anywhere.
        None if Path::new(file).exists() => "exceptions",
        None => "rules",
    }
}

/// The literal arguments of a call.
pub struct Literals<'a> {
    /// The arguments.
    pub arguments: &'a ArgumentList,
    /// What is known of variables.
    pub state: &'a TypeState,
}

/// Any error of compiling a call.
type Wrong = Box<dyn DiagnosticMessage>;

impl Literals<'_> {
    fn value(&self, name: &'static str) -> Result<Option<Value>, Wrong> {
        Ok(self.arguments.optional_literal(name, self.state)?)
    }

    /// A text, if it is given.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Wrong> {
        match self.value(name)? {
            None => Ok(None),
            Some(value) => match text(&value) {
                Some(text) => Ok(Some(text)),
                None => Err(Box::new(Unusable::new(name, "must be a string in UTF-8"))),
            },
        }
    }

    fn truth(&self, name: &'static str) -> Result<bool, Wrong> {
        match self.value(name)? {
            None => Ok(false),
            Some(Value::Boolean(truth)) => Ok(truth),
            Some(_) => Err(Box::new(Unusable::new(name, "must be true or false"))),
        }
    }

    fn paths(&self, name: &'static str) -> Result<Vec<PathBuf>, Wrong> {
        let paths = match self.value(name)? {
            None => return Ok(Vec::new()),
            Some(Value::Array(paths)) => paths,
            Some(path) => vec![path],
        };
        let paths: Option<Vec<String>> = paths.iter().map(text).collect();
        match paths {
            Some(paths) if paths.is_empty() || paths.iter().any(String::is_empty) => {
                let reason = "is empty: name a file or a folder, or leave the argument out";
                Err(Box::new(Unusable::new(name, reason)))
            }
            Some(paths) => Ok(paths.into_iter().map(PathBuf::from).collect()),
            None => {
                let reason = "must be a path, or an array of paths";
                Err(Box::new(Unusable::new(name, reason)))
            }
        }
    }

    /// Loads and compiles what the arguments name.
    pub fn judge(&self) -> Result<(Arc<Matcher>, Judge), Wrong> {
        let sources = Sources {
            rules: self.paths("rules")?,
            with_built_in: self.truth("with_built_in")?,
            strict: self.truth("strict")?,
            types: self.paths("types")?,
            mapping: self.paths("mapping")?,
            exceptions: self.paths("exceptions")?,
            schema_file: self.paths("schema_files")?,
            schema: self.text("schema")?.unwrap_or_default(),
        };
        let at = match self.text("at")? {
            None => None,
            Some(text) => match text.parse::<Timestamp>() {
                Ok(at) => Some(at),
                Err(error) => return Err(Box::new(Unusable::new("at", error.to_string()))),
            },
        };
        let mut loaded = load(&sources);
        let matcher = loaded.compile(&sources.schema);
        let (fatal, _) = loaded.by_gravity();
        match (matcher, fatal.first()) {
            (Some(matcher), None) => {
                let matcher = Arc::new(matcher);
                Ok((matcher.clone(), Judge::new(matcher, at)))
            }
            (_, first) => {
                let about = |error: &LoadError| parameter(&error.place.file, &sources);
                let argument = first.map_or("rules", about);
                let same = fatal.iter().filter(|error| about(error) == argument);
                // Which argument it is has been said.
                let reason = |error: &LoadError| match error.place.file.starts_with("--") {
                    true => error.reason.clone(),
                    false => error.to_string(),
                };
                Err(Box::new(Unusable {
                    argument,
                    reasons: same.map(reason).collect(),
                }))
            }
        }
    }

    /// The key of the tag, if it is given.
    pub fn key(&self) -> Result<Option<String>, Wrong> {
        match self.text("key")? {
            Some(key) if key.is_empty() => {
                let reason = "is empty: give the key a name, or leave the argument out";
                Err(Box::new(Unusable::new("key", reason)))
            }
            key => Ok(key),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    let text = std::str::from_utf8(value.as_bytes()?).ok()?;
    Some(text.to_owned())
}
