//! Which rules are worth trying on a record: most say of some field which values it must have, and
//! are out of the question where it has others.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use poseur_rule::model::{Field, Test};

use crate::field::{FieldPlan, Object, Texts};
use crate::hash::{ByHash, hash};
use crate::number;
use crate::predicates::Scalar;
use crate::program::{Node, Predicates};
use crate::record::{Kind, Record};

/// The rules of one schema, sorted by what they require first of all.
#[derive(Debug, Clone, Default)]
pub struct Dispatch {
    /// Rules that require nothing that could be asked beforehand.
    always: Vec<u32>,
    gates: Vec<Gate>,
}

/// Rules that require a field to be there, or to have one of certain values.
#[derive(Debug, Clone)]
struct Gate {
    field: usize,
    /// They require any value.
    any: Vec<u32>,
    /// They require a value with this hash; texts that share one cause no more than a try in vain.
    by_text: ByHash<Vec<u32>>,
    /// They require a JSON number that is equal to this 64-bit float.
    by_number: ByHash<Vec<u32>>,
}

/// What a rule requires of a field.
#[derive(Debug, Clone, PartialEq)]
enum Required {
    /// A value.
    Any,
    /// A text with one of these hashes, or one of these JSON numbers.
    OneOf(Vec<Key>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(u64),
    Number(u64),
}

/// By field.
type Requirements = BTreeMap<usize, Required>;

/// A gate costs a look into the record, so it must keep out at least so many rules.
const WORTH_IT: usize = 2;

impl Dispatch {
    /// Sorts the rules with these programs. Rules that never hold are left out.
    pub fn new(programs: &[Node], predicates: &Predicates, fields: &[FieldPlan]) -> Dispatch {
        let mut left: Vec<(u32, Requirements)> = programs
            .iter()
            .enumerate()
            .filter(|(_, program)| !matches!(program, Node::Constant(false)))
            .map(|(rule, program)| (rule as u32, required(program, predicates, fields)))
            .collect();
        let mut dispatch = Dispatch::default();
        // Fields whose values keep most rules out come first; what they have no say in is left to the
        // others, and then to fields that must be there.
        while let Some(field) = best(&left, by_value) {
            let gate = Gate::new(field, &mut left, |required| {
                matches!(required, Required::OneOf(_))
            });
            dispatch.gates.push(gate);
        }
        while let Some(field) = best(&left, |of| of.len()) {
            dispatch.gates.push(Gate::new(field, &mut left, |_| true));
        }
        dispatch.always = left.into_iter().map(|(rule, _)| rule).collect();
        dispatch
    }

    /// Collects the numbers of the rules to try, lowest first.
    pub fn rules<R: Record + ?Sized>(
        &self,
        fields: &[FieldPlan],
        object: Object<'_, R>,
        texts: &mut Texts,
        out: &mut Vec<u32>,
    ) {
        out.clear();
        out.extend_from_slice(&self.always);
        for gate in &self.gates {
            let field = &fields[gate.field];
            if !field.may_have_values(object.found) {
                continue;
            }
            out.extend_from_slice(&gate.any);
            if gate.by_text.is_empty() && gate.by_number.is_empty() {
                continue;
            }
            let _ = field.values(object, texts, &mut |value, _| {
                gate.open(value, out);
                ControlFlow::Continue(())
            });
        }
        // A rule may be let in by several values.
        out.sort_unstable();
        out.dedup();
    }
}

/// The field that keeps most rules out by `count`, which gets the requirements of all rules that have
/// one for the field.
fn best(left: &[(u32, Requirements)], count: impl Fn(&[&Required]) -> usize) -> Option<usize> {
    let mut by_field: BTreeMap<usize, Vec<&Required>> = BTreeMap::new();
    for (_, requirements) in left {
        for (&field, required) in requirements {
            by_field.entry(field).or_default().push(required);
        }
    }
    let counts = by_field.iter().map(|(&field, of)| (count(of), field));
    let (kept_out, field) =
        counts.max_by_key(|&(kept_out, field)| (kept_out, usize::MAX - field))?;
    (kept_out >= WORTH_IT).then_some(field)
}

/// How many rules stay out when a record has one of the values that are asked for.
fn by_value(of: &[&Required]) -> usize {
    let keys = |required: &&Required| match required {
        Required::Any => None,
        Required::OneOf(keys) => Some(keys.clone()),
    };
    let rules: Vec<Vec<Key>> = of.iter().filter_map(keys).collect();
    let mut all: Vec<Key> = rules.concat();
    let entries = all.len();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() {
        return 0;
    }
    rules.len().saturating_sub(entries.div_ceil(all.len()))
}

impl Gate {
    /// Takes the rules that have such a requirement for the field.
    fn new(
        field: usize,
        left: &mut Vec<(u32, Requirements)>,
        takes: impl Fn(&Required) -> bool,
    ) -> Gate {
        let mut gate = Gate {
            field,
            any: Vec::new(),
            by_text: ByHash::default(),
            by_number: ByHash::default(),
        };
        left.retain(|(rule, requirements)| {
            let Some(required) = requirements.get(&field).filter(|required| takes(required)) else {
                return true;
            };
            match required {
                Required::Any => gate.any.push(*rule),
                Required::OneOf(keys) => {
                    for key in keys {
                        let rules = match key {
                            Key::Text(hash) => gate.by_text.entry(*hash),
                            Key::Number(bits) => gate.by_number.entry(*bits),
                        };
                        rules.or_default().push(*rule);
                    }
                }
            }
            false
        });
        gate
    }

