//! A rule's condition, compiled: as the author wrote it, and as it is evaluated.

use std::collections::HashMap;

use poseur_rule::model::{Condition, Field, Predicate, Test};

/// A predicate's number, the same in every schema.
pub type PredicateId = u32;

/// A condition in the author's order, with predicates by number. Explanations follow it.
#[derive(Debug, Clone)]
pub enum Clause {
    /// All hold.
    All(Vec<Clause>),
    /// One holds.
    Any(Vec<Clause>),
    /// Does not hold.
    Not(Box<Clause>),
    /// One predicate.
    Predicate(PredicateId),
    /// Something the author named.
    Named(String, Box<Clause>),
    /// One object satisfies a condition: a number in [`Predicates::nested`].
    Nested(usize),
}

/// The distinct predicates of all rules, and the fields they look at.
#[derive(Debug, Clone, Default)]
pub struct Predicates {
    /// By number.
    pub list: Vec<NumberedPredicate>,
    /// The distinct fields.
    pub fields: Vec<Field>,
    /// The distinct conditions on objects, each with the name of the field that holds the objects.
    /// Their predicates are not in `list`.
    pub nested: Vec<(String, Condition)>,
    by_predicate: HashMap<Predicate, PredicateId>,
    by_field: HashMap<Field, usize>,
}

/// A predicate and the number of its field.
#[derive(Debug, Clone)]
pub struct NumberedPredicate {
    /// What is asked.
    pub predicate: Predicate,
    /// Index into [`Predicates::fields`].
    pub field: usize,
    /// The field it is compared with, for [`Test::SameAs`].
    pub other: Option<usize>,
}

impl Predicates {
    /// Numbers the predicates of a condition; equal ones share a number.
    pub fn number(&mut self, condition: &Condition) -> Clause {
        match condition {
            Condition::All(parts) => {
                Clause::All(parts.iter().map(|part| self.number(part)).collect())
            }
            Condition::Any(parts) => {
                Clause::Any(parts.iter().map(|part| self.number(part)).collect())
            }
            Condition::Not(part) => Clause::Not(Box::new(self.number(part))),
            Condition::Named(name, part) => {
                Clause::Named(name.clone(), Box::new(self.number(part)))
            }
            Condition::Nested { path, condition } => {
                Clause::Nested(self.intern_nested(path, condition))
            }
            Condition::Test(predicate) => Clause::Predicate(self.intern(predicate)),
        }
    }

    fn intern_nested(&mut self, path: &str, condition: &Condition) -> usize {
        let mut known = self.nested.iter();
        let known = known.position(|(of, known)| of == path && known == condition);
        known.unwrap_or_else(|| {
            self.nested.push((path.to_owned(), condition.clone()));
            self.nested.len() - 1
        })
    }

    fn intern(&mut self, predicate: &Predicate) -> PredicateId {
        if let Some(&known) = self.by_predicate.get(predicate) {
            return known;
        }
        let field = self.field(&predicate.field);
        let other = match &predicate.test {
            Test::SameAs { field, .. } => Some(self.field(&Field::Name(field.clone()))),
            _ => None,
        };
        let id = self.list.len() as PredicateId;
        self.list.push(NumberedPredicate {
            predicate: predicate.clone(),
            field,
            other,
        });
        self.by_predicate.insert(predicate.clone(), id);
        id
    }

    /// The number of a field.
    pub fn field(&mut self, field: &Field) -> usize {
        if let Some(&known) = self.by_field.get(field) {
            return known;
        }
        let number = self.fields.len();
        self.fields.push(field.clone());
        self.by_field.insert(field.clone(), number);
        number
    }
}

/// A condition as it is evaluated: flat where it can be, constants folded, cheap parts first.
#[derive(Debug, Clone)]
pub enum Node {
    /// Always the same.
    Constant(bool),
    /// The predicate's bit.
    Predicate(PredicateId),
    /// All hold.
    All(Box<[Node]>),
    /// One holds.
    Any(Box<[Node]>),
    /// Does not hold.
    Not(Box<Node>),
    /// One object satisfies the condition with this number.
    Nested(usize),
}

/// What it costs to look at objects one by one, compared with a plain field.
const NESTED_COST: u32 = 100;

impl Node {
    /// Compiles a clause. `constant` knows predicates that are always the same; `cost` says how
    /// dear the field of a predicate is.
    pub fn compile(
        clause: &Clause,
        constant: &impl Fn(PredicateId) -> Option<bool>,
        cost: &impl Fn(PredicateId) -> u32,
    ) -> Node {
        match clause {
            Clause::Named(_, part) => Node::compile(part, constant, cost),
            Clause::Predicate(id) => constant(*id).map_or(Node::Predicate(*id), Node::Constant),
            Clause::Not(part) => match Node::compile(part, constant, cost) {
                Node::Constant(value) => Node::Constant(!value),
                node => Node::Not(Box::new(node)),
            },
            Clause::Nested(number) => Node::Nested(*number),
            Clause::All(parts) => Node::join(parts, true, constant, cost),
            Clause::Any(parts) => Node::join(parts, false, constant, cost),
        }
    }

    /// `neutral` is what an empty list means: true for all, false for any.
    fn join(
        parts: &[Clause],
        neutral: bool,
        constant: &impl Fn(PredicateId) -> Option<bool>,
        cost: &impl Fn(PredicateId) -> u32,
    ) -> Node {
        let mut nodes = Vec::new();
        for part in parts {
            match (Node::compile(part, constant, cost), neutral) {
                (Node::Constant(value), _) if value == neutral => {}
                (Node::Constant(value), _) => return Node::Constant(value),
                (Node::All(inner), true) | (Node::Any(inner), false) => nodes.extend(inner),
                (node, _) => nodes.push(node),
            }
        }
        nodes.sort_by_key(|node| node.cost(cost));
        match (nodes.len(), neutral) {
            (0, _) => Node::Constant(neutral),
            (1, _) => nodes.remove(0),
            (_, true) => Node::All(nodes.into()),
            (_, false) => Node::Any(nodes.into()),
        }
    }

    fn cost(&self, of: &impl Fn(PredicateId) -> u32) -> u32 {
        match self {
            Node::Constant(_) => 0,
            Node::Predicate(id) => of(*id),
            Node::Nested(_) => NESTED_COST,
            Node::Not(node) => node.cost(of),
            Node::All(nodes) | Node::Any(nodes) => {
                nodes.iter().map(|node| node.cost(of)).sum::<u32>()
            }
        }
    }
}
