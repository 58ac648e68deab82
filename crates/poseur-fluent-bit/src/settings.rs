//! What an operator writes into a filter's section.

use std::path::PathBuf;

use poseur_setup::Sources;
use poseur_tagger::{Style, TagOptions};

/// A filter's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where rules, exceptions and schemas come from.
    pub sources: Sources,
    /// What is written into records.
    pub tag: TagOptions,
    /// Whether files are read again when they change.
    pub rereads: bool,
}

/// A property has a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{property} {value}`: {expected}")]
pub struct SettingsError {
    /// The property's name.
    pub property: &'static str,
    /// What it was set to.
    pub value: String,
    /// What it can be set to.
    pub expected: &'static str,
}

impl Settings {
    /// Reads the properties `rules`, `exceptions`, `schema`, `style`, `key` and `on_reload`, each of which
    /// may be absent. Several files or folders are separated by commas.
    ///
    /// # Errors
    /// If a property has a value that it cannot have.
    pub fn new(property: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let paths = |name| -> Vec<PathBuf> {
            let text = property(name).unwrap_or_default();
            let paths = text.split(',').map(str::trim);
            let paths = paths.filter(|path| !path.is_empty());
            paths.map(PathBuf::from).collect()
        };
        let wrong = |property, value: &str, expected| SettingsError {
            property,
            value: value.to_owned(),
            expected,
        };
        let mut tag = TagOptions::default();
        if let Some(style) = property("style") {
            tag.style = match style.as_str() {
                "namespace" => Style::Namespace,
                "ecs" => Style::Ecs,
                "minimal" => Style::Minimal,
                _ => {
                    let expected = "expected namespace, ecs or minimal";
                    return Err(wrong("style", &style, expected));
                }
            };
        }
        if let Some(key) = property("key") {
            if key.is_empty() {
                return Err(wrong("key", &key, "expected the name of a key"));
            }
            tag.key = key;
        }
        let rereads = match property("on_reload").as_deref() {
            None | Some("reread") => true,
            Some("ignore") => false,
            Some(other) => {
                let expected = "expected reread (files that change are read again) or ignore";
                return Err(wrong("on_reload", other, expected));
            }
        };
        Ok(Settings {
            sources: Sources {
                rules: paths("rules"),
                exceptions: paths("exceptions"),
                schema: property("schema").unwrap_or_default(),
                ..Sources::default()
            },
            tag,
            rereads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(properties: &[(&str, &str)]) -> Result<Settings, String> {
        let found = |name: &str| {
            let mut properties = properties.iter();
            let found = properties.find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Settings::new(found).map_err(|error| error.to_string())
    }

    #[test]
    fn properties() {
        let plain = settings(&[]).unwrap();
        assert_eq!(plain.sources, Sources::default());
        assert_eq!((plain.tag, plain.rereads), (TagOptions::default(), true));
        let all = settings(&[
            ("rules", "a.yml, b,,"),
            ("exceptions", "partners"),
            ("schema", "o365"),
            ("style", "ecs"),
            ("key", "seen"),
            ("on_reload", "ignore"),
        ]);
        let all = all.unwrap();
        assert_eq!(all.sources.rules, ["a.yml", "b"].map(PathBuf::from));
        assert_eq!(all.sources.exceptions, ["partners"].map(PathBuf::from));
        assert_eq!(all.sources.schema, "o365");
        assert_eq!((all.tag.style, all.tag.key.as_str()), (Style::Ecs, "seen"));
        assert!(!all.rereads);
        for (property, value, message) in [
            (
                "style",
                "loud",
                "`style loud`: expected namespace, ecs or minimal",
            ),
            ("key", "", "`key `: expected the name of a key"),
            (
                "on_reload",
                "never",
                "`on_reload never`: expected reread (files that change are read again) or ignore",
            ),
        ] {
            assert_eq!(settings(&[(property, value)]), Err(message.to_owned()));
        }
    }
}
