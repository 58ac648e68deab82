//! A whole query: its operators in order, and what they come to.

use std::collections::HashMap;

use super::bind::Binder;
use super::lower::{Lowering, all, needs_all_columns};
use super::syntax::{OperatorKind, Query, Wildcard};
use super::{Refusal, Result, parse};
use crate::expression::ColumnType;
use crate::model::{Condition, MAX_DEPTH};
use crate::types::Types;

/// The table whose columns the record schemas know by name.
const SCHEMA_TABLE: &str = "MessageEvents";

/// How often types are looked for: what one comparison tells may decide the next.
const SURVEYS: usize = 3;

/// What a query means for one record.
#[derive(Debug)]
pub(super) struct Meaning {
    pub(super) table: String,
    /// Columns that the query shows, as far as they are the table's.
    pub(super) fields: Vec<String>,
    pub(super) condition: Condition,
}

/// Reads a query.
pub(super) fn read(text: &str, types: &Types) -> Result<Meaning> {
    let query = parse::query(text)?;
    let table = query.table.text.as_str();
    let mut evidence = HashMap::new();
    for _ in 0..SURVEYS {
        let found = survey(&query, types, evidence.clone());
        if found == evidence {
            break;
        }
        evidence = found;
    }
    let lowering = Lowering {
        columns_are_fields: table == SCHEMA_TABLE,
    };
    let mut binder = Binder::new(types, table, evidence, true);
    binder.lets(&query.lets, &query.table_lets)?;
    let mut meaning = Meaning {
        table: table.to_owned(),
        fields: Vec::new(),
        condition: Condition::All(Vec::new()),
    };
    let mut conditions = Vec::new();
    let mut ended = None;
    for operator in &query.operators {
        if let Some(by) = ended {
            return Err(Refusal::new(
                operator.at,
                format!(
                    "an operator behind `{by}` looks across records, and Poseur judges each record alone"
                ),
            ));
        }
        match &operator.kind {
            OperatorKind::Where(node) => {
                let value = binder.condition(node)?;
                let condition = lowering.when_true(&value.expression);
                if needs_all_columns(&condition) {
                    let reason = "`*` is supported in tests of a text against constants only: name the columns";
                    return Err(Refusal::new(node.at, reason));
                }
                conditions.push(condition);
            }
            OperatorKind::Parse(parse) => {
                if let Some(value) = binder.parse(operator.at, parse)? {
                    conditions.push(lowering.when_true(&value.expression));
                }
            }
            OperatorKind::Ends(name) => ended = Some(*name),
            other => apply(&mut binder, other)?,
        }
        if let Some(shown) = shown(&operator.kind) {
            meaning.fields = fields(&mut binder, shown);
        }
    }
    meaning.condition = all(conditions);
    if meaning.condition.depth() > MAX_DEPTH {
        return Err(Refusal::new(
            query.table.at,
            format!("the conditions nest deeper than {MAX_DEPTH} levels"),
        ));
    }
    Ok(meaning)
}

/// The types that the query's expressions tell of columns that are not listed. What is wrong with it is
/// found later.
fn survey(
    query: &Query,
    types: &Types,
    evidence: HashMap<String, ColumnType>,
) -> HashMap<String, ColumnType> {
    let mut binder = Binder::new(types, &query.table.text, evidence, false);
    if binder.lets(&query.lets, &query.table_lets).is_err() {
        return binder.evidence;
    }
    for operator in &query.operators {
        let _ = match &operator.kind {
            OperatorKind::Where(node) => binder.condition(node).map(drop),
            OperatorKind::Parse(parse) => binder.parse(operator.at, parse).map(drop),
            other => apply(&mut binder, other),
        };
    }
    binder.evidence
}

/// What an operator does to the columns.
fn apply(binder: &mut Binder<'_>, operator: &OperatorKind) -> Result<()> {
    match operator {
        OperatorKind::Extend(columns) => binder.extend(columns)?,
        OperatorKind::Project(columns) => binder.project("project", columns)?,
        OperatorKind::Distinct(columns) => binder.project("distinct", columns)?,
        OperatorKind::Away(columns) => {
            binder
                .columns
                .filter("project-away", false, columns.clone());
        }
        OperatorKind::Keep(columns) => binder.columns.filter("project-keep", true, columns.clone()),
        OperatorKind::Rename(names) => binder.rename(names)?,
        OperatorKind::Where(_)
        | OperatorKind::Parse(_)
        | OperatorKind::Reorder(_)
        | OperatorKind::Ends(_)
        | OperatorKind::Passes => {}
    }
    Ok(())
}

/// The columns that `project` or `project-reorder` names.
fn shown(operator: &OperatorKind) -> Option<Vec<&str>> {
    match operator {
        OperatorKind::Project(columns) => Some(
            columns
                .iter()
                .filter_map(|column| Some(column.name.as_ref()?.text.as_str()))
                .collect(),
        ),
        OperatorKind::Reorder(columns) => Some(columns.iter().filter_map(Wildcard::name).collect()),
        _ => None,
    }
}

/// The table's columns among these, each once.
fn fields(binder: &mut Binder<'_>, names: Vec<&str>) -> Vec<String> {
    let mut fields = Vec::new();
    for name in names {
        if let Some(column) = binder.plain_column(name)
            && !fields.contains(&column)
        {
            fields.push(column);
        }
    }
    fields
}
