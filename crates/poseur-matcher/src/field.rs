//! A field of a rule in one schema: finding its values in a record.

use std::ops::ControlFlow;

use jiff::Timestamp;
use poseur_rule::expression::{Column, ColumnType};
use poseur_rule::model::Pattern;

use crate::column::{self, ValuePlan};
use crate::derive::derive;
use crate::found::Found;
use crate::kusto::Expression;
use crate::like::LikePlan;
use crate::paths::{PathId, Paths};
use crate::predicates::Scalar;
use crate::record::{Handle, Kind, Record};
use crate::schema::{Derive, FieldKind, Lookup, Scope};

/// A compiled [`Lookup`]: paths by number.
#[derive(Debug, Clone)]
pub struct FieldPlan {
    sources: Vec<PathId>,
    first: bool,
    /// The field's type.
    pub kind: FieldKind,
    derive: Derive,
    /// The path of [`Derive::Rename`]'s condition.
    when: Option<PathId>,
    /// The value where nothing is at the paths.
    pub absent: Option<String>,
    reading: Reading,
}

/// How the values are read.
#[derive(Debug, Clone)]
enum Reading {
    /// What stands at the paths, by the field's type.
    Listed,
    /// Every scalar of the record.
    Any,
    /// Whatever has a name that fits.
    Like(Box<LikePlan>),
    /// What stands at the paths, as a column's values.
    Column(ColumnType),
    /// What an expression makes of columns.
    Value(Box<ValuePlan>),
}

/// The object that a field is read from.
#[derive(Debug)]
pub struct Object<'a, R: ?Sized> {
    /// The record it stands in.
    pub record: &'a R,
    /// Where.
    pub root: Handle,
    /// What was found in it.
    pub found: &'a Found,
    /// The moment of judgement.
    pub now: Timestamp,
}

impl<R: ?Sized> Clone for Object<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ?Sized> Copy for Object<'_, R> {}

/// Memory for decoded and derived texts.
#[derive(Debug, Default)]
pub struct Texts {
    pub(crate) decoded: Vec<u8>,
    pub(crate) derived: Vec<u8>,
    /// The name of a value by its path.
    pub(crate) name: Vec<u8>,
}

/// Visits one value of a field: the value, and where it stands (`None` if it does not stand in the
/// record as such).
pub type Visit<'v> = dyn FnMut(Scalar<'_>, Option<Handle>) -> ControlFlow<()> + 'v;

impl FieldPlan {
    /// Compiles the lookup of a named field.
    pub fn new(scope: Scope<'_>, name: &str, paths: &mut Paths) -> FieldPlan {
        FieldPlan::listed(scope.lookup(name), paths)
    }

    pub(crate) fn listed(lookup: Lookup, paths: &mut Paths) -> FieldPlan {
        FieldPlan {
            sources: lookup.paths.iter().map(|path| paths.add(path)).collect(),
            first: lookup.first,
            kind: lookup.kind,
            when: match &lookup.derive {
                Derive::Rename { when, .. } => Some(paths.add(&when.0)),
                _ => None,
            },
            derive: lookup.derive,
            absent: lookup.absent,
            reading: Reading::Listed,
        }
    }

    /// A plan for "any scalar anywhere".
    pub fn any() -> FieldPlan {
        FieldPlan::of_nothing(Reading::Any)
    }

    /// A plan for all fields whose names fit.
    pub fn like(scope: Scope<'_>, pattern: &Pattern, paths: &mut Paths) -> FieldPlan {
        let plan = LikePlan::new(scope, pattern, paths);
        FieldPlan::of_nothing(Reading::Like(Box::new(plan)))
    }

    /// A plan for a column of a Kusto table. What the schema makes of the field wins over the column's
    /// type.
    pub fn column(scope: Scope<'_>, column: &Column, paths: &mut Paths) -> FieldPlan {
        let mut plan = FieldPlan::new(scope, &column.name, paths);
        let plain = plan.kind == FieldKind::Keyword && plan.derive == Derive::Same;
        if plain && plan.absent.is_none() {
            plan.reading = Reading::Column(column.kind);
            plan.absent = (column.kind == ColumnType::Text).then(String::new);
        }
        plan
    }

