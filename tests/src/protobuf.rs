//! Vector's messages by a plain codec: JSON records as logs, and back; what tagging leaves of a request.

use std::collections::BTreeMap;

use jiff::Span;
use jiff::civil::date;
use poseur_tagger::{Style, TagOptions};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::reference::json::{self, Value};
use crate::splicing::ECS;

/// `vector.PushEventsRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct PushEventsRequest {
    /// The events.
    #[prost(message, repeated, tag = "1")]
    pub events: Vec<EventWrapper>,
}

/// `event.EventWrapper`.
#[derive(Clone, PartialEq, Message)]
pub struct EventWrapper {
    /// What it is.
    #[prost(oneof = "Event", tags = "1, 2, 3")]
    pub event: Option<Event>,
}

/// What an event is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Event {
    /// A log.
    #[prost(message, tag = "1")]
    Log(Log),
    /// A metric, of which only the name is declared here.
    #[prost(message, tag = "2")]
    Metric(Named),
    /// A trace, of which only the fields are declared here.
    #[prost(message, tag = "3")]
    Trace(ValueMap),
}

/// What has a name.
#[derive(Clone, PartialEq, Message)]
pub struct Named {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `event.Log`.
#[derive(Clone, PartialEq, Message)]
pub struct Log {
    /// The record.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, LogValue>,
    /// The record, if this is there.
    #[prost(message, optional, tag = "2")]
    pub value: Option<LogValue>,
    /// Old metadata.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<LogValue>,
    /// Metadata, of which only the value is declared here.
    #[prost(message, optional, tag = "4")]
    pub metadata_full: Option<Metadata>,
}

/// `event.Metadata`.
#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    /// Any value.
    #[prost(message, optional, tag = "1")]
    pub value: Option<LogValue>,
}

/// `event.ValueMap`.
#[derive(Clone, PartialEq, Message)]
pub struct ValueMap {
    /// The members.
    #[prost(btree_map = "string, message", tag = "1")]
    pub fields: BTreeMap<String, LogValue>,
}

/// `event.ValueArray`.
#[derive(Clone, PartialEq, Message)]
pub struct ValueArray {
    /// The elements.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<LogValue>,
}

/// `event.Value`.
#[derive(Clone, PartialEq, Message)]
pub struct LogValue {
    /// What it is.
    #[prost(oneof = "LogKind", tags = "1, 2, 4, 5, 6, 7, 8, 9")]
    pub kind: Option<LogKind>,
}

/// What a value is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum LogKind {
    /// Text or bytes.
    #[prost(bytes, tag = "1")]
    RawBytes(Vec<u8>),
    /// A point in time.
    #[prost(message, tag = "2")]
    Timestamp(Time),
    /// An integer.
    #[prost(int64, tag = "4")]
    Integer(i64),
    /// A float.
    #[prost(double, tag = "5")]
    Float(f64),
    /// A truth value.
    #[prost(bool, tag = "6")]
    Boolean(bool),
    /// A map.
    #[prost(message, tag = "7")]
    Map(ValueMap),
    /// A list.
    #[prost(message, tag = "8")]
    Array(ValueArray),
    /// Nothing.
    #[prost(int32, tag = "9")]
    Null(i32),
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Time {
    /// Seconds since 1970.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds after them.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl From<LogKind> for LogValue {
    fn from(kind: LogKind) -> LogValue {
        LogValue { kind: Some(kind) }
    }
}

/// A JSON value as Vector has it; `None` if a key is not UTF-8. Of members with the same key the last counts.
pub fn packed_value(value: &Value) -> Option<LogValue> {
    let kind = match value {
        Value::Null => LogKind::Null(0),
        Value::Bool(truth) => LogKind::Boolean(*truth),
        Value::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(number), _) => LogKind::Integer(number),
            (_, Ok(number)) if number.is_finite() => LogKind::Float(number),
            _ => LogKind::Null(0),
        },
        Value::Text(text) => LogKind::RawBytes(text.clone()),
        Value::List(items) => LogKind::Array(ValueArray {
            items: items.iter().map(packed_value).collect::<Option<_>>()?,
        }),
        Value::Map(members) => LogKind::Map(ValueMap {
            fields: packed_members(members)?,
        }),
    };
    Some(kind.into())
}

fn packed_members(members: &[(Vec<u8>, Value)]) -> Option<BTreeMap<String, LogValue>> {
    let members = members.iter().map(|(key, value)| {
        let key = String::from_utf8(key.clone()).ok()?;
        Some((key, packed_value(value)?))
    });
    members.collect()
}

/// A JSON object as the fields of a log; `None` if it is not readable, or no object.
pub fn packed(record: &[u8]) -> Option<BTreeMap<String, LogValue>> {
    match json::parse(record).ok()?.value {
        Value::Map(members) => packed_members(&members),
        _ => None,
    }
}

/// The same as JSON again.
pub fn unpacked(fields: &BTreeMap<String, LogValue>) -> Vec<u8> {
    json::compact(&unpacked_members(fields))
}

