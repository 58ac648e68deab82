//! Which records a line holds, where each one's tag goes, and which objects are judged for it.

use super::fields;
use super::json::{self, Fault, Value};

/// Envelopes inside each other that are opened; what lies deeper is judged as it stands.
const MAX_ENVELOPES: usize = 4;

/// Where and how a rule's fields are found in a flat object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Elastic's `o365.audit` document, or any other object read as plain fields.
    Ecs,
    /// Raw Office 365 Management Activity record.
    O365,
    /// Defender streaming record.
    Defender,
    /// MessageEvents row.
    Hunting,
}

/// What the caller said about the shape of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forced {
    /// Nothing: the table decides.
    Auto,
    /// Every object is judged by this schema.
    Flat(Schema),
    /// Only payloads are judged.
    Envelope,
}

impl Forced {
    /// The meaning of `--schema NAME`; `None` for a name that is none.
    pub fn from_name(name: &str) -> Option<Forced> {
        match name {
            "auto" => Some(Forced::Auto),
            "ecs" => Some(Forced::Flat(Schema::Ecs)),
            "o365" => Some(Forced::Flat(Schema::O365)),
            "defender" => Some(Forced::Flat(Schema::Defender)),
            "hunting" => Some(Forced::Flat(Schema::Hunting)),
            "envelope" => Some(Forced::Envelope),
            _ => None,
        }
    }
}

/// An object to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// By which schema.
    pub schema: Schema,
    /// The object.
    pub value: Value,
}

/// A record that can be tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Offset in the line of the record's closing brace, before which the tag goes.
    pub brace: usize,
    /// What is judged for it: the record itself, or an envelope's payloads (maybe none).
    pub payloads: Vec<Payload>,
}

/// Why a line is unreadable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not valid JSON.
    Syntax,
    /// Nested too deep.
    TooDeep,
    /// Valid JSON, but neither an object nor an array.
    NotARecord,
}

/// What a line holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// White space only.
    Blank,
    /// Nothing that can be judged.
    Unreadable(Reason),
    /// The taggable records in the order of their opening braces; none in an empty batch.
    Records(Vec<Record>),
}

/// Reads one line (without its line feed).
pub fn read(line: &[u8], forced: Forced) -> Line {
    let mark = if line.starts_with(b"\xEF\xBB\xBF") {
        3
    } else {
        0
    };
    // A trailing CR needs no thought: it is JSON white space.
    let text = &line[mark..];
    if text.iter().all(|byte| json::is_space(*byte)) {
        return Line::Blank;
    }
    let parsed = match json::parse(text) {
        Ok(parsed) => parsed,
        Err(Fault::Syntax) => return Line::Unreadable(Reason::Syntax),
        Err(Fault::TooDeep) => return Line::Unreadable(Reason::TooDeep),
    };
    let braces: Vec<usize> = parsed.braces.iter().map(|offset| offset + mark).collect();
    let mut records = Vec::new();
    match &parsed.value {
        Value::List(items) => batch(items, 0, &braces, forced, &mut records),
        Value::Map(members) => object(&parsed.value, members, 0, &braces, forced, &mut records),
        _ => return Line::Unreadable(Reason::NotARecord),
    }
    Line::Records(records)
}

/// The records among a batch's elements. `number` is the number of the first object from here on,
/// counted by opening braces, which is how `braces` is ordered.
fn batch(
    items: &[Value],
    mut number: usize,
    braces: &[usize],
    forced: Forced,
    out: &mut Vec<Record>,
) {
    for item in items {
        if let Value::Map(members) = item {
            object(item, members, number, braces, forced, out);
        }
        number += objects_in(item);
    }
}

/// The record that an object is, or those it holds if it is a batch.
fn object(
    value: &Value,
    members: &[(Vec<u8>, Value)],
    number: usize,
    braces: &[usize],
    forced: Forced,
    out: &mut Vec<Record>,
) {
    let mut payloads = Vec::new();
    match (forced, classify(value)) {
        (_, Kind::Batch) => {
            let mut number = number + 1;
            for (key, child) in members {
                if let (b"records", Value::List(items)) = (key.as_slice(), child) {
                    batch(items, number, braces, forced, out);
                }
                number += objects_in(child);
            }
            return;
        }
        (Forced::Flat(schema), _) => payloads.push(Payload {
            schema,
            value: value.clone(),
        }),
        (Forced::Auto, Kind::Flat(_)) => follow(value, 0, &mut payloads),
        (_, _) => {
            for inner in payloads_of(value) {
                follow(&inner, 1, &mut payloads);
            }
        }
    }
    out.push(Record {
        brace: braces[number],
        payloads,
    });
}

