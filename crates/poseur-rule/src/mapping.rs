//! Mappings: other names for the fields of Sigma rules, in the form of pySigma's pipelines.
//!
//! A mapping renames and does nothing else. Where a field gets several names, they stand for it
//! together: it has the values that are found under any of them.

use crate::error::{LoadError, Place};
use crate::exception::Ground;
use crate::model::{Condition, Field, Language, LogSource, MAX_DEPTH, Predicate, Rule, Test};
use crate::sigma::Filter;
use crate::yaml::{self, Node, Reader, Value, closest};

/// Most names that one field may get.
const MAX_NAMES: usize = 64;

/// Mappings in the order they are applied.
///
/// ```
/// use poseur_rule::load::Loader;
/// use poseur_rule::mapping::Mappings;
///
/// let mut mappings = Mappings::default();
/// let text = "transformations: [{type: field_name_mapping, mapping: {User: user.name}}]";
/// mappings.add("mine.yml", text).unwrap();
/// let mut loader = Loader::new().with_mappings(mappings);
/// loader.text("r.yml", "{title: T, id: i, logsource: {product: x}, fields: [User],
///     detection: {s: {User: bob}, condition: s}}");
/// assert_eq!(loader.finish().rules[0].fields, ["user.name"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mappings {
    list: Vec<Mapping>,
}

/// What one file says.
#[derive(Debug, Clone)]
struct Mapping {
    /// Lower ones are applied first.
    priority: i64,
    steps: Vec<Step>,
}

/// One transformation.
#[derive(Debug, Clone)]
struct Step {
    rename: Rename,
    /// Without any: for all rules.
    sources: Vec<LogSource>,
    /// One of the sources is enough; else the rule's must agree with all of them.
    any: bool,
}

#[derive(Debug, Clone)]
enum Rename {
    /// Whole names.
    Names(Vec<(String, Vec<String>)>),
    /// How names begin; the first that fits.
    Prefixes(Vec<(String, Vec<String>)>),
    /// Put before every name.
    Before(String),
    /// Put behind every name.
    Behind(String),
}

