//! Lines of JSON and MessagePack events as requests of Vector's protocol, and back.

use std::ops::{ControlFlow, Range};

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::record::{Handle, Kind, Record, Unreadable};
use poseur_tagger::events::{Event, Format};
use poseur_tagger::json::document::Pool;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::encode::encode;
use poseur_tagger::msgpack::events::event;
use poseur_tagger::msgpack::head::{HeadKind, head};
use poseur_tagger::protobuf::document::Log;
use poseur_tagger::protobuf::encode::{MOST_READ, encode_contents, write_entry};
use poseur_tagger::protobuf::message::{FIRST, VALUE, kind};
use poseur_tagger::protobuf::push::Push;
use poseur_tagger::protobuf::wire::{Value, fields, write_nested, write_varint};

use super::NotConvertible;
use super::events::write_time;
use super::lines::{Item, each_item};

/// How many messages may be inside each other in a log: the event and the log are around them.
const LEFT: usize = MOST_READ - 2;

/// The member that holds what has no other place, as Vector has it of itself.
const MESSAGE: &[u8] = b"message";

/// The member that holds when.
const TIMESTAMP: &[u8] = b"timestamp";

/// Lines as logs. Blank lines are left out.
pub fn lines_to_push(lines: &[u8]) -> Bytes {
    let mut out = Vec::new();
    each_item(lines, |item| {
        write_log(&mut out, |out| {
            let start = out.len();
            let text = match item {
                Item::Text(text) => text,
                Item::Object(document, object, text) => {
                    if encode_contents(document, object, LEFT, out).is_ok() {
                        return;
                    }
                    out.truncate(start);
                    text
                }
            };
            write_text(text, out);
        });
    });
    Bytes::from(out)
}

/// Events as logs. What marks groups of events, or is no event, has no log. `None` if the events cannot be
/// taken apart.
pub fn events_to_push(events: &[u8]) -> Option<Bytes> {
    let (pool, mut out, mut at) = (Pool::default(), Vec::new(), 0);
    while at < events.len() {
        let event = event(events, at).ok()?;
        at = event.range.end;
        let Some(record) = event.record else {
            continue;
        };
        let map = Map::new(events, record, &pool).ok()?;
        map.check().ok()?;
        write_log(&mut out, |out| {
            let start = out.len();
            if encode_contents(&map, record, LEFT, out).is_err() {
                out.truncate(start);
                let mut text = Vec::new();
                map.write_json(record, &mut text);
                write_text(&text, out);
            }
            let time = event_time(events, &event);
            if let Some(time) = time.filter(|_| member(&map, TIMESTAMP).is_none()) {
                write_timestamp(time, out);
            }
        });
    }
    Some(Bytes::from(out))
}

/// Logs as lines.
///
/// # Errors
/// If there is something else among them, or they cannot be taken apart.
pub fn push_to_lines(request: &[u8]) -> Result<Bytes, NotConvertible> {
    let mut out = Vec::new();
    each_log(request, |log| {
        log.write_json(log.root(), &mut out);
        out.push(b'\n');
        Ok(())
    })?;
    Ok(Bytes::from(out))
}

/// Logs as events; of those without a time, this is it.
///
/// # Errors
/// If there is something else among them, or they cannot be taken apart.
pub fn push_to_events(request: &[u8], time: Timestamp) -> Result<Bytes, NotConvertible> {
    let mut out = Vec::new();
    each_log(request, |log| {
        let own = member(log, TIMESTAMP).filter(|own| log.kind(*own) == Kind::Text);
        let own = own.and_then(|own| {
            let mut text = Vec::new();
            str::from_utf8(log.text(own, &mut text)).ok()?.parse().ok()
        });
        let own = own.filter(|own: &Timestamp| u32::try_from(own.as_second()).is_ok());
        write_time(own.unwrap_or(time), &mut out);
        encode(log, log.root(), &mut out).map_err(|_| NotConvertible::Opaque)
    })?;
    Ok(Bytes::from(out))
}

