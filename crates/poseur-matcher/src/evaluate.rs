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
use crate::record::{Handle, Kind, MAX_DEPTH, Record};
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
    /// Conditions on objects that have been asked about, and those of them that hold.
    asked: Bits,
    held: Bits,
    /// By number of such a condition.
    objects: Vec<Option<Box<ObjectState>>>,
}

/// What is known about one object of a record.
#[derive(Debug)]
struct ObjectState {
    found: Found,
    state: State,
}

/// Visits an object of a record: its evaluation, where it stands, whether the condition holds for it.
pub(crate) type VisitObject<'v, R> =
    dyn FnMut(&mut Evaluation<'_, R>, Handle, bool) -> ControlFlow<()> + 'v;

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
    /// The number of the first predicate among those of the whole record.
    pub(crate) first: PredicateId,
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
        state.asked.reset(plan.nested.len());
        state.held.reset(plan.nested.len());
        Evaluation {
            plan,
            schema,
            record,
            root,
            found,
            now,
            state,
            first: 0,
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
            Node::Nested(number) => self.nested(*number),
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
            Clause::Nested(number) => self.nested(*number),
        }
    }

    /// Whether a condition on objects holds for one of them.
    fn nested(&mut self, number: usize) -> bool {
        let bit = number as u32;
        if !self.state.asked.has(bit) {
            self.state.asked.set(bit);
            let hit = self.each_object(number, &mut |_, _, holds| match holds {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            });
            if hit.is_break() {
                self.state.held.set(bit);
            }
        }
        self.state.held.has(bit)
    }

    /// Visits the objects that a condition is about.
    pub(crate) fn each_object(
        &mut self,
        number: usize,
        visit: &mut VisitObject<'_, R>,
    ) -> ControlFlow<()> {
        let nested = &self.plan.nested[number];
        let schema = &nested.plan.schemas[self.schema.number];
        let (record, now, first) = (self.record, self.now, self.first + nested.first);
        if self.state.objects.len() <= number {
            self.state.objects.resize_with(number + 1, || None);
        }
        let mut memory = self.state.objects[number].take().unwrap_or_else(|| {
            Box::new(ObjectState {
                found: Found::new(nested.plan.paths.len()),
                state: State::default(),
            })
        });
        let ObjectState { found, state } = &mut *memory;
        let mut values = self.schema.objects[number].raw_values(self.found);
        let outcome = values.try_for_each(|value| {
            objects(record, value, 0, &mut |object| {
                found.clear();
                if record.walk(object, &nested.plan.paths, found).is_err() {
                    // The record is unreadable, which is found out before anything is written.
                    return ControlFlow::Continue(());
                }
                let plan = &nested.plan;
                let mut inner = Evaluation::new(plan, schema, record, object, found, now, state);
                inner.first = first;
                let holds = inner.holds(&schema.programs[0]);
                visit(&mut inner, object, holds)
            })
        });
        self.state.objects[number] = Some(memory);
        outcome
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
    #[inline(never)]
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

    /// Visits the first value of a field; says whether there are more.
    pub(crate) fn first_value(
        &mut self,
        field: usize,
        visit: &mut dyn FnMut(Scalar<'_>, Option<Handle>),
    ) -> bool {
        let (object, texts) = (self.object(), &mut self.state.texts);
        let mut any = false;
        let outcome = self.schema.fields[field].values(object, texts, &mut |value, place| {
            if any {
                return ControlFlow::Break(());
            }
            any = true;
            visit(value, place);
            ControlFlow::Continue(())
        });
        outcome.is_break()
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

/// Visits a value that is an object, or the objects in a list, lists in it opened.
fn objects<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    depth: usize,
    visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match record.kind(value) {
        Kind::Map => visit(value),
        Kind::List if depth < MAX_DEPTH => record.elements(value, &mut |element| {
            objects(record, element, depth + 1, visit)
        }),
        _ => ControlFlow::Continue(()),
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
