//! A VRL value, read in place as a record.
//!
//! A handle is the number of a value among those that were visited, so that it can be looked up without
//! trusting anybody. Values that JSON does not have are read as what VRL writes for them as JSON:
//! timestamps and regular expressions are texts, infinite floats are null. Bytes that are not UTF-8 stay
//! as they are. Objects are in the order of their keys, the only one they have.

use std::cell::RefCell;
use std::io::Write;
use std::ops::ControlFlow;

use poseur_matcher::found::Found;
use poseur_matcher::json;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};
use poseur_tagger::json::check::check;
use poseur_tagger::json::document::{Document, Pool, trim};
use poseur_tagger::json::index::Index;
use vrl::value::value::timestamp_to_string;
use vrl::value::{ObjectMap, Value};

/// Memory that is used again from value to value.
#[derive(Debug, Default)]
pub struct Memory {
    /// Always empty; what it keeps is its allocation.
    visited: Vec<&'static Value>,
    indexes: RefCell<Vec<Index>>,
    pool: Pool,
}

/// One value.
pub struct ValueRecord<'a> {
    root: &'a Value,
    visited: RefCell<Vec<&'a Value>>,
    indexes: &'a RefCell<Vec<Index>>,
    pool: &'a Pool,
}

/// The allocation of a list, for values of another life.
fn emptied<'b>(mut list: Vec<&Value>) -> Vec<&'b Value> {
    list.clear();
    // An empty list holds nothing to be mapped; collecting in place keeps its memory.
    list.into_iter().map_while(|_| None).collect()
}

impl Memory {
    /// Reads a value: calls `read` with it as a record.
    pub fn with<'a, T>(
        &'a mut self,
        root: &'a Value,
        read: impl FnOnce(&ValueRecord<'a>) -> T,
    ) -> T {
        let Memory {
            visited,
            indexes,
            pool,
        } = self;
        let mut list = emptied(std::mem::take(visited));
        list.push(root);
        let record = ValueRecord {
            root,
            visited: RefCell::new(list),
            indexes,
            pool,
        };
        let answer = read(&record);
        *visited = emptied(record.visited.into_inner());
        answer
    }
}

impl<'a> ValueRecord<'a> {
    /// The value a handle stands for.
    pub fn value(&self, handle: Handle) -> &'a Value {
        let visited = self.visited.borrow();
        // Only handles of this record are ever asked for; another one is taken for the root.
        visited.get(handle.start).copied().unwrap_or(self.root)
    }

    /// A handle for a value of this record.
    pub fn visit(&self, value: &'a Value) -> Handle {
        let mut visited = self.visited.borrow_mut();
        visited.push(value);
        Handle {
            start: visited.len() - 1,
            end: visited.len(),
        }
    }

    /// Checks what makes a record readable: that it does not nest too deep.
    ///
    /// # Errors
    /// [`Unreadable::TooDeep`].
    pub fn check(&self) -> Result<(), Unreadable> {
        match nests_deeper(self.root, MAX_DEPTH) {
            true => Err(Unreadable::TooDeep),
            false => Ok(()),
        }
    }

    fn walk_object(
        &self,
        object: &'a ObjectMap,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<(), Unreadable> {
        for (key, value) in object {
            let key = key.as_bytes();
            if key.contains(&b'.') {
                let mut handle = None;
                paths.passed_by(node, key, |path| {
                    let handle = *handle.get_or_insert_with(|| self.visit(value));
                    found.push_beyond(path, handle);
                });
            }
            let Some(child) = paths.child(node, key) else {
                continue;
            };
            if paths.leads_on(child) {
                self.walk_value(value, child, paths, found, depth)?;
            }
            if paths.wanted(child) {
                found.push(child, self.visit(value));
            }
        }
        Ok(())
    }

    fn walk_value(
        &self,
        value: &'a Value,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        match value {
            Value::Object(object) => self.walk_object(object, node, paths, found, depth + 1),
            Value::Array(elements) => elements
                .iter()
                .try_for_each(|element| self.walk_value(element, node, paths, found, depth + 1)),
            _ => Ok(()),
        }
    }

    /// Deeper than a readable record goes nothing is visited: such a record has no verdict.
    fn leaves_of(
        &self,
        value: &'a Value,
        depth: usize,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match value {
            Value::Object(_) | Value::Array(_) if depth > MAX_DEPTH => ControlFlow::Continue(()),
            Value::Object(object) => object
                .values()
                .try_for_each(|value| self.leaves_of(value, depth + 1, visit)),
            Value::Array(elements) => elements
                .iter()
                .try_for_each(|value| self.leaves_of(value, depth + 1, visit)),
            _ => visit(self.visit(value)),
        }
    }
}

