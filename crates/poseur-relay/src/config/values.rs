//! Values of configurations: sizes, times, secrets.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::forward::handshake::Secrets;

/// Somebody who may send.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
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

/// The name in a handshake. Two sides must not have the same one, so each stage has one of its own.
pub fn hostname(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| {
        let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        match name.trim() {
            "" => "poseur".to_owned(),
            name => format!("poseur.{name}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