    /// A plan for what a Kusto expression makes of its columns.
    pub fn value(scope: Scope<'_>, expression: &Expression, paths: &mut Paths) -> FieldPlan {
        let plan = ValuePlan::new(scope, expression, paths);
        FieldPlan::of_nothing(Reading::Value(Box::new(plan)))
    }

    fn of_nothing(reading: Reading) -> FieldPlan {
        FieldPlan {
            sources: Vec::new(),
            first: false,
            kind: FieldKind::Flattened,
            derive: Derive::Same,
            when: None,
            absent: None,
            reading,
        }
    }

    /// The expression that makes the field's values, with its columns.
    pub(crate) fn as_value(&self) -> Option<&ValuePlan> {
        match &self.reading {
            Reading::Value(plan) => Some(plan),
            _ => None,
        }
    }

    /// The type of the column that the field is, if the schema does not say otherwise.
    pub(crate) fn column_type(&self) -> Option<ColumnType> {
        match &self.reading {
            Reading::Column(kind) => Some(*kind),
            _ => None,
        }
    }

    /// The field's value in every record, if it does not depend on the record.
    pub fn constant(&self) -> Option<&str> {
        match &self.absent {
            Some(text) if self.sources.is_empty() => Some(text),
            _ => None,
        }
    }

    /// How much work a value of this field is, compared with a plain one.
    pub fn cost(&self) -> u32 {
        match self.reading {
            Reading::Listed => {}
            Reading::Any => return 1000,
            Reading::Like(_) => return 1500,
            Reading::Column(ColumnType::Dynamic) => return 20,
            Reading::Column(_) => return 1,
            Reading::Value(_) => return 2000,
        }
        match self.kind {
            FieldKind::Keyword | FieldKind::Flag if self.derive == Derive::Same => 1,
            FieldKind::Keyword | FieldKind::Flag => 2,
            FieldKind::Flattened => 10,
            FieldKind::Dynamic => 20,
        }
    }