/// Visits the logs of a request. What is no map is the `message` of one.
fn each_log(
    request: &[u8],
    mut visit: impl FnMut(&Log<'_>) -> Result<(), NotConvertible>,
) -> Result<(), NotConvertible> {
    let opaque = |_| NotConvertible::Opaque;
    let (pool, mut at, mut others) = (Pool::default(), 0, 0);
    while at < request.len() {
        let event = Push::event(request, at).map_err(opaque)?;
        at = event.range.end;
        let Some(place) = event.record else {
            continue;
        };
        let made;
        let log = match Log::new(request, place, &pool) {
            Err(Unreadable::NotAnObject) => {
                made = in_message(request, place).ok_or(NotConvertible::Opaque)?;
                let (start, end) = (0, made.len());
                Log::new(&made, Handle { start, end }, &pool)
            }
            other => other,
        };
        match log.map_err(opaque)? {
            Some(log) => {
                log.check().map_err(opaque)?;
                visit(&log)?;
            }
            None => others += 1,
        }
    }
    match others {
        0 => Ok(()),
        _ => Err(NotConvertible::NoLogs(others)),
    }
}

/// A log with the value of another as its `message`.
fn in_message(request: &[u8], event: Handle) -> Option<Vec<u8>> {
    let inside = |place: Range<usize>, number| {
        let mut fields = fields(request, place).map_while(Result::ok);
        let field = fields.find(|field| field.number == number)?;
        match field.value {
            Value::Bytes(range) => Some(range),
            _ => None,
        }
    };
    let event = inside(event.start..event.end, FIRST)?;
    let value = inside(inside(event, FIRST)?, VALUE)?;
    let mut out = Vec::new();
    write_log(&mut out, |out| {
        write_entry(MESSAGE, out, |out| {
            out.extend_from_slice(&request[value.clone()]);
        });
    });
    Some(out)
}

/// Appends a log as an event; `write` appends its entries.
fn write_log(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    write_nested(FIRST, out, |out| write_nested(FIRST, out, write));
}

/// Appends the entry of a text that has no other place.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    write_entry(MESSAGE, out, |out| {
        write_nested(kind::BYTES, out, |out| out.extend_from_slice(text));
    });
}

/// Appends the entry of an event's time.
fn write_timestamp(time: Timestamp, out: &mut Vec<u8>) {
    let parts = [(1, time.as_second()), (2, time.subsec_nanosecond().into())];
    write_entry(TIMESTAMP, out, |out| {
        write_nested(kind::TIME, out, |out| {
            for (number, part) in parts {
                write_varint(number << 3, out);
                write_varint(part as u64, out);
            }
        });
    });
}

/// The value of a record's member.
fn member(record: &dyn Record, key: &[u8]) -> Option<Handle> {
    let mut found = None;
    let _ = record.members(record.root(), &mut |name, value| match name == key {
        true => {
            found = Some(value);
            ControlFlow::Break(())
        }
        false => ControlFlow::Continue(()),
    });
    found
}

/// When an event was, to the nanosecond.
fn event_time(events: &[u8], event: &Event) -> Option<Timestamp> {
    let mut time = head(events, head(events, event.range.start).ok()?.content).ok()?;
    if let HeadKind::List(_) = time.kind {
        time = head(events, time.content).ok()?;
    }
    let time = match time.kind {
        HeadKind::Extension(0, 8) => {
            let number = |at: usize| {
                let bytes = events.get(at..)?.first_chunk()?;
                Some(u32::from_be_bytes(*bytes))
            };
            let (seconds, nanoseconds) = (number(time.content)?, number(time.content + 4)?);
            Timestamp::new(seconds.into(), i32::try_from(nanoseconds).ok()?)
        }
        HeadKind::Integer(seconds) => Timestamp::from_second(i64::try_from(seconds).ok()?),
        HeadKind::Float32(seconds) => from_float(seconds.into()),
        HeadKind::Float64(seconds) => from_float(seconds),
        _ => return None,
    };
    // A `Timestamp` of protobuf has its nanoseconds after the second.
    time.ok().filter(|time| time.as_second() >= 0)
}

fn from_float(seconds: f64) -> Result<Timestamp, jiff::Error> {
    Timestamp::from_nanosecond((seconds * 1e9) as i128)
}

