//! Lines of JSON as MessagePack events, and back.

use bytes::Bytes;
use jiff::Timestamp;
use poseur_matcher::record::Record;
use poseur_tagger::json::document::Pool;
use poseur_tagger::msgpack::document::Map;
use poseur_tagger::msgpack::encode::encode;
use poseur_tagger::msgpack::events::event;

use super::lines::{Item, each_item};

/// Lines as events of this time. A line that is neither a JSON object nor a list of them becomes the text `log` of a
/// record, as a shipper has it that cannot parse a line: nothing is lost. Blank lines are.
pub fn lines_to_events(lines: &[u8], time: Timestamp) -> Bytes {
    let mut out = Vec::new();
    each_item(lines, |item| {
        write_time(time, &mut out);
        let start = out.len();
        let text = match item {
            Item::Text(text) => text,
            Item::Object(document, object, text) => {
                if encode(document, object, &mut out).is_ok() {
                    return;
                }
                out.truncate(start);
                text
            }
        };
        out.push(0x81);
        // Writing into memory does not fail.
        let _ = rmp::encode::write_str(&mut out, "log");
        let _ = rmp::encode::write_str_len(&mut out, text.len() as u32);
        out.extend_from_slice(text);
    });
    Bytes::from(out)
}

/// Appends the beginning of an event: what comes next is its record. An `EventTime` has seconds from 1970 to 2106.
pub(super) fn write_time(time: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x92\xD7\x00");
    let seconds = u32::try_from(time.as_second()).unwrap_or(0);
    out.extend_from_slice(&seconds.to_be_bytes());
    let nanoseconds = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
    out.extend_from_slice(&nanoseconds.to_be_bytes());
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
            map.write_json(record, &mut out);
            out.push(b'\n');
        }
        at = event.range.end;
    }
    Some(Bytes::from(out))
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
            (
                "[{\"a\":1}, {\"b\":[{}]}]\n[{},1]\n[]\n",
                Some("{\"a\":1}\n{\"b\":[{}]}\n{\"log\":\"[{},1]\"}\n{\"log\":\"[]\"}\n"),
            ),
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
}
