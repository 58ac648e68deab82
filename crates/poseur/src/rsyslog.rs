//! Replies to rsyslog's `mmexternal`: it writes a message a line, and waits for one line that says what is to change in it.
//!
//! The reply is a JSON object of message properties; `{}` leaves the message as it is. Every line gets one, readable or
//! not: rsyslog waits for it without end.

use jiff::Timestamp;
use poseur_tagger::frames::{Content, Frame};
use poseur_tagger::{Tagged, Tagger};

/// Nothing is to change.
const UNCHANGED: &[u8] = b"{}\n";

/// A reply to each line that ends in a frame.
pub fn replies(frame: &Frame, tagger: &mut Tagger, now: Timestamp) -> Vec<u8> {
    let bytes = frame.bytes();
    if frame.content() != Content::Lines {
        // A line too long comes in pieces, and has one end.
        let ends = bytes.ends_with(b"\n");
        return if ends { UNCHANGED } else { b"" }.to_vec();
    }
    let mut replies = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let tagged = tagger.tag(line, now);
        match tagged.is_unchanged() {
            true => replies.extend_from_slice(UNCHANGED),
            false => message(&tagged, &mut replies),
        }
    }
    replies
}

/// The message is to be the tagged record.
fn message(tagged: &Tagged<'_>, text: &mut Vec<u8>) {
    text.extend_from_slice(b"{\"msg\":\"");
    for &byte in tagged.slices().flatten() {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            // White space between values: nothing else below 0x20 is in a record that was tagged.
            0..=0x1F => {
                let escape = format!("\\u{byte:04x}");
                text.extend_from_slice(escape.as_bytes());
            }
            _ => text.push(byte),
        }
    }
    text.extend_from_slice(b"\"}\n");
}
