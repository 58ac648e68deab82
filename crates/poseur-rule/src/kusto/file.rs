//! Query files: Sentinel's and Defender's YAML, and bare queries.

use std::path::Path;

use super::{Refusal, one_line, query};
use crate::documents::Documents;
use crate::error::{LoadError, Place};
use crate::model::{Language, Level, LogSource, Origin, Rule};
use crate::types::Types;
use crate::yaml::{self, Node, Reader, closest};

/// Reads a YAML file of Sentinel (analytics, hunting) or Defender (hunting). `file` is the name that
/// errors give; `types` has the types of columns.
///
/// Of the keys, `id`, `name`, `description`, `query`, `tactics`, `relevantTechniques` and `severity` are
/// read; how often a service runs the query, and what it makes of the matches, has no meaning for one
/// record.
pub fn read_yaml(file: &str, text: &str, types: &Types) -> Documents {
    match yaml::parse(file, text) {
        Ok(nodes) => read_nodes(file, text, &nodes, types),
        Err(error) => Documents {
            errors: vec![error],
            ..Documents::default()
        },
    }
}

/// The same for a text that was parsed already.
pub fn read_nodes(file: &str, text: &str, nodes: &[Node], types: &Types) -> Documents {
    let mut documents = Documents::default();
    let mut reader = Reader::with_source(file, text);
    for node in nodes.iter().filter(|node| !node.is_null()) {
        if reader.map(node, "a query file").is_some() {
            documents.rules.extend(rule(&mut reader, node, types));
        }
    }
    documents.errors = reader.errors;
    if documents.rules.is_empty() && documents.errors.is_empty() {
        documents.errors.push(LoadError::new(
            Place::new(file, 0, 0),
            "the file holds no query: remove it, or write one",
        ));
    }
    documents
}

fn rule(reader: &mut Reader<'_>, document: &Node, types: &Types) -> Option<Rule> {
    let errors_before = reader.errors.len();
    let id = required(reader, document, "id");
    let title = required(reader, document, "name");
    let description = optional(reader, document, "description");
    let level = severity(reader, document);
    let techniques = techniques(reader, document);
    let tactics = tactics(reader, document);
    let meaning = match document.get("query") {
        Some(node) => {
            let text = reader.text(node, "`query`")?;
            query::read(text, types)
                .map_err(|refusal| reader.error_within(node, refusal.at, refusal.reason))
                .ok()
        }
        None => {
            reader.error(document, "`query` is missing: it holds the query in Kusto");
            None
        }
    };
    if reader.errors.len() > errors_before {
        return None;
    }
    let place = document.place(reader.file);
    let mut rule = of_query(id?, title?, meaning?, place);
    rule.description = description.unwrap_or_default();
    rule.level = level;
    rule.techniques = techniques;
    rule.tactics = tactics;
    Some(rule)
}

/// Reads a file that is nothing but a query. Its id is the file's name without extension, its title the
/// first comment, and its level medium.
pub fn read_query(file: &str, text: &str, types: &Types) -> Documents {
    let mut documents = Documents::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let stem = Path::new(file).file_stem();
    let id = stem.map_or_else(|| file.into(), |stem| stem.to_string_lossy().into_owned());
    match query::read(text, types) {
        Ok(meaning) => {
            let title = first_comment(text).unwrap_or(&id).to_owned();
            let place = Place::new(file, 1, 1);
            documents.rules.push(of_query(id, title, meaning, place));
        }
        Err(Refusal { at, reason, .. }) => {
            documents
                .errors
                .push(LoadError::new(place_in(file, text, at), reason));
        }
    }
    documents
}

/// The text of the first line that is a comment and says something.
fn first_comment(text: &str) -> Option<&str> {
    text.lines()
        .map(str::trim)
        .take_while(|line| line.is_empty() || line.starts_with("//"))
        .map(|line| line.trim_start_matches('/').trim())
        .find(|comment| !comment.is_empty())
}

