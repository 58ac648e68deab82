//! Any record's value as MessagePack: what is written into maps is made as JSON first, like all tags.

use std::ops::ControlFlow;

use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};
use rmp::encode;

/// Appends a value of a record.
///
/// # Errors
/// If it is nested too deep.
pub fn encode(record: &dyn Record, value: Handle, out: &mut Vec<u8>) -> Result<(), Unreadable> {
    Encoder::new(record, out).value(value, MAX_DEPTH)
}

/// Appends what is in an object or a list of a record, without a head, and says how many members or
/// elements that is.
///
/// # Errors
/// If it is nested too deep.
pub fn encode_contents(
    record: &dyn Record,
    container: Handle,
    out: &mut Vec<u8>,
) -> Result<usize, Unreadable> {
    Encoder::new(record, out).contents(container, MAX_DEPTH)
}

struct Encoder<'a> {
    record: &'a dyn Record,
    scratch: Vec<u8>,
    out: &'a mut Vec<u8>,
}

// Writing to memory never fails, so what the writers of heads answer is of no interest.
impl<'a> Encoder<'a> {
    fn new(record: &'a dyn Record, out: &'a mut Vec<u8>) -> Self {
        let scratch = Vec::new();
        Encoder {
            record,
            scratch,
            out,
        }
    }

    fn value(&mut self, value: Handle, depth: usize) -> Result<(), Unreadable> {
        let kind = self.record.kind(value);
        match kind {
            Kind::Null => encode::write_nil(self.out).unwrap_or_default(),
            Kind::Bool(truth) => encode::write_bool(self.out, truth).unwrap_or_default(),
            Kind::Number => number(self.record.text(value, &mut self.scratch), self.out),
            Kind::Text => text(self.record.text(value, &mut self.scratch), self.out),
            Kind::List | Kind::Map => {
                let depth = depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
                let size = self.size(value) as u32;
                let _ = match kind {
                    Kind::List => encode::write_array_len(self.out, size),
                    _ => encode::write_map_len(self.out, size),
                };
                self.contents(value, depth)?;
            }
        }
        Ok(())
    }

    fn size(&self, container: Handle) -> usize {
        let mut size = 0;
        let mut count = || {
            size += 1;
            ControlFlow::Continue(())
        };
        let _ = match self.record.kind(container) {
            Kind::Map => self.record.members(container, &mut |_, _| count()),
            _ => self.record.elements(container, &mut |_| count()),
        };
        size
    }

    fn contents(&mut self, container: Handle, depth: usize) -> Result<usize, Unreadable> {
        let (record, mut size, mut outcome) = (self.record, 0, Ok(()));
        let mut append = |key: Option<&[u8]>, value| {
            size += 1;
            if let Some(key) = key {
                text(key, self.out);
            }
            outcome = self.value(value, depth);
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        let _ = match record.kind(container) {
            Kind::Map => record.members(container, &mut |key, value| append(Some(key), value)),
            _ => record.elements(container, &mut |value| append(None, value)),
        };
        outcome.map(|()| size)
    }
}

fn text(text: &[u8], out: &mut Vec<u8>) {
    // The texts of records may be no UTF-8; readers of MessagePack take that as they find it.
    let _ = encode::write_str_len(out, text.len() as u32);
    out.extend_from_slice(text);
}

fn number(text: &[u8], out: &mut Vec<u8>) {
    let text = str::from_utf8(text).unwrap_or_default();
    if let Ok(number) = text.parse::<i64>() {
        let _ = encode::write_sint(out, number);
    } else if let Ok(number) = text.parse::<u64>() {
        let _ = encode::write_uint(out, number);
    } else {
        // What is beyond a float's range is nothing, as in a record that is read.
        match text.parse() {
            Ok(number) if f64::is_finite(number) => {
                let _ = encode::write_f64(out, number);
            }
            _ => encode::write_nil(out).unwrap_or_default(),
        }
    }
}
