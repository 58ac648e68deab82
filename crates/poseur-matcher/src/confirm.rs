//! Confirmations: what must stand in a record besides a witness.
//!
//! A witness says what kind of record may match (`ChatCreated`), and on some streams all records are
//! of that kind. What a rule is about are the words that it looks for in texts: records that have
//! none of them need not be read either.

use poseur_rule::model::{Case, Part, Pattern, Test};

use crate::field::FieldPlan;
use crate::number::is_number;
use crate::plan::{Plan, SchemaPlan};
use crate::program::{Node, PredicateId};
use crate::schema::Derive;
use crate::witness::{Confirmation, Keyword, literal};

/// More groups than this are not searched for quickly enough to be worth it.
const MOST: usize = 24;

/// The confirmation of a condition, without keywords that hold a witness; `None` if it has none.
pub(crate) fn of(
    plan: &Plan,
    schema: &SchemaPlan,
    node: &Node,
    witnesses: &[String],
) -> Option<Confirmation> {
    let finder = Finder {
        plan,
        schema,
        witnesses,
    };
    finder.groups(node).map(|groups| least(&groups))
}

/// The groups that ask for least: what holds a group that asks for more holds one of them.
fn least(groups: &Confirmation) -> Confirmation {
    let mut least: Confirmation = Vec::new();
    for group in groups {
        if least.iter().any(|known| asks_less(known, group)) {
            continue;
        }
        least.retain(|known| !asks_less(group, known));
        least.push(group.clone());
    }
    least
}

/// Whether a record that holds all keywords of the second group holds those of the first.
fn asks_less(less: &[Keyword], more: &[Keyword]) -> bool {
    let mut less = less.iter();
    less.all(|one| more.iter().any(|other| is_in(one, other)))
}

/// Whether a keyword stands wherever another one does.
fn is_in(one: &Keyword, other: &Keyword) -> bool {
    match one.case {
        Case::Exact => other.case == Case::Exact && other.text.contains(&one.text),
        Case::Ascii => {
            let other = other.text.to_ascii_lowercase();
            other.contains(&one.text.to_ascii_lowercase())
        }
    }
}

struct Finder<'a> {
    plan: &'a Plan,
    schema: &'a SchemaPlan,
    witnesses: &'a [String],
}

impl Finder<'_> {
    fn groups(&self, node: &Node) -> Option<Confirmation> {
        match node {
            Node::Constant(true) | Node::Not(_) => None,
            Node::Constant(false) => Some(Vec::new()),
            Node::Predicate(id) => Some(vec![vec![self.keyword(*id)?]]),
            Node::Nested(number) => {
                let nested = &self.plan.nested[*number].plan;
                let schema = &nested.schemas[self.schema.number];
                let inner = Finder {
                    plan: nested,
                    schema,
                    witnesses: self.witnesses,
                };
                inner.groups(&schema.programs[0])
            }
            Node::Any(nodes) => {
                let groups: Option<Vec<_>> = nodes.iter().map(|node| self.groups(node)).collect();
                let mut all = Vec::new();
                for group in groups?.into_iter().flatten() {
                    if !all.contains(&group) {
                        all.push(group);
                    }
                }
                (all.len() <= MOST).then_some(all)
            }
            Node::All(nodes) => {
                let known = nodes.iter().filter_map(|node| self.groups(node));
                let (single, several): (Vec<_>, Vec<_>) = known.partition(|all| all.len() == 1);
                let joined = || {
                    let mut group: Vec<Keyword> = Vec::new();
                    for keyword in single.iter().flatten().flatten() {
                        if !group.contains(keyword) {
                            group.push(keyword.clone());
                        }
                    }
                    vec![group]
                };
                match several.into_iter().min_by_key(Vec::len) {
                    Some(groups) => Some(groups),
                    None if single.is_empty() => None,
                    None => Some(joined()),
                }
            }
        }
    }

    /// The keyword that stands in the record where a predicate holds.
    fn keyword(&self, id: PredicateId) -> Option<Keyword> {
        let numbered = &self.plan.predicates.list[id as usize];
        let field = &self.schema.fields[numbered.field];
        if self.schema.may_hold_of_nothing(self.plan, id) || !keeps_words(field) {
            return None;
        }
        let (part, case) = match &numbered.predicate.test {
            Test::Text(pattern, case) if !is_identifier(pattern) => {
                let literals = pattern.parts().iter().filter_map(|part| match part {
                    Part::Literal(text) => word(text),
                    Part::Run | Part::One => None,
                });
                (literals.max_by_key(String::len)?, *case)
            }
            Test::Term { text, case, .. } => (word(text)?, *case),
            _ => return None,
        };
        let speaks = |witness: &String| {
            part.to_ascii_lowercase()
                .contains(&witness.to_ascii_lowercase())
        };
        (!self.witnesses.iter().any(speaks)).then_some(Keyword { text: part, case })
    }
}

/// One word as a whole value names a kind of record, or of place in it, as a rule does in passing:
/// whole streams have it. A number has many spellings.
fn is_identifier(pattern: &Pattern) -> bool {
    let equal = pattern.as_equals();
    equal.is_some_and(|text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric()) || is_number(text.as_bytes())
    })
}

/// Whether the words of the field's values stand in the record.
fn keeps_words(field: &FieldPlan) -> bool {
    let renamed = matches!(field.derive(), Derive::Rename { .. });
    !renamed && (field.keeps_texts() || field.is_dynamic())
}

/// The longest part of a text that stands in a record wherever the text is in a field's value, even in
/// one that is made of an array or an object, which records may write with white space.
fn word(text: &str) -> Option<String> {
    let parts = text.split([',', ':', '{', '}', '[', ']']);
    parts.filter_map(literal).max_by_key(String::len)
}