/// How many objects a value is and holds.
fn objects_in(value: &Value) -> usize {
    match value {
        Value::List(items) => items.iter().map(objects_in).sum(),
        Value::Map(members) => {
            1 + members
                .iter()
                .map(|(_, child)| objects_in(child))
                .sum::<usize>()
        }
        _ => 0,
    }
}

/// Adds what is judged of a payload that stands inside `envelopes` envelopes.
fn follow(value: &Value, envelopes: usize, out: &mut Vec<Payload>) {
    let Value::Map(members) = value else {
        if let Value::List(items) = value {
            follow_objects(items, envelopes, out);
        }
        return;
    };
    let judged = |schema| Payload {
        schema,
        value: value.clone(),
    };
    match classify(value) {
        Kind::Batch => {
            for (key, child) in members {
                if let (b"records", Value::List(items)) = (key.as_slice(), child) {
                    follow_objects(items, envelopes, out);
                }
            }
        }
        Kind::Envelope if envelopes == MAX_ENVELOPES => out.push(judged(Schema::Ecs)),
        Kind::Envelope => {
            for inner in payloads_of(value) {
                follow(&inner, envelopes + 1, out);
            }
        }
        Kind::Flat(schema) => out.push(judged(schema)),
    }
}

/// Elements of a batch that are no objects are passed over, arrays too.
fn follow_objects(items: &[Value], envelopes: usize, out: &mut Vec<Payload>) {
    for item in items {
        if matches!(item, Value::Map(_)) {
            follow(item, envelopes, out);
        }
    }
}

enum Kind {
    Batch,
    Envelope,
    Flat(Schema),
}

/// The table: the first line that fits decides.
fn classify(value: &Value) -> Kind {
    let present = |path: &str| fields::is_present(value, path);
    let plain = |name: &[u8], fits: fn(&Value) -> bool| match value {
        Value::Map(members) => members
            .iter()
            .any(|(key, child)| key == name && fits(child)),
        _ => false,
    };
    let streamed = || {
        fields::values_at(value, "category")
            .iter()
            .any(|found| **found == Value::Text(b"AdvancedHunting-MessageEvents".to_vec()))
    };
    if plain(b"records", |child| matches!(child, Value::List(_))) {
        Kind::Batch
    } else if !objects_under_o365audit(value).is_empty() {
        Kind::Envelope
    } else if present("event.action") || present("o365.audit") {
        Kind::Flat(Schema::Ecs)
    } else if present("Operation")
        && (present("Workload") || present("RecordType") || present("CreationTime"))
    {
        Kind::Flat(Schema::O365)
    } else if present("properties") && streamed() {
        Kind::Flat(Schema::Defender)
    } else if present("RecipientDetails")
        || present("IsExternalThread")
        || present("TeamsMessageId")
    {
        Kind::Flat(Schema::Hunting)
    } else if !embedded_texts(value).is_empty() {
        Kind::Envelope
    } else {
        Kind::Flat(Schema::Ecs)
    }
}

/// An envelope's payloads: the `o365audit` objects; else every fitting string.
fn payloads_of(value: &Value) -> Vec<Value> {
    let objects = objects_under_o365audit(value);
    if objects.is_empty() {
        embedded_texts(value)
    } else {
        objects
    }
}

fn objects_under_o365audit(value: &Value) -> Vec<Value> {
    fields::values_at(value, "o365audit")
        .into_iter()
        .filter(|found| matches!(found, Value::Map(_)))
        .cloned()
        .collect()
}

fn embedded_texts(value: &Value) -> Vec<Value> {
    let mut out = Vec::new();
    for path in ["message", "event.original", "log"] {
        for found in fields::values_at(value, path) {
            if let Value::Text(text) = found {
                out.extend(embedded(text));
            }
        }
    }
    out
}

/// The object or array that a string holds, by the same rules as a line.
fn embedded(text: &[u8]) -> Option<Value> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    match json::parse(text).ok()?.value {
        value @ (Value::Map(_) | Value::List(_)) => Some(value),
        _ => None,
    }
}