    fn open(&self, value: Scalar<'_>, out: &mut Vec<u32>) {
        let rules = self.by_text.get(&hash(value.text));
        out.extend(rules.into_iter().flatten());
        if value.kind == Kind::Number
            && !self.by_number.is_empty()
            && let Some(key) = number_key(value.text)
        {
            let rules = self.by_number.get(&key);
            out.extend(rules.into_iter().flatten());
        }
    }
}

/// The same for numbers that are equal; for some that are not, too.
fn number_key(text: &[u8]) -> Option<u64> {
    // Zero has a sign as a float.
    number::parse(text).map(|number| (number + 0.0).to_bits())
}

/// What a record must have for a program to hold.
fn required(node: &Node, predicates: &Predicates, fields: &[FieldPlan]) -> Requirements {
    let mut all = Requirements::new();
    match node {
        Node::Predicate(id) => {
            let numbered = &predicates.list[*id as usize];
            let field = &fields[numbered.field];
            if matches!(numbered.predicate.field, Field::Name(_) | Field::Column(_))
                && let Some(required) = of_test(&numbered.predicate.test)
                && (required != Required::Any || field.absent.is_none())
            {
                all.insert(numbered.field, required);
            }
        }
        Node::All(nodes) => {
            for node in nodes {
                for (field, new) in required(node, predicates, fields) {
                    let known = all.entry(field).or_insert(Required::Any);
                    // Fewer values keep out more.
                    if new.size() < known.size() {
                        *known = new;
                    }
                }
            }
        }
        Node::Any(nodes) => {
            let mut nodes = nodes.iter();
            let first = nodes.next().map(|node| required(node, predicates, fields));
            all = first.unwrap_or_default();
            for node in nodes {
                if all.is_empty() {
                    break;
                }
                let mut other = required(node, predicates, fields);
                all.retain(|field, known| {
                    let Some(new) = other.remove(field) else {
                        return false;
                    };
                    match (known, new) {
                        (Required::OneOf(known), Required::OneOf(new)) => known.extend(new),
                        (known, _) => *known = Required::Any,
                    }
                    true
                });
            }
        }
        Node::Constant(_) | Node::Not(_) | Node::Nested(_) => {}
    }
    all
}

impl Required {
    fn size(&self) -> usize {
        match self {
            Required::Any => usize::MAX,
            Required::OneOf(keys) => keys.len(),
        }
    }
}

/// What a field must have for a test to hold.
fn of_test(test: &Test) -> Option<Required> {
    let text = |text: &str| Key::Text(hash(text.as_bytes()));
    match test {
        Test::Null => None,
        Test::Bool(truth) => Some(Required::OneOf(vec![text(if *truth {
            "true"
        } else {
            "false"
        })])),
        Test::Text(pattern, _) => Some(match pattern.as_equals() {
            Some(equal) => {
                let number = number::is_number(equal.as_bytes());
                let number = number.then(|| number_key(equal.as_bytes())).flatten();
                let number = number.map(Key::Number);
                Required::OneOf([text(equal)].into_iter().chain(number).collect())
            }
            None => Required::Any,
        }),
        _ => Some(Required::Any),
    }
}
