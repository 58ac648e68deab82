//! Witnesses: literals of which every matching record must contain at least one.
//!
//! They are what lets a reader copy most of a stream without looking at it. A witness must stand in
//! the record's bytes however the record is dressed, unless the record spells characters with
//! escapes (which the reader has to watch for itself): so it is ASCII, and holds nothing that
//! is escaped inside a JSON string, or inside a JSON string inside another.

use std::collections::HashSet;
use std::ops::Range;

use poseur_rule::model::{Case, Field, Moment, Part, Test};

use crate::column::with_scalar;
use crate::confirm;
use crate::cover::{Literals, Need};
use crate::field::FieldPlan;
use crate::kusto::Value;
use crate::number::is_number;
use crate::paths::PathId;
use crate::plan::{Plan, SchemaPlan};
use crate::program::{Node, PredicateId};
use crate::schema::Derive;

/// Shorter literals are in every other record.
const SHORTEST: usize = 4;

/// What literals weigh: see [`cover`](crate::cover). A value of a field that tells records apart stands in
/// few of them, and a search for one literal more is cheap; any other value, and the name of a key,
/// may be in every record, so it must stand for a hundred of the former.
const DISCRIMINATING: u64 = 1;
const VALUE: u64 = 100;
const KEY: u64 = 150;

/// How much more a literal weighs that is known to stand in the records of a schema.
const KNOWN: u64 = 1000;

/// Short literals stand in more records than long ones, and the search for many makes longer strides
/// if none is shorter than eleven bytes.
fn weight(rank: u64, literal: &str) -> u64 {
    rank * match literal.len() {
        0..=5 => 16,
        6..=7 => 4,
        8..=10 => 2,
        _ => 1,
    }
}

/// Witnesses are confirmed if there are not more of them: each has a search of its own for it.
pub const MOST_CONFIRMED: usize = 64;

/// A literal that is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// ASCII, of at least two characters.
    pub text: String,
    /// What else must stand in a record that matches a rule for which this witness speaks; `None`
    /// if nothing is known.
    pub confirmation: Option<Confirmation>,
}

/// Groups of keywords: a record that matches holds all keywords of one group, unless it spells
/// characters with escapes.
pub type Confirmation = Vec<Vec<Keyword>>;

/// A text that must stand in a record's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyword {
    /// ASCII, of at least four characters.
    pub text: String,
    /// Whether the case of its letters matters.
    pub case: Case,
}

impl Plan {
    /// The witnesses of rule number `rule`, over all shapes; `None` if there is none, so that every
    /// record must be looked at. No literals at all: the rule can never match.
    pub fn witnesses_of(&self, rule: usize) -> Option<Vec<String>> {
        self.witnesses_of_all(rule..rule + 1)
    }

    /// The witnesses of the first `rules` conditions together, each with what else must stand in a
    /// record for which it speaks, if they are not more than [`MOST_CONFIRMED`].
    pub fn witnesses(&self, rules: usize) -> Option<Vec<Witness>> {
        let (finder, needs) = self.needs(0..rules);
        let chosen = finder.literals.cover(&needs)?;
        if chosen.len() > MOST_CONFIRMED {
            let unconfirmed = |text| Witness {
                text,
                confirmation: None,
            };
            return Some(chosen.into_iter().map(unconfirmed).collect());
        }
        let mut confirmations: Vec<Option<Confirmation>> = vec![Some(Vec::new()); chosen.len()];
        for ((schema, rule), need) in self.judged(0..rules).zip(&needs) {
            let mut speaking = (0..chosen.len())
                .filter(|&at| finder.literals.speaks_of(need, &chosen[at]))
                .peekable();
            if speaking.peek().is_none() {
                // It can never match.
                continue;
            }
            let own = confirm::of(self, schema, &schema.programs[rule], &chosen);
            for at in speaking {
                match (&mut confirmations[at], &own) {
                    (Some(all), Some(own)) => {
                        for group in own {
                            if !all.contains(group) {
                                all.push(group.clone());
                            }
                        }
                    }
                    (confirmation, _) => *confirmation = None,
                }
            }
        }
        let witnesses = chosen.into_iter().zip(confirmations);
        let witnesses = witnesses.map(|(text, confirmation)| Witness { text, confirmation });
        Some(witnesses.collect())
    }

