//! Records in one form made into another, where a source and a sink do not speak the same.
//!
//! Everything that a form can say is kept: texts byte for byte, integers of 64 bits, floats of 64 bits, truth values, null,
//! lists and maps. The rest:
//!
//! - JSON has no bytes, points in time, or types of applications. Bytes become text, Vector's points in time become
//!   RFC 3339, what is of an application's type becomes null, and so do floats that are no finite number.
//! - MessagePack and Vector's protocol have no numbers beyond 64 bits: integers beyond, and in Vector's protocol
//!   those from 2^63 on, become floats; what is beyond a float's range becomes null. MessagePack's keys that are
//!   neither text nor bytes are left out with their values.
//! - Vector's protocol takes a key once: of members with the same key, readers take the last. Keys that are not UTF-8
//!   get U+FFFD for what is not. Of MessagePack, texts and bytes become the same, Vector's bytes, and these become text.
//! - A line that is a list of objects becomes an event or a log for each of them. Any other line that is no JSON
//!   object is kept as the text `log` of an event, and as the text `message` of a log; so is,
//!   in a log, a record that nests deeper than Vector's readers go ([`MOST_READ`]).
//! - A log of Vector's that is no map becomes the `message` of a record.
//! - The time of an event becomes the `timestamp` of a log that has none, and a `timestamp`, which stays where it is, becomes the
//!   time of an event. Lines have no time of their own: events that are made of them, or of logs without one, get
//!   that of the conversion. Metadata of events and of logs is left out.
//! - Metrics and traces have no other form, and nor has what cannot be taken apart: see [`NotConvertible`].
//!
//! [`MOST_READ`]: poseur_tagger::protobuf::encode::MOST_READ

mod events;
mod http_body;
mod lines;
mod push;

use jiff::Timestamp;

pub use self::events::{events_to_lines, lines_to_events};
pub use self::http_body::in_lines;
pub use self::push::{events_to_push, lines_to_push, push_to_events, push_to_lines};
use crate::batch::{Batch, Body, Form};

/// Why a batch has no form that a sink takes. None of it was converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotConvertible {
    /// Metrics or traces that Fluent Bit sent.
    #[error(
        "metrics and traces have no form that this sink takes: use a sink of the source's kind"
    )]
    Signal,
    /// So many metrics and traces among Vector's events.
    #[error(
        "{0} metrics or traces have no form that this sink takes: \
        send Poseur only logs, or use a sink of the kind vector"
    )]
    NoLogs(usize),
    /// Events that cannot be taken apart.
    #[error("events that cannot be taken apart have no form that this sink takes")]
    Opaque,
}

/// A batch in the form that a sink takes. Records without a time get this one where they need one.
///
/// # Errors
/// If there is none.
pub fn into(batch: Batch, form: Form, time: Timestamp) -> Result<Batch, NotConvertible> {
    let bytes = || batch.body.pieces().to_bytes();
    let opaque = NotConvertible::Opaque;
    let body = match (&batch.body, form) {
        (_, Form::Any)
        | (Body::Events(_) | Body::Signal(..), Form::Events)
        | (Body::Lines(_), Form::Lines)
        | (Body::Push(_), Form::Push) => return Ok(batch),
        (Body::Lines(_), Form::Events) => Body::Events(lines_to_events(&bytes(), time).into()),
        (Body::Lines(_), Form::Push) => Body::Push(lines_to_push(&bytes()).into()),
        (Body::Events(_), Form::Lines) => {
            Body::Lines(events_to_lines(&bytes()).ok_or(opaque)?.into())
        }
        (Body::Events(_), Form::Push) => Body::Push(events_to_push(&bytes()).ok_or(opaque)?.into()),
        (Body::Push(_), Form::Lines) => Body::Lines(push_to_lines(&bytes())?.into()),
        (Body::Push(_), Form::Events) => Body::Events(push_to_events(&bytes(), time)?.into()),
        (Body::Signal(..), Form::Lines | Form::Push) => return Err(NotConvertible::Signal),
    };
    Ok(Batch::new(batch.tag, body))
}
