//! The configuration of `poseur serve`: YAML, with a JSON Schema made from the same types.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use poseur_tagger::Style;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::forward::handshake::Secrets;

/// What `poseur serve` does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Configuration of poseur serve")]
pub struct Config {
    /// Pipelines by name. Each has its own rules, source and sink.
    pub pipelines: BTreeMap<String, Pipeline>,
}

/// From a source, past rules, to a sink.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
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
    pub source: Source,
    /// Where they go.
    pub sink: Sink,
    /// Memory for records on their way. Senders wait for room.
    #[serde(default = "room")]
    pub room: Size,
    /// How a delivery that fails is tried again.
    #[serde(default)]
    pub retry: Retry,
}

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

/// Where records come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Source {
    /// Senders that speak the Forward protocol: Fluent Bit, Fluentd, many loggers.
    Forward(ForwardSource),
}

/// Senders that speak the Forward protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardSource {
    /// Address and port to listen on. Other machines can reach it only if `insecure` says so.
    pub listen: SocketAddr,
    /// Listens on an address that other machines can reach, without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// The key that senders must know. Without it nobody is asked.
    pub shared_key: Option<Secret>,
    /// Names and passwords; senders must give one of them, beside the key.
    #[serde(default)]
    pub users: Vec<User>,
    /// Our name in the handshake; the machine's, if it is not given.
    pub hostname: Option<String>,
    /// The largest message, and the largest chunk when it is unpacked.
    #[serde(default = "largest")]
    pub largest: Size,
    /// Connections at once; more wait to be accepted.
    #[serde(default = "connections")]
    pub connections: usize,
    /// A connection on which nothing comes for so long is closed.
    #[serde(default = "idle")]
    pub idle: Span,
    /// A message that began must be there after so long.
    #[serde(default = "patience")]
    pub patience: Span,
}

/// Where records go.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Sink {
    /// A receiver that speaks the Forward protocol. Every chunk must be acknowledged.
    Forward(ForwardSink),
}

/// A receiver that speaks the Forward protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardSink {
    /// `host:port` of each receiver. The next one is tried if one fails.
    #[schemars(length(min = 1))]
    pub connect: Vec<String>,
    /// The key that receivers ask for.
    pub shared_key: Option<Secret>,
    /// The name and password that receivers ask for.
    pub user: Option<User>,
    /// Our name in the handshake; the machine's, if it is not given.
    pub hostname: Option<String>,
    /// How long connecting may take, with the handshake.
    #[serde(default = "connect_timeout")]
    pub connect_timeout: Span,
    /// How long an acknowledgement may take.
    #[serde(default = "ack_timeout")]
    pub ack_timeout: Span,
}

/// Somebody who may send.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// Where a secret is: never in the configuration itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Secret {
    /// In this variable of the environment.
    Env(String),
    /// In this file; a line end after it does not count.
    File(PathBuf),
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
        let crate::pipeline::Retry {
            first,
            longest,
            limit,
        } = crate::pipeline::Retry::default();
        let [first, longest, limit] = [first, longest, limit].map(Span);
        Retry {
            first,
            longest,
            limit,
        }
    }
}

/// A number of bytes, such as `64MiB` or `500kB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, with = "String", example = "64MiB")]
pub struct Size(pub usize);

/// A time, such as `500ms`, `30s` or `5m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(transparent, with = "String", example = "30s")]
pub struct Span(pub Duration);

/// A number and a unit.
fn quantity(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let (_, size) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number.parse::<f64>().ok()? * size)
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        const UNITS: [(&str, f64); 7] = [
            ("B", 1.0),
            ("kB", 1e3),
            ("MB", 1e6),
            ("GB", 1e9),
            ("KiB", 1024.0),
            ("MiB", 1_048_576.0),
            ("GiB", 1_073_741_824.0),
        ];
        let text = String::deserialize(deserializer)?;
        let bytes = quantity(&text, &UNITS).filter(|bytes| (1.0..1e12).contains(bytes));
        let bytes = bytes.ok_or_else(|| {
            let known = "a size such as 500kB, 64MiB or 2GiB was expected";
            serde::de::Error::custom(format!("`{text}`: {known}"))
        })?;
        Ok(Size(bytes as usize))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        const UNITS: [(&str, f64); 4] = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
        let text = String::deserialize(deserializer)?;
        let seconds = quantity(&text, &UNITS).filter(|seconds| (1e-3..1e8).contains(seconds));
        let seconds = seconds.ok_or_else(|| {
            let known = "a time such as 500ms, 30s or 5m was expected";
            serde::de::Error::custom(format!("`{text}`: {known}"))
        })?;
        Ok(Span(Duration::from_secs_f64(seconds)))
    }
}

