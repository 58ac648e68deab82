//! Fields by a pattern of their names.

use std::ops::ControlFlow;

use poseur_rule::model::{Case, Pattern};

use crate::field::{FieldPlan, Object, Texts, Visit};
use crate::paths::Paths;
use crate::pattern;
use crate::predicates::Scalar;
use crate::record::{Handle, Kind, MAX_DEPTH, Record};
use crate::schema::{Derive, Scope};

/// All fields whose names fit a pattern.
#[derive(Debug, Clone)]
pub(crate) struct LikePlan {
    pattern: Pattern,
    /// The fields that the schema lists under such a name.
    listed: Vec<FieldPlan>,
    /// What the names of paths begin with: names of families, by the path they stand for.
    prefixes: Vec<(String, String)>,
}

impl LikePlan {
    pub fn new(scope: Scope<'_>, pattern: &Pattern, paths: &mut Paths) -> LikePlan {
        let listed = scope.schema.fields.iter().filter_map(|listed| {
            let fits = pattern::fits(pattern, Case::Exact, listed.name.as_bytes());
            fits.then(|| FieldPlan::new(scope, &listed.name, paths))
        });
        LikePlan {
            listed: listed.collect(),
            pattern: pattern.clone(),
            prefixes: match scope.object {
                Some(object) => vec![(format!("{object}."), String::new())],
                None => scope.schema.families.clone(),
            },
        }
    }

    /// Whether the texts of the values stand in the record.
    pub fn keeps_texts(&self) -> bool {
        self.listed.iter().all(|field| {
            let renamed = matches!(field.derive(), Derive::Rename { .. });
            field.keeps_texts() && field.absent.is_none() && !renamed
        })
    }

    /// Visits every non-null value.
    pub fn values<R: Record + ?Sized>(
        &self,
        object: Object<'_, R>,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        for field in &self.listed {
            field.values(object, texts, visit)?;
        }
        let mut path = Path {
            name: std::mem::take(&mut texts.name),
            keys: 0,
            depth: 0,
        };
        path.name.clear();
        let Texts {
            decoded, derived, ..
        } = &mut *texts;
        let Object { record, root, .. } = object;
        let outcome = path.leaves(record, root, &mut |name, leaf| match record.kind(leaf) {
            Kind::Null => ControlFlow::Continue(()),
            kind if self.fits(name, derived) => {
                let text = record.text(leaf, decoded);
                visit(Scalar { kind, text }, Some(leaf))
            }
            _ => ControlFlow::Continue(()),
        });
        texts.name = path.name;
        outcome
    }

    /// Whether the field at a path has a name that fits.
    fn fits(&self, path: &[u8], scratch: &mut Vec<u8>) -> bool {
        let mut families = self.prefixes.iter();
        let family = families.find_map(|(prefix, of)| {
            let rest = path.strip_prefix(of.as_bytes())?;
            Some((prefix, rest))
        });
        let name = match family {
            Some((prefix, rest)) => {
                scratch.clear();
                scratch.extend_from_slice(prefix.as_bytes());
                scratch.extend_from_slice(rest);
                scratch
            }
            None => path,
        };
        pattern::fits(&self.pattern, Case::Exact, name)
    }
}

/// The way to a value.
struct Path {
    /// The keys so far, joined by dots.
    name: Vec<u8>,
    /// How many of them.
    keys: usize,
    /// How many containers deep.
    depth: usize,
}

impl Path {
    /// Visits every scalar at or below a value, nulls included, with the keys that lead to it.
    fn leaves<R: Record + ?Sized>(
        &mut self,
        record: &R,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // Deeper records are unreadable.
        if self.depth > MAX_DEPTH {
            return ControlFlow::Continue(());
        }
        self.depth += 1;
        let outcome = match record.kind(value) {
            Kind::Map => record.members(value, &mut |key, member| {
                let before = self.name.len();
                if self.keys > 0 {
                    self.name.push(b'.');
                }
                self.name.extend_from_slice(key);
                self.keys += 1;
                let outcome = self.leaves(record, member, visit);
                self.keys -= 1;
                self.name.truncate(before);
                outcome
            }),
            Kind::List => {
                record.elements(value, &mut |element| self.leaves(record, element, visit))
            }
            _ => visit(&self.name, value),
        };
        self.depth -= 1;
        outcome
    }
}
