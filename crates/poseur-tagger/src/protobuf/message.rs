//! What the messages are made of, and whether they are right.

use std::ops::Range;

use poseur_matcher::record::Unreadable;

use super::wire::{Value, fields};

/// The messages that a log is made of. Those of metadata, metrics and traces are not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// `EventWrapper`: a log, a metric or a trace.
    Event,
    /// `Log`: `fields`, like those of a [`Message::Map`], or a `value` of any kind; and metadata.
    Log,
    /// `ValueMap`.
    Map,
    /// What a map has for each of its members: a key and a value.
    Entry,
    /// `Value`: one of its kinds.
    Value,
    /// `ValueArray`.
    List,
    /// `google.protobuf.Timestamp`.
    Time,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A message that is looked into.
    Message(Message),
    /// Text in UTF-8.
    Text,
    /// Bytes, or what is not looked into.
    Bytes,
    /// A number of variable length.
    Varint,
    /// A float.
    Fixed64,
}

/// Fields of [`Message::Value`].
pub mod kind {
    /// Text and bytes.
    pub const BYTES: u32 = 1;
    /// A point in time.
    pub const TIME: u32 = 2;
    /// An integer of 64 bits.
    pub const INTEGER: u32 = 4;
    /// A float of 64 bits.
    pub const FLOAT: u32 = 5;
    /// A truth value.
    pub const BOOLEAN: u32 = 6;
    /// A map.
    pub const MAP: u32 = 7;
    /// A list.
    pub const LIST: u32 = 8;
    /// Nothing.
    pub const NULL: u32 = 9;
}

/// The log of an event, the logs of a list of events, the entries of a map and the elements of a list.
pub const FIRST: u32 = 1;

/// The value of a log and of an entry.
pub const VALUE: u32 = 2;

impl Message {
    /// What its field of this number holds; `None` if it has none, so that it is passed over.
    pub fn holds(self, number: u32) -> Option<Holds> {
        let inner = match (self, number) {
            (Message::Event, FIRST) => Message::Log,
            (Message::Log | Message::Map, FIRST) => Message::Entry,
            (Message::Log | Message::Entry, VALUE) | (Message::List, FIRST) => Message::Value,
            (Message::Value, kind::TIME) => Message::Time,
            (Message::Value, kind::MAP) => Message::Map,
            (Message::Value, kind::LIST) => Message::List,
            (Message::Entry, FIRST) => return Some(Holds::Text),
            (Message::Event, 2 | 3) | (Message::Log, 3 | 4) | (Message::Value, kind::BYTES) => {
                return Some(Holds::Bytes);
            }
            (Message::Value, kind::INTEGER | kind::BOOLEAN | kind::NULL)
            | (Message::Time, 1 | 2) => return Some(Holds::Varint),
            (Message::Value, kind::FLOAT) => return Some(Holds::Fixed64),
            _ => return None,
        };
        Some(Holds::Message(inner))
    }

    /// Fields with the same answer exclude each other. Protobuf would have the last one win, or merge what
    /// they hold; nobody writes that, and who reads it in another way could be led astray.
    fn once(self, number: u32) -> Option<u32> {
        match self {
            Message::Event | Message::Value => Some(0),
            Message::Log if number == VALUE => Some(1),
            Message::Entry => Some(number),
            _ => None,
        }
    }
}

/// Checks a message through and through; answers how many messages are inside each other at its deepest place,
/// itself included.
///
/// # Errors
/// If it is not what its name says, says something twice, or nests maps and lists deeper than `depth`.
pub fn check(
    bytes: &[u8],
    message: Message,
    range: Range<usize>,
    depth: usize,
) -> Result<usize, Unreadable> {
    let depth = match message {
        Message::Log | Message::Map | Message::List => {
            depth.checked_sub(1).ok_or(Unreadable::TooDeep)?
        }
        _ => depth,
    };
    let (mut seen, mut deepest) = (0_u32, 0);
    for field in fields(bytes, range) {
        let field = field?;
        let Some(holds) = message.holds(field.number) else {
            continue;
        };
        if let Some(bit) = message.once(field.number) {
            if seen & 1 << bit != 0 {
                return Err(Unreadable::Broken);
            }
            seen |= 1 << bit;
        }
        match (holds, field.value) {
            (Holds::Message(inner), Value::Bytes(range)) => {
                deepest = deepest.max(check(bytes, inner, range, depth)?);
            }
            (Holds::Text, Value::Bytes(range)) => {
                let text = simdutf8::basic::from_utf8(&bytes[range]);
                text.map_err(|_| Unreadable::Broken)?;
            }
            (Holds::Bytes, Value::Bytes(_))
            | (Holds::Varint, Value::Varint(_))
            | (Holds::Fixed64, Value::Fixed64(_)) => {}
            _ => return Err(Unreadable::Broken),
        }
    }
    Ok(deepest + 1)
}

/// How many messages there are around a place, where the contents of one begin that is in an event; this one
/// and the event included.
pub fn around(bytes: &[u8], event: Range<usize>, place: usize) -> Option<usize> {
    let (mut message, mut range, mut depth) = (Message::Event, event, 1);
    while range.start != place {
        let field = fields(bytes, range)
            .map_while(Result::ok)
            .find(|field| matches!(&field.value, Value::Bytes(range) if range.start <= place && place <= range.end))?;
        let (Some(Holds::Message(inner)), Value::Bytes(inside)) =
            (message.holds(field.number), field.value)
        else {
            return None;
        };
        (message, range, depth) = (inner, inside, depth + 1);
    }
    Some(depth)
}
