//! Vector's configuration around a program: a transform, and unit tests for it.

use serde_json::Value;

use super::program::{field, text};
use super::{Export, ExportError};
use poseur_tagger::Style;

/// An event that a rule matches and one that it does not, as JSON objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The rule's id.
    pub rule: String,
    /// The rule matches it.
    pub matching: Value,
    /// The rule does not match it.
    pub other: Value,
}

impl Export<'_> {
    /// The `transforms` block of a Vector configuration, with a unit test for each event of the examples.
    /// `name` is the transform's, `input` the component whose events it judges. The caller has made sure
    /// that the examples are right.
    ///
    /// # Errors
    /// As [`Export::vrl`].
    pub fn vector(
        &self,
        name: &str,
        input: &str,
        examples: &[Example],
    ) -> Result<String, Vec<ExportError>> {
        let program = self.vrl()?;
        let mut out = String::new();
        let mut line = |margin: usize, line: &str| {
            if !line.is_empty() {
                out.push_str(&" ".repeat(margin));
                out.push_str(line);
            }
            out.push('\n');
        };
        line(
            0,
            "# Made by `poseur export vector`: change the rules, not this file.",
        );
        line(0, "transforms:");
        line(2, &format!("{}:", quoted(name)));
        line(4, "type: remap");
        line(4, &format!("inputs: [{}]", quoted(input)));
        line(4, "source: |2");
        for source in program.lines() {
            line(6, source);
        }
        let missing = self
            .rules
            .iter()
            .filter(|rule| !examples.iter().any(|example| example.rule == rule.id));
        for rule in missing {
            line(
                0,
                &format!(
                    "# No test for rule {}: no event was found that it matches at any time.",
                    rule.id
                ),
            );
        }
        if examples.is_empty() {
            return Ok(out);
        }
        line(0, "tests:");
        for example in examples {
            let title = self
                .rules
                .iter()
                .find(|rule| rule.id == example.rule)
                .map_or("", |rule| &rule.title);
            let (list, id) = (self.rule_list(), text(&example.rule));
            let tests = [
                ("matches", "", &example.matching),
                ("does not match", "!", &example.other),
            ];
            for (what, not, event) in tests {
                let name_of_test = format!("{} {what}: {title}", example.rule);
                line(2, &format!("- name: {}", quoted(&name_of_test)));
                line(4, "inputs:");
                line(6, &format!("- insert_at: {}", quoted(name)));
                line(8, "type: vrl");
                line(8, "source: |2");
                line(10, &format!(". = {}", literal(event)));
                line(4, "outputs:");
                line(6, &format!("- extract_from: {}", quoted(name)));
                line(8, "conditions:");
                line(10, "- type: vrl");
                line(12, "source: |2");
                line(14, &format!("{not}includes(array({list}) ?? [], {id})"));
            }
        }
        Ok(out)
    }

    /// The path of the list of rules in a tagged event.
    fn rule_list(&self) -> String {
        match self.tag.style {
            Style::Ecs => field("", "rule.id"),
            Style::Namespace | Style::Minimal => format!("{}.rules", field("", &self.tag.key)),
        }
    }
}

/// A YAML scalar.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "_-./".contains(char))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    match plain {
        true => text.to_owned(),
        // A JSON string is a YAML scalar.
        false => Value::from(text).to_string().replace('$', "\\u0024"),
    }
}

/// A JSON value as a VRL literal.
fn literal(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{}: {}", text(key), literal(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        scalar => scalar.to_string(),
    }
}
