//! What is told about a match: what satisfied it, the analyst fields, who did what to whom.

use std::ops::{ControlFlow, Range};

use poseur_rule::model::Test;

use crate::evaluate::Evaluation;
use crate::field::{FieldPlan, Object, Texts};
use crate::json::nests_deeper;
use crate::plan::{Plan, SchemaPlan};
use crate::predicates::Scalar;
use crate::program::{Clause, PredicateId};
use crate::record::{Handle, Kind, Record};
use crate::schema::{Derive, FieldKind};
use crate::verdict::{Satisfied, SummaryTexts, Verdict};

/// Containers inside each other in a value that is repeated as it is; docs/semantics.md promises it.
const MOST_NESTED: usize = 16;

/// Longer values are cut in the tag's `on`: they are there to be read.
const LONGEST_VALUE: usize = 1024;

/// Appends the predicates that satisfied a clause which holds: those that had an alternative, or,
/// where none had, all that hold positively.
pub(crate) fn satisfying<R: Record + ?Sized>(
    evaluation: &mut Evaluation<'_, R>,
    clause: &Clause,
    out: &mut Vec<PredicateId>,
) {
    collect(evaluation, clause, false, true, out);
    if out.is_empty() {
        positive(evaluation, clause, out);
    }
}

/// Appends all predicates of a clause which holds that hold positively, in branches that hold.
pub(crate) fn positive<R: Record + ?Sized>(
    evaluation: &mut Evaluation<'_, R>,
    clause: &Clause,
    out: &mut Vec<PredicateId>,
) {
    collect(evaluation, clause, false, false, out);
}

fn collect<R: Record + ?Sized>(
    evaluation: &mut Evaluation<'_, R>,
    clause: &Clause,
    chosen: bool,
    only_chosen: bool,
    out: &mut Vec<PredicateId>,
) {
    match clause {
        Clause::Predicate(id) => {
            let number = evaluation.first + id;
            if (chosen || !only_chosen) && !out.contains(&number) && evaluation.predicate(*id) {
                out.push(number);
            }
        }
        Clause::All(parts) => {
            for part in parts {
                collect(evaluation, part, chosen, only_chosen, out);
            }
        }
        Clause::Any(parts) => {
            let chosen = chosen || parts.len() > 1;
            for part in parts {
                // A predicate is asked below.
                if matches!(part, Clause::Predicate(_)) || evaluation.clause(part) {
                    collect(evaluation, part, chosen, only_chosen, out);
                }
            }
        }
        Clause::Named(_, part) => collect(evaluation, part, chosen, only_chosen, out),
        Clause::Nested(number) => {
            // Of several objects the first speaks for all.
            let _ = evaluation.each_object(*number, &mut |inner, _, holds| {
                if !holds {
                    return ControlFlow::Continue(());
                }
                let clause = &inner.plan.clauses[0];
                collect(inner, clause, chosen, only_chosen, out);
                ControlFlow::Break(())
            });
        }
        Clause::Not(_) => {}
    }
}

/// Appends to the verdict, for each predicate, a value that satisfies it.
pub(crate) fn values<R: Record + ?Sized>(
    evaluation: &mut Evaluation<'_, R>,
    predicates: &[PredicateId],
    verdict: &mut Verdict,
) -> Range<usize> {
    let first = verdict.on.len();
    for &predicate in predicates {
        let value = value(evaluation, predicate, &mut verdict.text);
        verdict.on.push(Satisfied { predicate, value });
    }
    first..verdict.on.len()
}

/// Stores the first value that satisfies a predicate, by its number in the whole record.
fn value<R: Record + ?Sized>(
    evaluation: &mut Evaluation<'_, R>,
    number: PredicateId,
    text: &mut Vec<u8>,
) -> Range<usize> {
    let predicate = number - evaluation.first;
    if let Some(nested) = evaluation.plan.nested_with(predicate) {
        let mut found = 0..0;
        let _ = evaluation.each_object(nested, &mut |inner, _, holds| {
            if !holds {
                return ControlFlow::Continue(());
            }
            found = value(inner, number, text);
            ControlFlow::Break(())
        });
        return found;
    }
    let numbered = &evaluation.plan.predicates.list[predicate as usize];
    let field = numbered.field;
    let start = text.len();
    let mut found = None;
    let mut several = false;
    if matches!(numbered.predicate.test, Test::SameAs { .. }) {
        found = evaluation
            .same_as(field, predicate)
            .map(|value| (store(value, text), None));
    } else {
        several = evaluation.first_value(field, &mut |value, place| {
            found = Some((store(value.text, text), place));
        });
    }
    // A value that is the only one is the one that satisfies what the field satisfies.
    if several {
        text.truncate(start);
        found = None;
        evaluation.each_value(field, &mut |_, value, place, bits| {
            if !bits.has(predicate) {
                return ControlFlow::Continue(());
            }
            found = Some((store(value.text, text), place));
            ControlFlow::Break(())
        });
    }
    // Inside a dynamic value, the leaf that holds the keyword says more than the whole.
    if evaluation.schema.fields[field].is_dynamic()
        && let Some((range, Some(place))) = &mut found
    {
        evaluation.leaf_that_satisfies(*place, field, predicate, &mut |leaf| {
            text.truncate(range.start);
            *range = store(leaf, text);
        });
    }
    found.map_or(0..0, |(range, _)| range)
}

