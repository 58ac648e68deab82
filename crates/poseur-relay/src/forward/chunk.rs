//! Chunks of events in all four modes, and acknowledgements.

use std::borrow::Cow;

use poseur_tagger::msgpack::head::HeadKind;

use super::options::Options;
use super::read::{Reader, Wrong};

/// What a sender sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// Nil: the sender is still there.
    Heartbeat,
    /// Events.
    Chunk(Chunk<'a>),
}

/// Events with a tag, in the one form that all modes come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Where the events belong.
    pub tag: &'a [u8],
    /// Events one after the other, `[time, record]` or `[[time, metadata], record]`; compressed if the options
    /// say so.
    pub events: Cow<'a, [u8]>,
    /// What the sender says about them.
    pub options: Options<'a>,
}

impl<'a> Message<'a> {
    /// Reads a whole message.
    ///
    /// # Errors
    /// If it has none of the protocol's forms. Events themselves are not looked at.
    pub fn read(bytes: &'a [u8]) -> Result<Message<'a>, Wrong> {
        let mut reader = Reader::new(bytes);
        if reader.peek()? == HeadKind::Nil {
            reader.value()?;
            reader.end()?;
            return Ok(Message::Heartbeat);
        }
        let elements = reader.list()?;
        let tag = reader.text()?;
        let place = reader.place();
        let mut left = elements
            .checked_sub(2)
            .ok_or(Wrong::Expected("events", place))?;
        let events = match reader.peek()? {
            HeadKind::Text(_) | HeadKind::Bytes(_) => Cow::Borrowed(reader.text()?),
            HeadKind::List(_) if is_list_of_events(reader)? => {
                let count = reader.list()?;
                let first = reader.place();
                for _ in 0..count {
                    reader.value()?;
                }
                Cow::Borrowed(reader.since(first))
            }
            // A time and a record stand there by themselves: a list of two is an event.
            _ => {
                left = left
                    .checked_sub(1)
                    .ok_or(Wrong::Expected("a record", place))?;
                reader.value()?;
                if !matches!(reader.peek()?, HeadKind::Map(_)) {
                    return Err(Wrong::Expected("a record", reader.place()));
                }
                reader.value()?;
                Cow::Owned([b"\x92", reader.since(place)].concat())
            }
        };
        let options = match left {
            0 => Options::default(),
            1 => Options::read(&mut reader)?,
            _ => return Err(Wrong::Expected("at most one map of options", place)),
        };
        reader.end()?;
        Ok(Message::Chunk(Chunk {
            tag,
            events,
            options,
        }))
    }
}

/// Tells a list of events from a time with metadata, `[time, {metadata}]`: events are lists themselves.
fn is_list_of_events(mut reader: Reader<'_>) -> Result<bool, Wrong> {
    let count = reader.list()?;
    Ok(count == 0 || matches!(reader.peek()?, HeadKind::List(_)))
}

/// What stands before the events of a chunk that is sent on: in the mode PackedForward.
pub fn write_head(tag: &[u8], events: usize, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = rmp::encode::write_array_len(out, 3);
    let _ = rmp::encode::write_str_len(out, tag.len() as u32);
    out.extend_from_slice(tag);
    let _ = rmp::encode::write_bin_len(out, events as u32);
}

/// The acknowledgement of a chunk.
pub fn write_ack(chunk: &[u8], out: &mut Vec<u8>) {
    let _ = rmp::encode::write_map_len(out, 1);
    let _ = rmp::encode::write_str(out, "ack");
    let _ = rmp::encode::write_str_len(out, chunk.len() as u32);
    out.extend_from_slice(chunk);
}

/// The id of the chunk that is acknowledged.
///
/// # Errors
/// If it is no acknowledgement.
pub fn read_ack(bytes: &[u8]) -> Result<&[u8], Wrong> {
    let mut reader = Reader::new(bytes);
    let mut ack = None;
    for _ in 0..reader.map()? {
        match reader.text()? {
            b"ack" => ack = Some(reader.text()?),
            _ => {
                reader.value()?;
            }
        }
    }
    reader.end()?;
    ack.ok_or(Wrong::Expected("an `ack`", 0))
}

#[cfg(test)]
mod tests {
    use rmpv::Value;

