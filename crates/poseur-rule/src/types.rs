//! Types that a rule does not say: of Elastic fields (from the index mapping) and of Kusto columns (from
//! the table's schema). The built-in pages list what is not the default; operators add pages of the
//! same form.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::error::LoadError;
use crate::expression::ColumnType;
use crate::yaml::{self, Node, Reader, closest};

/// The type of an Elastic field, as far as it changes what a kuery value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FieldType {
    /// Whole texts, exact. `wildcard`, `constant_keyword` and `flattened` are compared the same way.
    #[default]
    Keyword,
    /// Words: `text`, `match_only_text`.
    Text,
    /// IP addresses.
    Ip,
    /// Moments.
    Date,
    /// Numbers of any width.
    Number,
    /// Truth values.
    Boolean,
}

impl FieldType {
    const WORDS: [(&str, FieldType); 6] = [
        ("keyword", FieldType::Keyword),
        ("text", FieldType::Text),
        ("ip", FieldType::Ip),
        ("date", FieldType::Date),
        ("number", FieldType::Number),
        ("boolean", FieldType::Boolean),
    ];
}

/// Types by name.
///
/// ```
/// use poseur_rule::types::{FieldType, Types};
///
/// let mut types = Types::built_in();
/// assert_eq!(types.field("source.ip"), FieldType::Ip);
/// types.add("mine.yml", "fields: {door.opened: date}").unwrap();
/// assert_eq!(types.field("door.opened"), FieldType::Date);
/// assert_eq!(types.field("door.name"), FieldType::Keyword);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Types {
    /// Where to look for what is not below.
    others: Option<&'static LazyLock<Types>>,
    fields: HashMap<String, FieldType>,
    tables: HashMap<String, HashMap<String, ColumnType>>,
}

/// Read when the first type is looked up: Sigma rules ask for none.
static BUILT_IN: LazyLock<Types> = LazyLock::new(|| {
    let mut types = Types::default();
    for (name, text) in [
        ("ecs", include_str!("types/ecs.yml")),
        ("tables", include_str!("types/tables.yml")),
    ] {
        let added = types.add(&format!("built-in:{name}"), text);
        debug_assert_eq!(added, Ok(()), "a built-in page of types does not load");
    }
    types
});

impl Types {
    /// The types Poseur knows: the Elastic Common Schema's, and those of Microsoft's tables.
    pub fn built_in() -> Types {
        Types {
            others: Some(&BUILT_IN),
            ..Types::default()
        }
    }

    /// Adds a page: `fields` by name, `tables` by name with their columns. What it says wins over what
    /// is known.
    ///
    /// # Errors
    /// All that is wrong with the page; nothing of it is then added.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Vec<LoadError>> {
        let nodes = yaml::parse(file, text).map_err(|error| vec![error])?;
        let mut reader = Reader::with_source(file, text);
        let mut new = Types::default();
        for node in nodes.iter().filter(|node| !node.is_null()) {
            let Some(entries) = reader.map(node, "a page of types") else {
                continue;
            };
            reader.known_keys(entries, &["fields", "tables"], "a page of types");
            if let Some(fields) = node.get("fields") {
                let words = FieldType::WORDS;
                let of = |word: &str| Some(words.iter().find(|(known, _)| *known == word)?.1);
                let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                named(
                    &mut reader,
                    fields,
                    "`fields`",
                    &of,
                    &known,
                    &mut new.fields,
                );
            }
            let tables = node
                .get("tables")
                .and_then(|tables| reader.map(tables, "`tables`"));
            for (name, columns) in tables.into_iter().flatten() {
                let known = [
                    "string", "bool", "long", "real", "datetime", "timespan", "dynamic",
                ];
                let table = new.tables.entry(name.key().to_owned()).or_default();
                named(
                    &mut reader,
                    columns,
                    "a table",
                    &ColumnType::from_word,
                    &known,
                    table,
                );
            }
        }
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        self.fields.extend(new.fields);
        for (table, columns) in new.tables {
            self.tables.entry(table).or_default().extend(columns);
        }
        Ok(())
    }

    /// The type of an Elastic field; `keyword` for those not listed.
    pub fn field(&self, name: &str) -> FieldType {
        match (self.fields.get(name), self.others) {
            (Some(kind), _) => *kind,
            (None, Some(others)) => others.field(name),
            (None, None) => FieldType::default(),
        }
    }

    /// The type of a Kusto column, if it is listed.
    pub fn column(&self, table: &str, column: &str) -> Option<ColumnType> {
        let columns = self.tables.get(table);
        let listed = columns.and_then(|columns| columns.get(column).copied());
        listed.or_else(|| self.others?.column(table, column))
    }
}

/// Reads a map from names to words.
fn named<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    of: &dyn Fn(&str) -> Option<T>,
    known: &[&str],
    out: &mut HashMap<String, T>,
) {
    for (name, word) in reader.map(node, what).into_iter().flatten() {
        let Some(text) = reader.text(word, "a type") else {
            continue;
        };
        match of(text) {
            Some(kind) => {
                out.insert(name.key().to_owned(), kind);
            }
            None => {
                let hint = closest(text, known.iter().copied());
                let hint = hint.map_or(String::new(), |near| format!(" (did you mean {near}?)"));
                let reason = format!(
                    "`{text}` is no type{hint}: the types are {}",
                    known.join(", ")
                );
                reader.error(word, reason);
            }
        }
    }
}
