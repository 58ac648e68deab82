//! The configuration of `poseur serve`: YAML, with a JSON Schema made from the same types.

pub mod values;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use poseur_setup::Sources;
use poseur_tagger::{Style, TagOptions};
use schemars::JsonSchema;
use serde::Deserialize;

use self::values::{Secret, Size, Span};
use crate::net::place::Place;
use crate::{admin, pipeline, sink, source};

/// What `poseur serve` does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Configuration of poseur serve")]
pub struct Config {
    /// Pipelines by name. Each has its own rules, source and sink.
    pub pipelines: BTreeMap<String, Pipeline>,
    /// Where the state of all this can be seen: health, metrics, the live page. Nowhere, if it is not given.
    pub admin: Option<admin::Config>,
}

/// From a source, past rules, to a sink.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Files and folders of rules; `builtin` is the built-in pack. None: the built-in pack.
    #[serde(default)]
    pub rules: Vec<PathBuf>,
    /// Files and folders of exceptions, and names of packs (`known-services`, `partners`).
    #[serde(default)]
    pub exceptions: Vec<PathBuf>,
    /// The shape of all records (`o365`, `ecs`, `defender`, `hunting`, `envelope`); `auto` recognises each.
    #[serde(default = "auto")]
    pub schema: String,
    /// How tags look.
    #[serde(default)]
    pub style: TagStyle,
    /// The tag's key.
    #[serde(default = "key")]
    pub key: String,
    /// Where records come from.
    pub source: source::Config,
    /// Where they go.
    pub sink: sink::Config,
    /// Memory for records on their way: senders wait for room. 32MiB if it is not given, or as much as the source's
    /// `limits.largest` if that is more. What compressed bodies are unpacked to may take as much again.
    pub room: Option<Size>,
    /// How a delivery that fails is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// Writes a line into the log for each match.
    #[serde(default)]
    pub log_matches: bool,
}

/// Memory for records on their way, if nothing else is said: a hundred connections at full load stay below 96 MB with it.
const ROOM: usize = 32 << 20;

/// How tags look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TagStyle {
    /// One object under the key, with everything.
    #[default]
    Namespace,
    /// Elastic Common Schema, and the object.
    Ecs,
    /// The ids of rules only.
    Minimal,
}

impl From<TagStyle> for Style {
    fn from(style: TagStyle) -> Style {
        match style {
            TagStyle::Namespace => Style::Namespace,
            TagStyle::Ecs => Style::Ecs,
            TagStyle::Minimal => Style::Minimal,
        }
    }
}

/// How a delivery that fails is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The pause after the first failure; each further one is twice as long.
    pub first: Span,
    /// The longest pause.
    pub longest: Span,
    /// After this long the sender is told to come again.
    pub limit: Span,
}

impl Default for Retry {
    fn default() -> Retry {
        let pipeline::Retry {
            first,
            longest,
            limit,
        } = pipeline::Retry::default();
        let [first, longest, limit] = [first, longest, limit].map(Span);
        Retry {
            first,
            longest,
            limit,
        }
    }
}

fn auto() -> String {
    "auto".to_owned()
}

fn key() -> String {
    "poseur".to_owned()
}

impl Pipeline {
    /// Where rules and exceptions are.
    pub fn sources(&self) -> Sources {
        let (built_in, rules) = self
            .rules
            .iter()
            .cloned()
            .partition::<Vec<_>, _>(|path| path.as_os_str() == "builtin");
        Sources {
            rules,
            with_built_in: !built_in.is_empty(),
            exceptions: self.exceptions.clone(),
            schema: self.schema.clone(),
            ..Sources::default()
        }
    }

    /// How tags look.
    pub fn options(&self) -> TagOptions {
        TagOptions {
            style: self.style.into(),
            key: self.key.clone(),
        }
    }

    /// Memory for records on their way, in bytes.
    pub fn room(&self) -> usize {
        let largest = self.source.entrance().limits.largest.0;
        self.room.map_or(ROOM.max(largest), |room| room.0)
    }

    /// How deliveries are tried again.
    pub fn retry(&self) -> pipeline::Retry {
        pipeline::Retry {
            first: self.retry.first.0,
            longest: self.retry.longest.0,
            limit: self.retry.limit.0,
        }
    }

    /// Files beside rules and exceptions that it is made of: certificates and secrets.
    pub fn files(&self) -> Vec<PathBuf> {
        let secrets = self.source.secrets().into_iter().chain(self.sink.secrets());
        let secrets = secrets.filter_map(|secret| match secret {
            Secret::File(path) => Some(path.clone()),
            Secret::Env(_) => None,
        });
        let server = self.source.entrance().tls.map(|tls| tls.files());
        let client = self.sink.tls().map(|tls| tls.files());
        let certificates = server.into_iter().chain(client).flatten();
        secrets.chain(certificates).collect()
    }
}