impl Mappings {
    /// Adds the mappings of a file, which may hold several documents.
    ///
    /// # Errors
    /// All that is wrong with the file; nothing of it is then added.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), Vec<LoadError>> {
        let nodes = yaml::parse(file, text).map_err(|error| vec![error])?;
        let mut reader = Reader::with_source(file, text);
        let documents = nodes.iter().filter(|node| !node.is_null());
        let read = documents.filter_map(|node| mapping(&mut reader, node));
        let read: Vec<Mapping> = read.collect();
        if !reader.errors.is_empty() {
            return Err(reader.errors);
        }
        self.list.extend(read);
        // Stable: files of one priority stay in the order they were given.
        self.list.sort_by_key(|mapping| mapping.priority);
        Ok(())
    }

    /// Renames the fields of a Sigma rule; rules in other languages stay as they are.
    ///
    /// # Errors
    /// If the rule would grow too deep, or a field get too many names.
    pub fn rule(&self, rule: &mut Rule) -> Result<(), LoadError> {
        if self.list.is_empty() || rule.origin.language != Language::Sigma {
            return Ok(());
        }
        let place = &rule.origin.place;
        rule.condition = self.renamed(&rule.condition, &rule.log_source, place)?;
        let mut fields: Vec<String> = Vec::new();
        for field in &rule.fields {
            for name in self.names(field, &rule.log_source) {
                if !fields.contains(&name) {
                    fields.push(name);
                }
            }
        }
        rule.fields = fields;
        Ok(())
    }

    /// The same for a filter.
    ///
    /// # Errors
    /// As for a rule.
    pub fn filter(&self, filter: &mut Filter) -> Result<(), LoadError> {
        if let Ground::Unless(condition) = &mut filter.exception.ground
            && !self.list.is_empty()
        {
            *condition = self.renamed(condition, &filter.log_source, &filter.exception.place)?;
        }
        Ok(())
    }

    /// The names of a field in rules for a kind of log.
    fn names(&self, name: &str, source: &LogSource) -> Vec<String> {
        let mut names = vec![name.to_owned()];
        let steps = self.list.iter().flat_map(|mapping| &mapping.steps);
        for step in steps.filter(|step| step.is_for(source)) {
            let mut renamed: Vec<String> = Vec::new();
            for name in names.iter().flat_map(|name| step.rename.of(name)) {
                if !renamed.contains(&name) {
                    renamed.push(name);
                }
            }
            names = renamed;
            if names.len() > MAX_NAMES {
                break;
            }
        }
        names
    }

    fn renamed(
        &self,
        condition: &Condition,
        source: &LogSource,
        place: &Place,
    ) -> Result<Condition, LoadError> {
        let wrong = |reason| LoadError::new(place.clone(), reason);
        let renamed = self.condition(condition, source).map_err(wrong)?;
        match renamed.depth() > MAX_DEPTH {
            true => Err(wrong(format!(
                "with its fields renamed the rule nests deeper than {MAX_DEPTH} levels"
            ))),
            false => Ok(renamed),
        }
    }

    fn condition(&self, condition: &Condition, source: &LogSource) -> Result<Condition, String> {
        let all = |parts: &[Condition]| -> Result<Vec<Condition>, String> {
            let parts = parts.iter().map(|part| self.condition(part, source));
            parts.collect()
        };
        Ok(match condition {
            Condition::All(parts) => Condition::All(all(parts)?),
            Condition::Any(parts) => Condition::Any(all(parts)?),
            Condition::Not(part) => Condition::Not(Box::new(self.condition(part, source)?)),
            Condition::Named(name, part) => {
                Condition::Named(name.clone(), Box::new(self.condition(part, source)?))
            }
            Condition::Nested { .. } => condition.clone(),
            Condition::Test(predicate) => self.predicate(predicate, source)?,
        })
    }

    fn predicate(&self, predicate: &Predicate, source: &LogSource) -> Result<Condition, String> {
        let few = |name: &str| -> Result<Vec<String>, String> {
            let names = self.names(name, source);
            match names.len() > MAX_NAMES {
                true => Err(format!(
                    "the field `{name}` gets more than {MAX_NAMES} names"
                )),
                false => Ok(names),
            }
        };
        let fields = match &predicate.field {
            Field::Name(name) => few(name)?.into_iter().map(Field::Name).collect(),
            other => vec![other.clone()],
        };
        let tests = match &predicate.test {
            Test::SameAs {
                field,
                relation,
                case,
            } => {
                let others = few(field)?.into_iter().map(|field| Test::SameAs {
                    field,
                    relation: *relation,
                    case: *case,
                });
                others.collect()
            }
            test => vec![test.clone()],
        };
        let mut parts = Vec::new();
        for field in fields {
            for test in &tests {
                parts.push(Condition::Test(Predicate {
                    field: field.clone(),
                    test: test.clone(),
                }));
            }
        }
        Ok(match (parts.len(), &predicate.test) {
            (1, _) => parts.remove(0),
            // Several names are one field: it has no value if there is none under any of them.
            (_, Test::Null) => Condition::All(parts),
            _ => Condition::Any(parts),
        })
    }
}

impl Step {
    fn is_for(&self, source: &LogSource) -> bool {
        let mut sources = self.sources.iter();
        let covers = |wanted: &LogSource| wanted.covers(source);
        match self.any {
            _ if self.sources.is_empty() => true,
            true => sources.any(covers),
            false => sources.all(covers),
        }
    }
}

impl Rename {
    /// What becomes of a name.
    fn of(&self, name: &str) -> Vec<String> {
        let kept = || vec![name.to_owned()];
        match self {
            Rename::Names(names) => names
                .iter()
                .find(|(from, _)| from == name)
                .map_or_else(kept, |(_, to)| to.clone()),
            Rename::Prefixes(prefixes) => {
                let mut fitting = prefixes
                    .iter()
                    .filter_map(|(from, to)| Some((name.strip_prefix(from.as_str())?, to)));
                fitting.next().map_or_else(kept, |(rest, to)| {
                    to.iter().map(|prefix| format!("{prefix}{rest}")).collect()
                })
            }
            Rename::Before(prefix) => vec![format!("{prefix}{name}")],
            Rename::Behind(suffix) => vec![format!("{name}{suffix}")],
        }
    }
}

/// Reads a document. `None` after an error.
fn mapping(reader: &mut Reader<'_>, node: &Node) -> Option<Mapping> {
    let entries = reader.map(node, "a mapping")?;
    reader.known_keys(
        entries,
        &["name", "priority", "transformations"],
        "a mapping",
    );
    let priority = node.get("priority").map_or(Some(0), |node| {
        let number = node.as_scalar().and_then(|scalar| scalar.as_number_text());
        let number = number.and_then(|digits| digits.parse().ok());
        if number.is_none() {
            reader.error(node, "`priority` must be a whole number");
        }
        number
    });
    let Some(steps) = node.get("transformations") else {
        reader.error(
            node,
            "`transformations` is missing: it lists how fields are renamed",
        );
        return None;
    };
    let steps = reader.list(steps, "`transformations`")?;
    let steps = steps.iter().filter_map(|node| step(reader, node)).collect();
    Some(Mapping {
        priority: priority?,
        steps,
    })
}