    fn witnesses_of_all(&self, rules: Range<usize>) -> Option<Vec<String>> {
        let (finder, needs) = self.needs(rules);
        finder.literals.cover(&needs)
    }

    /// What the rules need, in every schema by which records may be judged.
    fn needs(&self, rules: Range<usize>) -> (WitnessFinder, Vec<Need>) {
        let mut finder = WitnessFinder {
            known: self.known_names(),
            ..WitnessFinder::default()
        };
        let needs = self
            .judged(rules)
            .map(|(schema, rule)| finder.need(self, schema, &schema.programs[rule]))
            .collect();
        (finder, needs)
    }

    fn judged(&self, rules: Range<usize>) -> impl Iterator<Item = (&SchemaPlan, usize)> {
        rules.flat_map(|rule| {
            let schemas = self.schemas.iter();
            let judging = schemas.filter(|plan| self.shapes.may_judge(plan));
            judging.map(move |schema| (schema, rule))
        })
    }

    /// Names of the keys that the schemas detect shapes by, read fields from and tell records apart by: they
    /// are in nearly every record of the traffic that the schemas are for.
    fn known_names(&self) -> HashSet<String> {
        let schemas = || self.schemas.iter().map(|plan| &plan.schema);
        let marks = schemas().flat_map(|schema| schema.detect.iter().flatten());
        let fields = schemas().flat_map(|schema| &schema.fields);
        let discriminating = schemas().flat_map(|schema| &schema.discriminating);
        let below = schemas().filter_map(|schema| schema.below.as_ref());
        // What a hunter wants to see first stands in every record, too.
        let summaries = schemas().map(|schema| &schema.summary);
        let shown = summaries.flat_map(|shown| {
            let lists = [&shown.time, &shown.who, &shown.whom, &shown.place];
            lists.into_iter().flatten()
        });
        let paths = marks
            .map(|mark| &mark.path)
            .chain(shown)
            .chain(fields.flat_map(|field| &field.lookup.paths))
            .chain(discriminating)
            .chain(below);
        paths
            .flat_map(|path| path.split('.'))
            .map(str::to_owned)
            .collect()
    }
}

/// Finds out what literals conditions need.
#[derive(Default)]
struct WitnessFinder {
    literals: Literals,
    /// Names of keys that nearly every record has.
    known: HashSet<String>,
}

impl WitnessFinder {
    fn need(&mut self, plan: &Plan, schema: &SchemaPlan, node: &Node) -> Need {
        let mut all = |nodes: &[Node]| -> Vec<Need> {
            nodes
                .iter()
                .map(|node| self.need(plan, schema, node))
                .collect()
        };
        match node {
            Node::Constant(true) | Node::Not(_) => Need::Unknown,
            Node::Constant(false) => Need::Any(Vec::new()),
            Node::Predicate(id) => self.of_predicate(plan, schema, *id),
            Node::Nested(number) => {
                let nested = &plan.nested[*number].plan;
                let schema = &nested.schemas[schema.number];
                self.need(nested, schema, &schema.programs[0])
            }
            Node::All(nodes) => Need::All(all(nodes)),
            Node::Any(nodes) => Need::Any(all(nodes)),
        }
    }

    fn of_predicate(&mut self, plan: &Plan, schema: &SchemaPlan, id: PredicateId) -> Need {
        let numbered = &plan.predicates.list[id as usize];
        let field = &schema.fields[numbered.field];
        if matches!(numbered.predicate.test, Test::Null) || schema.may_hold_of_nothing(plan, id) {
            return Need::Unknown;
        }
        let mut needs = Vec::new();
        if let Some(literal) = value_literal(&numbered.predicate.test, field) {
            let name = match &numbered.predicate.field {
                Field::Name(name) => name,
                Field::Column(column) => &column.name,
                _ => "",
            };
            // What one schema knows to discriminate does so in all shapes, and the same literal for
            // all of them keeps the search short.
            let schemas = || plan.schemas.iter().map(|plan| &plan.schema);
            let discriminating = schemas()
                .flat_map(|schema| &schema.discriminating)
                .any(|known| known == name);
            let rank = if discriminating {
                DISCRIMINATING
            } else {
                VALUE
            };
            let known = schemas()
                .flat_map(|schema| &schema.sources.datasets)
                .any(|dataset| dataset.contains(&literal));
            let rank = if known { rank * KNOWN } else { rank };
            needs.push(self.literals.add(&literal, weight(rank, &literal)));
        }
        // A value needs its key, an expression one of its columns'.
        let sources: Vec<PathId> = match field.as_value() {
            Some(value) => {
                let columns = value.columns.iter();
                columns.flat_map(FieldPlan::sources).copied().collect()
            }
            None => field.sources().to_vec(),
        };
        if !sources.is_empty() {
            let keys = sources.iter().map(|&path| self.of_path(plan, path));
            needs.push(Need::Any(keys.collect()));
        }
        Need::All(needs)
    }

