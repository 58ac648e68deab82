//! A log of Vector's, read in place.

use std::cell::Cell;
use std::io::Write;
use std::ops::{ControlFlow, Range, RangeInclusive};

use jiff::SignedDuration;
use jiff::civil::DateTime;
use memchr::memchr;
use poseur_matcher::found::Found;
use poseur_matcher::json::escape;
use poseur_matcher::paths::{PathId, Paths};
use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};

use super::message::{FIRST, Message, VALUE, check, kind};
use super::wire::{Field, Value, field, fields};
use crate::json::document::{Pool, open};

/// The seconds of the points in time that a protobuf `Timestamp` may say: the years 1 to 9999.
const SECONDS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// Where they are counted from.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A record that is a log of Vector's: its `value` if it has one, which must be a map then, or its `fields`.
///
/// Handles are places of `Value` messages, but for the record's own, which is that of a message with entries.
/// Bytes are texts, and so is a point in time: RFC 3339 with `Z` and as many digits of a second's fraction as it takes,
/// none, 3, 6 or 9, as Vector writes it into JSON. Points in time outside the years 1 to 9999, numbers that JSON does
/// not have (infinite, not a number) and kinds of values that are not known are like null. Of members with the same
/// key the last counts.
pub struct Log<'a> {
    bytes: &'a [u8],
    /// All of the event.
    event: Field,
    /// Where the length of the record begins, and the record.
    root: Container,
    pool: &'a Pool,
    deepest: Cell<usize>,
}

/// Where a map or a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Container {
    /// Where its length begins.
    pub head: usize,
    /// Its fields.
    pub contents: Handle,
}

/// What a `Value` holds.
enum Content<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    /// In UTC.
    Time(DateTime),
    Text(&'a [u8]),
    Map(Container),
    List(Container),
}

impl<'a> Log<'a> {
    /// The log of the event that stands there in some bytes. `None` if it is a metric, a trace, or nothing.
    ///
    /// # Errors
    /// If it is not readable, or no map.
    pub fn new(bytes: &'a [u8], event: Handle, pool: &'a Pool) -> Result<Option<Self>, Unreadable> {
        let event = field(bytes.get(..event.end).unwrap_or_default(), event.start)?;
        let Value::Bytes(range) = &event.value else {
            return Err(Unreadable::Broken);
        };
        let mut log = None;
        for field in fields(bytes, range.clone()) {
            let field = field?;
            match (field.number, container(&field)) {
                (FIRST, Some(map)) if log.is_none() => log = Some(map),
                (FIRST, _) => return Err(Unreadable::Broken),
                _ => {}
            }
        }
        let Some(mut root) = log else {
            return Ok(None);
        };
        let mut value = None;
        for field in fields(bytes, range_of(root.contents)) {
            let field = field?;
            match (field.number, container(&field)) {
                (VALUE, Some(found)) if value.is_none() => value = Some(found.contents),
                (VALUE, _) => return Err(Unreadable::Broken),
                _ => {}
            }
        }
        // Vector does not look at the fields if there is a value.
        if let Some(value) = value {
            root = match content(bytes, value)? {
                Content::Map(map) => map,
                _ => return Err(Unreadable::NotAnObject),
            };
        }
        Ok(Some(Log {
            bytes,
            event,
            root,
            pool,
            deepest: Cell::new(0),
        }))
    }

    /// Checks all of the event.
    ///
    /// # Errors
    /// If it is not readable.
    pub fn check(&self) -> Result<(), Unreadable> {
        let deepest = check(self.bytes, Message::Event, self.inside(), MAX_DEPTH)?;
        self.deepest.set(deepest);
        Ok(())
    }

    /// The event it is in, as a field of the request.
    pub fn event(&self) -> &Field {
        &self.event
    }

    /// What is in the event.
    pub(super) fn inside(&self) -> Range<usize> {
        match &self.event.value {
            Value::Bytes(range) => range.clone(),
            _ => 0..0,
        }
    }

