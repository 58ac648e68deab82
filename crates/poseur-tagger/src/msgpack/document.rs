//! A MessagePack map, read in place.

use std::io::Write;
use std::ops::ControlFlow;

use memchr::memchr;
use poseur_matcher::found::Found;
use poseur_matcher::json::escape;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};

use super::head::{Head, HeadKind, check, head, skip};
use crate::json::document::{Pool, open};

/// A record that is a MessagePack map.
///
/// Text and bytes are texts. A value of an application's own type is like nil, as no rule can speak of it;
/// so is a number that JSON does not have (infinite, not a number). Pairs whose key is neither text
/// nor bytes are passed over.
pub struct Map<'a> {
    bytes: &'a [u8],
    root: Handle,
    pool: &'a Pool,
}

impl<'a> Map<'a> {
    /// The map that stands there in some bytes.
    ///
    /// # Errors
    /// If there is no map.
    pub fn new(bytes: &'a [u8], root: Handle, pool: &'a Pool) -> Result<Self, Unreadable> {
        match head(bytes, root.start)?.kind {
            HeadKind::Map(_) => Ok(Map { bytes, root, pool }),
            _ => Err(Unreadable::NotAnObject),
        }
    }

    /// Checks the whole map.
    ///
    /// # Errors
    /// If it is not readable.
    pub fn check(&self) -> Result<(), Unreadable> {
        match check(self.bytes, self.root.start, MAX_DEPTH)? == self.root.end {
            true => Ok(()),
            false => Err(Unreadable::Broken),
        }
    }