    /// Whether the values are texts of dynamic values.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.kind == FieldKind::Dynamic || self.column_type() == Some(ColumnType::Dynamic)
    }

    /// Whether the texts of the values stand in the record, in whole or in part: they are not made.
    pub(crate) fn keeps_texts(&self) -> bool {
        match &self.reading {
            Reading::Any => true,
            Reading::Like(plan) => plan.keeps_texts(),
            Reading::Column(kind) => !matches!(kind, ColumnType::Bool | ColumnType::Dynamic),
            Reading::Value(_) => false,
            Reading::Listed => {
                let kept = match self.derive {
                    Derive::Same | Derive::Text | Derive::Address => true,
                    Derive::Local | Derive::Domain | Derive::Rename { .. } => true,
                    Derive::Lower | Derive::Ip | Derive::Values { .. } => false,
                };
                kept && !matches!(self.kind, FieldKind::Dynamic | FieldKind::Flag)
            }
        }
    }

    /// The paths the values come from.
    pub fn sources(&self) -> &[PathId] {
        &self.sources
    }

    /// What is made of the values found.
    pub fn derive(&self) -> &Derive {
        &self.derive
    }

    /// Those of them whose values count.
    pub(crate) fn present_sources<'a>(
        &'a self,
        found: &'a Found,
    ) -> impl Iterator<Item = PathId> + 'a {
        let limit = if self.first { 1 } else { usize::MAX };
        let present = self.sources.iter().copied().filter(|&path| found.has(path));
        present.take(limit)
    }

    /// Whether there may be values: false if nothing stands where they would come from.
    #[inline]
    pub fn may_have_values(&self, found: &Found) -> bool {
        let listed = matches!(self.reading, Reading::Listed | Reading::Column(_));
        !listed || self.absent.is_some() || self.sources.iter().any(|&path| found.has(path))
    }

    /// The raw values of the field, before type and derivation.
    pub fn raw_values<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = Handle> + 'a {
        self.present_sources(found)
            .flat_map(|path| found.values(path))
    }

    /// Visits every non-null value.
    pub fn values<R: Record + ?Sized>(
        &self,
        object: Object<'_, R>,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        match &self.reading {
            Reading::Listed => self.listed_values(object, texts, visit),
            Reading::Any => leaves(object.record, object.root, &mut texts.decoded, visit),
            Reading::Like(plan) => plan.values(object, texts, visit),
            Reading::Column(kind) => self.column_values(*kind, object, texts, visit),
            Reading::Value(plan) => plan.values(object, texts, visit),
        }
    }

    fn column_values<R: Record + ?Sized>(
        &self,
        kind: ColumnType,
        object: Object<'_, R>,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let mut anything = false;
        for value in self.raw_values(object.found) {
            anything = true;
            column::scalar(kind, object.record, value, texts, visit)?;
        }
        match &self.absent {
            Some(text) if !anything => visit(text_scalar(text.as_bytes()), None),
            _ => ControlFlow::Continue(()),
        }
    }

    fn listed_values<R: Record + ?Sized>(
        &self,
        object: Object<'_, R>,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        let Object { record, found, .. } = object;
        let mut anything = false;
        for path in self.present_sources(found) {
            for value in found.values(path) {
                match self.kind {
                    // Most fields, and most values.
                    FieldKind::Keyword if self.derive == Derive::Same => match record.kind(value) {
                        Kind::Null | Kind::Map => {}
                        Kind::List => {
                            self.keyword(record, value, found, texts, &mut anything, visit)?;
                        }
                        kind => {
                            anything = true;
                            let text = record.text(value, &mut texts.decoded);
                            visit(Scalar { kind, text }, Some(value))?;
                        }
                    },
                    FieldKind::Keyword => {
                        self.keyword(record, value, found, texts, &mut anything, visit)?;
                    }
                    FieldKind::Flattened => leaves(record, value, &mut texts.decoded, visit)?,
                    FieldKind::Dynamic => dynamic(record, value, texts, visit)?,
                    FieldKind::Flag => {
                        if let Some(truth) = flag(record, value, &mut texts.decoded) {
                            visit(bool_scalar(truth), Some(value))?;
                        }
                    }
                }
            }
            for value in found.values_beyond(path) {
                match (self.kind, &self.derive) {
                    (FieldKind::Flattened, _) => {
                        leaves(record, value, &mut texts.decoded, visit)?;
                    }
                    (
                        FieldKind::Keyword,
                        Derive::Values {
                            otherwise: Some(text),
                            ..
                        },
                    ) => {
                        anything = true;
                        visit(text_scalar(text.as_bytes()), None)?;
                    }
                    _ => {}
                }
            }
        }
        match &self.absent {
            Some(text) if !anything => visit(text_scalar(text.as_bytes()), None),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether an object stands where a keyword field's value would, with any non-null scalar
    /// anywhere in it: enough for `exists`.
    pub fn has_object<R: Record + ?Sized>(&self, record: &R, found: &Found) -> bool {
        // Parts of a text have no object to stand for them.
        let whole = matches!(
            self.derive,
            Derive::Same | Derive::Text | Derive::Rename { .. }
        );
        let listed = matches!(self.reading, Reading::Listed);
        if !listed || self.kind != FieldKind::Keyword || !whole {
            return false;
        }
        self.present_sources(found).any(|path| {
            let mut values = found.values(path).chain(found.values_beyond(path));
            values.any(|value| {
                let hit = record.leaves(value, &mut |leaf| match record.kind(leaf) {
                    Kind::Null => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                });
                hit.is_break()
            })
        })
    }

    fn keyword<R: Record + ?Sized>(
        &self,
        record: &R,
        value: Handle,
        found: &Found,
        texts: &mut Texts,
        anything: &mut bool,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        match record.kind(value) {
            Kind::Null => ControlFlow::Continue(()),
            Kind::Map => match &self.derive {
                Derive::Values {
                    otherwise: Some(text),
                    ..
                } => {
                    *anything = true;
                    visit(text_scalar(text.as_bytes()), Some(value))
                }
                _ => ControlFlow::Continue(()),
            },
            Kind::List => record.elements(value, &mut |element| {
                if element == value {
                    return ControlFlow::Continue(());
                }
                self.keyword(record, element, found, texts, anything, visit)
            }),
            kind => {
                *anything = true;
                let Texts {
                    decoded, derived, ..
                } = texts;
                if self.derive == Derive::Same {
                    let text = record.text(value, decoded);
                    return visit(Scalar { kind, text }, Some(value));
                }
                let text = record.text(value, decoded);
                // What is not renamed is the value itself; all else that is derived is text.
                let mut renamed = false;
                if let Derive::Rename { entries, .. } = &self.derive {
                    renamed = entries.iter().any(|(from, _)| from.as_bytes() == text)
                        && self.is_renamed(record, found, derived);
                    if !renamed {
                        return visit(Scalar { kind, text }, Some(value));
                    }
                }
                match derive(&self.derive, kind, text, renamed, derived) {
                    Some(text) => visit(text_scalar(text), Some(value)),
                    None => ControlFlow::Continue(()),
                }
            }
        }
    }

    fn is_renamed<R: Record + ?Sized>(
        &self,
        record: &R,
        found: &Found,
        scratch: &mut Vec<u8>,
    ) -> bool {
        let (Derive::Rename { when, .. }, Some(path)) = (&self.derive, self.when) else {
            return false;
        };
        let mut hit = false;
        for value in found.values(path) {
            let _ = leaves_of_list(record, value, scratch, &mut |scalar, _| {
                hit |= scalar.text == when.1.as_bytes();
                ControlFlow::Continue(())
            });
        }
        hit
    }
}

pub(crate) fn text_scalar(text: &[u8]) -> Scalar<'_> {
    Scalar {
        kind: Kind::Text,
        text,
    }
}