    /// The request.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The memory it borrows.
    pub(super) fn pool(&self) -> &'a Pool {
        self.pool
    }

    /// How many messages are inside each other at the event's deepest place, if it was checked.
    pub(super) fn deepest(&self) -> usize {
        self.deepest.get()
    }

    /// Where the entries of an object or the elements of a list are.
    pub(super) fn container(&self, value: Handle) -> Result<Container, Unreadable> {
        if value == self.root.contents {
            return Ok(self.root);
        }
        match content(self.bytes, value)? {
            Content::Map(map) | Content::List(map) => Ok(map),
            _ => Err(Unreadable::NotAnObject),
        }
    }

    /// A value that was read before, or null if it turns out not to be one.
    fn content(&self, value: Handle) -> Content<'a> {
        if value == self.root.contents {
            return Content::Map(self.root);
        }
        content(self.bytes, value).unwrap_or(Content::Null)
    }

    /// Visits all entries of a map as they come: key, and the field of the value.
    pub(super) fn all_entries(
        &self,
        map: Handle,
        visit: &mut dyn FnMut(&'a [u8], Option<Field>) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        for field in fields(self.bytes, range_of(map)) {
            let field = field?;
            let (FIRST, Value::Bytes(entry)) = (field.number, field.value) else {
                continue;
            };
            let (mut key, mut value): (&[u8], _) = (b"", None);
            for field in fields(self.bytes, entry) {
                let field = field?;
                match (field.number, &field.value) {
                    (FIRST, Value::Bytes(text)) => key = &self.bytes[text.clone()],
                    (VALUE, Value::Bytes(_)) if value.is_none() => value = Some(field),
                    (FIRST | VALUE, _) => return Err(Unreadable::Broken),
                    _ => {}
                }
            }
            visit(key, value)?;
        }
        Ok(())
    }

    /// Visits the entries that count: those after which the same key does not come again.
    fn entries(
        &self,
        map: Handle,
        visit: &mut dyn FnMut(&'a [u8], Handle) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        // Vector writes its keys in order. Where they ascend, none comes again.
        let (mut last, mut ascend) = (None, true);
        self.all_entries(map, &mut |key, _| {
            ascend &= last < Some(key);
            last = Some(key);
            Ok(())
        })?;
        let handle = |field: Option<Field>| match field.map(|field| field.value) {
            Some(Value::Bytes(Range { start, end })) => Handle { start, end },
            // As good as a value of no kind.
            _ => Handle { start: 0, end: 0 },
        };
        if ascend {
            return self.all_entries(map, &mut |key, field| visit(key, handle(field)));
        }
        let mut all = Vec::new();
        self.all_entries(map, &mut |key, field| {
            all.push((key, all.len(), handle(field)));
            Ok(())
        })?;
        all.sort_unstable_by_key(|(key, place, _)| (*key, std::cmp::Reverse(*place)));
        all.dedup_by_key(|(key, ..)| *key);
        all.sort_unstable_by_key(|(_, place, _)| *place);
        all.into_iter()
            .try_for_each(|(key, _, value)| visit(key, value))
    }

    /// Visits the elements of a list.
    fn items(
        &self,
        list: Handle,
        visit: &mut dyn FnMut(Handle) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        for field in fields(self.bytes, range_of(list)) {
            if let Field {
                number: FIRST,
                value: Value::Bytes(Range { start, end }),
                ..
            } = field?
            {
                visit(Handle { start, end })?;
            }
        }
        Ok(())
    }

    fn walk_map(
        &self,
        map: Handle,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<(), Unreadable> {
        self.entries(map, &mut |key, value| {
            if memchr(b'.', key).is_some() {
                paths.passed_by(node, key, |path| found.push_beyond(path, value));
            }
            let Some(child) = paths.child(node, key) else {
                return Ok(());
            };
            if paths.leads_on(child) {
                self.walk_value(value, child, paths, found, depth)?;
            }
            if paths.wanted(child) {
                found.push(child, value);
            }
            Ok(())
        })
    }

    /// Walks what lies below a value, through lists.
    fn walk_value(
        &self,
        value: Handle,
        node: PathId,
        paths: &Paths,
        found: &mut Found,
        depth: usize,
    ) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        match content(self.bytes, value)? {
            Content::Map(map) => self.walk_map(map.contents, node, paths, found, depth + 1),
            Content::List(list) => self.items(list.contents, &mut |item| {
                self.walk_value(item, node, paths, found, depth + 1)
            }),
            _ => Ok(()),
        }
    }

    /// Visits the scalars at or below a value, until it is told to stop or there is something it cannot read.
    fn each_leaf(
        &self,
        value: Handle,
        depth: usize,
        visit: &mut dyn FnMut(Handle) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        if depth > MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        match self.content(value) {
            Content::List(list) => self.items(list.contents, &mut |item| {
                self.each_leaf(item, depth + 1, visit)
            }),
            Content::Map(map) => self.entries(map.contents, &mut |_, value| {
                self.each_leaf(value, depth + 1, visit)
            }),
            _ => visit(value),
        }
    }

    fn json(&self, value: Handle, depth: usize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let content = self.content(value);
        if matches!(content, Content::List(_) | Content::Map(_)) && depth == MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let mut first = true;
        let mut comma = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
        };
        match content {
            Content::List(list) => {
                out.push(b'[');
                self.items(list.contents, &mut |item| {
                    comma(out);
                    self.json(item, depth + 1, out)
                })?;
                out.push(b']');
            }
            Content::Map(map) => {
                out.push(b'{');
                self.entries(map.contents, &mut |key, value| {
                    comma(out);
                    quoted(key, out);
                    out.push(b':');
                    self.json(value, depth + 1, out)
                })?;
                out.push(b'}');
            }
            Content::Text(text) => quoted(text, out),
            Content::Time(time) => {
                out.push(b'"');
                write_time(time, out);
                out.push(b'"');
            }
            scalar => write_scalar(&scalar, out),
        }
        Ok(())
    }
}