fn unpacked_members(fields: &BTreeMap<String, LogValue>) -> Value {
    let members = fields.iter();
    let members = members.map(|(key, value)| (key.clone().into_bytes(), unpacked_value(value)));
    Value::Map(members.collect())
}

/// A value as Vector's JSON codec writes it; what that cannot write is null.
pub fn unpacked_value(value: &LogValue) -> Value {
    match &value.kind {
        Some(LogKind::RawBytes(text)) => Value::Text(text.clone()),
        Some(LogKind::Timestamp(time)) => unpacked_time(*time),
        Some(LogKind::Integer(number)) => Value::Number(number.to_string()),
        Some(LogKind::Float(number)) if number.is_finite() => Value::Number(format!("{number:?}")),
        Some(LogKind::Boolean(truth)) => Value::Bool(*truth),
        Some(LogKind::Map(map)) => unpacked_members(&map.fields),
        Some(LogKind::Array(array)) => {
            Value::List(array.items.iter().map(unpacked_value).collect())
        }
        Some(LogKind::Float(_) | LogKind::Null(_)) | None => Value::Null,
    }
}

fn unpacked_time(Time { seconds, nanos }: Time) -> Value {
    let days = seconds.div_euclid(86_400);
    let days = Span::new().try_days(days).ok();
    let day = days.and_then(|days| date(1970, 1, 1).checked_add(days).ok());
    let Some(day) = day.filter(|day| day.year() >= 1 && (0..1_000_000_000).contains(&nanos)) else {
        return Value::Null;
    };
    let second = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let mut text = format!("{day}T{hour:02}:{minute:02}:{second:02}");
    let mut digits = &*format!(".{nanos:09}");
    while let Some(fewer) = digits.strip_suffix("000") {
        digits = fewer;
    }
    if digits != "." {
        text.push_str(digits);
    }
    Value::Text((text + "Z").into_bytes())
}

/// The value with the keys of its objects in order.
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Map(members) => {
            let members = members.into_iter();
            let mut members: Vec<_> = members.map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            Value::Map(members)
        }
        Value::List(items) => Value::List(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// A log with these fields as an event, in the two forms that Vector knows.
pub fn events_of(fields: &BTreeMap<String, LogValue>) -> [EventWrapper; 2] {
    let log = Log {
        fields: fields.clone(),
        metadata_full: Some(Metadata {
            value: Some(LogKind::RawBytes(b"metadata".to_vec()).into()),
        }),
        ..Log::default()
    };
    let map = ValueMap {
        fields: fields.clone(),
    };
    let dummy = (".".to_owned(), LogKind::Null(0).into());
    let other = Log {
        fields: BTreeMap::from([dummy]),
        value: Some(LogKind::Map(map).into()),
        ..Log::default()
    };
    [log, other].map(|log| EventWrapper {
        event: Some(Event::Log(log)),
    })
}

/// A request with these events.
pub fn request(events: &[EventWrapper]) -> Vec<u8> {
    let events = events.to_vec();
    PushEventsRequest { events }.encode_to_vec()
}

/// The records of a request's logs.
///
/// # Panics
/// If it is no request, or a log is no map.
pub fn records(request: &[u8]) -> Vec<BTreeMap<String, LogValue>> {
    let request = PushEventsRequest::decode(request).expect("a request");
    let events = request.events.into_iter();
    let records = events.filter_map(|event| match event.event {
        Some(Event::Log(Log {
            value: None,
            fields,
            ..
        })) => Some(fields),
        Some(Event::Log(Log {
            value: Some(value), ..
        })) => match value.kind {
            Some(LogKind::Map(map)) => Some(map.fields),
            other => panic!("{other:?} is no map"),
        },
        _ => None,
    });
    records.collect()
}

/// Checks that a request is another one with nothing but tags more: the same fields in the same order, byte for byte;
/// in records members at the end, values of members that are tags, and in the `ecs` style elements of `tags`.
///
/// # Panics
/// If it is not.
pub fn nothing_but_tags(before: &[u8], after: &[u8], options: &TagOptions) {
    compare(&REQUEST, before, after, options, false);
}

/// The fields of a message that are messages.
struct Inner {
    /// Where entries of maps are.
    entries: bool,
    of: fn(u32) -> Option<&'static Inner>,
}

const PLAIN: bool = false;
static REQUEST: Inner = inner(PLAIN, |number| (number == 1).then_some(&WRAPPER));
static WRAPPER: Inner = inner(PLAIN, |number| (number == 1).then_some(&LOG));
static LOG: Inner = inner(true, |number| match number {
    1 => Some(&ENTRY),
    2 => Some(&VALUE),
    _ => None,
});
static ENTRY: Inner = inner(PLAIN, |number| (number == 2).then_some(&VALUE));
static MAP: Inner = inner(true, |number| (number == 1).then_some(&ENTRY));
static LIST: Inner = inner(PLAIN, |number| (number == 1).then_some(&VALUE));
static VALUE: Inner = inner(PLAIN, |number| match number {
    7 => Some(&MAP),
    8 => Some(&LIST),
    _ => None,
});

const fn inner(entries: bool, of: fn(u32) -> Option<&'static Inner>) -> Inner {
    Inner { entries, of }
}

/// A field of a message.
struct Field<'a> {
    number: u32,
    /// All of its bytes.
    bytes: &'a [u8],
    /// What it holds, if it has a length.
    inside: Option<&'a [u8]>,
}

fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let whole = message;
        let (number, wire) = decode_key(&mut message).expect("a field");
        let mut inside = None;
        let length = match wire {
            WireType::Varint => {
                decode_varint(&mut message).expect("a number");
                0
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => {
                let length = decode_varint(&mut message).expect("a length") as usize;
                inside = Some(&message[..length]);
                length
            }
            other => panic!("{other:?} is not written"),
        };
        message = &message[length..];
        let bytes = &whole[..whole.len() - message.len()];
        fields.push(Field {
            number,
            bytes,
            inside,
        });
    }
    fields
}

fn compare(inner: &Inner, before: &[u8], after: &[u8], options: &TagOptions, in_tag: bool) {
    let mut later = fields(after).into_iter();
    for field in fields(before) {
        let now = later.next().expect("a field was taken away");
        assert_eq!(field.number, now.number, "another field");
        if field.bytes == now.bytes {
            continue;
        }
        let (Some(inside), Some(inside_now)) = (field.inside, now.inside) else {
            panic!("a value was changed");
        };
        let next = (inner.of)(field.number).expect("more than a tag was changed");
        let is_tag = inner.entries && field.number == 1 && is_tag(inside, options);
        if is_tag && options.style != Style::Ecs {
            assert_eq!(key(inside), key(inside_now), "another key");
            continue;
        }
        compare(next, inside, inside_now, options, is_tag || in_tag);
    }
    for field in later {
        assert_eq!(field.number, 1, "something new");
        let is_element = in_tag && std::ptr::eq(inner, &LIST);
        let inside = field.inside.expect("an entry or an element");
        assert!(
            is_element || inner.entries && is_tag(inside, options),
            "a member that is no tag was added"
        );
    }
}

/// The key of an entry.
fn key(entry: &[u8]) -> &[u8] {
    let fields = fields(entry);
    let key = fields.iter().rev().find(|field| field.number == 1);
    key.and_then(|key| key.inside).unwrap_or_default()
}

fn is_tag(entry: &[u8], options: &TagOptions) -> bool {
    match options.style {
        Style::Ecs => ECS.iter().any(|name| name.as_bytes() == key(entry)),
        _ => key(entry) == options.key.as_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_nothing_else() {
        let before = r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":0}"#;
        for (after, namespace, ecs) in [
            (before, true, true),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":{"rules":[]}}"#,
                true,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c","poseur":1}],"tags":["x"],"poseur":0}"#,
                true,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x","y"],"poseur":0}"#,
                false,
                true,
            ),
            (
                r#"{"a":[1,{"b":"d"}],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"a":[1,{"c":"c"}],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (
                r#"{"a":[1,{"b":"c"},2],"tags":["x"],"poseur":0}"#,
                false,
                false,
            ),
            (r#"{"a":[1,{"b":"c"}],"tags":["x"]}"#, false, false),
            (
                r#"{"a":[1,{"b":"c"}],"tags":["x"],"poseur":0,"z":1}"#,
                false,
                false,
            ),
        ] {
            for (style, expected) in [
                (Style::Namespace, namespace),
                (Style::Minimal, namespace),
                (Style::Ecs, ecs),
            ] {
                let options = TagOptions {
                    style,
                    ..TagOptions::default()
                };
                for form in 0..2 {
                    let [before, after] = [before, after].map(|json| {
                        let events = events_of(&packed(json.as_bytes()).unwrap());
                        request(&events[form..=form])
                    });
                    let check = || nothing_but_tags(&before, &after, &options);
                    assert_eq!(
                        std::panic::catch_unwind(check).is_ok(),
                        expected,
                        "{after:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn times_as_text() {
        for (seconds, nanos, expected) in [
            (0, 0, Some("1970-01-01T00:00:00Z")),
            (-1, 500_000_000, Some("1969-12-31T23:59:59.500Z")),
            (1_767_225_600, 1, Some("2026-01-01T00:00:00.000000001Z")),
            (1_767_225_600, 120_000, Some("2026-01-01T00:00:00.000120Z")),
            (
                253_402_300_799,
                999_999_999,
                Some("9999-12-31T23:59:59.999999999Z"),
            ),
            (253_402_300_800, 0, None),
            (-62_135_596_800, 0, Some("0001-01-01T00:00:00Z")),
            (-62_135_596_801, 0, None),
            (0, -1, None),
            (0, 1_000_000_000, None),
            (i64::MAX, 0, None),
        ] {
            let expected = expected.map_or(Value::Null, |text| Value::Text(text.into()));
            assert_eq!(unpacked_time(Time { seconds, nanos }), expected);
        }
    }
}
