//! The `detection` of a rule: named selections, and the condition over them.

use super::condition::{self, Selection};
use super::modifier::Modifiers;
use crate::model::{Condition, Field};
use crate::yaml::{Node, Reader, Value};

/// Reads the selections and the condition in a map. `what` names the map in errors, `reserved` are
/// its keys that are no selections. `None` after an error.
pub(super) fn read(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    reserved: &[&str],
) -> Option<Condition> {
    let entries = reader.map(node, what)?;
    let errors_before = reader.errors.len();
    let mut selections = Vec::new();
    for (key, value) in entries {
        let name = key.key();
        if reserved.contains(&name) {
            continue;
        }
        if name == "timeframe" {
            reader.error(
                key,
                "`timeframe` looks across records, and Poseur judges each record alone: for a \
                 time window use `poseur: {max_age: 30d}`",
            );
            continue;
        }
        let condition = selection(reader, key, value);
        selections.push(Selection::new(name, condition));
    }
    if selections.is_empty() && reader.errors.len() == errors_before {
        reader.error(node, format!("{what} holds no selection"));
    }
    let condition = match node.get("condition") {
        Some(node) => conditions(reader, node, &selections),
        None => {
            reader.error(node, format!("{what} holds no `condition`"));
            None
        }
    };
    condition.filter(|_| reader.errors.len() == errors_before)
}

/// The condition, or the list of conditions of which one must hold.
fn conditions(reader: &mut Reader<'_>, node: &Node, selections: &[Selection]) -> Option<Condition> {
    if node.as_list().is_some_and(<[Node]>::is_empty) {
        reader.error(node, "the list of conditions is empty");
        return None;
    }
    let texts = reader.texts(node, "`condition`");
    if node.is_null() {
        reader.error(node, "`condition` must not be empty");
    }
    let parsed: Vec<Condition> = texts
        .into_iter()
        .filter_map(|(node, text)| condition::parse(reader, node, text, selections))
        .collect();
    (!parsed.is_empty()).then(|| Condition::one_or(parsed, Condition::Any))
}

/// What a selection means: a map is all of its entries, a list is any of its items.
///
/// After an error this is an empty condition, so that the condition can still be read and the
/// selection's name is known.
fn selection(reader: &mut Reader<'_>, key: &Node, node: &Node) -> Condition {
    let name = key.key();
    match &node.value {
        Value::Map(entries) if entries.is_empty() => {
            reader.error(key, format!("the selection `{name}` is empty"));
            Condition::All(Vec::new())
        }
        Value::Map(entries) => map(reader, entries),
        Value::List(items) if items.is_empty() => {
            reader.error(key, format!("the selection `{name}` is empty"));
            Condition::All(Vec::new())
        }
        Value::List(items) => {
            let parts = items
                .iter()
                .filter_map(|item| match &item.value {
                    Value::Map(entries) if entries.is_empty() => {
                        reader.error(item, format!("an item of the selection `{name}` is empty"));
                        None
                    }
                    Value::Map(entries) => Some(map(reader, entries)),
                    Value::Scalar(_) => keyword(reader, item),
                    Value::List(_) => {
                        reader.error(
                            item,
                            format!("an item of the selection `{name}` must be a text or a map"),
                        );
                        None
                    }
                })
                .collect();
            Condition::one_or(flat(parts), Condition::Any)
        }
        Value::Scalar(scalar) if scalar.is_null() => {
            reader.error(key, format!("the selection `{name}` is empty"));
            Condition::All(Vec::new())
        }
        Value::Scalar(_) => keyword(reader, node).unwrap_or(Condition::All(Vec::new())),
    }
}

/// Keywords of one list are alternatives of one another, also where one of them has several forms.
fn flat(parts: Vec<Condition>) -> Vec<Condition> {
    parts
        .into_iter()
        .flat_map(|part| match part {
            Condition::Any(inner) => inner,
            other => vec![other],
        })
        .collect()
}

/// A text that may stand in any field.
fn keyword(reader: &mut Reader<'_>, node: &Node) -> Option<Condition> {
    Modifiers::keyword().value(reader, &Field::Any, node)
}

fn map(reader: &mut Reader<'_>, entries: &[(Node, Node)]) -> Condition {
    let parts = entries
        .iter()
        .filter_map(|(key, value)| entry(reader, key, value));
    Condition::one_or(parts, Condition::All)
}

/// One field with its modifiers, and the values it may have.
fn entry(reader: &mut Reader<'_>, key: &Node, node: &Node) -> Option<Condition> {
    let text = key.key();
    let name = text.split('|').next().unwrap_or_default();
    let modifiers = Modifiers::read(reader, key)?;
    let field = match name.trim() {
        "" if !text.contains('|') => {
            reader.error(key, "a field without a name");
            return None;
        }
        "" => Field::Any,
        name => Field::Name(name.to_owned()),
    };
    let values: Vec<Condition> = match &node.value {
        Value::List(items) if items.is_empty() => {
            reader.error(node, format!("the list of values of `{text}` is empty"));
            return None;
        }
        Value::List(items) => {
            let values: Vec<Condition> = items
                .iter()
                .filter_map(|item| modifiers.value(reader, &field, item))
                .collect();
            // An error has been noted for each value that is not there.
            if values.len() < items.len() {
                return None;
            }
            values
        }
        _ => vec![modifiers.value(reader, &field, node)?],
    };
    let condition = if modifiers.all {
        Condition::one_or(values, Condition::All)
    } else {
        Condition::one_or(flat(values), Condition::Any)
    };
    Some(if modifiers.negated {
        Condition::Not(Box::new(condition))
    } else {
        condition
    })
}
