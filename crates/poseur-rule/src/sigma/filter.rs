//! A filter document: one condition added to many rules.

use super::{detection, rule};
use crate::exception::{Exception, Ground};
use crate::model::{LogSource, MAX_DEPTH, Rule};
use crate::yaml::{Node, Reader};

/// A Sigma filter. It concerns the rules it names, as far as they are for its kind of log.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// What it does. `rules` holds references as written: ids or titles.
    pub exception: Exception,
    /// The kind of log it is for.
    pub log_source: LogSource,
}

impl Filter {
    /// The exception this filter is among these rules: titles become ids, and rules for other
    /// logs are left out. A reference to a rule that is not among them stays as it is.
    pub fn among(&self, rules: &[Rule]) -> Exception {
        let mut exception = self.exception.clone();
        exception.rules = match &self.exception.rules {
            None => Some(
                rules
                    .iter()
                    .filter(|rule| self.log_source.covers(&rule.log_source))
                    .map(|rule| rule.id.clone())
                    .collect(),
            ),
            Some(references) => {
                let mut ids: Vec<String> = Vec::new();
                for reference in references {
                    let mut named = rules
                        .iter()
                        .filter(|rule| rule.id == *reference || rule.title == *reference)
                        .peekable();
                    if named.peek().is_none() {
                        ids.push(reference.clone());
                    }
                    ids.extend(
                        named
                            .filter(|rule| self.log_source.covers(&rule.log_source))
                            .map(|rule| rule.id.clone()),
                    );
                }
                Some(ids)
            }
        };
        exception
    }
}

/// Reads a filter. `None` after an error.
pub(super) fn read(reader: &mut Reader<'_>, document: &Node) -> Option<Filter> {
    let errors_before = reader.errors.len();
    let title = rule::required(reader, document, "title");
    let id = rule::optional(reader, document, "id");
    let description = rule::optional(reader, document, "description");
    let owner = rule::author(reader, document);
    let log_source = rule::log_source(reader, document);
    let body = document.get("filter")?;
    reader.map(body, "`filter`")?;
    let rules = references(reader, body);
    let condition = detection::read(reader, body, "`filter`", &["condition", "rules"]);
    let title = title?;
    let condition = condition?;
    if condition.depth() > MAX_DEPTH {
        reader.error(
            document,
            format!("the filter nests deeper than {MAX_DEPTH} levels"),
        );
    }
    let filter = Filter {
        exception: Exception {
            id: id.unwrap_or_else(|| title.clone()),
            reason: description.unwrap_or(title),
            owner,
            expires: None,
            rules,
            ground: Ground::Unless(condition),
            place: document.place(reader.file),
        },
        log_source: log_source?,
    };
    (reader.errors.len() == errors_before).then_some(filter)
}

/// The rules a filter names; `None` for all.
fn references(reader: &mut Reader<'_>, body: &Node) -> Option<Vec<String>> {
    let Some(node) = body.get("rules") else {
        reader.error(
            body,
            "`rules` is missing: list the ids or titles of rules, or write `any`",
        );
        return None;
    };
    if let Some(word) = node.as_scalar()
        && (word.text.eq_ignore_ascii_case("any") || word.text.eq_ignore_ascii_case("all"))
    {
        return None;
    }
    let errors_before = reader.errors.len();
    let texts = reader.texts(node, "`rules`");
    if texts.is_empty() && reader.errors.len() == errors_before {
        reader.error(
            node,
            "`rules` is empty: list the ids or titles of rules, or write `any`",
        );
    }
    Some(texts.into_iter().map(|(_, text)| text.to_owned()).collect())
}