/// Line and column of a byte.
fn place_in(file: &str, text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place::new(
        file,
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

fn of_query(id: String, title: String, meaning: query::Meaning, place: Place) -> Rule {
    Rule {
        id,
        title,
        description: String::new(),
        status: None,
        author: None,
        level: Level::default(),
        risk_score: None,
        techniques: Vec::new(),
        tactics: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        fields: meaning.fields,
        log_source: LogSource {
            table: Some(meaning.table),
            ..LogSource::default()
        },
        condition: meaning.condition,
        origin: Origin {
            language: Language::Kusto,
            place,
        },
    }
}

fn required(reader: &mut Reader<'_>, document: &Node, key: &str) -> Option<String> {
    match document.get(key) {
        Some(node) => Some(unquoted(reader.text(node, &format!("`{key}`"))?).to_owned()),
        None => {
            reader.error(document, format!("`{key}` is missing"));
            None
        }
    }
}

fn optional(reader: &mut Reader<'_>, document: &Node, key: &str) -> Option<String> {
    let node = document.get(key).filter(|node| !node.is_null())?;
    let empty = node
        .as_scalar()
        .is_some_and(|scalar| scalar.text.trim().is_empty());
    if empty {
        return None;
    }
    Some(unquoted(reader.text(node, &format!("`{key}`"))?).to_owned())
}

/// A text without the quotes that some files put inside a block.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner.trim();
        }
    }
    text
}

fn severity(reader: &mut Reader<'_>, document: &Node) -> Level {
    const WORDS: [&str; 4] = ["Informational", "Low", "Medium", "High"];
    let Some(word) = optional(reader, document, "severity") else {
        return Level::default();
    };
    Level::from_word(&word).unwrap_or_else(|| {
        let hint = closest(&word, WORDS).map_or_else(
            || format!("known are {}", WORDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        if let Some(node) = document.get("severity") {
            reader.error(node, one_line(format!("unknown severity `{word}`: {hint}")));
        }
        Level::default()
    })
}

fn texts<'n>(reader: &mut Reader<'_>, document: &'n Node, key: &str) -> Vec<&'n str> {
    let Some(node) = document.get(key) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    match node.as_list() {
        // Published files leave items empty.
        Some(items) => {
            let items = items.iter().filter(|item| !item.is_null());
            texts.extend(items.filter_map(|item| reader.text(item, &format!("each of `{key}`"))));
        }
        None => {
            let found = reader.texts(node, &format!("`{key}`"));
            texts.extend(found.into_iter().map(|(_, text)| text));
        }
    }
    texts.into_iter().map(str::trim).collect()
}

fn techniques(reader: &mut Reader<'_>, document: &Node) -> Vec<String> {
    let mut techniques = Vec::new();
    for text in texts(reader, document, "relevantTechniques") {
        let technique = text.to_ascii_uppercase();
        if is_technique(&technique) && !techniques.contains(&technique) {
            techniques.push(technique);
        }
    }
    techniques
}

/// `T1566` or `T1566.003`.
fn is_technique(name: &str) -> bool {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix('T')
        .is_some_and(|number| match number.split_once('.') {
            Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
            None => digits(number, 4),
        })
}

/// Tactics by Sigma's names: `InitialAccess` is `initial-access`.
fn tactics(reader: &mut Reader<'_>, document: &Node) -> Vec<String> {
    let mut tactics = Vec::new();
    for text in texts(reader, document, "tactics") {
        let mut tactic = String::new();
        for c in text.chars() {
            let divides = c.is_ascii_uppercase() || !c.is_ascii_alphanumeric();
            if divides && !tactic.is_empty() && !tactic.ends_with('-') {
                tactic.push('-');
            }
            if c.is_ascii_alphanumeric() {
                tactic.push(c.to_ascii_lowercase());
            }
        }
        if !tactic.is_empty() && !tactics.contains(&tactic) {
            tactics.push(tactic);
        }
    }
    tactics
}
