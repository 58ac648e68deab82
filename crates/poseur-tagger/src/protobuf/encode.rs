//! Any record's value as a `Value` of Vector's.

use std::ops::ControlFlow;

use poseur_matcher::record::{Handle, Kind, Record, Unreadable};

use super::message::{FIRST, VALUE, kind};
use super::wire::{write_nested, write_varint};

/// How many messages may be inside each other in a request: readers made with prost, and those in C++, Java
/// and Python, refuse a request that nests deeper, with all that is in it.
pub const MOST_READ: usize = 100;

/// Appends the contents of a `Value`, in which `left` messages may be inside each other.
///
/// Integers are kept if they have 64 bits with a sign; other numbers are floats, and those beyond a float's
/// range are nothing. Text that is not UTF-8 stays as it is but in keys, where protobuf must have it.
///
/// # Errors
/// If it is nested too deep.
pub fn encode(
    record: &dyn Record,
    value: Handle,
    left: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    Encoder::new(record).value(value, left, out)
}

/// Appends the entries of an object or the elements of a list, in which, themselves included, `left` messages may be
/// inside each other.
///
/// # Errors
/// If it is nested too deep.
pub fn encode_contents(
    record: &dyn Record,
    container: Handle,
    left: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    Encoder::new(record).contents(container, left, out)
}

struct Encoder<'a> {
    record: &'a dyn Record,
    scratch: Vec<u8>,
}

impl<'a> Encoder<'a> {
    fn new(record: &'a dyn Record) -> Self {
        let scratch = Vec::new();
        Encoder { record, scratch }
    }

    fn value(&mut self, value: Handle, left: usize, out: &mut Vec<u8>) -> Result<(), Unreadable> {
        let one = |number: u32, value: u64, out: &mut Vec<u8>| {
            write_varint(u64::from(number << 3), out);
            write_varint(value, out);
        };
        match self.record.kind(value) {
            Kind::Null => one(kind::NULL, 0, out),
            Kind::Bool(truth) => one(kind::BOOLEAN, u64::from(truth), out),
            Kind::Number => {
                let text = self.record.text(value, &mut self.scratch);
                let text = str::from_utf8(text).unwrap_or_default();
                match (text.parse::<i64>(), text.parse::<f64>()) {
                    (Ok(number), _) => one(kind::INTEGER, number as u64, out),
                    (_, Ok(number)) if number.is_finite() => {
                        write_varint(u64::from(kind::FLOAT << 3 | 1), out);
                        out.extend_from_slice(&number.to_le_bytes());
                    }
                    _ => one(kind::NULL, 0, out),
                }
            }
            Kind::Text => {
                let text = self.record.text(value, &mut self.scratch);
                write_nested(kind::BYTES, out, |out| out.extend_from_slice(text));
            }
            Kind::Map => return self.container(kind::MAP, value, left, out),
            Kind::List => return self.container(kind::LIST, value, left, out),
        }
        Ok(())
    }

    fn container(
        &mut self,
        number: u32,
        value: Handle,
        left: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let left = left.checked_sub(1).ok_or(Unreadable::TooDeep)?;
        write_nested(number, out, |out| self.contents(value, left, out))
    }

    fn contents(
        &mut self,
        container: Handle,
        left: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Unreadable> {
        let (record, mut outcome) = (self.record, Ok(()));
        let going_on = |outcome: &Result<(), Unreadable>| match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        let _ = match record.kind(container) {
            Kind::Map => record.members(container, &mut |key, value| {
                outcome = match left.checked_sub(2) {
                    Some(left) => write_entry(key, out, |out| self.value(value, left, out)),
                    None => Err(Unreadable::TooDeep),
                };
                going_on(&outcome)
            }),
            _ => record.elements(container, &mut |value| {
                outcome = match left.checked_sub(1) {
                    Some(left) => write_nested(FIRST, out, |out| self.value(value, left, out)),
                    None => Err(Unreadable::TooDeep),
                };
                going_on(&outcome)
            }),
        };
        outcome
    }
}

/// Appends an entry of a map; `write` appends the contents of its `Value`.
pub fn write_entry<T>(key: &[u8], out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    write_nested(FIRST, out, |out| {
        let key = String::from_utf8_lossy(key);
        write_nested(FIRST, out, |out| out.extend_from_slice(key.as_bytes()));
        write_nested(VALUE, out, write)
    })
}
