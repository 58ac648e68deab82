//! Any record's value as MessagePack: what is written into maps is made as JSON first, like all tags.

use std::ops::ControlFlow;

use poseur_matcher::record::{Handle, Kind, MAX_DEPTH, Record, Unreadable};
use rmp::encode;

/// Appends a value of a record.
///
/// # Errors
/// If it is nested too deep.
pub fn encode<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    append(record, value, MAX_DEPTH, &mut Vec::new(), out)
}

fn append<R: Record + ?Sized>(
    record: &R,
    value: Handle,
    depth: usize,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), Unreadable> {
    let deeper = depth.checked_sub(1).ok_or(Unreadable::TooDeep);
    // Writing to memory never fails, so what the writers answer is of no interest.
    match record.kind(value) {
        Kind::Null => encode::write_nil(out).unwrap_or_default(),
        Kind::Bool(truth) => encode::write_bool(out, truth).unwrap_or_default(),
        Kind::Number => number(record.text(value, scratch), out),
        Kind::Text => text(record.text(value, scratch), out),
        Kind::List => {
            let mut length = 0;
            let _ = record.elements(value, &mut |_| {
                length += 1;
                ControlFlow::Continue(())
            });
            let _ = encode::write_array_len(out, length);
            let (deeper, mut outcome) = (deeper?, Ok(()));
            let _ = record.elements(value, &mut |element| {
                outcome = append(record, element, deeper, scratch, out);
                flow(outcome)
            });
            outcome?;
        }
        Kind::Map => {
            let mut length = 0;
            let _ = record.members(value, &mut |_, _| {
                length += 1;
                ControlFlow::Continue(())
            });
            let _ = encode::write_map_len(out, length);
            let (deeper, mut outcome) = (deeper?, Ok(()));
            let _ = record.members(value, &mut |key, member| {
                text(key, out);
                outcome = append(record, member, deeper, scratch, out);
                flow(outcome)
            });
            outcome?;
        }
    }
    Ok(())
}

fn flow(outcome: Result<(), Unreadable>) -> ControlFlow<()> {
    match outcome {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
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
        let number = text.parse().unwrap_or(f64::NAN);
        let _ = encode::write_f64(out, number);
    }
}
