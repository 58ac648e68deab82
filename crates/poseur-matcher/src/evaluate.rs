//! Evaluation of conditions over one record: fields are read when they are first needed, all
//! predicates on a field in one pass, and what was found out is kept as bits.

use std::ops::ControlFlow;

use jiff::Timestamp;
use poseur_rule::model::{Relation, Test};

use crate::bits::Bits;
use crate::field::{Object, Texts, leaves};
use crate::found::Found;
use crate::pattern;
use crate::plan::{Plan, SchemaPlan};
use crate::predicates::Scalar;
use crate::program::{Clause, Node, PredicateId};
use crate::record::{Handle, Kind, Record};
use crate::report::with_document;

/// What evaluation knows about the record at hand. Reused.
#[derive(Debug, Default)]
pub struct State {
    bits: Bits,
    fields: Bits,
    texts: Texts,
    other: Texts,
    one_text: Vec<u8>,
    pub(crate) one: Bits,
}

/// Visits a value of a field: the record, the value, where it stands, the predicates it satisfies.
pub type VisitSatisfied<'v, R> =
    dyn FnMut(&R, Scalar<'_>, Option<Handle>, &Bits) -> ControlFlow<()> + 'v;

/// One record, one schema.
pub struct Evaluation<'a, R: ?Sized> {
    pub(crate) plan: &'a Plan,
    pub(crate) schema: &'a SchemaPlan,
    pub(crate) record: &'a R,
    pub(crate) root: Handle,
    pub(crate) found: &'a Found,
    pub(crate) now: Timestamp,
    pub(crate) state: &'a mut State,
}

impl<'a, R: Record + ?Sized> Evaluation<'a, R> {
    /// Begins with a record of which nothing is known yet.
    pub fn new(
        plan: &'a Plan,
        schema: &'a SchemaPlan,
        record: &'a R,
        root: Handle,
        found: &'a Found,
        now: Timestamp,
        state: &'a mut State,
    ) -> Self {
        state.bits.reset(plan.predicates.list.len());
        state.fields.reset(plan.predicates.fields.len());
        state.one.reset(plan.predicates.list.len());
        Evaluation {
            plan,
            schema,
            record,
            root,
            found,
            now,
            state,
        }
    }