fn range_of(handle: Handle) -> Range<usize> {
    handle.start..handle.end
}

/// A field as the place of a message.
fn container(field: &Field) -> Option<Container> {
    match field.value {
        Value::Bytes(Range { start, end }) => Some(Container {
            head: field.head,
            contents: Handle { start, end },
        }),
        _ => None,
    }
}

/// What a `Value` holds.
fn content(bytes: &[u8], value: Handle) -> Result<Content<'_>, Unreadable> {
    let mut content = None;
    for field in fields(bytes, range_of(value)) {
        let field = field?;
        let found = match (field.number, &field.value) {
            (kind::BYTES, Value::Bytes(range)) => Content::Text(&bytes[range.clone()]),
            (kind::TIME, Value::Bytes(range)) => match time(bytes, range.clone())? {
                Some(time) => Content::Time(time),
                None => Content::Null,
            },
            (kind::INTEGER, Value::Varint(number)) => Content::Integer(*number as i64),
            (kind::FLOAT, Value::Fixed64(bits)) => match f64::from_bits(*bits) {
                number if number.is_finite() => Content::Float(number),
                _ => Content::Null,
            },
            (kind::BOOLEAN, Value::Varint(truth)) => Content::Bool(*truth != 0),
            (kind::NULL, Value::Varint(_)) => Content::Null,
            (kind::MAP | kind::LIST, value) => match (container(&field), value) {
                (Some(map), _) if field.number == kind::MAP => Content::Map(map),
                (Some(list), _) => Content::List(list),
                _ => return Err(Unreadable::Broken),
            },
            (number, _) if Message::Value.holds(number).is_some() => {
                return Err(Unreadable::Broken);
            }
            _ => continue,
        };
        if content.replace(found).is_some() {
            return Err(Unreadable::Broken);
        }
    }
    Ok(content.unwrap_or(Content::Null))
}

