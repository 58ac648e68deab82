//! Which shape a record has: a few look-ups in what the walk found anyway.

use crate::found::Found;
use crate::paths::{PathId, Paths};
use crate::plan::SchemaPlan;
use crate::record::{Handle, Kind, Record};
use crate::schema::{Payload, Schema};

/// The schema that reads what no other recognises.
pub const FALLBACK: &str = "ecs";

/// What a record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// To be judged as it stands, by this schema.
    Flat(usize),
    /// A wrapping around payloads, which were appended to the caller's list.
    Envelope,
    /// Lists of records, which were appended to the caller's list.
    Batch,
}

/// Recognises shapes.
#[derive(Debug, Clone)]
pub struct Shapes {
    elements: Vec<PathId>,
    objects: Vec<PathId>,
    texts: Vec<PathId>,
    /// In the order they are tried: schema, and its detection lines.
    detect: Vec<(usize, Vec<Vec<Mark>>)>,
    fallback: usize,
    forced: Option<Forced>,
    /// By schema.
    names: Vec<String>,
}

#[derive(Debug, Clone)]
struct Mark {
    path: PathId,
    text: Option<String>,
}

/// A shape the operator has named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Every object is judged by this schema.
    Flat(usize),
    /// Only payloads are judged, by the shape each has.
    Envelope,
}

impl Shapes {
    /// Compiles the detection lines of schemas, which are in the order they are tried.
    pub fn new(schemas: &[Schema], forced: Option<Forced>, paths: &mut Paths) -> Shapes {
        let mut all = |of: fn(&Schema) -> &Vec<String>| -> Vec<PathId> {
            let names = schemas.iter().flat_map(of);
            names.map(|path| paths.add(path)).collect()
        };
        let elements = all(|schema| &schema.payload.elements);
        let objects = all(|schema| &schema.payload.objects);
        let texts = all(|schema| &schema.payload.texts);
        let detect = schemas
            .iter()
            .enumerate()
            .filter(|(_, schema)| !schema.detect.is_empty());
        let detect = detect.map(|(number, schema)| {
            let lines = schema.detect.iter().map(|line| {
                let marks = line.iter().map(|mark| Mark {
                    path: paths.add(&mark.path),
                    text: mark.text.clone(),
                });
                marks.collect()
            });
            (number, lines.collect())
        });
        Shapes {
            elements,
            objects,
            texts,
            detect: detect.collect(),
            fallback: schemas
                .iter()
                .position(|schema| schema.name == FALLBACK)
                .unwrap_or_default(),
            forced,
            names: schemas.iter().map(|schema| schema.name.clone()).collect(),
        }
    }

    /// Whether any record can come to be judged by a schema.
    pub fn may_judge(&self, plan: &SchemaPlan) -> bool {
        let wraps = plan.schema.payload != Payload::default();
        match self.forced {
            Some(Forced::Flat(number)) => self.names[number] == plan.schema.name,
            _ => !wraps,
        }
    }

    /// The shape of an object, from what the walk found in it. Payloads of an envelope, or lists of a
    /// batch, are appended to `payloads`. Below the deepest envelope allowed (`wrapped_enough`) nothing is an envelope.
    pub fn of<R: Record + ?Sized>(
        &self,
        record: &R,
        found: &Found,
        wrapped_enough: bool,
        forced: bool,
        payloads: &mut Vec<Handle>,
        scratch: &mut Vec<u8>,
    ) -> Shape {
        let before = payloads.len();
        let values = |paths: &[PathId], kind: Kind, payloads: &mut Vec<Handle>| {
            let values = paths.iter().flat_map(|&path| found.values(path));
            payloads.extend(values.filter(|&value| record.kind(value) == kind));
            payloads.len() > before
        };
        if values(&self.elements, Kind::List, payloads) {
            return Shape::Batch;
        }
        let forced = self.forced.filter(|_| forced);
        if let Some(Forced::Flat(schema)) = forced {
            return Shape::Flat(schema);
        }
        if values(&self.objects, Kind::Map, payloads) {
            if !wrapped_enough {
                return Shape::Envelope;
            }
            payloads.truncate(before);
            return Shape::Flat(self.fallback);
        }
        if forced.is_none() {
            let flat = self.detect.iter().find(|(_, lines)| {
                lines
                    .iter()
                    .any(|line| line.iter().all(|mark| mark.is_in(record, found, scratch)))
            });
            if let Some((schema, _)) = flat {
                return Shape::Flat(*schema);
            }
        }
        if !wrapped_enough && values(&self.texts, Kind::Text, payloads) {
            // Texts that are no documents are only known when they are opened: the reader tells.
            let readable = |value: &Handle| record.open(*value, &mut |_| {});
            let mut kept = before;
            for at in before..payloads.len() {
                if readable(&payloads[at]) {
                    payloads.swap(kept, at);
                    kept += 1;
                }
            }
            payloads.truncate(kept);
            if kept > before {
                return Shape::Envelope;
            }
        }
        match forced {
            Some(_) => Shape::Envelope,
            None => Shape::Flat(self.fallback),
        }
    }
}

impl Mark {
    fn is_in<R: Record + ?Sized>(&self, record: &R, found: &Found, scratch: &mut Vec<u8>) -> bool {
        let Some(text) = &self.text else {
            return found.has(self.path);
        };
        found.values(self.path).any(|value| {
            record.kind(value) == Kind::Text && record.text(value, scratch) == text.as_bytes()
        })
    }
}