    use super::*;
    use crate::compression::Compression;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, value).unwrap();
        out
    }

    fn list(items: &[Value]) -> Value {
        Value::Array(items.to_vec())
    }

    fn map(pairs: &[(&str, Value)]) -> Value {
        let pairs = pairs.iter();
        Value::Map(
            pairs
                .map(|(key, value)| ((*key).into(), value.clone()))
                .collect(),
        )
    }

    #[test]
    fn all_modes_come_to_one_form() {
        let (tag, record) = (Value::from("o365"), map(&[("a", 1.into())]));
        let times = [
            Value::from(1_700_000_000),
            Value::Ext(0, vec![0x65, 0, 0, 0, 0, 0, 0, 1]),
            list(&[Value::Ext(0, vec![0x65, 0, 0, 0, 0, 0, 0, 1]), map(&[])]),
        ];
        let id = b"p8n9gmxTQVC8/nh2wlKKeQ==";
        let options = map(&[
            ("size", 2.into()),
            ("chunk", Value::from(std::str::from_utf8(id).unwrap())),
            ("unknown", list(&[1.into()])),
        ]);
        for time in times {
            let event = bytes(&list(&[time.clone(), record.clone()]));
            let two = [&event[..], &event].concat();
            let entry = list(&[time.clone(), record.clone()]);
            let forms = [
                (vec![tag.clone(), time.clone(), record.clone()], &event),
                (vec![tag.clone(), list(&[entry.clone(), entry])], &two),
                (vec![tag.clone(), Value::Binary(two.clone())], &two),
            ];
            for (form, expected) in forms {
                for (more, wanted) in [
                    (None, Options::default()),
                    (Some(Value::Nil), Options::default()),
                    (
                        Some(options.clone()),
                        Options {
                            chunk: Some(id),
                            size: Some(2),
                            ..Options::default()
                        },
                    ),
                ] {
                    let form: Vec<Value> = form.iter().cloned().chain(more).collect();
                    let message = bytes(&Value::Array(form));
                    let Message::Chunk(chunk) = Message::read(&message).unwrap() else {
                        panic!("no chunk");
                    };
                    assert_eq!(chunk.tag, b"o365");
                    assert_eq!(&*chunk.events, &expected[..], "{message:x?}");
                    assert_eq!(chunk.options, wanted);
                    for cut in 0..message.len() {
                        assert!(Message::read(&message[..cut]).is_err());
                    }
                }
            }
        }
        assert_eq!(Message::read(b"\xC0"), Ok(Message::Heartbeat));
        let none = bytes(&list(&[tag, list(&[])]));
        let Ok(Message::Chunk(chunk)) = Message::read(&none) else {
            panic!("no chunk");
        };
        assert!(chunk.events.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (bytes, message) in [
            (&b"\x81\xA1a\x01"[..], "an array was expected at byte 0"),
            (b"\x92\x01\x90", "a text was expected at byte 1"),
            (b"\x91\xA1t", "events was expected at byte 3"),
            (b"\x92\xA1t\x05", "a record was expected at byte 3"),
            (b"\x93\xA1t\x05\x06", "a record was expected at byte 4"),
            (b"\x93\xA1t\xC4\x00\x05", "a map was expected at byte 5"),
            (
                b"\x93\xA1t\xC4\x00\x81\xAAcompressed\xA3lz4",
                "text, gzip or zstd was expected at byte 17",
            ),
            (
                b"\x94\xA1t\xC4\x00\x80\x80",
                "at most one map of options was expected at byte 3",
            ),
            (b"\x92\xA1t\x90\x00", "the end was expected at byte 4"),
            (b"\x92\xA1t\xC1", "it is no MessagePack"),
        ] {
            let error = Message::read(bytes).unwrap_err().to_string();
            assert_eq!(error, message, "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let events = b"\x92\x05\x81\xA1a\x01".repeat(70_000);
        for options in [
            Options::default(),
            Options {
                chunk: Some(b"id"),
                size: Some(70_000),
                compression: Compression::Gzip,
                signal: 1,
            },
        ] {
            let mut message = Vec::new();
            write_head(b"tag", events.len(), &mut message);
            message.extend_from_slice(&events);
            options.write(&mut message);
            let expected = Chunk {
                tag: b"tag",
                events: Cow::Borrowed(&events),
                options,
            };
            assert_eq!(Message::read(&message), Ok(Message::Chunk(expected)));
        }
        let mut ack = Vec::new();
        write_ack(b"id", &mut ack);
        assert_eq!(read_ack(&ack), Ok(&b"id"[..]));
        assert_eq!(ack, b"\x81\xA3ack\xA2id");
        assert!(read_ack(b"\x81\xA1a\x01").is_err() && read_ack(b"\xC0").is_err());
    }
}