const TYPES: [&str; 4] = [
    "field_name_mapping",
    "field_name_prefix_mapping",
    "field_name_prefix",
    "field_name_suffix",
];

fn step(reader: &mut Reader<'_>, node: &Node) -> Option<Step> {
    let entries = reader.map(node, "a transformation")?;
    let Some(kind) = node.get("type") else {
        reader.error(node, "`type` is missing: what does the transformation do?");
        return None;
    };
    let word = reader.text(kind, "`type`")?;
    let own = match word {
        "field_name_mapping" | "field_name_prefix_mapping" => "mapping",
        "field_name_prefix" => "prefix",
        "field_name_suffix" => "suffix",
        other => {
            let known = TYPES.join(", ");
            let hint = closest(other, TYPES).map_or_else(
                || format!("mappings only rename, by {known}"),
                |near| format!("did you mean `{near}`?"),
            );
            reader.error(
                kind,
                format!("the transformation `{other}` is not known: {hint}"),
            );
            return None;
        }
    };
    let known = ["type", "id", own, "rule_conditions", "rule_cond_op"];
    reader.known_keys(entries, &known, &format!("`{word}`"));
    let Some(value) = node.get(own) else {
        reader.error(node, format!("`{own}` is missing: `{word}` needs it"));
        return None;
    };
    let rename = match word {
        "field_name_mapping" => Rename::Names(names(reader, value, false)?),
        "field_name_prefix_mapping" => Rename::Prefixes(names(reader, value, true)?),
        "field_name_prefix" => Rename::Before(reader.text(value, "`prefix`")?.to_owned()),
        _ => Rename::Behind(reader.text(value, "`suffix`")?.to_owned()),
    };
    let any = match node.get("rule_cond_op") {
        None => false,
        Some(node) => match reader.text(node, "`rule_cond_op`")? {
            "and" => false,
            "or" => true,
            other => {
                let reason = format!("`rule_cond_op` must be `and` or `or`, not `{other}`");
                reader.error(node, reason);
                return None;
            }
        },
    };
    let sources = match node.get("rule_conditions") {
        Some(list) => reader
            .list(list, "`rule_conditions`")?
            .iter()
            .filter_map(|node| log_source(reader, node))
            .collect(),
        None => Vec::new(),
    };
    Some(Step {
        rename,
        sources,
        any,
    })
}

/// A map from names to one or several names. A prefix may also be taken away: replaced by nothing.
fn names(
    reader: &mut Reader<'_>,
    node: &Node,
    or_nothing: bool,
) -> Option<Vec<(String, Vec<String>)>> {
    let entries = reader.map(node, "`mapping`")?;
    let mut names = Vec::new();
    for (from, to) in entries {
        let items = match &to.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(to),
        };
        if items.is_empty() {
            reader.error(to, "the list of new names is empty");
        }
        let mut name = |item: &Node| match item.as_scalar() {
            Some(scalar) if or_nothing && scalar.quoted && scalar.text.is_empty() => {
                Some(String::new())
            }
            _ => Some(reader.text(item, "the new name")?.to_owned()),
        };
        let to = items.iter().filter_map(&mut name).collect();
        names.push((from.key().to_owned(), to));
    }
    Some(names)
}

/// A condition of the type `logsource`.
fn log_source(reader: &mut Reader<'_>, node: &Node) -> Option<LogSource> {
    let entries = reader.map(node, "a rule condition")?;
    let kind = node.get("type");
    let word = match kind {
        Some(kind) => reader.text(kind, "`type`")?,
        None => {
            reader.error(node, "`type` is missing in a rule condition");
            return None;
        }
    };
    if word != "logsource" {
        let reason = format!("the rule condition `{word}` is not known: use `logsource`");
        reader.error(kind.unwrap_or(node), reason);
        return None;
    }
    reader.known_keys(
        entries,
        &["type", "product", "service", "category"],
        "a rule condition",
    );
    let mut text = |key: &str| {
        let node = node.get(key)?;
        Some(reader.text(node, &format!("`{key}`"))?.to_owned())
    };
    Some(LogSource {
        product: text("product"),
        service: text("service"),
        category: text("category"),
        ..LogSource::default()
    })
}