/// The point in time of a `Timestamp`, if it is one.
fn time(bytes: &[u8], message: Range<usize>) -> Result<Option<DateTime>, Unreadable> {
    let (mut seconds, mut nanoseconds) = (0, 0);
    for field in fields(bytes, message) {
        let field = field?;
        match (field.number, field.value) {
            (1, Value::Varint(number)) => seconds = number as i64,
            (2, Value::Varint(number)) => nanoseconds = number as i32,
            (1 | 2, _) => return Err(Unreadable::Broken),
            _ => {}
        }
    }
    let is_time = SECONDS.contains(&seconds) && (0..1_000_000_000).contains(&nanoseconds);
    let since = SignedDuration::new(seconds, nanoseconds);
    let time = is_time.then(|| EPOCH.checked_add(since).ok());
    Ok(time.flatten())
}

/// Appends a point in time as Vector writes it into JSON.
fn write_time(time: DateTime, out: &mut Vec<u8>) {
    // Writing to memory never fails.
    let _ = match time.subsec_nanosecond() {
        0 => write!(out, "{time:.0}Z"),
        nanoseconds if nanoseconds % 1_000_000 == 0 => write!(out, "{time:.3}Z"),
        nanoseconds if nanoseconds % 1_000 == 0 => write!(out, "{time:.6}Z"),
        _ => write!(out, "{time:.9}Z"),
    };
}

fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends what is neither text nor container, as JSON spells it.
fn write_scalar(content: &Content<'_>, out: &mut Vec<u8>) {
    let _ = match content {
        Content::Integer(number) => write!(out, "{number}"),
        Content::Float(number) => write!(out, "{number:?}"),
        Content::Bool(truth) => write!(out, "{truth}"),
        _ => write!(out, "null"),
    };
}

impl Record for Log<'_> {
    fn root(&self) -> Handle {
        self.root.contents
    }

    fn kind(&self, value: Handle) -> Kind {
        match self.content(value) {
            Content::Null => Kind::Null,
            Content::Bool(truth) => Kind::Bool(truth),
            Content::Integer(_) | Content::Float(_) => Kind::Number,
            Content::Text(_) | Content::Time(_) => Kind::Text,
            Content::List(_) => Kind::List,
            Content::Map(_) => Kind::Map,
        }
    }

    fn walk(&self, from: Handle, paths: &Paths, found: &mut Found) -> Result<(), Unreadable> {
        let map = self.container(from)?.contents;
        self.walk_map(map, PathId::ROOT, paths, found, 0)
    }

    fn text<'s>(&'s self, value: Handle, scratch: &'s mut Vec<u8>) -> &'s [u8] {
        scratch.clear();
        match self.content(value) {
            Content::Text(text) => return text,
            Content::Time(time) => write_time(time, scratch),
            scalar => write_scalar(&scalar, scratch),
        }
        scratch
    }

    fn leaves(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut outcome = ControlFlow::Continue(());
        let _ = self.each_leaf(value, 0, &mut |leaf| {
            outcome = visit(leaf);
            going_on(outcome)
        });
        outcome
    }

    fn elements(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Content::List(list) = self.content(value) else {
            return visit(value);
        };
        let mut outcome = ControlFlow::Continue(());
        // What cannot be read ends the list.
        let _ = self.items(list.contents, &mut |item| {
            outcome = visit(item);
            going_on(outcome)
        });
        outcome
    }

    fn members(
        &self,
        value: Handle,
        visit: &mut dyn FnMut(&[u8], Handle) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut outcome = ControlFlow::Continue(());
        if let Content::Map(map) = self.content(value) {
            let _ = self.entries(map.contents, &mut |key, value| {
                outcome = visit(key, value);
                going_on(outcome)
            });
        }
        outcome
    }

    fn write_json(&self, value: Handle, out: &mut Vec<u8>) {
        let start = out.len();
        if self.json(value, 0, out).is_err() {
            out.truncate(start);
            out.extend_from_slice(b"null");
        }
    }

    fn open(&self, value: Handle, visit: &mut dyn FnMut(&dyn Record)) -> bool {
        match self.content(value) {
            Content::Text(text) => open(text, self.pool, visit),
            _ => false,
        }
    }

    fn with_dyn(&self, visit: &mut dyn FnMut(&dyn Record)) {
        visit(self);
    }
}

/// Any error ends a visit.
fn going_on(flow: ControlFlow<()>) -> Result<(), Unreadable> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Unreadable::Broken),
    }
}