#[cfg(test)]
mod tests {
    use super::super::{events_to_lines, lines_to_events};
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_come_back() {
        let deep = |levels: usize| {
            let (open, close) = (r#"{"a":"#.repeat(levels), "}".repeat(levels));
            format!("{open}1{close}\n")
        };
        // What 100 messages hold: the event, the log, and three for each map below.
        let (kept, wrapped) = (deep(33), deep(34));
        let as_text = format!(
            "{{\"message\":\"{}\"}}\n",
            wrapped.trim_end().replace('"', "\\\"")
        );
        for (lines, expected) in [
            ("{\"a\":1}\n{\"b\":[true,null,-7,1.5,\"x\",{},[]]}\n", None),
            (
                "{\"max\":9223372036854775807,\"min\":-9223372036854775808}\n",
                None,
            ),
            (
                "{\"big\":9223372036854775808}\n",
                Some("{\"big\":9.223372036854776e18}\n"),
            ),
            ("{\"a\":1,\"a\":2}", Some("{\"a\":2}\n")),
            ("", None),
            (" \n\r\n{ \"a\" : 1 }\r\n", Some("{\"a\":1}\n")),
            (
                "no \"JSON\"\n[1]\n",
                Some("{\"message\":\"no \\\"JSON\\\"\"}\n{\"message\":\"[1]\"}\n"),
            ),
            (&kept, None),
            (&wrapped, Some(&as_text)),
        ] {
            let request = lines_to_push(lines.as_bytes());
            let expected = expected.unwrap_or(lines);
            assert_eq!(text(&push_to_lines(&request).unwrap()), expected);
            let events = push_to_events(&request, NOW).unwrap();
            assert_eq!(text(&events_to_lines(&events).unwrap()), expected);
        }
    }

    #[test]
    fn times_come_back() {
        let time = "2026-11-20T12:00:00.000000005Z".parse().unwrap();
        for (lines, expected) in [
            (
                "{\"a\":1}",
                "{\"a\":1,\"timestamp\":\"2026-11-20T12:00:00.000000005Z\"}\n",
            ),
            ("{\"timestamp\":\"then\"}", "{\"timestamp\":\"then\"}\n"),
        ] {
            let events = lines_to_events(lines.as_bytes(), time);
            let request = events_to_push(&events).unwrap();
            assert_eq!(text(&push_to_lines(&request).unwrap()), expected);
            let back = push_to_events(&request, NOW).unwrap();
            assert_eq!(text(&events_to_lines(&back).unwrap()), expected);
            let mut first = Vec::new();
            write_time(if lines.contains("then") { NOW } else { time }, &mut first);
            assert!(back.starts_with(&first), "{back:x?}");
        }
        // Text that is a time is one, too.
        let request = lines_to_push(b"{\"timestamp\":\"2026-11-20T12:00:00.000000005Z\"}");
        let mut first = Vec::new();
        write_time(time, &mut first);
        assert!(push_to_events(&request, NOW).unwrap().starts_with(&first));
        for (event, expected) in [
            (&b"\x92\x05\x80"[..], Some("1970-01-01T00:00:05Z")),
            (
                b"\x92\xCB\x3F\xF8\0\0\0\0\0\0\x80",
                Some("1970-01-01T00:00:01.500Z"),
            ),
            (
                b"\x92\xCB\x7F\xF8\0\0\0\0\0\0\x80",
                Some("1970-01-01T00:00:00Z"),
            ),
            (
                b"\x92\x92\xD7\0\0\0\0\x01\0\0\0\0\x80\x80",
                Some("1970-01-01T00:00:01Z"),
            ),
            (b"\x92\xD7\0\0\0\0\x01\xFF\0\0\0\x80", None),
        ] {
            let request = events_to_push(event).unwrap();
            let expected = match expected {
                Some(time) => format!("{{\"timestamp\":\"{time}\"}}\n"),
                None => "{}\n".to_owned(),
            };
            assert_eq!(
                text(&push_to_lines(&request).unwrap()),
                expected,
                "{event:x?}"
            );
        }
    }

    #[test]
    fn bytes_stay_bytes() {
        let event = b"\x92\x05\x82\xA1b\xC4\x02\xFF\x00\xA9timestamp\xC0";
        let request = events_to_push(event).unwrap();
        assert!(request.windows(4).any(|bytes| bytes == b"\x0A\x02\xFF\x00"));
        assert_eq!(events_to_push(b"\x92\x05"), None);
        let marker = b"\x92\x92\xD7\x00\xFF\xFF\xFF\xFF\x00\x00\x00\x00\x80\x80";
        assert_eq!(events_to_push(marker), Some(Bytes::new()));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let log = lines_to_push(b"{\"a\":1}");
        let metric = b"\x0A\x03\x12\x01\x00";
        for (request, expected) in [
            (vec![], Ok("")),
            (b"\x0A\x00".to_vec(), Err(NotConvertible::NoLogs(1))),
            (
                [&log[..], metric, metric].concat(),
                Err(NotConvertible::NoLogs(2)),
            ),
            (log[..log.len() - 1].to_vec(), Err(NotConvertible::Opaque)),
            // A log whose value is text, and one whose value is none.
            (
                b"\x0A\x08\x0A\x06\x12\x04\x0A\x02hi".to_vec(),
                Ok("{\"message\":\"hi\"}\n"),
            ),
            (
                b"\x0A\x04\x0A\x02\x12\x00".to_vec(),
                Ok("{\"message\":null}\n"),
            ),
            // A field that nobody knows.
            ([&b"\x20\x01"[..], &log].concat(), Ok("{\"a\":1}\n")),
            // A key that is no UTF-8.
            (
                b"\x0A\x0B\x0A\x09\x0A\x07\x0A\x01\xFF\x12\x02\x30\x01".to_vec(),
                Err(NotConvertible::Opaque),
            ),
        ] {
            let lines = push_to_lines(&request);
            let lines = lines.as_deref().map(text).map_err(Clone::clone);
            assert_eq!(lines, expected, "{request:x?}");
            let events = push_to_events(&request, NOW).map(drop);
            assert_eq!(events, expected.map(drop), "{request:x?}");
        }
    }
}