fn nests_deeper(value: &Value, than: usize) -> bool {
    let inner = |value: &Value| nests_deeper(value, than.saturating_sub(1));
    match value {
        Value::Object(_) | Value::Array(_) if than == 0 => true,
        Value::Object(object) => object.values().any(inner),
        Value::Array(elements) => elements.iter().any(inner),
        _ => false,
    }
}

/// The text of a scalar.
fn text<'s>(value: &'s Value, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    // Writing to memory does not fail.
    match value {
        Value::Bytes(bytes) => return bytes,
        Value::String(text) => return text.as_bytes(),
        Value::Regex(pattern) => return pattern.as_str().as_bytes(),
        Value::Boolean(true) => return b"true",
        Value::Boolean(false) => return b"false",
        Value::Integer(number) => {
            let _ = write!(scratch, "{number}");
        }
        // An infinite one is `null` here.
        Value::Float(number) => {
            let _ = serde_json::to_writer(&mut *scratch, &number.into_inner());
        }
        Value::Timestamp(moment) => {
            scratch.extend_from_slice(timestamp_to_string(moment).as_bytes())
        }
        Value::Null | Value::Object(_) | Value::Array(_) => return b"null",
    }
    scratch
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bytes(_) | Value::String(_) | Value::Regex(_) | Value::Timestamp(_) => Kind::Text,
        Value::Integer(_) => Kind::Number,
        Value::Float(number) if number.is_finite() => Kind::Number,
        Value::Float(_) | Value::Null => Kind::Null,
        Value::Boolean(truth) => Kind::Bool(*truth),
        Value::Object(_) => Kind::Map,
        Value::Array(_) => Kind::List,
    }
}

fn write_json(value: &Value, depth: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    match value {
        Value::Object(_) | Value::Array(_) if depth > MAX_DEPTH => out.extend_from_slice(b"null"),
        Value::Object(object) => {
            let mut separator = b'{';
            for (key, value) in object {
                out.push(separator);
                separator = b',';
                string(key.as_bytes(), out);
                out.push(b':');
                write_json(value, depth + 1, scratch, out);
            }
            out.extend_from_slice(if object.is_empty() { b"{}" } else { b"}" });
        }
        Value::Array(elements) => {
            let mut separator = b'[';
            for value in elements {
                out.push(separator);
                separator = b',';
                write_json(value, depth + 1, scratch, out);
            }
            out.extend_from_slice(if elements.is_empty() { b"[]" } else { b"]" });
        }
        scalar if kind(scalar) == Kind::Text => string(text(scalar, scratch), out),
        scalar => out.extend_from_slice(text(scalar, scratch)),
    }
}

fn string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    json::escape(text, out);
    out.push(b'"');
}

impl Record for ValueRecord<'_> {
    fn root(&self) -> Handle {
        Handle { start: 0, end: 1 }
    }

    fn kind(&self, value: Handle) -> Kind {
        kind(self.value(value))
    }

    fn walk(&self, from: Handle, paths: &Paths, found: &mut Found) -> Result<(), Unreadable> {
        match self.value(from) {
            Value::Object(object) => self.walk_object(object, PathId::ROOT, paths, found, 0),
            _ => Err(Unreadable::NotAnObject),
        }
    }

    fn text<'s>(&'s self, value: Handle, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        text(self.value(value), scratch)
    }

    fn leaves(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.leaves_of(self.value(value), 0, visit)
    }

    fn elements(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self.value(value) {
            Value::Array(elements) => elements
                .iter()
                .try_for_each(|element| visit(self.visit(element))),
            _ => visit(value),
        }
    }

    fn members(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self.value(value) {
            Value::Object(object) => object
                .iter()
                .try_for_each(|(key, value)| visit(key.as_bytes(), self.visit(value))),
            _ => ControlFlow::Continue(()),
        }
    }

    fn write_json(&self, value: Handle, out: &mut Vec<u8>) {
        write_json(self.value(value), 0, &mut Vec::new(), out);
    }

    fn open(&self, value: Handle, visit: &mut dyn FnMut(&dyn Record)) -> bool {
        let content: &[u8] = match self.value(value) {
            Value::Bytes(bytes) => bytes,
            Value::String(text) => text.as_bytes(),
            _ => return false,
        };
        let (start, end) = trim(content);
        // Most strings are not documents.
        if !matches!(content.get(start), Some(b'{' | b'[')) || check(&content[start..end]).is_err()
        {
            return false;
        }
        let mut index = self.indexes.borrow_mut().pop().unwrap_or_default();
        if let Ok(document) = Document::new(content, &mut index, self.pool) {
            visit(&document);
        }
        self.indexes.borrow_mut().push(index);
        true
    }

    fn with_dyn(&self, visit: &mut dyn FnMut(&dyn Record)) {
        visit(self);
    }
}