/// Calls `visit` with a value, or with the document inside it if it is a string that holds one.
pub(crate) fn with_document<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    visit: &mut dyn FnMut(&dyn Record, Handle),
) {
    let inside = record.kind(value) == Kind::Text
        && record.open(value, &mut |inner| visit(inner, inner.root()));
    if !inside {
        record.with_dyn(&mut |record| visit(record, value));
    }
}

/// Appends a text to the verdict's buffer, cut at a character if it is long.
fn store(value: &[u8], text: &mut Vec<u8>) -> Range<usize> {
    let start = text.len();
    if value.len() <= LONGEST_VALUE {
        text.extend_from_slice(value);
        return start..text.len();
    }
    // A character is at most four bytes long; more continuation bytes are none.
    let starts_character = |end: &usize| value[*end] & 0xC0 != 0x80;
    let end = (LONGEST_VALUE - 3..=LONGEST_VALUE)
        .rev()
        .find(starts_character);
    let end = end.unwrap_or(LONGEST_VALUE);
    text.extend_from_slice(&value[..end]);
    text.extend_from_slice("…".as_bytes());
    start..text.len()
}

/// A value that nests deep is repeated as a text. It may come from a text in the record, so that the record
/// nests less than its tag would, and who reads the output may not go so deep: Fluent Bit loses such records, 31
/// levels are the most for its releases 2 and 3.
fn flatten(text: &mut Vec<u8>, start: usize) {
    let may_nest = matches!(text.get(start), Some(b'[' | b'{'));
    if may_nest && nests_deeper(&text[start..], MOST_NESTED) {
        let value = text.split_off(start);
        crate::json::quoted(&value, text);
    }
}

/// Reads the fields that are reported, of one record.
pub(crate) struct Reporter<'a, R: ?Sized> {
    pub object: Object<'a, R>,
    pub texts: &'a mut Texts,
}

impl<R: Record + ?Sized> Reporter<'_, R> {
    /// Visits the values of a field, until `visit` has seen enough.
    fn values(&mut self, field: &FieldPlan, visit: &mut dyn FnMut(Scalar<'_>) -> ControlFlow<()>) {
        let _ = field.values(self.object, self.texts, &mut |value, _| visit(value));
    }

    /// Appends a field's value as JSON; several values as an array. What is not UTF-8 in its strings
    /// stays as it is in the record. `false` if there is none.
    fn json(&mut self, field: &FieldPlan, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut count = 0;
        let raw = *field.derive() == Derive::Same
            && field.absent.is_none()
            && field.kind != FieldKind::Flag;
        if raw {
            let Object { record, found, .. } = self.object;
            for path in field.present_sources(found) {
                for value in found.values(path) {
                    if record.kind(value) != Kind::Null {
                        separate(start, &mut count, out);
                        record.write_json(value, out);
                    }
                }
            }
        } else {
            self.values(field, &mut |value| {
                separate(start, &mut count, out);
                match value.kind {
                    Kind::Text => crate::json::quoted(value.text, out),
                    _ => out.extend_from_slice(value.text),
                }
                ControlFlow::Continue(())
            });
        }
        if count > 1 {
            out.push(b']');
        }
        count > 0
    }

    /// Adds the analyst fields of a rule that the verdict does not have yet.
    pub fn context(&mut self, schema: &SchemaPlan, names: &[usize], verdict: &mut Verdict) {
        // A rule's own fields are all different.
        let before = verdict.context.len();
        for &name in names {
            let mut known = verdict.context[..before].iter();
            if known.any(|(known, _)| *known == name) {
                continue;
            }
            let start = verdict.text.len();
            if self.json(&schema.context[name], &mut verdict.text) {
                flatten(&mut verdict.text, start);
                verdict.context.push((name, start..verdict.text.len()));
            }
        }
    }

    /// Fills the verdict's summary.
    pub fn summary(&mut self, schema: &SchemaPlan, verdict: &mut Verdict) {
        let plan = &schema.summary;
        let mut summary = SummaryTexts {
            time: self.first(&plan.time, &mut verdict.text),
            who: self.first(&plan.who, &mut verdict.text),
            whom: Vec::new(),
            place: self.first(&plan.place, &mut verdict.text),
        };
        for field in &plan.whom {
            self.values(field, &mut |value| {
                summary.whom.push(store(value.text, &mut verdict.text));
                ControlFlow::Continue(())
            });
        }
        verdict.summary = Some(summary);
    }

    fn first(&mut self, fields: &[FieldPlan], text: &mut Vec<u8>) -> Option<Range<usize>> {
        fields.iter().find_map(|field| {
            let mut stored = None;
            self.values(field, &mut |value| {
                stored = Some(store(value.text, text));
                ControlFlow::Break(())
            });
            stored
        })
    }
}

/// Makes room for one more value in a list that is only a list from the second value on.
#[inline]
fn separate(start: usize, count: &mut usize, out: &mut Vec<u8>) {
    if *count == 1 {
        out.insert(start, b'[');
    }
    if *count > 0 {
        out.push(b',');
    }
    *count += 1;
}

impl Plan {
    /// The numbers of a rule's analyst fields in [`Plan::context_names`], each once.
    pub(crate) fn context_of(&self, fields: &[String]) -> Vec<usize> {
        let mut numbers = Vec::new();
        for field in fields {
            let number = self.context_names.iter().position(|known| known == field);
            numbers.extend(number.filter(|number| !numbers.contains(number)));
        }
        numbers
    }
}