/// Told of a value that is not to be: its place in the pipeline, and the reason.
pub(crate) type Say<'a> = dyn FnMut(&'static str, &str) + 'a;

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or it is no such configuration: with the place in it.
    #[error("{0}")]
    Unreadable(String),
    /// A value that is not to be.
    #[error("{file}: pipelines.{pipeline}.{path}: {reason}")]
    Wrong {
        /// The configuration's file.
        file: String,
        /// The pipeline's name.
        pipeline: String,
        /// The value's place in it.
        path: &'static str,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// With all that is wrong with it.
    pub fn read(path: &Path) -> Result<Config, Vec<ConfigError>> {
        let file = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![ConfigError::Unreadable(format!(
                "{file}: cannot be read: {error}"
            ))]
        })?;
        Config::parse(&file.to_string(), &text)
    }

    /// Reads a text; `file` names it in errors.
    ///
    /// # Errors
    /// With all that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Config, Vec<ConfigError>> {
        let config: Config = serde_saphyr::from_str(text).map_err(|error| {
            let reason = error.without_snippet().to_string();
            let told = match error.location() {
                Some(place) => {
                    let (line, column) = (place.line(), place.column());
                    let after = format!(" at line {line}, column {column}");
                    let reason = reason.strip_suffix(&after).unwrap_or(&reason);
                    format!("{file}:{line}:{column}: {reason}")
                }
                None => format!("{file}: {reason}"),
            };
            vec![ConfigError::Unreadable(told)]
        })?;
        let wrong: Vec<ConfigError> = config.check(file);
        match wrong.is_empty() {
            true => Ok(config),
            false => Err(wrong),
        }
    }

    /// What no type can say.
    fn check(&self, file: &str) -> Vec<ConfigError> {
        let mut wrong = Vec::new();
        for (name, pipeline) in &self.pipelines {
            let mut say = |path, reason: &str| {
                wrong.push(ConfigError::Wrong {
                    file: file.to_owned(),
                    pipeline: name.clone(),
                    path,
                    reason: reason.to_owned(),
                });
            };
            pipeline.source.check(&mut say);
            pipeline.sink.check(&mut say);
            if pipeline.source.entrance().limits.largest.0 > pipeline.room() {
                say(
                    "room",
                    "it must be as large as the source's `limits.largest`, or larger",
                );
            }
        }
        wrong.extend(self.shared_places(file));
        if let Some(Err(reason)) = self.admin.as_ref().map(admin::Config::check) {
            wrong.push(ConfigError::Unreadable(format!("{file}: {reason}")));
        }
        if self.pipelines.is_empty() {
            wrong.push(ConfigError::Unreadable(format!(
                "{file}: there is no pipeline"
            )));
        }
        wrong
    }

    /// Two pipelines cannot have the same connections.
    fn shared_places(&self, file: &str) -> Vec<ConfigError> {
        let mut holders: HashMap<Place, &String> = HashMap::new();
        let mut wrong = Vec::new();
        for (name, pipeline) in &self.pipelines {
            let place = pipeline.source.entrance().place;
            // Of port 0 everybody gets another.
            let many = matches!(&place, Place::Tcp(address) if address.port() == 0);
            // Brokers share partitions among all members of a group.
            if many || matches!(place, Place::Away(_)) {
                continue;
            }
            let told = format!("{place} is taken by the pipeline");
            if let Some(holder) = holders.insert(place, name) {
                wrong.push(ConfigError::Wrong {
                    file: file.to_owned(),
                    pipeline: name.clone(),
                    path: "source",
                    reason: format!("{told} `{holder}`"),
                });
            }
        }
        wrong
    }

    /// The schema, for editors and for checks elsewhere.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALLEST: &str = "\
pipelines:
  teams:
    source: { type: forward, listen: 127.0.0.1:24224 }
    sink: { type: forward, connect: [127.0.0.1:24225] }
";

    #[test]
    fn the_smallest_has_everything_else_by_default() {
        let config = Config::parse("c.yaml", SMALLEST).unwrap();
        let teams = &config.pipelines["teams"];
        assert_eq!(
            (teams.schema.as_str(), teams.key.as_str()),
            ("auto", "poseur")
        );
        assert_eq!((teams.room(), teams.style), (32 << 20, TagStyle::Namespace));
        let limits = teams.source.entrance().limits;
        assert_eq!((limits.largest, limits.connections), (Size(16 << 20), 1000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let with = |from: &str, to: &str| SMALLEST.replacen(from, to, 1);
        for (text, message) in [
            (with("listen", "lisen"), "c.yaml:3:5: unknown field `lisen`"),
            (with("127.0.0.1:24224", "nowhere"), "invalid socket address"),
            (
                with("forward,", "forwards,"),
                "unknown variant `forwards`, expected one of forward",
            ),
            (
                with("    sink", "    sinks"),
                "c.yaml:4:5: unknown field `sinks`",
            ),
            (
                with("127.0.0.1:24224", "0.0.0.0:1"),
                "c.yaml: pipelines.teams.source.listen: other machines could send here without TLS",
            ),
            (
                with("[127.0.0.1:24225]", "[]"),
                "pipelines.teams.sink.connect: at least one",
            ),
            (
                format!("{SMALLEST}    room: 1MiB\n"),
                "pipelines.teams.room: it must be as large",
            ),
            (
                format!("{SMALLEST}    room: 64\n"),
                "`64`: a size such as 500kB, 64MiB or 2GiB",
            ),
            (
                format!("{SMALLEST}    retry: {{ first: 1 day }}\n"),
                "`1 day`: a time such as 500ms, 30s or 5m",
            ),
            (
                format!(
                    "{SMALLEST}  other:\n{}",
                    SMALLEST.lines().skip(2).collect::<Vec<_>>().join("\n")
                ),
                "pipelines.teams.source: 127.0.0.1:24224 is taken by the pipeline `other`",
            ),
            ("pipelines: {}".to_owned(), "c.yaml: there is no pipeline"),
            ("".to_owned(), "c.yaml:"),
        ] {
            let errors = Config::parse("c.yaml", &text).unwrap_err();
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            assert!(errors.concat().contains(message), "{text}{errors:#?}");
            assert!(
                errors.iter().all(|error| error.lines().count() == 1),
                "{errors:#?}"
            );
        }
    }

    #[test]
    fn the_schema_knows_what_the_types_know() {
        let schema = serde_json::to_value(Config::json_schema()).unwrap();
        let text = schema.to_string();
        for name in [
            "pipelines",
            "shared_key",
            "connect",
            "insecure",
            "additionalProperties",
        ] {
            assert!(text.contains(name), "{name}");
        }
    }
}