fn auto() -> String {
    "auto".to_owned()
}

fn key() -> String {
    "poseur".to_owned()
}

fn room() -> Size {
    Size(64 << 20)
}

fn largest() -> Size {
    Size(16 << 20)
}

fn connections() -> usize {
    1000
}

fn idle() -> Span {
    Span(Duration::from_secs(300))
}

fn patience() -> Span {
    Span(Duration::from_secs(60))
}

fn connect_timeout() -> Span {
    Span(Duration::from_secs(10))
}

fn ack_timeout() -> Span {
    Span(Duration::from_secs(60))
}

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
            let Source::Forward(source) = &pipeline.source;
            if !source.listen.ip().is_loopback() && !source.insecure {
                say(
                    "source.listen",
                    "other machines could send here without TLS: listen on 127.0.0.1, or say `insecure: true`",
                );
            }
            if source.shared_key.is_none() && !source.users.is_empty() {
                say(
                    "source.users",
                    "the protocol asks for users only beside a `shared_key`",
                );
            }
            if source.largest.0 > pipeline.room.0 {
                say(
                    "room",
                    "it must be as large as the source's `largest`, or larger",
                );
            }
            let Sink::Forward(sink) = &pipeline.sink;
            if sink.connect.is_empty() {
                say("sink.connect", "at least one `host:port` is needed");
            }
            if sink.shared_key.is_none() && sink.user.is_some() {
                say(
                    "sink.user",
                    "the protocol asks for users only beside a `shared_key`",
                );
            }
        }
        if self.pipelines.is_empty() {
            wrong.push(ConfigError::Unreadable(format!(
                "{file}: there is no pipeline"
            )));
        }
        wrong
    }

    /// The schema, for editors and for checks elsewhere.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Config)
    }
}

impl Secret {
    /// The secret.
    ///
    /// # Errors
    /// If it is not there, or empty; says where it was looked for, and never what was found.
    pub fn read(&self) -> Result<Vec<u8>, String> {
        let secret = match self {
            Secret::Env(name) => std::env::var_os(name)
                .map(std::ffi::OsString::into_encoded_bytes)
                .ok_or_else(|| format!("the variable {name} is not set"))?,
            Secret::File(path) => {
                let text = std::fs::read(path);
                let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
                let end = text.strip_suffix(b"\n").unwrap_or(&text);
                end.strip_suffix(b"\r").unwrap_or(end).to_vec()
            }
        };
        match secret.is_empty() {
            false => Ok(secret),
            true => Err(match self {
                Secret::Env(name) => format!("the variable {name} is empty"),
                Secret::File(path) => format!("{}: the file is empty", path.display()),
            }),
        }
    }
}

/// The secrets of one side of a connection; `None` without a key.
///
/// # Errors
/// If one of them cannot be read.
pub fn secrets(key: Option<&Secret>, users: &[User]) -> Result<Option<Secrets>, String> {
    let Some(key) = key else { return Ok(None) };
    let users = users.iter().map(|user| {
        let password = String::from_utf8(user.password.read()?);
        let password =
            password.map_err(|_| format!("the password of {} is not UTF-8", user.name))?;
        Ok((user.name.clone(), password))
    });
    Ok(Some(Secrets {
        key: key.read()?,
        users: users.collect::<Result<_, String>>()?,
    }))
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
        assert_eq!(
            (teams.room, teams.style),
            (Size(64 << 20), TagStyle::Namespace)
        );
        let Source::Forward(source) = &teams.source;
        assert_eq!((source.largest, source.connections), (Size(16 << 20), 1000));
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
    fn secrets_are_where_they_are_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let key = Secret::File(file.clone());
        assert!(key.read().unwrap_err().contains("key: "));
        for (text, expected) in [
            ("k\n", Some("k")),
            ("k\r\n", Some("k")),
            ("k \n\n", Some("k \n")),
            ("\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(key.read().ok(), expected.map(Vec::from), "{text:?}");
        }
        let unset = Secret::Env("POSEUR_TEST_NOT_SET".to_owned());
        assert_eq!(
            unset.read().unwrap_err(),
            "the variable POSEUR_TEST_NOT_SET is not set"
        );
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
