//! Schemas: where a rule's fields are found in one shape of record, what type each has, and how
//! missing ones are derived.
//!
//! A schema is data: the built-in ones are the YAML files in `schemas/`, and an operator adds fields
//! to them, or whole schemas, with files of the same form.

mod parse;
mod sources;

use poseur_rule::error::LoadError;

pub use parse::parse;
pub use sources::Sources;

/// Where the fields of one shape of record are found.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The name used on the command line: `o365`.
    pub name: String,
    /// One line that says what records have it.
    pub title: String,
    /// Schemas are tried from the lowest number up.
    pub order: i64,
    /// A record has this shape when all keys of one of these lines are present.
    pub detect: Vec<Vec<Mark>>,
    /// Where names that are not listed are looked up before they are looked up at the top.
    pub below: Option<String>,
    /// Listed fields.
    pub fields: Vec<FieldRule>,
    /// Families of fields: names with this prefix are looked up under that one.
    pub families: Vec<(String, String)>,
    /// Who can satisfy a rule.
    pub parties: Vec<Party>,
    /// Path of the tenant ids of everybody who takes part.
    pub tenants: Option<String>,
    /// Which logs such records come from.
    pub sources: Sources,
    /// Fields whose values tell records apart best: an equality on one of them is what the
    /// candidate search looks for.
    pub discriminating: Vec<String>,
    /// What a hunter wants to see first.
    pub summary: Summary,
    /// Where the record proper is, if this shape only wraps others.
    pub payload: Payload,
    /// The file's text, for people.
    pub source: String,
}

/// A key whose presence speaks for a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Path of the key.
    pub path: String,
    /// The text its value must have, if any.
    pub text: Option<String>,
}

/// How one listed field is found.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    /// Canonical name.
    pub name: String,
    /// How.
    pub lookup: Lookup,
}

/// How a field's values come about.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    /// Paths; the field has the values of all of them.
    pub paths: Vec<String>,
    /// Only the first path at which anything is present counts.
    pub first: bool,
    /// Its type.
    pub kind: FieldKind,
    /// What is made of each value.
    pub derive: Derive,
    /// The field's value when nothing is at the paths; with no paths, its constant value.
    pub absent: Option<String>,
}

/// The type of a field: which values it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FieldKind {
    /// Every scalar at the path, arrays opened.
    #[default]
    Keyword,
    /// Every scalar anywhere below the path: Elasticsearch's `flattened`.
    Flattened,
    /// The text of a Kusto dynamic value: a string's own, else compact JSON.
    Dynamic,
    /// A Kusto truth value: true/false, 1/0, or text of these.
    Flag,
}

impl FieldKind {
    /// The word used in schema files.
    pub fn as_str(self) -> &'static str {
        match self {
            FieldKind::Keyword => "keyword",
            FieldKind::Flattened => "flattened",
            FieldKind::Dynamic => "dynamic",
            FieldKind::Flag => "flag",
        }
    }
}

/// What is made of each value found. Derived values are texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Derive {
    /// The value itself.
    #[default]
    Same,
    /// The text, also of a number or a truth value.
    Text,
    /// The text in lower case.
    Lower,
    /// The text, if it is a string with exactly one `@`.
    Address,
    /// The part before the only `@`.
    Local,
    /// The part after the only `@`.
    Domain,
    /// The IP address without port, brackets and IPv4 mapping.
    Ip,
    /// The first entry that lists the lower-cased text, else `otherwise`.
    Values {
        /// (result, texts that give it).
        entries: Vec<(String, Vec<String>)>,
        /// The result for other texts; `None` keeps the text.
        otherwise: Option<String>,
    },
    /// Another text for some texts, in records where a path has a certain text.
    Rename {
        /// (text, its new name).
        entries: Vec<(String, String)>,
        /// The path that decides, and the text it must have.
        when: (String, String),
    },
}

/// Somebody whose identity can satisfy a rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Party {
    /// `user`, `member`, …
    pub name: String,
    /// The fields that are about this party.
    pub fields: Vec<String>,
    /// Path of a list or object whose elements are each a party of their own; the names below are
    /// then keys of an element.
    pub each: Option<String>,
    /// Address: a field name, or a key of an element.
    pub email: Option<String>,
    /// Tenant id: a field name, or a key of an element.
    pub tenant: Option<String>,
    /// Where the tenant id is found by address: list, key of the address, key of the tenant id.
    pub member: Option<(String, String, String)>,
}

