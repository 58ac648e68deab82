//! Records in one form made into another, where a source and a sink do not speak the same.
//!
//! JSON to MessagePack and back keeps every value: integers of 64 bits as integers, other numbers as floats of 64
//! bits, texts byte for byte. What MessagePack has and JSON has not (bytes, types of applications) becomes text
//! or null.

use std::borrow::Cow;

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::record::{Handle, Record};
use poseur_tagger::json::document::{Document, Pool};
use poseur_tagger::json::index::Index;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::encode::encode;
use poseur_tagger::msgpack::events::event;

use crate::batch::{Batch, Body, Form};

/// Why a batch has no form that a sink takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConvertible {
    /// Metrics or traces.
    #[error(
        "metrics and traces have no form that this sink takes: use a sink of the source's kind"
    )]
    Signal,
    /// Vector's events into other forms and back.
    #[error("Vector's events are not converted yet: use a source and a sink of the same kind")]
    NotYet,
    /// Events that cannot be taken apart.
    #[error("events that cannot be taken apart have no form that this sink takes")]
    Opaque,
}

/// A batch in the form that a sink takes. Lines become events of this time.
///
/// # Errors
/// If there is none.
pub fn into(batch: Batch, form: Form, time: Timestamp) -> Result<Batch, NotConvertible> {
    let body = match (&batch.body, form) {
        (_, Form::Any)
        | (Body::Events(_) | Body::Signal(..), Form::Events)
        | (Body::Lines(_), Form::Lines)
        | (Body::Push(_), Form::Push) => return Ok(batch),
        (Body::Lines(lines), Form::Events) => {
            Body::Events(lines_to_events(&lines.to_bytes(), time).into())
        }
        (Body::Events(events), Form::Lines) => {
            let lines = events_to_lines(&events.to_bytes());
            Body::Lines(lines.ok_or(NotConvertible::Opaque)?.into())
        }
        (Body::Signal(..), Form::Lines | Form::Push) => return Err(NotConvertible::Signal),
        (Body::Push(_), _) | (_, Form::Push) => return Err(NotConvertible::NotYet),
    };
    Ok(Batch::new(batch.tag, body))
}

/// Lines as events of this time. A line that is no JSON object becomes the text `log` of a record, as a shipper has it that
/// cannot parse a line: nothing is lost. Blank lines are.
pub fn lines_to_events(lines: &[u8], time: Timestamp) -> Bytes {
    let (mut index, pool, mut out) = (Index::default(), Pool::default(), Vec::new());
    for line in lines.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        out.extend_from_slice(b"\x92\xD7\x00");
        let seconds = u32::try_from(time.as_second()).unwrap_or(0);
        out.extend_from_slice(&seconds.to_be_bytes());
        let nanoseconds = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
        out.extend_from_slice(&nanoseconds.to_be_bytes());
        let start = out.len();
        let document = Document::new(line, &mut index, &pool);
        let document = document.and_then(|document| document.check().map(|()| document));
        let written = match &document {
            Ok(document) if line[document.root().start] == b'{' => {
                encode(document, document.root(), &mut out).is_ok()
            }
            _ => false,
        };
        if !written {
            out.truncate(start);
            out.push(0x81);
            // Writing into memory does not fail.
            let _ = rmp::encode::write_str(&mut out, "log");
            let _ = rmp::encode::write_str_len(&mut out, line.len() as u32);
            out.extend_from_slice(line);
        }
    }
    Bytes::from(out)
}

/// Events as lines of JSON, without their times. What marks groups of events, or is no event, has no line.
/// `None` if the events cannot be taken apart.
pub fn events_to_lines(events: &[u8]) -> Option<Bytes> {
    let (pool, mut out, mut at) = (Pool::default(), Vec::new(), 0);
    while at < events.len() {
        let event = event(events, at).ok()?;
        if let Some(record) = event.record {
            let map = Map::new(events, record, &pool).ok()?;
            map.check().ok()?;
            let Handle { start, end } = record;
            map.write_json(Handle { start, end }, &mut out);
            out.push(b'\n');
        }
        at = event.range.end;
    }
    Some(Bytes::from(out))
}

/// A body that is one JSON value, over several lines or not, in one line; NDJSON as it is. Line feeds can only stand
/// between values there, so that nothing but white space changes.
pub fn in_lines(body: &[u8]) -> Cow<'_, [u8]> {
    let text = body.trim_ascii();
    let several = text.contains(&b'\n');
    if !several || !is_one_value(text) {
        return Cow::Borrowed(body);
    }
    let spaced = text.iter().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => *other,
    });
    Cow::Owned(spaced.collect())
}

/// Whether all of a text is one array or object.
fn is_one_value(text: &[u8]) -> bool {
    if !matches!(text.first(), Some(b'[' | b'{')) {
        return false;
    }
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            // No string goes over several lines: this is a bad line of several.
            b'\n' if inside => return false,
            _ if inside => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back() {
        let time = "2026-11-20T12:00:00.5Z".parse().unwrap();
        for (lines, expected) in [
            ("{\"a\":1}\n{\"b\":[true,null,-7,1.5,\"x\"]}\n", None),
            (
                "{\"big\":18446744073709551615,\"small\":-9223372036854775808}\n",
                None,
            ),
            ("", None),
            ("{\"a\":1}", Some("{\"a\":1}\n")),
            (" \n\r\n{ \"a\" : 1 }\r\n", Some("{\"a\":1}\n")),
            (
                "no \"JSON\"\n[1]\n{\"a\":\n",
                Some(
                    "{\"log\":\"no \\\"JSON\\\"\"}\n{\"log\":\"[1]\"}\n{\"log\":\"{\\\"a\\\":\"}\n",
                ),
            ),
        ] {
            let events = lines_to_events(lines.as_bytes(), time);
            let back = events_to_lines(&events).unwrap();
            assert_eq!(back, expected.unwrap_or(lines), "{lines}");
        }
        let one = lines_to_events(b"{}", time);
        assert_eq!(
            &one[..],
            b"\x92\xD7\x00\x6B\x00\x36\x40\x1D\xCD\x65\x00\x80".as_slice()
        );
        assert_eq!(events_to_lines(b"\x92\x05"), None);
        assert_eq!(
            events_to_lines(b"\x92\x92\xD7\x00\xFF\xFF\xFF\xFF\x00\x00\x00\x00\x80\x80"),
            Some(Bytes::new())
        );
    }

    #[test]
    fn one_value_is_one_line() {
        for (body, expected) in [
            ("{\"a\":1}\n{\"b\":2}\n", None),
            ("[{\"a\":1},{\"b\":2}]", None),
            (
                "[\n  {\"a\":1},\r\n  {\"b\":2}\n]\n",
                Some("[   {\"a\":1},    {\"b\":2} ]"),
            ),
            ("{\n\"a\":\"}\"\n}", Some("{ \"a\":\"}\" }")),
            ("[1]\n[2]", None),
            ("{\"a\":\"\n\"}", None),
            ("{\"a\":1\n", None),
            ("x\ny", None),
            ("", None),
        ] {
            let lines = in_lines(body.as_bytes());
            assert_eq!(String::from_utf8_lossy(&lines), expected.unwrap_or(body));
        }
    }
}
