//! Events as Fluent Bit and Fluentd pass them on: one after the other, each a time and a record.
//!
//! Fluent Bit writes `[[time, {metadata}], {record}]`, Fluentd and older releases `[time, {record}]`; the
//! time is an extension of type 0, an integer or a float. Fluent Bit also writes markers where a
//! group of events begins and ends: such an event has no time, but -1 or -2 for its seconds. It has no record.

use poseur_matcher::record::{Handle, Unreadable};

use super::head::{Head, HeadKind, head, skip};
use crate::events::Event;

/// The event that begins at `at`.
///
/// # Errors
/// If what stands there is no MessagePack value.
pub fn event(chunk: &[u8], at: usize) -> Result<Event, Unreadable> {
    // What Fluent Bit writes for nearly every event: a time, and no metadata.
    if let Some(usual) = chunk.get(at..).and_then(<[u8]>::first_chunk::<14>)
        && usual.starts_with(b"\x92\x92\xD7\x00")
        && usual[4] < 0x80
        && usual[12] == 0x80
        && matches!(usual[13], 0x80..=0x8F | 0xDE)
    {
        let (start, end) = (at + 13, skip(chunk, at + 13)?);
        return Ok(Event {
            range: at..end,
            record: Some(Handle { start, end }),
        });
    }
    let Head { kind, content } = head(chunk, at)?;
    if kind != HeadKind::List(2) {
        let range = at..skip(chunk, at)?;
        return Ok(Event {
            range,
            record: None,
        });
    }
    let start = skip(chunk, content)?;
    let end = skip(chunk, start)?;
    let is_map = matches!(head(chunk, start)?.kind, HeadKind::Map(_));
    let record = is_map && is_time(chunk, content)?;
    Ok(Event {
        range: at..end,
        record: record.then_some(Handle { start, end }),
    })
}

/// Whether an event's first part is a time, with metadata or without, and not a marker.
fn is_time(chunk: &[u8], at: usize) -> Result<bool, Unreadable> {
    let Head { kind, content } = head(chunk, at)?;
    Ok(match kind {
        HeadKind::List(2) => {
            let metadata = head(chunk, skip(chunk, content)?)?;
            matches!(metadata.kind, HeadKind::Map(_)) && is_plain_time(chunk, content)?
        }
        _ => is_plain_time(chunk, at)?,
    })
}

fn is_plain_time(chunk: &[u8], at: usize) -> Result<bool, Unreadable> {
    const MARKERS: [&[u8]; 2] = [b"\xFF\xFF\xFF\xFF", b"\xFF\xFF\xFF\xFE"];
    let Head { kind, content } = head(chunk, at)?;
    Ok(match kind {
        HeadKind::Extension(0, 8) => {
            let seconds = chunk.get(content..content + 4).unwrap_or_default();
            !MARKERS.contains(&seconds)
        }
        HeadKind::Integer(seconds) => seconds >= 0,
        HeadKind::Float32(_) | HeadKind::Float64(_) => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let time = b"\xD7\x00\x65\x00\x00\x00\x00\x00\x00\x01";
        let start = b"\xD7\x00\xFF\xFF\xFF\xFF\x00\x00\x00\x01";
        let end = b"\xD7\x00\xFF\xFF\xFF\xFE\x00\x00\x00\x01";
        let with_metadata =
            |time: &[u8]| [b"\x92\x92", time, b"\x81\xA1m\x01\x81\xA1a\xC0"].concat();
        let plain = |time: &[u8]| [b"\x92", time, b"\x81\xA1a\xC0"].concat();
        for (bytes, has_record) in [
            (with_metadata(time), true),
            (with_metadata(start), false),
            (with_metadata(end), false),
            (with_metadata(b"\xFF"), false),
            (with_metadata(b"\xCE\x65\x00\x00\x00"), true),
            (plain(time), true),
            (plain(b"\x05"), true),
            (plain(b"\xCB\x41\xD0\0\0\0\0\0\0"), true),
            (plain(b"\xA1t"), false),
            (plain(b"\xD7\x01\x65\x00\x00\x00\x00\x00\x00\x01"), false),
            (b"\x92\x05\xC0".to_vec(), false),
            (b"\x93\x05\x80\x80".to_vec(), false),
            (b"\x80".to_vec(), false),
        ] {
            let found = event(&bytes, 0).unwrap();
            assert_eq!(found.range, 0..bytes.len(), "{bytes:x?}");
            let record = has_record.then(|| Handle {
                start: bytes.len() - 4,
                end: bytes.len(),
            });
            assert_eq!(found.record, record, "{bytes:x?}");
            for cut in 0..bytes.len() {
                assert_eq!(event(&bytes[..cut], 0), Err(Unreadable::Truncated));
            }
        }
    }
}
