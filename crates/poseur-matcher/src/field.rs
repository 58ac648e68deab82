//! A field of a rule in one schema: finding its values in a record.

use std::io::Write;
use std::ops::ControlFlow;

use crate::found::Found;
use crate::network::address;
use crate::paths::{PathId, Paths};
use crate::predicates::Scalar;
use crate::record::{Handle, Kind, Record};
use crate::schema::{Derive, FieldKind, Lookup, Schema};

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
    /// Every scalar of the record instead.
    any: bool,
}

/// Memory for decoded and derived texts.
#[derive(Debug, Default)]
pub struct Texts {
    pub(crate) decoded: Vec<u8>,
    pub(crate) derived: Vec<u8>,
}

/// Visits one value of a field: the value, and where it stands (`None` if it does not stand in the
/// record as such).
pub type Visit<'v> = dyn FnMut(Scalar<'_>, Option<Handle>) -> ControlFlow<()> + 'v;

impl FieldPlan {
    /// Compiles the lookup of a named field.
    pub fn new(schema: &Schema, name: &str, paths: &mut Paths) -> FieldPlan {
        let lookup: Lookup = schema.lookup(name);
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
            any: false,
        }
    }

    /// A plan for "any scalar anywhere".
    pub fn any() -> FieldPlan {
        FieldPlan {
            sources: Vec::new(),
            first: false,
            kind: FieldKind::Flattened,
            derive: Derive::Same,
            when: None,
            absent: None,
            any: true,
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
        match self.kind {
            _ if self.any => 1000,
            FieldKind::Keyword | FieldKind::Flag if self.derive == Derive::Same => 1,
            FieldKind::Keyword | FieldKind::Flag => 2,
            FieldKind::Flattened => 10,
            FieldKind::Dynamic => 20,
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

    fn present_sources<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = PathId> + 'a {
        let limit = if self.first { 1 } else { usize::MAX };
        let present = self.sources.iter().copied().filter(|&path| found.has(path));
        present.take(limit)
    }

    /// The raw values of the field, before type and derivation.
    pub fn raw_values<'a>(&'a self, found: &'a Found) -> impl Iterator<Item = Handle> + 'a {
        self.present_sources(found)
            .flat_map(|path| found.values(path))
    }

    /// Visits every non-null value.
    pub fn values<R: Record + ?Sized>(
        &self,
        record: &R,
        root: Handle,
        found: &Found,
        texts: &mut Texts,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        if self.any {
            return leaves(record, root, &mut texts.decoded, visit);
        }
        let mut anything = false;
        for path in self.present_sources(found) {
            for value in found.values(path) {
                match self.kind {
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
        if self.any || self.kind != FieldKind::Keyword || !whole {
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
                let Texts { decoded, derived } = texts;
                if self.derive == Derive::Same {
                    let text = record.text(value, decoded);
                    return visit(Scalar { kind, text }, Some(value));
                }
                let renamed = self.is_renamed(record, found, derived);
                let text = record.text(value, decoded);
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

fn text_scalar(text: &[u8]) -> Scalar<'_> {
    Scalar {
        kind: Kind::Text,
        text,
    }
}

fn bool_scalar(truth: bool) -> Scalar<'static> {
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
fn dynamic<R: Record + ?Sized>(
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
fn flag<R: Record + ?Sized>(record: &R, value: Handle, scratch: &mut Vec<u8>) -> Option<bool> {
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

/// The text derived from a scalar's text; `None` if it gives no value.
fn derive<'a>(
    how: &'a Derive,
    kind: Kind,
    text: &'a [u8],
    renamed: bool,
    out: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    match how {
        Derive::Same | Derive::Text => Some(text),
        Derive::Lower => {
            lower(text, out);
            Some(out)
        }
        Derive::Address | Derive::Local | Derive::Domain => {
            let mut signs = memchr::memchr_iter(b'@', text);
            let at = signs.next().filter(|_| kind == Kind::Text)?;
            if signs.next().is_some() {
                return None;
            }
            Some(match how {
                Derive::Local => &text[..at],
                Derive::Domain => &text[at + 1..],
                _ => text,
            })
        }
        Derive::Ip => {
            let bare = bare_address(text)?;
            let ip = address(bare)?;
            // Only a mapped address reads differently from how it is written.
            if ip.is_ipv4() && bare.contains(&b':') {
                out.clear();
                // Writing to memory cannot fail.
                let _ = write!(out, "{ip}");
                return Some(out);
            }
            Some(bare)
        }
        Derive::Values { entries, otherwise } => {
            lower(text, out);
            let known = entries
                .iter()
                .find(|(_, texts)| texts.iter().any(|known| known.as_bytes() == &out[..]));
            match (known, otherwise) {
                (Some((result, _)), _) | (None, Some(result)) => Some(result.as_bytes()),
                (None, None) => Some(text),
            }
        }
        Derive::Rename { entries, .. } => {
            let entry = entries
                .iter()
                .find(|(from, _)| renamed && from.as_bytes() == text);
            Some(entry.map_or(text, |(_, to)| to.as_bytes()))
        }
    }
}

/// The address in `ADDRESS`, `[ADDRESS]`, `[ADDRESS]:PORT` and `IPV4:PORT`.
fn bare_address(text: &[u8]) -> Option<&[u8]> {
    let is_port =
        |port: &[u8]| (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    if let Some(rest) = text.strip_prefix(b"[") {
        let close = memchr::memchr(b']', rest)?;
        return match &rest[close + 1..] {
            [] => Some(&rest[..close]),
            [b':', port @ ..] if is_port(port) => Some(&rest[..close]),
            _ => None,
        };
    }
    let mut colons = memchr::memchr_iter(b':', text);
    match (colons.next(), colons.next()) {
        (Some(colon), None) => is_port(&text[colon + 1..]).then_some(&text[..colon]),
        _ => Some(text),
    }
}

/// Writes a text in lower case; bytes that are not UTF-8 stay as they are.
fn lower(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    if text.is_ascii() {
        out.extend(text.iter().map(u8::to_ascii_lowercase));
        return;
    }
    for chunk in text.utf8_chunks() {
        for lowered in chunk.valid().chars().flat_map(char::to_lowercase) {
            out.extend_from_slice(lowered.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
}