/// What a hunter wants to see first, as field names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Summary {
    /// When.
    pub time: Vec<String>,
    /// Who did it.
    pub who: Vec<String>,
    /// Against whom.
    pub whom: Vec<String>,
    /// On what: a conversation, a thread.
    pub place: Vec<String>,
}

/// Where a wrapped record is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload {
    /// Paths of objects.
    pub objects: Vec<String>,
    /// Paths of strings that hold JSON.
    pub texts: Vec<String>,
    /// Keys of arrays of records.
    pub elements: Vec<String>,
}

impl Schema {
    /// The schema as far as it says how fields of objects are read that stand in a record.
    pub(crate) fn of_objects(&self) -> Schema {
        Schema {
            detect: Vec::new(),
            parties: Vec::new(),
            tenants: None,
            summary: Summary::default(),
            payload: Payload::default(),
            source: String::new(),
            ..self.clone()
        }
    }

    /// How a rule's field is found in records of this shape.
    pub fn lookup(&self, field: &str) -> Lookup {
        if let Some(listed) = self.fields.iter().find(|listed| listed.name == field) {
            return listed.lookup.clone();
        }
        let below_listed = self.fields.iter().find_map(|listed| {
            let rest = field.strip_prefix(&listed.name)?.strip_prefix('.')?;
            let kind = match listed.lookup.kind {
                FieldKind::Flattened => FieldKind::Flattened,
                FieldKind::Dynamic => FieldKind::Keyword,
                FieldKind::Keyword | FieldKind::Flag => return None,
            };
            let paths = listed.lookup.paths.iter();
            Some(Lookup {
                paths: paths.map(|path| format!("{path}.{rest}")).collect(),
                kind,
                ..Lookup::default()
            })
        });
        if let Some(lookup) = below_listed {
            return lookup;
        }
        let family = self
            .families
            .iter()
            .find_map(|(prefix, path)| Some(format!("{path}{}", field.strip_prefix(prefix)?)));
        let paths = match (family, &self.below) {
            (Some(path), _) => vec![path],
            (None, Some(below)) => vec![format!("{below}.{field}"), field.to_owned()],
            (None, None) => vec![field.to_owned()],
        };
        Lookup {
            paths,
            first: true,
            ..Lookup::default()
        }
    }
}

/// Where names are looked up.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// How records are read.
    pub schema: &'a Schema,
    /// Canonical name of the field that holds the objects which are looked at one by one; `None` for
    /// whole records.
    pub object: Option<&'a str>,
}

impl Scope<'_> {
    /// How a field is found. In an object, a field that is not below it is nowhere.
    pub fn lookup(&self, field: &str) -> Lookup {
        let mut lookup = self.schema.lookup(field);
        let Some(object) = self.object else {
            return lookup;
        };
        if !field
            .strip_prefix(object)
            .is_some_and(|rest| rest.starts_with('.'))
        {
            return Lookup::default();
        }
        let above = self.schema.lookup(object).paths;
        let below = |path: &String| {
            let mut rests = above.iter().filter_map(|above| path.strip_prefix(above));
            rests.find_map(|rest| rest.strip_prefix('.').map(str::to_owned))
        };
        let mut paths: Vec<String> = lookup.paths.iter().filter_map(below).collect();
        paths.dedup();
        lookup.paths = paths;
        lookup
    }
}

impl Default for Lookup {
    fn default() -> Self {
        Lookup {
            paths: Vec::new(),
            first: false,
            kind: FieldKind::Keyword,
            derive: Derive::Same,
            absent: None,
        }
    }
}

/// The schemas Poseur comes with, in the order they are tried.
pub fn built_in() -> Vec<Schema> {
    let files = [
        ("o365", include_str!("../../schemas/o365.yaml")),
        ("ecs", include_str!("../../schemas/ecs.yaml")),
        ("defender", include_str!("../../schemas/defender.yaml")),
        ("hunting", include_str!("../../schemas/hunting.yaml")),
        ("envelope", include_str!("../../schemas/envelope.yaml")),
        ("batch", include_str!("../../schemas/batch.yaml")),
    ];
    let mut schemas = Vec::new();
    for (name, text) in files {
        let added = add(&mut schemas, &format!("built-in:{name}"), text);
        debug_assert_eq!(added, Ok(()), "a built-in schema does not load");
    }
    schemas
}