    /// The memory it borrows.
    pub(super) fn pool(&self) -> &'a Pool {
        self.pool
    }

    /// Where the contents of a container start, and how many elements or pairs it has.
    pub(super) fn size(&self, container: Handle) -> (usize, usize) {
        let Head { kind, content } = self.head(container);
        match kind {
            HeadKind::List(size) | HeadKind::Map(size) => (content, size),
            _ => (content, 0),
        }
    }

    /// The head of a value that was read before, or of nil if it turns out not to be one.
    fn head(&self, value: Handle) -> Head {
        let nil = Head {
            kind: HeadKind::Nil,
            content: value.end,
        };
        head(self.bytes, value.start).unwrap_or(nil)
    }

    /// The bytes of a text.
    fn content(&self, Head { kind, content }: Head) -> Option<&'a [u8]> {
        match kind {
            HeadKind::Text(size) | HeadKind::Bytes(size) => {
                self.bytes.get(content..content.checked_add(size)?)
            }
            _ => None,
        }
    }

    /// The text at a place, and the position after it; `None` if it is no text.
    fn key(&self, at: usize) -> Result<(Option<&'a [u8]>, usize), Unreadable> {
        let head = head(self.bytes, at)?;
        match self.content(head) {
            Some(text) => Ok((Some(text), head.content + text.len())),
            None => Ok((None, skip(self.bytes, at)?)),
        }
    }

    /// Visits the pairs of a map: position of the key, the key if it is a text, position of the value. What
    /// is returned is the position after the value.
    fn pairs(
        &self,
        map: usize,
        visit: &mut dyn FnMut(Option<&'a [u8]>, usize) -> Result<usize, Unreadable>,
    ) -> Result<usize, Unreadable> {
        let Head { kind, content } = head(self.bytes, map)?;
        let HeadKind::Map(pairs) = kind else {
            return Err(Unreadable::Broken);
        };
        let mut at = content;
        for _ in 0..pairs {
            let (key, value) = self.key(at)?;
            at = visit(key, value)?;
        }
        Ok(at)
    }

    fn walk_map(
        &self,
        at: usize,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<usize, Unreadable> {
        self.pairs(at, &mut |key, value| {
            let Some(key) = key else {
                return skip(self.bytes, value);
            };
            if memchr(b'.', key).is_some() {
                let end = skip(self.bytes, value)?;
                let handle = Handle { start: value, end };
                paths.passed_by(node, key, |path| found.push_beyond(path, handle));
            }
            let Some(child) = paths.child(node, key) else {
                return skip(self.bytes, value);
            };
            let end = match paths.leads_on(child) {
                true => self.walk_value(value, child, paths, found, depth)?,
                false => skip(self.bytes, value)?,
            };
            if paths.wanted(child) {
                found.push(child, Handle { start: value, end });
            }
            Ok(end)
        })
    }

    /// Walks what lies below the value at `at`, through arrays; returns the position after it.
    fn walk_value(
        &self,
        at: usize,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<usize, Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let Head { kind, content } = head(self.bytes, at)?;
        match kind {
            HeadKind::Map(_) => self.walk_map(at, node, paths, found, depth + 1),
            HeadKind::List(elements) => {
                let mut next = content;
                for _ in 0..elements {
                    next = self.walk_value(next, node, paths, found, depth + 1)?;
                }
                Ok(next)
            }
            _ => skip(self.bytes, at),
        }
    }

    /// Visits the scalars at or below the value at `at`; returns the position after it, if it was
    /// not told to stop and there was nothing it could not read.
    fn each_leaf(
        &self,
        at: usize,
        depth: usize,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> Option<usize> {
        if depth > MAX_DEPTH {
            return None;
        }
        let Head { kind, content } = head(self.bytes, at).ok()?;
        match kind {
            HeadKind::List(elements) => {
                let mut next = content;
                for _ in 0..elements {
                    next = self.each_leaf(next, depth + 1, visit)?;
                }
                Some(next)
            }
            HeadKind::Map(pairs) => {
                let mut next = content;
                for _ in 0..pairs {
                    let (key, value) = self.key(next).ok()?;
                    next = match key {
                        Some(_) => self.each_leaf(value, depth + 1, visit)?,
                        None => skip(self.bytes, value).ok()?,
                    };
                }
                Some(next)
            }
            _ => {
                let end = skip(self.bytes, at).ok()?;
                let flow = visit(Handle { start: at, end });
                flow.is_continue().then_some(end)
            }
        }
    }

    fn json(&self, at: usize, depth: usize, out: &mut Vec<u8>) -> Result<usize, Unreadable> {
        let Head { kind, content } = head(self.bytes, at)?;
        if matches!(kind, HeadKind::List(_) | HeadKind::Map(_)) && depth == MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        match kind {
            HeadKind::List(elements) => {
                out.push(b'[');
                let mut next = content;
                for number in 0..elements {
                    if number > 0 {
                        out.push(b',');
                    }
                    next = self.json(next, depth + 1, out)?;
                }
                out.push(b']');
                Ok(next)
            }
            HeadKind::Map(_) => {
                out.push(b'{');
                let mut first = true;
                let end = self.pairs(at, &mut |key, value| {
                    let Some(key) = key else {
                        return skip(self.bytes, value);
                    };
                    if !std::mem::take(&mut first) {
                        out.push(b',');
                    }
                    quoted(key, out);
                    out.push(b':');
                    self.json(value, depth + 1, out)
                })?;
                out.push(b'}');
                Ok(end)
            }
            _ => {
                let end = skip(self.bytes, at)?;
                match self.content(Head { kind, content }) {
                    Some(text) => quoted(text, out),
                    None => scalar(kind, out),
                }
                Ok(end)
            }
        }
    }
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends what is neither text nor container, as JSON spells it.
fn scalar(kind: HeadKind, out: &mut Vec<u8>) {
    // Writing to memory never fails.
    let _ = match kind {
        HeadKind::Integer(number) => write!(out, "{number}"),
        HeadKind::Float32(number) if number.is_finite() => write!(out, "{number:?}"),
        HeadKind::Float64(number) if number.is_finite() => write!(out, "{number:?}"),
        HeadKind::Bool(truth) => write!(out, "{truth}"),
        _ => write!(out, "null"),
    };
}

impl Record for Map<'_> {
    fn root(&self) -> Handle {
        self.root
    }

    fn kind(&self, value: Handle) -> Kind {
        match self.head(value).kind {
            HeadKind::Float32(number) if !number.is_finite() => Kind::Null,
            HeadKind::Float64(number) if !number.is_finite() => Kind::Null,
            HeadKind::Nil | HeadKind::Extension(..) => Kind::Null,
            HeadKind::Bool(truth) => Kind::Bool(truth),
            HeadKind::Integer(_) | HeadKind::Float32(_) | HeadKind::Float64(_) => Kind::Number,
            HeadKind::Text(_) | HeadKind::Bytes(_) => Kind::Text,
            HeadKind::List(_) => Kind::List,
            HeadKind::Map(_) => Kind::Map,
        }
    }

    fn walk(&self, from: Handle, paths: &Paths, found: &mut Found) -> Result<(), Unreadable> {
        match self.walk_map(from.start, PathId::ROOT, paths, found, 0)? == from.end {
            true => Ok(()),
            false => Err(Unreadable::Broken),
        }
    }

    fn text<'s>(&'s self, value: Handle, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        let head = self.head(value);
        match self.content(head) {
            Some(text) => text,
            None => {
                scratch.clear();
                scalar(head.kind, scratch);
                scratch
            }
        }
    }

    fn leaves(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut outcome = ControlFlow::Continue(());
        self.each_leaf(value.start, 0, &mut |leaf| {
            outcome = visit(leaf);
            outcome
        });
        outcome
    }

    fn elements(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Head { kind, content } = self.head(value);
        let HeadKind::List(elements) = kind else {
            return visit(value);
        };
        let mut start = content;
        for _ in 0..elements {
            // What cannot be read ends the list.
            let Ok(end) = skip(self.bytes, start) else {
                break;
            };
            visit(Handle { start, end })?;
            start = end;
        }
        ControlFlow::Continue(())
    }

    fn members(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut outcome = ControlFlow::Continue(());
        let _ = self.pairs(value.start, &mut |key, start| {
            let end = skip(self.bytes, start)?;
            if let Some(key) = key {
                outcome = visit(key, Handle { start, end });
                if outcome.is_break() {
                    return Err(Unreadable::Broken);
                }
            }
            Ok(end)
        });
        outcome
    }

    fn write_json(&self, value: Handle, out: &mut Vec<u8>) {
        let start = out.len();
        if self.json(value.start, 0, out).is_err() {
            out.truncate(start);
            out.extend_from_slice(b"null");
        }
    }

    fn open(&self, value: Handle, visit: &mut dyn FnMut(&dyn Record)) -> bool {
        match self.content(self.head(value)) {
            Some(text) => open(text, self.pool, visit),
            None => false,
        }
    }

    fn with_dyn(&self, visit: &mut dyn FnMut(&dyn Record)) {
        visit(self);
    }
}
