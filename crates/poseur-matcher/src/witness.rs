//! Witnesses: literals of which every matching record must contain at least one.
//!
//! They are what lets a reader copy most of a stream without looking at it. A witness must stand in
//! the record's bytes however the record is dressed, unless the record spells characters with
//! escapes (which the reader has to watch for itself): so it is ASCII, and holds nothing that
//! is escaped inside a JSON string, or inside a JSON string inside another.

use poseur_rule::model::{Case, Field, Moment, Part, Test};

use crate::column::with_scalar;
use crate::field::FieldPlan;
use crate::kusto::Value;
use crate::number::is_number;
use crate::paths::PathId;
use crate::plan::{Plan, SchemaPlan};
use crate::program::{Node, PredicateId};
use crate::schema::Derive;

/// Shorter literals are in every other record.
const SHORTEST: usize = 4;

/// A set of literals, one of which must be there, and how good it is: less is better.
#[derive(Debug, Clone)]
struct Witness {
    literals: Vec<String>,
    rank: u32,
}

/// Ranks: an equality on a discriminating field, any other value, the name of a key.
const DISCRIMINATING: u32 = 0;
const VALUE: u32 = 1;
const KEY: u32 = 2;

impl Plan {
    /// The witnesses of rule number `rule`, over all shapes; `None` if there is none, so that every
    /// record must be looked at. No literals at all: the rule can never match.
    pub fn witnesses_of(&self, rule: usize) -> Option<Vec<String>> {
        let mut literals = Vec::new();
        for schema in self
            .schemas
            .iter()
            .filter(|plan| self.shapes.may_judge(plan))
        {
            let witness = schema.witness(self, &schema.programs[rule])?;
            literals.extend(witness.literals);
        }
        Some(shortest(literals))
    }

    /// The witnesses of the first `rules` conditions together.
    pub fn witnesses(&self, rules: usize) -> Option<Vec<String>> {
        let all: Option<Vec<_>> = (0..rules).map(|rule| self.witnesses_of(rule)).collect();
        Some(shortest(all?.concat()))
    }
}

/// Leaves out literals that hold another one: finding that one is enough.
fn shortest(mut literals: Vec<String>) -> Vec<String> {
    literals.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    let mut kept: Vec<String> = Vec::new();
    for literal in literals {
        if !kept.iter().any(|known| literal.contains(known.as_str())) {
            kept.push(literal);
        }
    }
    kept
}

impl SchemaPlan {
    fn witness(&self, plan: &Plan, node: &Node) -> Option<Witness> {
        match node {
            Node::Constant(true) | Node::Not(_) => None,
            Node::Constant(false) => Some(Witness {
                literals: Vec::new(),
                rank: 0,
            }),
            Node::Predicate(id) => self.of_predicate(plan, *id),
            Node::Nested(number) => {
                let nested = &plan.nested[*number].plan;
                let schema = &nested.schemas[self.number];
                schema.witness(nested, &schema.programs[0])
            }
            Node::All(nodes) => {
                let witnesses = nodes.iter().filter_map(|node| self.witness(plan, node));
                witnesses.min_by_key(|witness| {
                    // Among equals, few and long ones.
                    let shortest = witness.literals.iter().map(String::len).min();
                    let length = shortest.unwrap_or(usize::MAX);
                    (witness.rank, witness.literals.len(), usize::MAX - length)
                })
            }
            Node::Any(nodes) => {
                let witnesses: Option<Vec<Witness>> =
                    nodes.iter().map(|node| self.witness(plan, node)).collect();
                let witnesses = witnesses?;
                Some(Witness {
                    rank: witnesses.iter().map(|witness| witness.rank).max()?,
                    literals: witnesses
                        .into_iter()
                        .flat_map(|witness| witness.literals)
                        .collect(),
                })
            }
        }
    }

    fn of_predicate(&self, plan: &Plan, id: PredicateId) -> Option<Witness> {
        let numbered = &plan.predicates.list[id as usize];
        let field = &self.fields[numbered.field];
        if matches!(numbered.predicate.test, Test::Null) || self.may_hold_of_nothing(plan, id) {
            return None;
        }
        if let Some(literal) = value_literal(&numbered.predicate.test, field) {
            let name = match &numbered.predicate.field {
                Field::Name(name) => name,
                Field::Column(column) => &column.name,
                _ => "",
            };
            // What one schema knows to discriminate does so in all shapes, and the same literal for
            // all of them keeps the search short.
            let mut known = plan
                .schemas
                .iter()
                .flat_map(|plan| &plan.schema.discriminating);
            let discriminating = known.any(|known| known == name);
            return Some(Witness {
                literals: vec![literal],
                rank: if discriminating {
                    DISCRIMINATING
                } else {
                    VALUE
                },
            });
        }
        // A value needs its key, an expression one of its columns'.
        let sources: Vec<PathId> = match field.as_value() {
            Some(value) => {
                let columns = value.columns.iter();
                columns.flat_map(FieldPlan::sources).copied().collect()
            }
            None => field.sources().to_vec(),
        };
        let names = sources.iter().map(|&path| plan.paths.name(path));
        let keys: Option<Vec<String>> = names
            .map(|name| literal(name).filter(|literal| literal.len() == name.len()))
            .collect();
        Some(Witness {
            literals: keys.filter(|keys| !keys.is_empty())?,
            rank: KEY,
        })
    }

    /// Whether a predicate may hold where nothing stands at its field's paths.
    fn may_hold_of_nothing(&self, plan: &Plan, id: PredicateId) -> bool {
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

/// The longest part of a text that is spelled one way only.
fn literal(text: &str) -> Option<String> {
    let plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '/');
    let parts = text.split(|c| !plain(c));
    let longest = parts.max_by_key(|part| part.len())?;
    (longest.len() >= SHORTEST).then(|| longest.to_owned())
}