/// Adds the schema in a file's text to `schemas`: a new name is a new schema, a known one gets the
/// file's fields (before its own, so that they win), detection lines, parties and payload paths.
///
/// # Errors
/// All that is wrong with the file; `schemas` is then unchanged.
pub fn add(schemas: &mut Vec<Schema>, file: &str, text: &str) -> Result<(), Vec<LoadError>> {
    for new in parse(file, text)? {
        let Some(known) = schemas.iter_mut().find(|known| known.name == new.name) else {
            schemas.push(new);
            schemas.sort_by_key(|schema| schema.order);
            continue;
        };
        known.detect.extend(new.detect);
        known.fields.splice(..0, new.fields);
        known.families.splice(..0, new.families);
        known.parties.extend(new.parties);
        known.payload.objects.extend(new.payload.objects);
        known.payload.texts.extend(new.payload.texts);
        known.payload.elements.extend(new.payload.elements);
        known.discriminating.extend(new.discriminating);
        known.sources.products.extend(new.sources.products);
        known.sources.datasets.extend(new.sources.datasets);
        known.sources.tables.extend(new.sources.tables);
        known.below = new.below.or(known.below.take());
        known.tenants = new.tenants.or(known.tenants.take());
        known.source = format!(
            "{}\n# added by {file}\n{}",
            known.source.trim_end(),
            new.source
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_schemas_load_in_order() {
        let names: Vec<_> = built_in().into_iter().map(|schema| schema.name).collect();
        assert_eq!(
            names,
            ["envelope", "batch", "ecs", "o365", "defender", "hunting"]
        );
    }

    #[test]
    fn names_are_found_where_the_schema_says() {
        let schemas = built_in();
        let lookup = |schema: &str, field: &str| {
            let schema = schemas.iter().find(|known| known.name == schema).unwrap();
            let lookup = schema.lookup(field);
            (lookup.paths.join(" "), lookup.kind)
        };
        for (schema, field, paths, kind) in [
            ("o365", "event.provider", "Workload", FieldKind::Keyword),
            ("o365", "data_stream.dataset", "", FieldKind::Keyword),
            (
                "o365",
                "o365.audit.Members",
                "Members",
                FieldKind::Flattened,
            ),
            (
                "o365",
                "o365.audit.Members.UPN",
                "Members.UPN",
                FieldKind::Flattened,
            ),
            (
                "o365",
                "o365.audit.ParticipantInfo.HasGuestUsers",
                "ParticipantInfo.HasGuestUsers",
                FieldKind::Keyword,
            ),
            ("o365", "Operation", "Operation", FieldKind::Keyword),
            (
                "ecs",
                "o365.audit.Members.UPN",
                "o365.audit.Members.UPN",
                FieldKind::Flattened,
            ),
            ("ecs", "user.email", "user.email", FieldKind::Keyword),
            (
                "defender",
                "Timestamp",
                "properties.Timestamp Timestamp",
                FieldKind::Keyword,
            ),
            (
                "defender",
                "RecipientDetails",
                "properties.RecipientDetails",
                FieldKind::Dynamic,
            ),
            (
                "hunting",
                "Subject",
                "MessageSubject Subject",
                FieldKind::Keyword,
            ),
            (
                "hunting",
                "IsExternalThread",
                "IsExternalThread",
                FieldKind::Flag,
            ),
        ] {
            assert_eq!(
                lookup(schema, field),
                (paths.to_owned(), kind),
                "{schema} {field}"
            );
        }
    }

    #[test]
    fn a_file_extends_a_schema() {
        let mut schemas = built_in();
        let text =
            "name: o365\nfields:\n  event.action: {from: Action}\n  team: {from: TeamName}\n";
        add(&mut schemas, "mine.yaml", text).unwrap();
        let o365 = schemas.iter().find(|schema| schema.name == "o365").unwrap();
        assert_eq!(o365.lookup("event.action").paths, ["Action"]);
        assert_eq!(o365.lookup("team").paths, ["TeamName"]);
        assert_eq!(o365.lookup("event.provider").paths, ["Workload"]);
    }
}
