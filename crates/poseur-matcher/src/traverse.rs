//! From a document to the objects that are judged: batches are opened, envelopes followed.

use std::ops::ControlFlow;

use crate::found::Found;
use crate::plan::{Plan, SchemaPlan};
use crate::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};
use crate::shape::Shape;

/// Envelopes inside envelopes are followed this deep.
const MAX_ENVELOPES: usize = 4;

/// Told of everything that is judged.
pub trait Judge {
    /// An object to judge by a schema. Several in a row belong to one record if it is an envelope
    /// with several payloads.
    fn judge<R: Record + ?Sized>(
        &mut self,
        record: &R,
        root: Handle,
        schema: &SchemaPlan,
        found: &Found,
    ) -> Result<(), Unreadable>;

    /// The record at `root` is complete.
    fn finish(&mut self, root: Handle) -> Result<(), Unreadable>;
}

/// Memory for traversing documents.
#[derive(Debug)]
pub struct Traversal {
    found: Found,
    payloads: Vec<Handle>,
    text: Vec<u8>,
}

impl Traversal {
    /// For documents read with this plan.
    pub fn new(plan: &Plan) -> Traversal {
        Traversal {
            found: Found::new(plan.paths.len()),
            payloads: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Traverses a document.
    ///
    /// # Errors
    /// If it cannot be read, or the judge says so.
    pub fn document<R: Record + ?Sized, J: Judge>(
        &mut self,
        plan: &Plan,
        record: &R,
        judge: &mut J,
    ) -> Result<(), Unreadable> {
        self.payloads.clear();
        let root = record.root();
        match record.kind(root) {
            Kind::Map => self.object(plan, record, root, 1, judge),
            Kind::List => self.elements(plan, record, root, 1, judge),
            _ => Err(Unreadable::NotAnObject),
        }
    }

    /// The records of a batch.
    fn elements<R: Record + ?Sized, J: Judge>(
        &mut self,
        plan: &Plan,
        record: &R,
        list: Handle,
        depth: usize,
        judge: &mut J,
    ) -> Result<(), Unreadable> {
        each_object(record, list, |element| {
            self.object(plan, record, element, depth + 1, judge)
        })
    }

    /// A record that is tagged on its own, or a batch of such.
    fn object<R: Record + ?Sized, J: Judge>(
        &mut self,
        plan: &Plan,
        record: &R,
        root: Handle,
        depth: usize,
        judge: &mut J,
    ) -> Result<(), Unreadable> {
        // A batch in a batch nests at least one container deeper each time.
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let first = self.payloads.len();
        if !self.payload(plan, record, root, 0, depth, judge)? {
            return judge.finish(root);
        }
        for at in first..self.payloads.len() {
            let list = self.payloads[at];
            self.elements(plan, record, list, depth + 1, judge)?;
        }
        self.payloads.truncate(first);
        Ok(())
    }

    /// An object to be judged for the record it is in. True if it is a batch and not wrapped in
    /// anything, because then its elements are records of their own; its lists are then left in
    /// `payloads`.
    fn payload<R: Record + ?Sized, J: Judge>(
        &mut self,
        plan: &Plan,
        record: &R,
        root: Handle,
        envelopes: usize,
        depth: usize,
        judge: &mut J,
    ) -> Result<bool, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        self.found.clear();
        record.walk(root, &plan.paths, &mut self.found)?;
        let first = self.payloads.len();
        let shape = plan.shapes.of(
            record,
            &self.found,
            envelopes >= MAX_ENVELOPES,
            envelopes == 0,
            &mut self.payloads,
            &mut self.text,
        );
        match shape {
            Shape::Flat(schema) => {
                judge.judge(record, root, &plan.schemas[schema], &self.found)?;
            }
            Shape::Batch if envelopes == 0 => return Ok(true),
            Shape::Batch => {
                for at in first..self.payloads.len() {
                    let list = self.payloads[at];
                    self.batch(plan, record, list, envelopes, depth, judge)?;
                }
            }
            Shape::Envelope => {
                for at in first..self.payloads.len() {
                    let payload = self.payloads[at];
                    if record.kind(payload) == Kind::Map {
                        self.payload(plan, record, payload, envelopes + 1, depth + 1, judge)?;
                        continue;
                    }
                    let mut outcome = Ok(());
                    record.open(payload, &mut |inner| {
                        let root = inner.root();
                        outcome = if inner.kind(root) == Kind::Map {
                            self.payload(plan, inner, root, envelopes + 1, 1, judge)
                                .map(drop)
                        } else {
                            self.batch(plan, inner, root, envelopes + 1, 1, judge)
                        };
                    });
                    outcome?;
                }
            }
        }
        self.payloads.truncate(first);
        Ok(false)
    }

    /// A batch inside an envelope: all of it belongs to the envelope.
    fn batch<R: Record + ?Sized, J: Judge>(
        &mut self,
        plan: &Plan,
        record: &R,
        list: Handle,
        envelopes: usize,
        depth: usize,
        judge: &mut J,
    ) -> Result<(), Unreadable> {
        each_object(record, list, |element| {
            self.payload(plan, record, element, envelopes, depth + 1, judge)
                .map(drop)
        })
    }
}

fn each_object<R: Record + ?Sized>(
    record: &R,
    list: Handle,
    mut visit: impl FnMut(Handle) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut outcome = Ok(());
    let _ = record.elements(list, &mut |element| {
        if record.kind(element) == Kind::Map {
            outcome = visit(element);
        }
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    outcome
}