    /// A value at a path stands below every name of the path.
    fn of_path(&mut self, plan: &Plan, path: PathId) -> Need {
        let names = plan.paths.names(path);
        let whole = names.filter(|name| literal(name).is_some_and(|text| text.len() == name.len()));
        let needs = whole.map(|name| {
            let known = self.known.contains(name);
            let rank = if known { KEY * KNOWN } else { KEY };
            self.literals.add(name, weight(rank, name))
        });
        Need::All(needs.collect())
    }
}

impl SchemaPlan {
    /// Whether a predicate may hold where nothing stands at its field's paths.
    pub(crate) fn may_hold_of_nothing(&self, plan: &Plan, id: PredicateId) -> bool {
        let numbered = &plan.predicates.list[id as usize];
        let field = &self.fields[numbered.field];
        let set = &plan.sets[numbered.field];
        let value = match (field.as_value(), &field.absent) {
            (Some(value), _) => value.without_columns(),
            (None, Some(text)) => Some(Value::Text(text.clone())),
            (None, None) => return false,
        };
        let moves = matches!(
            numbered.predicate.test,
            Test::SameAs { .. } | Test::Time(_, Moment::FromNow(_)) | Test::Within { .. }
        );
        match value {
            Some(Value::Null) => false,
            Some(value) if !moves => {
                with_scalar(&value, |value| set.holds_for(id, value)).unwrap_or_default()
            }
            // It depends on more than the record's columns.
            _ => true,
        }
    }
}

/// A literal that stands in the record where a value satisfies a test.
fn value_literal(test: &Test, field: &FieldPlan) -> Option<String> {
    if !field.keeps_texts() {
        return None;
    }
    match test {
        Test::Text(pattern, Case::Exact) => {
            if let Derive::Rename { entries, .. } = field.derive()
                && entries
                    .iter()
                    .any(|(_, to)| crate::pattern::fits(pattern, Case::Exact, to.as_bytes()))
            {
                return None;
            }
            // Numbers have many spellings.
            let equal = pattern.as_equals();
            if equal.is_some_and(|text| is_number(text.as_bytes())) {
                return None;
            }
            let literals = pattern.parts().iter().filter_map(|part| match part {
                Part::Literal(text) => literal_in(text, field),
                Part::Run | Part::One => None,
            });
            literals.max_by_key(String::len)
        }
        Test::Term {
            text,
            case: Case::Exact,
            ..
        } if !matches!(field.derive(), Derive::Rename { .. }) => literal_in(text, field),
        _ => None,
    }
}

/// The longest part of a text that stands in a record wherever the text is in a field's value.
fn literal_in(text: &str, field: &FieldPlan) -> Option<String> {
    match field.column_type() {
        // The text may be made of an array or an object, which records may write with white space.
        Some(_) => {
            let parts = text.split([',', ':', '{', '}', '[', ']']);
            parts.filter_map(literal).max_by_key(String::len)
        }
        None => literal(text),
    }
}

/// The longest part of a text that is spelled one way only, whatever the record's format.
pub(crate) fn literal(text: &str) -> Option<String> {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '/');
    let parts = text.split(|c| !plain(c));
    let parts = parts.filter(|part| part.len() >= SHORTEST && !is_scalar(part));
    parts.max_by_key(|part| part.len()).map(str::to_owned)
}

/// Whether a part may be one of a number or a truth value, which MessagePack does not spell out, or of a point in time,
/// which Vector's protocol does not.
fn is_scalar(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    let digit = |byte: u8| byte.is_ascii_digit() || b"+-.e:tz".contains(&byte);
    part.bytes().all(digit)
        || ["true", "false", "-inf"]
            .iter()
            .any(|text| text.contains(&part))
}
