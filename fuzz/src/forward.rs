//! The Forward protocol's readers, on any bytes.

use std::io::Cursor;

use bytes::{Bytes, BytesMut};
use poseur_relay::forward::chunk::{Chunk, Message, read_ack};
use poseur_relay::forward::codec::{CutError, Messages};
use poseur_relay::forward::handshake::{Helo, Ping};
use rmpv::Value;
use tokio_util::codec::Decoder;

/// The largest message that is taken.
const LIMIT: usize = 1 << 16;

/// Messages are cut at the same places however they arrive, and where another reader ends a value; what is read of
/// one is what that reader finds in it.
///
/// # Panics
/// If it is not so.
pub fn forward(data: &[u8]) {
    let Some((&first, stream)) = data.split_first() else {
        return;
    };
    let whole = cut(stream, stream.len().max(1));
    let pieces = cut(stream, usize::from(first) + 1);
    assert_eq!(whole.0, pieces.0, "pieces make other messages");
    let (messages, broken) = whole;
    let mut rest = Cursor::new(stream);
    for message in &messages {
        let start = rest.position() as usize;
        assert_eq!(&stream[start..start + message.len()], &message[..]);
        rest.set_position((start + message.len()) as u64);
        // The other reader does not go as deep.
        let Ok(value) = rmpv::decode::read_value(&mut &message[..]) else {
            continue;
        };
        let _ = (Helo::read(message), Ping::read(message), read_ack(message));
        match (Message::read(message), &value) {
            (Ok(Message::Heartbeat), Value::Nil) => {}
            (Ok(Message::Heartbeat), _) => panic!("{value} is no heartbeat"),
            (Ok(Message::Chunk(chunk)), Value::Array(items)) => compare(&chunk, items),
            (Ok(Message::Chunk(_)), _) => panic!("{value} is no chunk"),
            (Err(_), Value::Array(items)) => assert!(!is_plain(items), "{value} is a chunk"),
            (Err(_), Value::Nil) => panic!("a heartbeat was refused"),
            (Err(_), _) => {}
        }
    }
    if !broken {
        let rest = &stream[rest.position() as usize..];
        assert!(
            rest.is_empty() || rmpv::decode::read_value(&mut &rest[..]).is_err(),
            "a whole message was left"
        );
    }
}

/// The messages of a stream that arrives in pieces of this size, and whether it was given up.
fn cut(stream: &[u8], size: usize) -> (Vec<Bytes>, bool) {
    let (mut codec, mut buffer, mut found) = (Messages::new(LIMIT), BytesMut::new(), Vec::new());
    for piece in stream.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(CutError::Io(error)) => panic!("{error}: nothing is read here"),
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// The text or bytes of a value.
fn text(value: &Value) -> Option<&[u8]> {
    match value {
        Value::String(text) => Some(text.as_bytes()),
        Value::Binary(bytes) => Some(bytes),
        _ => None,
    }
}

/// Whether this is a chunk that nobody could doubt: a tag, and events in one piece.
fn is_plain(items: &[Value]) -> bool {
    items.len() == 2 && items.iter().all(|item| text(item).is_some())
}

fn compare(chunk: &Chunk<'_>, items: &[Value]) {
    assert_eq!(Some(chunk.tag), text(&items[0]), "the tag");
    let mut events = Vec::new();
    let mut rest = &chunk.events[..];
    let options = match &items[1] {
        packed if text(packed).is_some() => {
            assert_eq!(Some(rest), text(packed), "the events in one piece");
            items.get(2)
        }
        list => {
            while !rest.is_empty() {
                events.push(rmpv::decode::read_value(&mut rest).expect("events are values"));
            }
            match list {
                Value::Array(list) if list.is_empty() || list[0].is_array() => {
                    // Text, since a number that is none equals nothing.
                    assert_eq!(format!("{events:?}"), format!("{list:?}"), "the events");
                    items.get(2)
                }
                _ => {
                    let event = Value::Array(items[1..3].to_vec());
                    assert_eq!(format!("{events:?}"), format!("{:?}", [event]), "the event");
                    items.get(3)
                }
            }
        }
    };
    let ids = options.and_then(Value::as_map).into_iter().flatten();
    let mut ids = ids.filter(|(key, value)| text(key) == Some(b"chunk") && text(value).is_some());
    let id = ids.next_back().and_then(|(_, value)| text(value));
    assert_eq!(chunk.options.chunk, id, "the id");
}
