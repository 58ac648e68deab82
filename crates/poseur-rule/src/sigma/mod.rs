//! The Sigma front end: documents of the Sigma specification 2.x become rules and exceptions.
//!
//! What cannot be evaluated on one record is refused by name: correlations, the old multi-document
//! actions, placeholders that only a processing pipeline could fill. Nothing is half-loaded: a
//! document with any error gives no rule.

mod condition;
mod detection;
mod encode;
mod filter;
mod modifier;
mod rule;
mod value;

use crate::documents::Documents;
use crate::error::LoadError;
use crate::yaml::{self, Node, Reader};

pub use filter::Filter;

/// Reads a Sigma file of one or several documents. `file` is the name that errors give.
pub fn read(file: &str, text: &str) -> Documents {
    match yaml::parse(file, text) {
        Ok(nodes) => read_nodes(file, text, &nodes),
        Err(error) => Documents {
            errors: vec![error],
            ..Documents::default()
        },
    }
}

/// The same for a text that was parsed already.
pub fn read_nodes(file: &str, text: &str, nodes: &[Node]) -> Documents {
    let mut documents = Documents::default();
    let mut reader = Reader::with_source(file, text);
    if refuse_actions(&mut reader, nodes) {
        documents.errors = reader.errors;
        return documents;
    }
    // A separator at the end of a file starts a document that holds nothing.
    for node in nodes.iter().filter(|node| !node.is_null()) {
        read_document(&mut reader, node, &mut documents);
    }
    documents.errors.append(&mut reader.errors);
    let empty = documents.rules.is_empty() && documents.filters.is_empty();
    if empty && documents.errors.is_empty() {
        documents.errors.push(LoadError::new(
            crate::error::Place::new(file, 0, 0),
            "the file holds no rule: remove it, or write one",
        ));
    }
    documents
}

/// Refuses the `action` documents of Sigma 1. They complete one another, so that none of the file
/// can be read without them.
fn refuse_actions(reader: &mut Reader<'_>, documents: &[Node]) -> bool {
    for document in documents {
        if let Some((key, value)) = document.entry("action")
            && let Some(action) = value.as_scalar()
            && matches!(action.text.as_str(), "global" | "reset" | "repeat")
        {
            reader.error(
                key,
                format!(
                    "`action: {}` is Sigma 1: write each rule as a document of its own",
                    action.text
                ),
            );
        }
    }
    !reader.errors.is_empty()
}

fn read_document(reader: &mut Reader<'_>, node: &Node, documents: &mut Documents) {
    if reader.map(node, "a Sigma document").is_none() {
        return;
    }
    if let Some((key, _)) = node.entry("correlation") {
        reader.error(
            key,
            "this is a correlation: it looks across records, and Poseur judges each record alone",
        );
        return;
    }
    match (node.entry("detection"), node.entry("filter")) {
        (Some(_), Some((key, _))) => reader.error(
            key,
            "a document is a rule (`detection`) or a filter (`filter`), not both",
        ),
        (None, Some(_)) => documents.filters.extend(filter::read(reader, node)),
        _ => documents.rules.extend(rule::read(reader, node)),
    }
}