pub(crate) fn bool_scalar(truth: bool) -> Scalar<'static> {
    Scalar {
        kind: Kind::Bool(truth),
        text: if truth { b"true" } else { b"false" },
    }
}

/// Every non-null scalar at or below a value.
pub fn leaves<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    scratch: &mut Vec<u8>,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    record.leaves(value, &mut |leaf| match record.kind(leaf) {
        Kind::Null => ControlFlow::Continue(()),
        kind => {
            let text = record.text(leaf, scratch);
            visit(Scalar { kind, text }, Some(leaf))
        }
    })
}

/// Every non-null scalar of a value, arrays opened, objects passed over.
fn leaves_of_list<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    scratch: &mut Vec<u8>,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    match record.kind(value) {
        Kind::Null | Kind::Map => ControlFlow::Continue(()),
        Kind::List => record.elements(value, &mut |element| {
            leaves_of_list(record, element, scratch, visit)
        }),
        kind => {
            let text = record.text(value, scratch);
            visit(Scalar { kind, text }, Some(value))
        }
    }
}

/// The text of a Kusto dynamic value. A string that holds a JSON array or object is what it holds.
pub(crate) fn dynamic<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    texts: &mut Texts,
    visit: &mut Visit<'_>,
) -> ControlFlow<()> {
    match record.kind(value) {
        Kind::Null => ControlFlow::Continue(()),
        Kind::Text => {
            texts.derived.clear();
            let derived = &mut texts.derived;
            if record.open(value, &mut |inner| inner.write_json(inner.root(), derived)) {
                return visit(text_scalar(&texts.derived), Some(value));
            }
            let text = record.text(value, &mut texts.decoded);
            visit(text_scalar(text), Some(value))
        }
        Kind::List | Kind::Map => {
            texts.derived.clear();
            record.write_json(value, &mut texts.derived);
            visit(text_scalar(&texts.derived), Some(value))
        }
        kind => {
            let text = record.text(value, &mut texts.decoded);
            visit(Scalar { kind, text }, Some(value))
        }
    }
}

/// The truth value of a Kusto flag.
pub(crate) fn flag<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    scratch: &mut Vec<u8>,
) -> Option<bool> {
    match record.kind(value) {
        Kind::Bool(truth) => Some(truth),
        Kind::Number | Kind::Text => match record.text(value, scratch) {
            text if text.eq_ignore_ascii_case(b"true") => Some(true),
            text if text.eq_ignore_ascii_case(b"false") => Some(false),
            text => crate::number::parse(text).map(|number| number != 0.0),
        },
        Kind::Null | Kind::List | Kind::Map => None,
    }
}