    /// What is evaluated.
    pub(crate) fn object(&self) -> Object<'a, R> {
        Object {
            record: self.record,
            root: self.root,
            found: self.found,
            now: self.now,
        }
    }

    /// Whether a compiled condition holds.
    pub fn holds(&mut self, node: &Node) -> bool {
        match node {
            Node::Constant(value) => *value,
            Node::Predicate(id) => self.predicate(*id),
            Node::All(nodes) => nodes.iter().all(|node| self.holds(node)),
            Node::Any(nodes) => nodes.iter().any(|node| self.holds(node)),
            Node::Not(node) => !self.holds(node),
        }
    }

    /// Whether a condition in the author's form holds.
    pub fn clause(&mut self, clause: &Clause) -> bool {
        match clause {
            Clause::All(parts) => parts.iter().all(|part| self.clause(part)),
            Clause::Any(parts) => parts.iter().any(|part| self.clause(part)),
            Clause::Not(part) => !self.clause(part),
            Clause::Predicate(id) => self.predicate(*id),
            Clause::Named(_, part) => self.clause(part),
        }
    }

    /// Whether a predicate holds.
    #[inline]
    pub fn predicate(&mut self, id: PredicateId) -> bool {
        let field = self.plan.predicates.list[id as usize].field;
        if !self.state.fields.has(field as u32) {
            self.state.fields.set(field as u32);
            self.read(field);
        }
        self.state.bits.has(id)
    }

    /// Reads a field and sets the bits of all its predicates.
    fn read(&mut self, field: usize) {
        let set = &self.plan.sets[field];
        let object = self.object();
        let mut any = false;
        let (bits, now) = (&mut self.state.bits, self.now);
        let texts = &mut self.state.texts;
        let _ = self.schema.fields[field].values(object, texts, &mut |value, _| {
            any = true;
            set.test(value, now, bits);
            ControlFlow::Continue(())
        });
        let whole = &self.plan.whole[field];
        if !any && (set.asks_presence() || !whole.is_empty()) {
            any = self.schema.fields[field].has_object(self.record, self.found);
            if any {
                set.test_presence(&mut self.state.bits);
            }
        }
        for &id in whole {
            let holds = match &self.plan.predicates.list[id as usize].predicate.test {
                Test::Null => !any,
                Test::SameAs { .. } => self.same_as(field, id).is_some(),
                _ => false,
            };
            if holds {
                self.state.bits.set(id);
            }
        }
    }

    /// The first value of a field that relates to some value of the field a predicate names.
    pub(crate) fn same_as(&mut self, field: usize, id: PredicateId) -> Option<&[u8]> {
        let numbered = &self.plan.predicates.list[id as usize];
        let (Test::SameAs { relation, case, .. }, Some(other)) =
            (&numbered.predicate.test, numbered.other)
        else {
            return None;
        };
        let (fields, object) = (&self.schema.fields, self.object());
        let mut one = std::mem::take(&mut self.state.one_text);
        let others = &mut self.state.other;
        let texts = &mut self.state.texts;
        let outcome = fields[field].values(object, texts, &mut |value, _| {
            one.clear();
            one.extend_from_slice(value.text);
            fields[other].values(object, others, &mut |other, _| {
                if related(*relation, *case, &one, other.text) {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            })
        });
        self.state.one_text = one;
        outcome.is_break().then_some(&self.state.one_text)
    }

    /// Visits the values of a field, and for each the predicates it satisfies by itself.
    pub fn each_value(&mut self, field: usize, visit: &mut VisitSatisfied<'_, R>) {
        let object = self.object();
        let State { one, texts, .. } = &mut *self.state;
        let (record, set, now) = (self.record, &self.plan.sets[field], self.now);
        let predicates = self.plan.predicates.list.len();
        let _ = self.schema.fields[field].values(object, texts, &mut |value, place| {
            one.reset(predicates);
            set.test(value, now, one);
            visit(record, value, place, one)
        });
    }

    /// Visits the first leaf of a value, or of the document in it, that satisfies a predicate by
    /// itself.
    pub(crate) fn leaf_that_satisfies(
        &mut self,
        value: Handle,
        field: usize,
        id: PredicateId,
        visit: &mut dyn FnMut(&[u8]),
    ) {
        let State { one, texts, .. } = &mut *self.state;
        let (set, now, predicates) = (
            &self.plan.sets[field],
            self.now,
            self.plan.predicates.list.len(),
        );
        with_document(self.record, value, &mut |record, value| {
            let _ = leaves(record, value, &mut texts.decoded, &mut |leaf, _| {
                one.reset(predicates);
                set.test(leaf, now, one);
                if !one.has(id) {
                    return ControlFlow::Continue(());
                }
                visit(leaf.text);
                ControlFlow::Break(())
            });
        });
    }

    /// Whether an element of a list satisfies a predicate by itself: by one of its leaves, or by
    /// its text as a whole.
    pub(crate) fn element_satisfies(
        &mut self,
        record: &dyn Record,
        element: Handle,
        field: usize,
        id: PredicateId,
    ) -> bool {
        let State { one, texts, .. } = &mut *self.state;
        let (set, now, predicates) = (
            &self.plan.sets[field],
            self.now,
            self.plan.predicates.list.len(),
        );
        one.reset(predicates);
        let text = &mut texts.derived;
        text.clear();
        record.write_json(element, text);
        set.test(
            Scalar {
                kind: Kind::Text,
                text,
            },
            now,
            one,
        );
        let _ = leaves(record, element, &mut texts.decoded, &mut |leaf, _| {
            set.test(leaf, now, one);
            ControlFlow::Continue(())
        });
        one.has(id)
    }
}

fn related(relation: Relation, case: poseur_rule::model::Case, text: &[u8], other: &[u8]) -> bool {
    match relation {
        Relation::Equals => pattern::equal(text, other, case),
        Relation::Contains => pattern::contains(text, other, case),
        Relation::StartsWith => pattern::starts_with(text, other, case),
        Relation::EndsWith => pattern::ends_with(text, other, case),
    }
}
