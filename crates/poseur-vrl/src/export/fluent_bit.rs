//! Fluent Bit's configuration for the native filter.

use poseur_tagger::{Style, TagOptions};

use super::vector::quoted;

/// What the filter is configured with. Paths are read by the filter.
#[derive(Debug, Clone, Default)]
pub struct FluentBit {
    /// The shared object.
    pub plugin: String,
    /// Which records: a pattern of Fluent Bit's tags.
    pub matching: String,
    /// The input plugin whose processor it is, instead of a filter.
    pub processor_of: Option<String>,
    /// Files and folders of rules; none: the built-in pack.
    pub rules: Vec<String>,
    /// Files, folders and packs of exceptions.
    pub exceptions: Vec<String>,
    /// The name of a schema, or `auto`.
    pub schema: String,
    /// How tags look.
    pub tag: TagOptions,
    /// Read rules and exceptions again when their files change.
    pub rereads: bool,
}

impl FluentBit {
    /// The configuration, as YAML.
    pub fn yaml(&self) -> String {
        let mut out = String::from("# Made by `poseur export fluent-bit`.\n");
        out += &format!("plugins:\n  - {}\npipeline:\n", quoted(&self.plugin));
        let (margin, start) = match &self.processor_of {
            None => {
                out += "  filters:\n";
                (6, "    - ")
            }
            Some(input) => {
                out += &format!(
                    "  inputs:\n    - name: {}\n      processors:\n        logs:\n",
                    quoted(input)
                );
                (12, "          - ")
            }
        };
        out += &format!("{start}name: poseur\n");
        let mut property = |name: &str, value: &str| {
            out += &format!("{}{name}: {}\n", " ".repeat(margin), quoted(value));
        };
        if self.processor_of.is_none() {
            property("match", &self.matching);
        }
        if !self.rules.is_empty() {
            property("rules", &self.rules.join(","));
        }
        if !self.exceptions.is_empty() {
            property("exceptions", &self.exceptions.join(","));
        }
        property("schema", &self.schema);
        let style = match self.tag.style {
            Style::Namespace => "namespace",
            Style::Ecs => "ecs",
            Style::Minimal => "minimal",
        };
        property("style", style);
        property("key", &self.tag.key);
        property("on_reload", if self.rereads { "reread" } else { "ignore" });
        out
    }
}
